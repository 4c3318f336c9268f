"""Imported by the process that dbt is forked from: what each start of dbt makes anew, before it reads its first model.

These are the schemas of its settings, and the code by which it reads and writes a parsed project: both are made when
they are first needed, so that here a small project is parsed twice. No connection is opened, and dbt's static parser,
which has threads of its own and would wait for them after a fork, is not used.

Its name must not begin with `dbt_`: dbt imports whatever does, as a plugin.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import small_dbt
from dbt.adapters.duckdb import DuckDBCredentials
from dbt.cli.main import dbtRunner
from dbt.contracts.project import Configuration, PackageConfig, ProfileConfig, Project, ProjectFlags
from dbt.contracts.selection import SelectorFile

MODELS = {
    "models/one.sql": "{{ config(materialized='table') }}\nselect a from {{ source('s', 't') }}\n",
    "models/one.yml": """
sources: [{name: s, tables: [{name: t, columns: [{name: a}]}]}]
models:
  - name: one
    config: {contract: {enforced: true}}
    columns: [{name: a, data_type: integer, constraints: [{type: not_null}], data_tests: [not_null]}]
unit_tests:
  - {name: u, model: one, given: [{input: "source('s', 't')", rows: [{a: 1}]}], expect: {rows: [{a: 1}]}}
""",
}

for settings in (Configuration, DuckDBCredentials, PackageConfig, ProfileConfig, Project, ProjectFlags, SelectorFile):
    settings.json_schema()

with tempfile.TemporaryDirectory() as folder:
    small_dbt.write(Path(folder), small_dbt.SETTINGS | MODELS)
    for _ in range(2):
        parsed = dbtRunner().invoke(
            ["--quiet", "--no-static-parser", "parse", "--project-dir", folder, "--profiles-dir", folder]
        )
        assert parsed.success, parsed.exception
