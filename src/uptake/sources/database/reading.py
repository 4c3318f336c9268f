"""A connection that only reads, rows as they come, and what a database's errors mean.

Streaming and read-only transactions: https://docs.sqlalchemy.org/en/21/core/connections.html#engine-stream-results;
PostgreSQL's error classes: https://www.postgresql.org/docs/current/errcodes-appendix.html.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
from sqlalchemy import URL, Connection, create_engine, text
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError, ResourceClosedError
from sqlalchemy.pool import NullPool

from uptake.credentials import Credential
from uptake.errors import ConfigError, PermanentError, TransientError, UptakeError
from uptake.sources.dropfolder.readers import as_text

# What makes the rest of the connection's transaction read-only, in UTC; of other engines the account has to see to it.
_READ_ONLY = {
    "postgresql": ("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY", "SET LOCAL TIME ZONE 'UTC'"),
    "sqlite": ("PRAGMA query_only = ON",),
}
# Classes of SQLSTATE that another try may mend: connection, rolled back, resources, operator's intervention, system.
_TRANSIENT_STATES = ("08", "40", "53", "55", "57", "58")
_REFUSED = re.compile(r'authentication failed|no password supplied|role ".*" does not exist')
_PERMANENT_TEXTS = ("no such table", "no such column", "unable to open database file", "not a database", "syntax error")


@contextmanager
def reading(url: URL, credential: Credential | None, source: str) -> Iterator[Connection]:
    """A connection in one read-only transaction, and so in one state of the database. Raises UptakeError."""
    if credential is not None:
        url = url.set(username=credential.login or None, password=credential.password or None)
    try:
        engine = create_engine(url, poolclass=NullPool, hide_parameters=True)
    except (NoSuchModuleError, ModuleNotFoundError, ArgumentError) as error:
        raise ConfigError(
            f"there is no driver for {url.drivername!r} here", remedy="install it beside Uptake, or correct `url`."
        ) from error
    try:
        with engine.connect() as connection:
            for statement in _READ_ONLY.get(engine.dialect.name, ()):
                connection.execute(text(statement))
            yield connection
    except DBAPIError as error:
        raise _told(error, source) from error
    finally:
        engine.dispose()


def _told(error: DBAPIError, source: str) -> UptakeError:
    """What a person must know. The database's own words are left out where they may hold a row's value."""
    state = getattr(error.orig, "pgcode", None) or getattr(error.orig, "sqlstate", None)
    words = str(error.orig).splitlines()[0] if str(error.orig) else ""
    kind = f"{type(error.orig).__name__}{f', SQLSTATE {state}' if state else ''}"
    if _REFUSED.search(words) or (state or "").startswith("28"):
        return PermanentError(
            f"the database of {source!r} refused the credential", remedy="correct the connection's login and password."
        )
    if (state or "").startswith("42") or any(part in words.lower() for part in _PERMANENT_TEXTS):
        return PermanentError(
            f"the database of {source!r} refused the query: {words}",
            remedy="correct `table` or `query` in the mapping, or have the account allowed to read it.",
        )
    if state == "25006" or "readonly database" in words:
        return PermanentError(
            f"the query of {source!r} would write to the database", remedy="make `query` a SELECT and nothing more."
        )
    is_transient = isinstance(error, OperationalError) if state is None else state.startswith(_TRANSIENT_STATES)
    if is_transient or error.connection_invalidated:
        return TransientError(
            f"the database of {source!r} does not answer, or broke off ({kind})",
            remedy="nothing, unless it lasts: then look at `url`, and ask the database's operator.",
        )
    return PermanentError(
        f"the database of {source!r} could not answer ({kind})", remedy="run the mapping's query by hand to see why."
    )


def tables(
    connection: Connection, query: str, parameters: dict[str, Any], batch_rows: int
) -> Iterator[tuple[list[str], pa.Table | None]]:
    """The answer's titles, and its rows as text columns named 0, 1, ... piece by piece; the first piece has no rows.

    At most `batch_rows` rows are held at once: the server keeps the cursor.
    """
    streamed = {"stream_results": True, "yield_per": batch_rows}
    result = connection.execute(text(query), parameters, execution_options=streamed)
    try:
        titles = list(result.keys())
    except ResourceClosedError as error:
        raise PermanentError("the query gives no rows", remedy="make `query` a SELECT.") from error
    yield titles, None
    for rows in result.partitions(batch_rows):
        columns = [text_column(values) for values in zip(*rows, strict=True)]
        yield titles, pa.table(columns, names=[str(place) for place in range(len(columns))])


def text_column(values: Sequence[Any]) -> pa.Array:
    """Values of one column as text, as a drop folder would have them."""
    try:
        found = pa.array(values)
    except (pa.ArrowException, OverflowError, ValueError, TypeError):
        found = pa.nulls(0)
    if pa.types.is_string(found.type):
        return found
    if pa.types.is_integer(found.type) and len(found) == len(values):
        return found.cast(pa.string())
    return pa.array([_text(value) for value in values], pa.string())


def _text(value: Any) -> str | None:
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    return as_text(value)


def bound(sample: Any, moment: datetime, zone: str | None) -> Any:
    """A moment as the cursor's column holds its own. `sample`: a value of that column; `zone`: of times without one."""
    local = moment.astimezone(ZoneInfo(zone or "UTC"))
    if isinstance(sample, datetime):
        return moment if sample.tzinfo else local.replace(tzinfo=None)
    if isinstance(sample, date):
        return local.date()
    if isinstance(sample, str):  # SQLite keeps times as text
        naive = local.replace(tzinfo=None)
        separator = "T" if "T" in sample else " "
        return naive.date().isoformat() if len(sample) == len("2026-01-31") else naive.isoformat(separator)
    raise PermanentError(
        f"the cursor's column holds {type(sample).__name__}, not dates or times",
        remedy="name another `cursor`, or cast it in `query`.",
    )


def moment_of(sample: Any, zone: str | None) -> datetime:
    """A value of the cursor's column as an instant."""
    if isinstance(sample, str):
        try:
            sample = datetime.fromisoformat(sample)
        except ValueError as error:
            raise PermanentError(
                "the cursor's column holds texts that are no time", remedy="name another `cursor`."
            ) from error
    if isinstance(sample, date) and not isinstance(sample, datetime):
        sample = datetime.combine(sample, time())
    if not isinstance(sample, datetime):
        raise PermanentError(
            f"the cursor's column holds {type(sample).__name__}, not dates or times",
            remedy="name another `cursor`, or cast it in `query`.",
        )
    return sample if sample.tzinfo else sample.replace(tzinfo=ZoneInfo(zone or "UTC"))
