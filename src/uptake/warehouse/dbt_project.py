"""Where the dbt project lies, and what it is."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection
from functools import cache
from pathlib import Path

from uptake.errors import PermanentError

PROJECT_VARIABLE = "UPTAKE_DBT_PROJECT"
DECIDING = (".sql", ".csv")  # files that decide what a build makes; the others describe it
_SETTINGS = ("dbt_project.yml", "profiles.yml")
_MADE_BY_DBT = ("target", "logs", "dbt_packages", ".user.yml")  # where dbt was run by hand


@cache
def dbt_project_dir() -> Path:
    """$UPTAKE_DBT_PROJECT, else dbt_project beside the source tree, else in the working folder."""
    named = os.environ.get(PROJECT_VARIABLE)
    places = (
        [Path(named)] if named else [Path(__file__).resolve().parents[3] / "dbt_project", Path.cwd() / "dbt_project"]
    )
    for place in places:
        if (place / "dbt_project.yml").exists():
            return place.resolve()
    raise PermanentError(
        "the dbt project is not where it was looked for", remedy=f"set {PROJECT_VARIABLE} to the folder dbt_project."
    )


def project_digest(root: Path, suffixes: Collection[str] = (*DECIDING, ".yml")) -> str:
    """Of the project's files with these suffixes and of its settings."""
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        place = path.relative_to(root)
        if place.parts[0] not in _MADE_BY_DBT and (path.suffix in suffixes or path.name in _SETTINGS):
            digest.update(place.as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
