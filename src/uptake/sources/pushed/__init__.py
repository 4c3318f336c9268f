"""Sources whose events are sent to us: the receiver keeps them in its spool, and a pull brings them into the lake."""

from uptake.sources.pushed.base import PushedSettings, PushedSource, Waiting

__all__ = ["PushedSettings", "PushedSource", "Waiting"]
