"""An Ed-Fi ODS/API as a client sees it: tokens, both ways of paging, change queries, snapshots, and their errors.

It counts changes as the real one does: each write has the next version, a list is the state of now, a deletion and a
change of a key leave a row of their own. `during` lets a test change records between two pages.
"""

from __future__ import annotations

import base64
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from scripted_vendor import Asked, Reply, Vendor

from uptake.sources.edfi import RESOURCES

CLIENT = ("edfi-key", "edfi-secret")
LARGEST_LIMIT, DEFAULT_LIMIT = 500, 25


@dataclass
class _Kept:
    """Records by id in the order in which they were made, each with its version; rows of deletes and key changes."""

    records: dict[str, tuple[int, dict[str, Any]]] = field(default_factory=dict)
    deletes: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    key_changes: list[tuple[int, dict[str, Any]]] = field(default_factory=list)


class EdFiServer:
    """context: segments after `/data/v3`. old: as version 5.1 to 5.3. cursors: knows `pageToken`. clamp: never gives
    more rows than that. expire_after: a token's uses."""

    def __init__(
        self,
        vendor: Vendor,
        *,
        context: str = "",
        old: bool = False,
        cursors: bool = True,
        clamp: int = LARGEST_LIMIT,
        expire_after: int | None = None,
    ) -> None:
        self.version = 100
        self.oldest = 0
        self.has_snapshot = False
        self.during: Callable[[Asked], None] = lambda asked: None
        self._old, self._cursors, self._clamp, self._expire_after = old, cursors, clamp, expire_after
        self._kept = {name: _Kept() for name in RESOURCES}
        self._tokens: dict[str, int] = {}
        self._vendor = vendor
        vendor.on("/oauth/token", self._token)
        vendor.on(f"/changeQueries/v1{context}/availableChangeVersions", self._guarded(self._versions))
        for name in RESOURCES:
            path = f"/data/v3{context}/ed-fi/{name}"
            vendor.on(path, self._guarded(lambda asked, name=name: self._list(asked, name)))
            vendor.on(f"{path}/deletes", self._guarded(lambda asked, name=name: self._deletes(asked, name)))
            if not old:
                vendor.on(
                    f"{path}/keyChanges",
                    self._guarded(lambda asked, name=name: self._tracked(asked, self._kept[name].key_changes)),
                )

    # --- what a test does to it ----------------------------------------------------------------------------------

    def put(self, name: str, *records: dict[str, Any]) -> list[str]:
        """Add records, or replace those of the same id. Returns their ids."""
        ids = []
        for record in records:
            self.version += 1
            key = record.get("id") or uuid.uuid4().hex
            self._kept[name].records[key] = (self.version, record | {"id": key})
            ids.append(key)
        return ids

    def delete(self, name: str, key: str) -> None:
        self.version += 1
        del self._kept[name].records[key]
        self.tell_deleted(name, key)

    def tell_deleted(self, name: str, key: str) -> None:
        row = (
            {"Id": key, "ChangeVersion": str(self.version)}
            if self._old
            else {"id": str(uuid.UUID(key)), "changeVersion": self.version, "keyValues": {}}
        )
        self._kept[name].deletes.append((self.version, row))

    def change_key(self, name: str, key: str, changed: dict[str, Any], *, counts: bool = False) -> None:
        """counts: the record itself gets a new version too, which not every version of the server sees to."""
        self.version += 1
        before, record = self._kept[name].records[key]
        self._kept[name].records[key] = (self.version if counts else before, record | changed)
        row = {"id": key, "changeVersion": self.version, "oldKeyValues": {}, "newKeyValues": {}}
        self._kept[name].key_changes.append((self.version, row))

    def lists(self, name: str) -> int:
        """How often a page of a list was asked for."""
        return sum(
            asked.path.endswith(f"/{name}") and asked.params.get("limit") != ["0"] for asked in self._vendor.asked
        )

    # --- what it answers -----------------------------------------------------------------------------------------

    def _token(self, asked: Asked) -> Reply:
        basic = base64.b64encode(":".join(CLIENT).encode()).decode()
        if asked.headers.get("authorization") != f"Basic {basic}" or "grant_type=client_credentials" not in asked.body:
            return Reply({"error": "invalid_client"}, 401)
        token = uuid.uuid4().hex
        self._tokens[token] = 0
        return Reply({"access_token": token, "token_type": "bearer", "expires_in": 1800})

    def _guarded(self, answer: Callable[[Asked], Reply]) -> Callable[[Asked], Reply]:
        def guard(asked: Asked) -> Reply:
            token = asked.headers.get("authorization", "").removeprefix("Bearer ")
            uses = self._tokens.get(token)
            if uses is None or (self._expire_after is not None and uses >= self._expire_after):
                return Reply({"detail": "The caller could not be authenticated."}, 401)
            self._tokens[token] = uses + 1
            if asked.headers.get("use-snapshot") == "true" and not self.has_snapshot:
                return Reply({"detail": "There is no snapshot."}, 404)
            reply = answer(asked)
            self.during(asked)
            return reply

        return guard

    def _versions(self, asked: Asked) -> Reply:
        oldest, newest = (
            ("OldestChangeVersion", "NewestChangeVersion")
            if self._old
            else ("oldestChangeVersion", "newestChangeVersion")
        )
        return Reply({oldest: self.oldest, newest: self.version})

    def _list(self, asked: Asked, name: str) -> Reply:
        rows = [
            row
            for version, row in self._kept[name].records.values()
            if self._is_within(asked, version) and asked.params.get("id", [row["id"]]) == [row["id"]]
        ]
        return self._page(asked, rows)

    def _deletes(self, asked: Asked, name: str) -> Reply:
        return self._tracked(asked, self._kept[name].deletes)

    def _tracked(self, asked: Asked, rows: list[tuple[int, dict[str, Any]]]) -> Reply:
        return self._page(asked, [row for version, row in rows if self._is_within(asked, version)])

    @staticmethod
    def _is_within(asked: Asked, version: int) -> bool:
        first = int(asked.params.get("minChangeVersion", ["0"])[0])
        last = int(asked.params.get("maxChangeVersion", [str(version)])[0])
        return first <= version <= last

    def _page(self, asked: Asked, rows: list[Any]) -> Reply:
        by_cursor = {"pageToken", "pageSize"} & asked.params.keys() if self._cursors else set()
        if by_cursor and {"limit", "offset"} & asked.params.keys():
            return Reply({"detail": "Both offset and cursor paging parameters were provided."}, 400)
        limit = (
            asked.number("pageSize" if by_cursor else "limit")
            if by_cursor or "limit" in asked.params
            else DEFAULT_LIMIT
        )
        if limit > LARGEST_LIMIT:
            return Reply({"detail": "Limit must be omitted or set to a value between 0 and 500."}, 400)
        # A cursor stands at a record, which stays where it is when others go.
        start = int(asked.params.get("pageToken", asked.params.get("offset", ["0"]))[0])
        page = rows[start : start + min(limit, self._clamp)]
        headers = {"Total-Count": str(len(rows))} if asked.params.get("totalCount") == ["true"] else {}
        if by_cursor and start + len(page) < len(rows):
            headers["Next-Page-Token"] = str(start + len(page))
        return Reply(page, headers=headers)
