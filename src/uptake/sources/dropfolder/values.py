"""Texts of a file -> typed values, as its mapping says; what does not fit is a reject.

Formats, time zones, decimal commas, texts that mean null and allowed values are handled here, column by column and
whole; what is left (ISO dates, plain numbers, booleans, keys) is `uptake.parsing`'s.
"""

from __future__ import annotations

from collections.abc import Mapping as Mapped
from collections.abc import Sequence

import duckdb
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from uptake.contracts import TIMESTAMP, Batch, Reject
from uptake.parsing import emptied, one_array, parse_table
from uptake.sources.dropfolder.mapping import Column, Mapping
from uptake.sources.dropfolder.readers import TextBatch

_GROUPED = r"^[+-]?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?$"
_WITH_COMMA = r"^[+-]?([0-9]{1,3}([. \x{00A0}\x{202F}][0-9]{3})+|[0-9]+)(,[0-9]+)?$"
_NUMBER = r"^\s*-?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*$"
_WHOLE = r"^\s*([+-]?[0-9]+)\.0*\s*$"
_ISO_DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_ISO_TIME = r"[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?"
_ISO_LOCAL = rf"{_ISO_DAY}([T ]{_ISO_TIME})?"
_ISO_ZONED = rf"{_ISO_DAY}[T ]{_ISO_TIME} ?(Z|[+-][0-9]{{2}}(:?[0-9]{{2}})?)"
_ISO_MIDNIGHT = rf"{_ISO_DAY}([T ]00:00(:00(\.0+)?)?)?"
# DuckDB reads `epoch` and `infinity` as dates, in every format.
_WITHOUT_SPECIAL_DATES = (
    r"SELECT CASE WHEN NOT regexp_matches(c, '^\s*[+-]?(inf|epoch)', 'i') THEN trim(c) END AS c FROM texts"
)
_EPOCHS = {"epoch_s": 1_000_000, "epoch_ms": 1_000, "epoch_us": 1}

Fault = tuple[str, str | None]


def parse_text(mapping: Mapping, batch: TextBatch, captured: Mapped[str, str]) -> Batch:
    """`captured`: values from the file's name, one for every row. Rows in = rows of the batch + its rejects."""
    texts = batch.table
    for name, value in captured.items():
        texts = texts.append_column(name, pa.repeat(pa.scalar(value), texts.num_rows))
    typed = {name: one_array(texts.column(name)) for name in texts.column_names}
    faults: dict[int, Fault] = {}
    for column in mapping.columns:
        if column.name in typed:
            typed[column.name], wrong = _typed(mapping, column, typed[column.name])
            for reason, rows in wrong.items():
                for row in rows:
                    faults.setdefault(row, (reason, column.name))

    def raw(row: int) -> str:
        return orjson.dumps(texts.slice(row, 1).to_pylist()[0]).decode()

    parsed = parse_table(mapping.contract, pa.table(typed), faults=faults, raw=raw)
    parsed.rejects = [*batch.rejects, *parsed.rejects]
    return parsed


def parse_again(mapping: Mapping, raws: Sequence[str]) -> Batch:
    """Rows that were rejected, read again. What is no row (a line with another number of columns, a whole file that was
    refused) cannot come back alone."""
    records = [_record(raw) for raw in raws]
    rows = [record for record in records if record is not None]
    lost = [Reject("not_replayable", None, raw) for raw, row in zip(raws, records, strict=True) if row is None]
    names = dict.fromkeys(name for row in rows for name in row)
    texts = pa.table({name: pa.array([row.get(name) for row in rows], pa.string()) for name in names})
    return parse_text(mapping, TextBatch(texts, lost), {})


def _record(raw: str) -> dict[str, str | None] | None:
    """A row as `parse_text` writes it to a reject; None for any other text."""
    try:
        record = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None
    is_row = isinstance(record, dict) and all(value is None or isinstance(value, str) for value in record.values())
    return record if is_row else None


Wrong = dict[str, list[int]]  # reason -> rows


def _typed(mapping: Mapping, column: Column, text: pa.Array) -> tuple[pa.Array, Wrong]:
    """The column typed, or as text that `parse_table` types; and the rows that do not fit."""
    nulls = mapping.null_texts if column.null_texts is None else column.null_texts
    text = emptied(text, pc.is_in(text, pa.array(nulls, pa.string())))
    if column.values:
        return _allowed(text, column.values)
    if column.type == "date":
        return _dates(text, column.formats)
    if column.type == "timestamp":
        return instants(text, column.formats, column.time_zone or mapping.time_zone)
    if column.is_number:
        has_comma = mapping.has_decimal_comma(column)
        text, wrong = _with_comma(text) if has_comma else (_plain_number(text, is_integer=column.type == "integer"), {})
        return text, wrong | _below(text, column.at_least)
    return text, {}


def _allowed(text: pa.Array, values: tuple[str, ...]) -> tuple[pa.Array, Wrong]:
    known = pa.array([value.casefold() for value in values], pa.string())
    place = pc.index_in(pc.utf8_lower(pc.utf8_trim_whitespace(text)), known)
    return pa.array(values, pa.string()).take(place), _where("not_allowed", _lost(text, place))


def _below(text: pa.Array, least: float | None) -> Wrong:
    """Numbers that are smaller than allowed; what is no number is `parse_table`'s to say."""
    if least is None:
        return {}
    numbers = pc.if_else(pc.match_substring_regex(text, _NUMBER), pc.utf8_trim_whitespace(text), None)
    return _where("too_small", pc.less(numbers.cast(pa.float64()), least))


def _with_comma(text: pa.Array) -> tuple[pa.Array, Wrong]:
    """`1.234,5` and `1 234,5` -> `1234.5`. A point that groups nothing is wrong here, not a decimal point."""
    text = pc.utf8_trim_whitespace(text)
    fits = pc.match_substring_regex(text, _WITH_COMMA)
    plain = pc.replace_substring(pc.replace_substring_regex(text, r"[. \x{00A0}\x{202F}]", ""), ",", ".")
    return plain, _where("not_number", pc.invert(fits))


def _plain_number(text: pa.Array, *, is_integer: bool) -> pa.Array:
    """Without commas that group thousands; a whole number that was written `25.0` as an integer."""
    if pc.any(pc.match_substring(text, ",")).as_py():
        text = pc.if_else(pc.match_substring_regex(text, _GROUPED), pc.replace_substring(text, ",", ""), text)
    if is_integer and pc.any(pc.match_substring(text, ".")).as_py():
        text = pc.replace_substring_regex(text, _WHOLE, r"\1")
    return text


def _dates(text: pa.Array, formats: tuple[str, ...]) -> tuple[pa.Array, Wrong]:
    longest = pc.max(pc.binary_length(text)).as_py() or 0
    if not formats and longest <= len("2020-01-01"):
        return text, {}
    iso = f"CASE WHEN regexp_full_match(c, '{_ISO_MIDNIGHT}') THEN try_cast(left(c, 10) AS DATE) END"
    by_format = [f"try_strptime(c, {_literal(pattern)})::DATE" for pattern in formats]
    days_sql = f"coalesce({', '.join([*by_format, iso])})"
    found = _select(
        f" SELECT CASE WHEN year({days_sql}) BETWEEN 1 AND 9999 THEN {days_sql} END AS on_date FROM column_of", text
    )
    days = one_array(found.column("on_date"))
    return days, _where("not_date", _lost(text, days))


def instants(text: pa.Array, formats: tuple[str, ...], zone: str | None) -> tuple[pa.Array, Wrong]:
    """Texts as UTC, and the rows that do not fit. A local time that the clocks show twice (they go back) is the earlier
    of the two; one that they never show (they go forward) is wrong."""
    if not formats and (plain := _utc_instants(text)) is not None:
        return plain, {}
    readings = [_reading(pattern) for pattern in formats]
    readings.append((f"CASE WHEN regexp_full_match(c, '{_ISO_ZONED}') THEN try_cast(c AS TIMESTAMPTZ) END", True))
    readings.append((f"CASE WHEN regexp_full_match(c, '{_ISO_LOCAL}') THEN try_cast(c AS TIMESTAMP) END", False))
    cases = " ".join(
        f"WHEN ({sql}) IS NOT NULL THEN {{'read_at': ({sql}){' ::TIMESTAMP' * is_zoned}, 'is_zoned': {is_zoned}}}"
        for sql, is_zoned in readings
    )
    zone_sql = _literal(zone or "UTC")
    found = _select(
        f"""
        , reading AS (SELECT CASE {cases} END AS r FROM column_of)
        , at_home AS (
            SELECT
                CASE WHEN year(r.read_at) BETWEEN 1000 AND 9998 THEN r.read_at END AS read_at,
                r.is_zoned AS is_zoned,
                timezone({zone_sql}, CASE WHEN year(r.read_at) BETWEEN 1000 AND 9998 THEN r.read_at END) AS later
            FROM reading
        )
        -- Where the offset was another some hours ago, that one gives an earlier moment, which may show the same time.
        , tried AS (
            SELECT
                *,
                timezone({zone_sql}, later) AS shown,
                later - (
                    (timezone({zone_sql}, later - INTERVAL 6 HOUR) - (later::TIMESTAMP - INTERVAL 6 HOUR))
                    - (timezone({zone_sql}, later) - later::TIMESTAMP)
                ) AS earlier
            FROM at_home
        )
        SELECT
            CASE
                WHEN is_zoned THEN read_at
                WHEN timezone({zone_sql}, earlier) = read_at THEN earlier::TIMESTAMP
                ELSE later::TIMESTAMP
            END AS instant,
            read_at IS NOT NULL AND NOT is_zoned AND shown <> read_at AS is_skipped,
            read_at IS NOT NULL AS is_read
        FROM tried
        """,
        text,
    )
    instants = one_array(found.column("instant")).cast(TIMESTAMP)
    wrong = _where("not_timestamp", pc.and_(text.is_valid(), pc.invert(one_array(found.column("is_read")))))
    return instants, wrong | _where("time_skipped_by_clock", one_array(found.column("is_skipped")))


def _utc_instants(text: pa.Array) -> pa.Array | None:
    """A column of whole ISO times that all end in `Z`, read in one go; None for any other."""
    shortest = pc.min(pc.binary_length(text)).as_py() or 0
    if shortest < len("2026-04-14T13:00:00Z") or not pc.all(pc.ends_with(text, "Z")).as_py():
        return None
    try:
        instants = text.cast(TIMESTAMP)
    except pa.ArrowInvalid:
        return None
    years = pc.min_max(pc.year(instants)).as_py()
    return instants if years["min"] >= 1000 and years["max"] <= 9998 else None


def _reading(pattern: str) -> tuple[str, bool]:
    """SQL of a time in a format, null where it does not fit, and whether it is of a known zone."""
    if pattern in _EPOCHS:
        return f"TRY(make_timestamptz(try_cast(c AS BIGINT) * {_EPOCHS[pattern]}))", True
    return f"try_strptime(c, {_literal(pattern)})", "%z" in pattern


def _select(query: str, text: pa.Array) -> pa.Table:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("texts", pa.table({"c": text}))
        return connection.sql(f"WITH column_of AS ({_WITHOUT_SPECIAL_DATES}){query}").to_arrow_table()


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _lost(text: pa.Array, typed: pa.Array) -> pa.Array:
    return pc.and_(text.is_valid(), typed.is_null())


def _where(reason: str, mask: pa.Array) -> Wrong:
    rows = pc.indices_nonzero(mask.fill_null(False)).to_pylist()
    return {reason: rows} if rows else {}
