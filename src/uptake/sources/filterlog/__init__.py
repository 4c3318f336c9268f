"""A web filter's own log files, dropped in a folder or a bucket."""

from uptake.sources.filterlog.source import FilterLog, FilterLogSettings

__all__ = ["FilterLog", "FilterLogSettings"]
