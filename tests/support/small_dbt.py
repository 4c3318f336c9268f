"""A dbt project that is parsed in a moment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

SETTINGS = {
    "dbt_project.yml": "name: small\nprofile: small\nmodel-paths: [models]\n",
    "profiles.yml": 'small: {target: one, outputs: {one: {type: duckdb, path: ":memory:"}}}\n',
}


def write(root: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
