"""Ed-Fi ODS/API over REST, suite 3: versions 5 to 7.

Protocol: https://docs.ed-fi.org/reference/ods-api/7.3/client-developers-guide/ (authorisation by client credentials at
`/oauth/token`; `limit` up to 500 with `offset`, or from 7.3 on `pageSize` with `pageToken`, never both; `Total-Count`)
and https://docs.ed-fi.org/reference/ods-api/7.3/client-developers-guide/using-the-changed-record-queries.

**Changes.** A server numbers its changes. The newest number is read once for each pull, and every resource is asked for
what was changed after the number of its last good pull (`minChangeVersion`, one more than that) and up to this one
(`maxChangeVersion`): nothing that is changed meanwhile belongs to the window, it comes with the next. The pull's window
stays one of time, [last good pull, this pull), as everywhere; `tides` keeps which number a server had reached at which
of these moments. Where that is not known (the notes are lost, the server was set up anew and counts from the beginning,
it no longer keeps changes that old), everything is read, and the outcome says why. Deletions are asked for apart and
landed as such; versions 5.1 to 5.3 tell nothing but their `id`, which is our key, and some tell those of records too
that were never ours to see, which delete nothing. A change of a natural key changes the record, but not in every
version its number: those records are asked for by id. What a server does not tell, the weekly full sync finds.

**Pages.** A record that is changed or deleted while its list is walked leaves the window, and moves those behind it to
an earlier page. So an offset walk compares the count before and after, and walks again where they differ. Everything is
read as of one instant only with `snapshot`, where the host makes snapshots of its database.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field as Key
from pydantic import HttpUrl

from uptake.contracts import Batch, Resource, Window
from uptake.credentials import Credential
from uptake.errors import ContractError, PermanentError, TransientError
from uptake.parsing import keys_only, parse_records
from uptake.sources.api import BATCH_ROWS, ApiSettings, ApiSource
from uptake.sources.auth import ClientCredentials
from uptake.sources.base import Homed
from uptake.sources.edfi.model import NAMESPACE, RESOURCES, PeopleSettings, guid, resources_of
from uptake.sources.http import NotFound
from uptake.sources.paging import Page, ahead, gathered, offset_pages, rows_at_top, token_pages, total_count
from uptake.sources.tides import Tides
from uptake.sources.windows import entity_windows

_NOTES = "change_versions.json"
_WALKS = 5


class EdFiSettings(ApiSettings, PeopleSettings):
    """url: the server, without `/data/v3`; a tenant or year that its addresses begin with belongs to it (version 7).

    instance, school_year: segments of the address after `/data/v3`, on servers that keep a database for each (5 and 6).
    A year that has a database of its own is a source of its own. token_url: default `<url>/oauth/token`, with the
    instance between. data_standard: that the server speaks. paging: `cursor` from 7.3 on. change_queries: false where
    the host has turned them off. snapshot: read the host's snapshot, where it makes one. page_size: servers refuse more
    than 500 unless told otherwise.
    """

    kind: Literal["edfi"] = "edfi"
    instance: Annotated[str, Key(pattern=r"^[A-Za-z0-9_-]+$")] | None = None
    school_year: Annotated[int, Key(ge=2000, le=2100)] | None = None
    token_url: HttpUrl | None = None
    data_standard: Literal[3, 4, 5, 6] = 5
    paging: Literal["offset", "cursor"] = "offset"
    change_queries: bool = True
    snapshot: bool = False
    page_size: Annotated[int, Key(ge=1, le=500)] = 500


@dataclass(slots=True)
class _Walk:
    """seen: ids that came. total: how many the server counts at the end. notes: what a person must know."""

    seen: set[str] = field(default_factory=set)
    total: int | None = None
    notes: list[str] = field(default_factory=list)

    def fresh(self, rows: Iterable[Any]) -> list[Any]:
        """Rows that did not come before; one without an id is let through, to be rejected where it is parsed."""
        found = []
        for row in rows:
            key = _id_of(row)
            if not isinstance(key, str):
                found.append(row)
            elif (key := guid(key)) not in self.seen:
                self.seen.add(key)
                found.append(row)
        return found


class EdFi(Homed, ApiSource):
    """One database of an Ed-Fi server, as far as the credential's claims reach."""

    kind: ClassVar[str] = "edfi"
    namespace: ClassVar[str] = NAMESPACE
    settings_model: ClassVar[type[EdFiSettings]] = EdFiSettings
    declared = RESOURCES

    def __init__(self, settings: EdFiSettings, credential: Credential | None) -> None:
        super().__init__(settings, credential)
        self._settings = settings
        context = "".join(f"/{part}" for part in (settings.instance, settings.school_year) if part is not None)
        self._data = f"data/v3{context}/ed-fi"
        self._changes = f"changeQueries/v1{context}/availableChangeVersions"
        self._why_everything: dict[str, str] = {}

    def _auth(self, settings: EdFiSettings, credential: Credential) -> ClientCredentials:
        instance = f"/{settings.instance}" if settings.instance else ""
        token_url = str(settings.token_url or f"{self._base}{instance}/oauth/token")
        return ClientCredentials(token_url, credential, connection=self._connection)

    def _headers(self, settings: EdFiSettings) -> Mapping[str, str]:
        return {"Use-Snapshot": "true"} if settings.snapshot else {}

    @cached_property
    def resources(self) -> Mapping[str, Resource]:
        settings = self._settings
        return resources_of(settings, settings.name, standard=settings.data_standard, changes=settings.change_queries)

    def windows(self, resource: Resource, *, since: datetime | None, until: datetime, full: bool) -> list[Window]:
        """One window. Where nobody knows which version was reached at `since`, it is one of everything."""
        if not resource.cursor:
            return entity_windows(resource, since, until, full)
        windows = entity_windows(resource, since, until, full)
        if windows[0].mode == "incremental" and (why := self._unknown_since(windows[0])):
            windows = [Window.between("full", None, until)]
            self._why_everything[resource.name] = why
        self._tides.note(until, str(self._newest))
        return windows

    def pull(self, resource: Resource, window: Window) -> Iterator[Batch]:
        walk, changes = _Walk(), self._span(window)
        if changes and changes["minChangeVersion"] > changes["maxChangeVersion"]:
            return  # nothing at all was changed since
        if why := self._why_everything.pop(resource.name, None):
            walk.notes.append(why)
        came = 0
        for page in gathered(ahead(self._records(resource.name, changes, walk)), BATCH_ROWS):
            batch = parse_records(resource, page.rows)
            came += batch.pulled
            yield batch
        if changes:
            for page in gathered(self._rekeyed(resource.name, changes, walk), BATCH_ROWS):
                yield parse_records(resource, page.rows)
            for page in gathered(self._deletions(resource.name, changes, walk), BATCH_ROWS):
                batch = parse_records(keys_only(resource), page.rows)
                batch.is_deletion = True
                yield batch
        elif walk.total is not None:
            yield Batch(resource.schema.empty_table(), source_total=walk.total)
        if changes and walk.total is not None and walk.total != came:
            walk.notes.append(f"The server counted {walk.total} changed records, {came} came.")
        if walk.notes:
            yield Batch(resource.schema.empty_table(), note=" ".join(walk.notes))

    def probe(self) -> str:
        answer = self.client.get(f"{self._data}/schools", {"limit": 1, "offset": 0}, is_probe=True)
        rows_at_top(answer)
        if self._settings.change_queries:
            self._ask_versions(is_probe=True)
        return f"Ed-Fi at {answer.url.host} answers and takes the credential."

    # --- change versions -----------------------------------------------------------------------------------------

    @cached_property
    def _tides(self) -> Tides:
        return Tides(self.home.notes / _NOTES, f"{self._base}/{self._data}")

    @cached_property
    def _versions(self) -> tuple[int, int]:
        """Oldest and newest, read once for each `with` block: all resources are read up to the same."""
        return self._ask_versions()

    @property
    def _newest(self) -> int:
        return self._versions[1]

    def _ask_versions(self, *, is_probe: bool = False) -> tuple[int, int]:
        try:
            answer = self.client.get(self._changes, is_probe=is_probe)
        except NotFound as error:
            raise PermanentError(
                error.message,
                remedy="set `snapshot: false`, or ask the host when it makes one."
                if self._settings.snapshot
                else "if the host has no change queries, set `change_queries: false`; else check the source's url.",
            ) from error
        # Version 5 begins the names with a capital.
        data = answer.data if isinstance(answer.data, dict) else {}
        found = {name.lower(): value for name, value in data.items()}
        oldest, newest = found.get("oldestchangeversion"), found.get("newestchangeversion")
        if not isinstance(oldest, int) or not isinstance(newest, int):
            raise ContractError(
                "the server's answer does not say which change versions it has",
                remedy="check that the source's url and kind are right.",
            )
        return oldest, newest

    def _reached(self, moment: datetime) -> int | None:
        mark = self._tides.at(moment)
        return int(mark) if mark else None

    def _unknown_since(self, window: Window) -> str | None:
        """Why what changed in a window cannot be asked for."""
        assert window.start is not None
        before, (oldest, newest) = self._reached(window.start), self._versions
        if before is None:
            return "Everything was read: it is not known which change version the server had at the last good pull."
        if before > newest:
            return "Everything was read: the server's change versions begin anew, as after a restore."
        if before + 1 < oldest:
            return "Everything was read: the server no longer keeps the changes since the last good pull."
        return None

    def _span(self, window: Window) -> dict[str, int] | None:
        """Filters of a window; None for everything, of which what is changed in mid-walk is a part."""
        if window.mode != "incremental" or window.start is None:
            return None
        before = self._reached(window.start)
        if before is None:
            raise RuntimeError("`windows` asks for everything where the version is not known")
        return {"minChangeVersion": before + 1, "maxChangeVersion": self._newest}

    # --- walks ---------------------------------------------------------------------------------------------------

    def _records(self, name: str, changes: Mapping[str, int] | None, walk: _Walk) -> Iterator[Page]:
        """Each record once. Raises TransientError where the list does not hold still for one walk of it."""
        path, params = f"{self._data}/{name}", dict(changes or {})
        if self._settings.paging == "cursor":
            yield from self._by_token(path, params, walk)
            return
        before = self._total(path, params)
        for number in range(_WALKS):
            known = len(walk.seen)
            for page in self._by_offset(path, params):
                yield Page(walk.fresh(page.rows))
            after = self._total(path, params)
            # Records that leave the list while it is walked draw others over the edge of a page; a second walk that
            # finds nothing new says that none was.
            is_still = before == after and len(walk.seen) >= (after or 0)
            if is_still or after is None or (number and len(walk.seen) == known):
                walk.total = after
                return
            before = after
        raise TransientError(
            f"the list of {name} was changed during each of {_WALKS} walks",
            remedy="nothing at once: it is asked again. If it lasts, pull at a quieter hour, or set `paging: cursor` "
            "(7.3 and later) or `snapshot: true`.",
        )

    def _by_offset(self, path: str, params: Mapping[str, Any]) -> Iterator[Page]:
        return offset_pages(
            self.client, path, params, page_size=self._settings.page_size, rows_of=rows_at_top, key="id"
        )

    def _by_token(self, path: str, params: Mapping[str, Any], walk: _Walk) -> Iterator[Page]:
        before, pages, came = self._total(path, params), 0, 0
        for page in token_pages(self.client, path, params, page_size=self._settings.page_size, rows_of=rows_at_top):
            pages, came = pages + 1, came + len(page.rows)
            yield Page(walk.fresh(page.rows))
        walk.total = self._total(path, params)
        if pages == 1 and came < min(before or 0, walk.total or 0):
            raise PermanentError(
                "the server gave one page of several and no token for the next: it has no cursor paging",
                remedy="set `paging: offset`: cursors came with version 7.3.",
            )

    def _total(self, path: str, params: Mapping[str, Any]) -> int | None:
        """How many records there are; None where the server does not say."""
        answer = self.client.get(path, {**params, "limit": 0, "offset": 0, "totalCount": "true"})
        rows_at_top(answer)
        return total_count(answer)

    def _rekeyed(self, name: str, changes: Mapping[str, int], walk: _Walk) -> Iterator[Page]:
        """Records whose natural key was changed and that did not come for it. One that is gone since has a deletion."""
        ids = map(_id_of, self._tracked(name, "keyChanges", changes))
        for key in sorted({guid(each) for each in ids if isinstance(each, str)} - walk.seen):
            yield Page(walk.fresh(rows_at_top(self.client.get(f"{self._data}/{name}", {"id": key}))))

    def _deletions(self, name: str, changes: Mapping[str, int], walk: _Walk) -> Iterator[Page]:
        """Ids of deleted records, each once."""
        gone = _Walk()
        rows = ({"id": _id_of(row)} for row in self._tracked(name, "deletes", changes, walk))
        yield Page(gone.fresh(rows))

    def _tracked(self, name: str, what: str, changes: Mapping[str, int], walk: _Walk | None = None) -> Iterator[Any]:
        """Rows of a resource's `deletes` or `keyChanges`, which are written once and not changed any more.

        walk: is told where the server does not have them; key changes came with 6.1 only.
        """
        try:
            for page in self._by_offset(f"{self._data}/{name}/{what}", changes):
                yield from page.rows
        except NotFound:
            if walk is not None:
                walk.notes.append(f"The server tells no deletions of {name}: the weekly full sync finds them.")


def _id_of(row: Any) -> Any:
    """Version 5 begins the name with a capital."""
    return row.get("id", row.get("Id")) if isinstance(row, dict) else None
