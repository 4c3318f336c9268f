"""Any SQL database as a source."""

from uptake.sources.database.source import Database, DatabaseSettings

__all__ = ["Database", "DatabaseSettings"]
