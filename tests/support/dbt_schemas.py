"""Imported by the process that dbt is forked from: the schemas of its settings, which each start of dbt makes anew."""

from __future__ import annotations

from dbt.adapters.duckdb import DuckDBCredentials
from dbt.contracts.project import Configuration, PackageConfig, ProfileConfig, Project, ProjectFlags
from dbt.contracts.selection import SelectorFile

for settings in (Configuration, DuckDBCredentials, PackageConfig, ProfileConfig, Project, ProjectFlags, SelectorFile):
    settings.json_schema()
