"""Rosters, grades and assessment scores of an Ed-Fi ODS/API, suite 3: versions 5 to 7."""

from uptake.sources.edfi.model import RESOURCES
from uptake.sources.edfi.rest import EdFi, EdFiSettings

__all__ = ["RESOURCES", "EdFi", "EdFiSettings"]
