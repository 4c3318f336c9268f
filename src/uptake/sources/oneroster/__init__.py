"""Rosters and gradebooks in the OneRoster data model: over REST, version 1.1 or 1.2."""

from uptake.sources.oneroster.model import RESOURCES
from uptake.sources.oneroster.rest import OneRoster, OneRosterSettings

__all__ = ["RESOURCES", "OneRoster", "OneRosterSettings"]
