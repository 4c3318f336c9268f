"""Clever's Data API as a client sees it: a district's token, envelopes, links to follow, and events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from scripted_vendor import Asked, Reply, Vendor

TOKEN = "district-token"
LISTS = ("districts", "schools", "terms", "courses", "sections", "users")


class CleverServer:
    """clamp: never gives more rows than that. heeds_types: tells events of the asked record type only. Ids
    ascend, as Clever's do; each write leaves an event."""

    def __init__(self, vendor: Vendor, *, version: str = "3.0", clamp: int = 10_000, heeds_types: bool = True) -> None:
        self._root, self._clamp, self._heeds_types = f"/v{version}", clamp, heeds_types
        self._made = 0
        self._records: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in LISTS}
        self.events: list[dict[str, Any]] = []
        for name in LISTS:
            vendor.on(f"{self._root}/{name}", self._guarded(lambda asked, name=name: self._list(asked, name)))
        vendor.on(f"{self._root}/events", self._guarded(self._events))

    def put(self, name: str, *records: dict[str, Any]) -> list[str]:
        """Add records, or replace those of the same id. Returns their ids."""
        ids = []
        for record in records:
            key = record.get("id") or self._next()
            change = "updated" if key in self._records[name] else "created"
            self._records[name][key] = record | {"id": key, "district": "d" * 24}
            self.tell(f"{name}.{change}", self._records[name][key])
            ids.append(key)
        return ids

    def delete(self, name: str, key: str) -> None:
        self.tell(f"{name}.deleted", self._records[name].pop(key))

    def tell(self, kind: str, record: dict[str, Any]) -> None:
        event = {"type": kind, "id": self._next(), "created": "2026-04-14T10:00:00.000Z", "data": {"object": record}}
        self.events.append(event)

    def _next(self) -> str:
        self._made += 1
        return f"{self._made:024x}"

    def _guarded(self, answer: Callable[[Asked], Reply]) -> Callable[[Asked], Reply]:
        def guard(asked: Asked) -> Reply:
            is_known = asked.headers.get("authorization") == f"Bearer {TOKEN}"
            return answer(asked) if is_known else Reply({"message": "invalid token"}, 401)

        return guard

    def _list(self, asked: Asked, name: str) -> Reply:
        rows = [self._records[name][key] for key in sorted(self._records[name])]
        return self._page(asked, name, rows)

    def _events(self, asked: Asked) -> Reply:
        if asked.params.get("ending_before") == ["last"]:
            return self._page(asked, "events", self.events[-asked.number("limit") :])
        kinds = asked.params.get("record_type", LISTS) if self._heeds_types else LISTS
        rows = [event for event in self.events if event["type"].partition(".")[0] in kinds]
        return self._page(asked, "events", rows)

    def _page(self, asked: Asked, name: str, rows: list[dict[str, Any]]) -> Reply:
        after = asked.params.get("starting_after", [""])[0]
        left = [row for row in rows if row["id"] > after]
        page = left[: min(asked.number("limit") if "limit" in asked.params else 100, self._clamp)]
        links = [{"rel": "self", "uri": asked.path}]
        if len(page) < len(left):
            following = {key: values[0] for key, values in asked.params.items()} | {"starting_after": page[-1]["id"]}
            links.append({"rel": "next", "uri": f"{self._root}/{name}?{urlencode(following)}"})
        data = [{"data": row, "uri": f"{self._root}/{name}/{row['id']}"} for row in page]
        return Reply({"data": data, "links": links})
