"""What dbt does for nobody, or again and again: not done, or done once. It is a fifth of a build's CPU.

Events: dbt tells of everything it does by events, and makes a protocol-buffer message of each, field by field in
Python, before it asks whether anybody wants it; nearly all are SQL statements at debug level. Here an event keeps what
it was called with until it is read, and one at debug level is dropped unread.

Answers: for the types of each answer that it reads, dbt's table library writes down every way of writing a date in
English. Here that is done once.

Macros: each node sees all macros by name, and looks for each name in five places, two or three times a node. Here the
places are laid on top of each other once.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import parsedatetime
from dbt.context.macros import MacroNamespace
from dbt_common.events.base_types import BaseEvent, EventLevel
from dbt_common.events.event_manager import EventManager
from dbt_common.events.event_manager_client import ctx_set_event_manager

_CALLED_WITH, _MESSAGE, _BY_NAME = "_called_with", "_message", "_by_name"


def use() -> None:
    """For this process, before dbt starts."""
    ctx_set_event_manager(WithoutDebug())
    parsedatetime.Constants = cache(parsedatetime.Constants)
    _make_messages_late()
    _find_macros_at_once()


class WithoutDebug(EventManager):
    """As dbt's own, but deaf to events at debug level, which no log of ours takes."""

    def fire_event(
        self,
        e: BaseEvent,
        level: EventLevel | None = None,
        node: Any = None,
        force_warn_or_error_handling: bool = False,
    ) -> None:
        if force_warn_or_error_handling or (level or e.level_tag()) is not EventLevel.DEBUG:
            super().fire_event(e, level, node, force_warn_or_error_handling)


def _make_messages_late() -> None:
    make = BaseEvent.__init__

    def remember(self: BaseEvent, *args: Any, **kwargs: Any) -> None:
        self.__dict__[_CALLED_WITH] = args, kwargs

    def message(self: BaseEvent) -> Any:
        if _MESSAGE not in self.__dict__:
            args, kwargs = self.__dict__[_CALLED_WITH]
            make(self, *args, **kwargs)  # which sets what is read here
        return self.__dict__[_MESSAGE]

    def keep(self: BaseEvent, made: Any) -> None:
        self.__dict__[_MESSAGE] = made

    BaseEvent.__init__ = remember  # type: ignore[method-assign]
    BaseEvent.pb_msg = property(message, keep)


def _find_macros_at_once() -> None:
    begin = MacroNamespace.__init__

    def lay(self: MacroNamespace, *args: Any, **kwargs: Any) -> None:
        begin(self, *args, **kwargs)
        by_name: dict[str, Any] = {}
        for place in reversed(list(self._search_order())):  # what is searched first counts
            by_name.update(place)
        self.__dict__[_BY_NAME] = by_name

    MacroNamespace.__init__ = lay  # type: ignore[method-assign]
    MacroNamespace.__getitem__ = lambda self, key: self.__dict__[_BY_NAME][key]  # type: ignore[method-assign]
    MacroNamespace.__iter__ = lambda self: iter(self.__dict__[_BY_NAME])  # type: ignore[method-assign]
