"""Canvas Data 2: the tables of a Canvas account in bulk, as a snapshot first and then what changed.

Protocol: `dap.py`. Tables: https://developerdocs.instructure.com/services/dap/key-concepts; each has its schema at the
vendor, and is held to it before it is read. What means the same as in Canvas' REST API lands as that does
(`canvas.py`), so that nothing behind it changes. Of each table only the columns named here are taken: the others hold
what pupils wrote. The web log lands by itself: its `interaction_micros` is how long the server took over a request, not
how long somebody looked at a page, and it does not say which requests a person made.

How far a table was read is noted as the vendor's own time of its state, which lags by hours. Users are read whole each
day with the logins that their ids come from; a login that is changed would not say the rest of its user.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal

import httpx
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field as Key

from uptake.contracts import TIMESTAMP, Batch, Field, Resource, Window
from uptake.credentials import Credential
from uptake.errors import PermanentError, TransientError, UptakeError
from uptake.parsing import by_name, keys_only, parse_records
from uptake.rows import RowReader, Rows
from uptake.sources.api import ApiSettings, ApiSource
from uptake.sources.auth import ClientCredentials
from uptake.sources.base import Homed
from uptake.sources.canvas import RESOURCES as REST
from uptake.sources.dap import Dap, Result, TooOld, error_of
from uptake.sources.http import WAIT
from uptake.sources.tides import Tides
from uptake.sources.windows import entity_windows

# A snapshot costs the vendor much, and deletions are told: https://developerdocs.instructure.com/services/dap/key-concepts
_WHOLE_EVERY = timedelta(days=28)
_DAILY = timedelta(days=1)
_KEPT = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Table:
    """columns: of the contract's fields, by name, the table's own. gone: a state that means that a record is deleted,
    where the contract has no column for it. only: (column, value) of the rows that are of the resource."""

    namespace: str
    name: str
    columns: Mapping[str, str]
    gone: str | None = None
    only: tuple[str, str] | None = None

    @property
    def asked(self) -> set[str]:
        own = {self.only[0]} if self.only else set()
        return set(self.columns.values()) | own | ({"workflow_state"} if self.gone else set())


def _same(names: str, **others: str) -> dict[str, str]:
    return {name: name for name in names.split()} | others


# The key stands first.
TABLES: Mapping[str, Table] = {
    "accounts": Table(
        "canvas", "accounts", _same("id name parent_account_id workflow_state", sis_account_id="sis_source_id")
    ),
    "terms": Table(
        "canvas", "enrollment_terms", _same("id name start_at end_at workflow_state", sis_term_id="sis_source_id")
    ),
    "courses": Table(
        "canvas",
        "courses",
        _same(
            "id name course_code enrollment_term_id workflow_state account_id start_at",
            sis_course_id="sis_source_id",
            end_at="conclude_at",
        ),
    ),
    "sections": Table(
        "canvas", "course_sections", _same("id course_id name", sis_section_id="sis_source_id"), gone="deleted"
    ),
    "users": Table("canvas", "users", _same("id name created_at"), gone="deleted"),
    "enrollments": Table(
        "canvas",
        "enrollments",
        _same(
            "id user_id course_id course_section_id type last_activity_at total_activity_time created_at updated_at",
            enrollment_state="workflow_state",
        ),
    ),
    "assignments": Table(
        "canvas",
        "assignments",
        _same(
            "id due_at unlock_at points_possible grading_type workflow_state created_at updated_at",
            course_id="context_id",
            name="title",
        ),
        only=("context_type", "Course"),
    ),
    "submissions": Table(
        "canvas",
        "submissions",
        _same("id assignment_id user_id course_id score submitted_at graded_at workflow_state"),
    ),
    "web_logs": Table(
        "canvas_logs",
        "web_logs",
        _same("id timestamp user_id real_user_id url http_method http_status participated"),
    ),
}
_LOGINS = Table("canvas", "pseudonyms", _same("id user_id unique_id sis_user_id workflow_state"))

_WEB_LOGS = Resource(
    "web_logs",
    (
        Field("id"),
        Field("timestamp", TIMESTAMP, required=True),
        Field("user_id", identifier="canvas_user", required=True),
        Field("real_user_id", identifier="canvas_user", doc="set when someone acts as the user"),
        Field("url", url=True),
        Field("is_api", pa.bool_(), doc="put in by the source: a request of a program, before the address is cut"),
        Field("http_method"),
        Field("http_status"),
        Field("participated", pa.bool_()),
    ),
    key=("id",),
    kind="event",
    event_time="timestamp",
    cursor=True,
    full_sync_every=None,
    retention=_KEPT,
    doc="Requests to Canvas, as its web servers log them: people's and programs'. The vendor keeps them for 30 days.",
)


def _in_bulk(resource: Resource) -> Resource:
    """The contract of a table that tells its changes and its deletions. What vanished did so in the whole of it."""
    if resource.name == "users":
        return replace(resource, full_sync_every=_DAILY)
    return replace(resource, cursor=True, lookback=timedelta(0), full_sync_every=_WHOLE_EVERY, delete_scope=())


# What lands here and nowhere else.
RESOURCES: dict[str, Resource] = {"web_logs": _WEB_LOGS}
_ALL: Mapping[str, Resource] = {name: _in_bulk(REST[name]) for name in TABLES if name in REST} | RESOURCES


class CanvasData2Settings(ApiSettings):
    """url: Instructure's gateway. host: the district's Canvas, for the addresses of its web log.

    web_logs: whether the web log is read too. job_minutes: how long one job of the vendor is waited for.
    """

    kind: Literal["canvas_data_2"] = "canvas_data_2"
    host: Annotated[str, Key(pattern=r"^[a-z0-9.-]+\.[a-z]{2,}$")]
    pull_every_minutes: Annotated[int, Key(ge=1)] = 240  # as often as the vendor's copy is renewed
    web_logs: bool = True
    job_minutes: Annotated[float, Key(gt=0, le=600)] = 60


class CanvasData2(Homed, ApiSource):
    """The tables of one account."""

    kind: ClassVar[str] = "canvas_data_2"
    namespace: ClassVar[str] = "canvas"
    settings_model: ClassVar[type[CanvasData2Settings]] = CanvasData2Settings
    declared = _ALL

    def __init__(self, settings: CanvasData2Settings, credential: Credential | None) -> None:
        super().__init__(settings, credential)
        self._settings = settings
        self._checked: set[str] = set()

    def _auth(self, settings: CanvasData2Settings, credential: Credential) -> ClientCredentials:
        return ClientCredentials(f"{self._base}/ids/auth/login", credential, connection=self._connection)

    def _error(self, response: httpx.Response) -> UptakeError | None:
        return error_of(response)

    @cached_property
    def resources(self) -> Mapping[str, Resource]:
        return {name: each for name, each in _ALL.items() if name != "web_logs" or self._settings.web_logs}

    def windows(self, resource: Resource, *, since: datetime | None, until: datetime, full: bool) -> list[Window]:
        """One window. Where nobody knows what was reached at `since`, it is one of the whole table."""
        mark = self._tides(resource).at(since) if since is not None and not full else None
        if resource.kind == "event":
            # Changes by when they were written, not by when they happened: each pull's land beside the others'.
            return [replace(Window.between("incremental", since if mark else None, until), mode="file")]
        return entity_windows(resource, since if mark else None, until, full)

    def pull(self, resource: Resource, window: Window) -> Iterator[Batch]:
        """Raises TransientError where the vendor asks for a snapshot: the next pull is one."""
        table, tides = TABLES[resource.name], self._tides(resource)
        since = tides.at(window.start) if window.mode != "full" and window.start is not None else None
        try:
            result = self._result(table, since)
        except TooOld as error:
            tides.forget()
            raise TransientError(error.message, remedy=error.remedy) from error
        tells_deletions = since is not None and resource.kind == "entity"
        for batch in self._batches(resource, table, result):
            if tells_deletions or not batch.is_deletion:  # else the diff of the whole table finds what is gone
                yield batch
        if window.end is not None:
            tides.note(window.end, result.reached)

    def probe(self) -> str:
        found = self._dap.tables("canvas", is_probe=True)
        log = TABLES["web_logs"]
        if self._settings.web_logs and log.name not in self._dap.tables(log.namespace, is_probe=True):
            raise PermanentError(
                "the account has no web log in Canvas Data 2",
                remedy="ask Instructure to turn it on, or leave it out (`web_logs: false`).",
            )
        host = httpx.URL(self._base).host
        return f"Canvas Data 2 at {host} answers and takes the credential; it has {len(found)} tables."

    @cached_property
    def _dap(self) -> Dap:
        patience = self._settings.job_minutes * 60
        return Dap(self.client, patience_seconds=patience, sleep=type(self).sleep)

    def _tides(self, resource: Resource) -> Tides:
        return Tides(self.home.notes / f"reached-{resource.name}.json", f"{self._base}/{resource.name}")

    def _result(self, table: Table, since: str | None) -> Result:
        if table.name not in self._checked:
            self._dap.require_columns(table.namespace, table.name, table.asked)
            self._checked.add(table.name)
        return self._dap.query(table.namespace, table.name, since)

    def _batches(self, resource: Resource, table: Table, result: Result) -> Iterator[Batch]:
        contract = by_name(resource)
        more = self._more(resource)
        skipped = 0
        for lines in self._lines(table, result):
            kept, gone, left_out = _parted(lines, table)
            skipped += left_out
            if len(kept):
                yield parse_records(contract, more(kept))
            if len(gone):
                batch = parse_records(keys_only(contract), gone)
                batch.is_deletion = True
                yield batch
        if skipped and resource.kind == "event":
            note = f"{skipped} requests were nobody's: nobody was signed in."
            yield Batch(resource.schema.empty_table(), note=note)

    def _lines(self, table: Table, result: Result) -> Iterator[list[Any] | Rows]:
        read = RowReader("rows")
        for block in self._dap.blocks(result):
            yield _decoded(block, read)

    def _more(self, resource: Resource) -> Callable[[list[Any] | Rows], list[Any] | Rows]:
        """What rows get besides the columns of their own table."""
        if resource.name == "users":
            logins = self._logins()
            return lambda rows: [_with_login(row, logins) for row in rows]
        if resource.name == "web_logs":
            return lambda rows: _with_place(rows, self._settings.host)
        return lambda rows: rows

    def _logins(self) -> dict[int, tuple[str | None, str | None]]:
        """(SIS id, name to sign in with) by user: of several logins an active one, then one with a SIS id."""
        found: dict[int, tuple[tuple[bool, bool, int], tuple[str | None, str | None]]] = {}
        for lines in self._lines(_LOGINS, self._result(_LOGINS, None)):
            kept, _, _ = _parted(lines, _LOGINS)
            for row in kept:
                user, number = (row.get("user_id"), row.get("id")) if isinstance(row, dict) else (None, None)
                if not isinstance(user, int) or not isinstance(number, int):
                    raise TransientError("a login came without its user", remedy=WAIT)
                rank = row.get("workflow_state") == "active", bool(row.get("sis_user_id")), -number
                if user not in found or found[user][0] < rank:
                    found[user] = rank, (row.get("sis_user_id"), row.get("unique_id"))
        return {user: login for user, (_, login) in found.items()}


def _decoded(block: bytes, read: RowReader) -> list[Any] | Rows:
    """Lines of JSON; one that is none comes back as its text, which no contract takes for a record."""
    lines = [line for line in block.split(b"\n") if line.strip()]
    if not lines:
        return []
    try:
        rows: list[Any] | Rows = read(b'{"rows":[' + b",".join(lines) + b"]}")["rows"]
    except (orjson.JSONDecodeError, KeyError):
        return [_line(line) for line in lines]
    return rows if len(rows) == len(lines) else [_line(line) for line in lines]


def _line(line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return line.decode(errors="replace")


def _parted(rows: list[Any] | Rows, table: Table) -> tuple[list[Any] | Rows, list[Any] | Rows, int]:
    """Records under the contract's names; keys of those that are gone; how many are of something else."""
    if isinstance(rows, Rows) and (parted := _parted_columns(rows, table)) is not None:
        return parted
    kept: list[Any] = []
    gone: list[Any] = []
    left_out = 0
    key = next(iter(table.columns))
    for row in rows:
        meta, place, value = (
            (row.get(name) for name in ("meta", "key", "value")) if isinstance(row, dict) else (0, 0, 0)
        )
        if not (isinstance(meta, dict) and isinstance(place, dict) and isinstance(value, dict | None)):
            kept.append(row if not isinstance(row, dict) else orjson.dumps(row).decode())
            continue
        record = (value or {}) | place
        if meta.get("action") == "D" or (table.gone and record.get("workflow_state") == table.gone):
            gone.append({key: place.get(table.columns[key])})
        elif _is_of(table, record):
            kept.append({name: record.get(own) for name, own in table.columns.items()})
        else:
            left_out += 1
    return kept, gone, left_out


def _is_of(table: Table, record: Mapping[str, Any]) -> bool:
    if table.name == "web_logs":
        return record.get("user_id") is not None
    return table.only is None or record.get(table.only[0]) == table.only[1]


def _parted_columns(rows: Rows, table: Table) -> tuple[Rows, Rows, int] | None:
    """The same of rows of one shape, without an object for each; None where they need a closer look."""
    parts = {name: rows.table.column(name).combine_chunks() for name in rows.table.column_names}
    if not {"meta", "key"} <= parts.keys() or not all(pa.types.is_struct(part.type) for part in parts.values()):
        return None
    if any(part.null_count for name, part in parts.items() if name != "value"):
        return None
    action = parts["meta"].type.get_field_index("action")
    if action < 0 or not pa.types.is_string(parts["meta"].type.field(action).type):
        return None

    def column(name: str) -> pa.Array:
        for part in (parts["key"], parts.get("value")):
            if part is not None and part.type.get_field_index(name) >= 0:
                return pc.struct_field(part, name)
        return pa.nulls(len(rows))

    is_gone = _equals(pc.struct_field(parts["meta"], "action"), "D")
    if table.gone:
        is_gone = pc.or_(is_gone, _equals(column("workflow_state"), table.gone))
    is_other = pa.array([False] * len(rows))
    if table.name == "web_logs":
        is_other = pc.is_null(column("user_id"))
    elif table.only:
        is_other = pc.invert(_equals(column(table.only[0]), table.only[1]))
    whole = pa.table({name: column(own) for name, own in table.columns.items()})
    key = next(iter(table.columns))
    kept = whole.filter(pc.invert(pc.or_(is_gone, is_other)))
    gone = whole.select([key]).filter(is_gone)
    left_out = pc.sum(pc.and_not(is_other, is_gone)).as_py() or 0
    return Rows(kept, kept.to_pylist), Rows(gone, gone.to_pylist), left_out


def _equals(column: pa.Array, text: str) -> pa.Array:
    if not pa.types.is_string(column.type):
        return pa.array([False] * len(column))
    return pc.fill_null(pc.equal(column, text), False)


def _with_login(row: Any, logins: Mapping[int, tuple[str | None, str | None]]) -> Any:
    if not isinstance(row, dict) or not isinstance(row.get("id"), int):
        return row
    sis_id, name = logins.get(row["id"], (None, None))
    return row | {"sis_user_id": sis_id, "login_id": name}


def _with_place(rows: list[Any] | Rows, host: str) -> list[Any] | Rows:
    """Whole addresses in place of paths, and whether a program was behind the request."""
    if isinstance(rows, Rows) and pa.types.is_string(rows.type_of("url")):
        paths = rows.table.column("url")
        is_path = pc.fill_null(pc.starts_with(paths, "/"), False)
        whole = pc.if_else(is_path, pc.binary_join_element_wise(f"https://{host}", paths, ""), paths)
        is_api = pc.match_substring_regex(whole, _API)
        table = rows.table.set_column(rows.table.column_names.index("url"), "url", whole).append_column(
            "is_api", is_api
        )
        return Rows(table, table.to_pylist)
    return [_placed(row, host) if isinstance(row, dict) else row for row in rows]


_API = "^https?://[^/]+/api/"


def _placed(row: dict[str, Any], host: str) -> dict[str, Any]:
    url = row.get("url")
    if not isinstance(url, str):
        return row
    whole = f"https://{host}{url}" if url.startswith("/") else url
    return row | {"url": whole, "is_api": whole.split("://", 1)[-1].partition("/")[2].startswith("api/")}
