"""What models read besides landed rows: the district's settings (schema `config`), its records (schema `ops`)."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from typing import Any

import duckdb
import pyarrow as pa
from sqlalchemy import Engine, Table, func, select

from uptake.catalogue import Catalogue
from uptake.config import Calendar, District
from uptake.contracts import TIMESTAMP
from uptake.evidence.tables import study_tables
from uptake.evidence.workings import working_tables
from uptake.freshness import goal_seconds
from uptake.operations.models import (
    Base,
    CheckResult,
    Freshness,
    LandedFile,
    Outcome,
    Pull,
    QuarantineFile,
    Snapshot,
    UtcDateTime,
)
from uptake.warehouse.engine import append_rows, first_row, replace_table, table_exists
from uptake.warehouse.public_suffixes import write_public_suffixes

_GROWING = (Outcome, CheckResult, Freshness)  # rows are added and never changed
# Pulls before files: a pull that is known to be good has all of its files known too, also while others are landing.
_CHANGING = (Pull, LandedFile, QuarantineFile, Snapshot)

_DISTRICT = pa.schema(
    [
        ("district_id", pa.string()),
        ("district_name", pa.string()),
        ("is_simulated", pa.bool_()),
        ("time_zone", pa.string()),
        ("school_start", pa.time64("us")),
        ("school_end", pa.time64("us")),
        ("minimum_n", pa.int32()),
        ("consistent_weeks", pa.int32()),
        ("consistent_window_weeks", pa.int32()),
        ("unused_weeks", pa.int32()),
        ("idle_gap_minutes", pa.int32()),
        ("renewal_notice_days", pa.int32()),
        ("stale_after_hours", pa.int32()),
        ("count_out_of_school", pa.bool_()),
        ("fiscal_year_starts_in", pa.int32()),
        ("price_rise_low", pa.decimal128(6, 4)),
        ("price_rise_likely", pa.decimal128(6, 4)),
        ("price_rise_high", pa.decimal128(6, 4)),
    ]
)
_TODAY = pa.schema([("district_id", pa.string()), ("today_on", pa.date32())])
_CLOCK = pa.schema([("district_id", pa.string()), ("as_of_at", TIMESTAMP)])
_CALENDAR_DAY = pa.schema(
    [
        ("on_date", pa.date32()),
        ("week_start_on", pa.date32()),
        ("school_year", pa.string()),
        ("term", pa.string()),
        ("is_instructional", pa.bool_()),
    ]
)
_TOOL = pa.schema(
    [
        ("tool_id", pa.string()),
        ("tool_name", pa.string()),
        ("vendor_name", pa.string()),
        ("function", pa.string()),
        ("sector", pa.string()),
        ("approval_status", pa.string()),
        ("licensed_grades", pa.list_(pa.string())),
    ]
)
_TOOL_ADDRESS = pa.schema([("tool_id", pa.string()), ("host", pa.string()), ("path_prefix", pa.string())])
_SOURCE = pa.schema(
    [
        ("source", pa.string()),
        ("position", pa.int32()),
        ("kind", pa.string()),
        ("namespace", pa.string()),
        ("has_own_ids", pa.bool_()),
        ("pull_every_minutes", pa.int32()),
        ("published_within_seconds", pa.int32()),
    ]
)
_SUBGROUP = pa.schema([("dimension", pa.string())])


def monday_of(day: date) -> date:
    return day - timedelta(days=day.weekday())


def write_config(
    connection: duckdb.DuckDBPyConnection, district: District, catalogue: Catalogue, as_of_at: datetime
) -> None:
    """Replace the tables of schema `config` with what uptake.yaml and the tool catalogue say."""
    thresholds, privacy, finance = district.thresholds, district.privacy, district.finance
    hours = district.calendar.school_hours
    settings = {
        "district_id": district.id,
        "district_name": district.name,
        "is_simulated": district.is_simulated,
        "time_zone": district.time_zone,
        "school_start": hours.start,
        "school_end": hours.end,
        "minimum_n": privacy.minimum_n,
        "consistent_weeks": thresholds.consistent_weeks,
        "consistent_window_weeks": thresholds.consistent_window_weeks,
        "unused_weeks": thresholds.unused_weeks,
        "idle_gap_minutes": thresholds.idle_gap_minutes,
        "renewal_notice_days": thresholds.renewal_notice_days,
        "stale_after_hours": thresholds.stale_after_hours,
        "count_out_of_school": privacy.count_out_of_school,
        "fiscal_year_starts_in": finance.fiscal_year_starts_in,
        "price_rise_low": finance.price_rise.low,
        "price_rise_likely": finance.price_rise.likely,
        "price_rise_high": finance.price_rise.high,
    }
    tools = [
        {name: getattr(tool, name) for name in _TOOL.names if name != "licensed_grades"}
        | {"licensed_grades": list(tool.licensed_grades)}
        for tool in catalogue.tools
    ]
    addresses = [
        {"tool_id": tool.tool_id, "host": address.host, "path_prefix": address.path_prefix}
        for tool in catalogue.tools
        for address in tool.addresses
    ]
    sources = [
        {
            "source": source.name,
            "position": position,
            "kind": source.kind,
            "namespace": source.namespace,
            "has_own_ids": getattr(source, "ids", "shared") == "own",
            "pull_every_minutes": source.pull_every_minutes,
            "published_within_seconds": goal_seconds(district, source),
        }
        for position, source in enumerate(district.sources, start=1)
    ]
    replace_table(connection, "config.district", pa.Table.from_pylist([settings], schema=_DISTRICT))
    # Apart from the settings: what reads the date is made again each day, what reads the time at each build.
    today = {"district_id": district.id, "today_on": as_of_at.astimezone(district.zone).date()}
    replace_table(connection, "config.today", pa.Table.from_pylist([today], schema=_TODAY))
    now = {"district_id": district.id, "as_of_at": as_of_at}
    replace_table(connection, "config.clock", pa.Table.from_pylist([now], schema=_CLOCK))
    replace_table(connection, "config.calendar_day", _calendar_days(district.calendar))
    replace_table(connection, "config.tool", pa.Table.from_pylist(tools, schema=_TOOL))
    replace_table(connection, "config.tool_address", pa.Table.from_pylist(addresses, schema=_TOOL_ADDRESS))
    write_public_suffixes(connection)
    replace_table(connection, "config.source", pa.Table.from_pylist(sources, schema=_SOURCE))
    dimensions = [{"dimension": dimension} for dimension in district.subgroups]
    replace_table(connection, "config.subgroup", pa.Table.from_pylist(dimensions, schema=_SUBGROUP))


def _calendar_days(calendar: Calendar) -> pa.Table:
    def term_of(day: date) -> str | None:
        return next((term.name for term in calendar.terms if term.starts_on <= day <= term.ends_on), None)

    days = [
        {
            "on_date": day,
            "week_start_on": monday_of(day),
            "school_year": school_year,
            "term": term_of(day),
            "is_instructional": is_instructional,
        }
        for day, school_year, is_instructional in calendar.days()
    ]
    return pa.Table.from_pylist(days, schema=_CALENDAR_DAY)


def copy_operations(connection: duckdb.DuckDBPyConnection, engine: Engine, district_id: str) -> None:
    """Bring schema `ops` up to the operations database: this district's rows only.

    Outcomes and check results only ever grow, so only what is new of them is read; the other tables are small.
    """
    for model in (*_GROWING, *_CHANGING):
        table: Table = Base.metadata.tables[model.__tablename__]
        name = f"ops.{table.name}"
        held = _largest_id(connection, table.name) if model in _GROWING else None
        mine = select(table).where(table.c.district == district_id).order_by(*table.primary_key.columns)
        with engine.connect() as operations:
            if held is not None:
                newest = operations.scalar(select(func.max(table.c.id)).where(table.c.district == district_id))
                if newest is None or newest < held:  # another database, or one that was begun anew
                    held = None
            rows = operations.execute(mine if held is None else mine.where(table.c.id > held)).all()
        arrow = _arrow(table, rows)
        if held is None:
            replace_table(connection, name, arrow)
        elif rows:
            append_rows(connection, name, arrow)
    for table_name, studies in (study_tables(engine, district_id) | working_tables(engine, district_id)).items():
        replace_table(connection, f"ops.{table_name}", studies)


def _largest_id(connection: duckdb.DuckDBPyConnection, name: str) -> int | None:
    if not table_exists(connection, "ops", name):
        return None
    row = first_row(connection, f"select max(id) from ops.{name}")
    return row[0] if row else None


def _arrow(table: Table, rows: Any) -> pa.Table:
    columns = list(zip(*rows, strict=True)) or [()] * len(table.columns)
    return pa.table(
        {
            column.name: pa.array([_plain(value) for value in values], type=_arrow_type(column.type))
            for column, values in zip(table.columns, columns, strict=True)
        }
    )


def _plain(value: Any) -> Any:
    return json.dumps(value, sort_keys=True) if isinstance(value, dict | list) else value


def _arrow_type(kind: Any) -> pa.DataType:
    if isinstance(kind, UtcDateTime):
        return TIMESTAMP
    by_python_type = {int: pa.int64(), float: pa.float64(), bool: pa.bool_(), date: pa.date32(), datetime: TIMESTAMP}
    try:
        return by_python_type.get(kind.python_type, pa.string())
    except NotImplementedError:
        return pa.string()
