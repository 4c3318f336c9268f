"""Canvas Live Events as files, in either of the two forms that Canvas sends."""

from uptake.sources.liveevents.source import LiveEvents, LiveEventsSettings

__all__ = ["LiveEvents", "LiveEventsSettings"]
