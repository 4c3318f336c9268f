"""One installation: its configuration, where its state lies, its credentials and its operations database."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from sqlalchemy import Engine

from uptake.config import District, UptakeConfig, load_config
from uptake.credentials import CredentialResolver, from_environment

CONFIG_VARIABLE = "UPTAKE_CONFIG"
OPERATIONS_VARIABLE = "UPTAKE_OPERATIONS_URL"


@dataclass(frozen=True)
class Project:
    config: UptakeConfig
    config_path: Path
    credential: CredentialResolver = from_environment

    @classmethod
    def load(cls, path: Path | None = None, *, credential: CredentialResolver = from_environment) -> Project:
        """From `path`, else $UPTAKE_CONFIG, else ./uptake.yaml. Raises ConfigError."""
        path = (path or Path(os.environ.get(CONFIG_VARIABLE, "uptake.yaml"))).resolve()
        return cls(load_config(path), path, credential)

    def district(self, district_id: str) -> District:
        return self.config.district(district_id)

    @property
    def state_dir(self) -> Path:
        return self.config.state_dir

    @property
    def lake(self) -> Path:
        """Landed Parquet: landing/district=/source=/resource=/day=/."""
        return self.state_dir / "landing"

    @property
    def quarantine(self) -> Path:
        return self.state_dir / "quarantine"

    def notes(self, district_id: str, source: str) -> Path:
        """What a source remembers for its own speed; it may be removed at any time."""
        return self.state_dir / "notes" / district_id / source

    def vault(self, district_id: str) -> Path:
        """Key and identity vault; outside lake and warehouse, and readable by the owner only."""
        return self.state_dir / "vault" / district_id

    def warehouse(self, district_id: str) -> Path:
        """The writer's DuckDB file. Only the build opens it."""
        return self.state_dir / "warehouse" / f"{district_id}.duckdb"

    def published(self, district_id: str) -> Path:
        """Snapshots: <id>/leaders.duckdb, <id>/restricted.duckdb, and the pointer file `current`."""
        return self.state_dir / "published" / district_id

    @property
    def data_docs(self) -> Path:
        return self.state_dir / "data_docs"

    @property
    def operations_url(self) -> str:
        default = f"sqlite:///{self.state_dir / 'operations' / 'uptake.db'}"
        return os.environ.get(OPERATIONS_VARIABLE) or self.config.operations_url or default

    @cached_property
    def operations(self) -> Engine:
        from uptake.operations.session import open_engine  # noqa: PLC0415 - a command that needs no ledger stays fast

        return open_engine(self.operations_url)
