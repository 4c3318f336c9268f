"""Which district-local dates and weeks a build has to make again."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, timedelta
from zoneinfo import ZoneInfo

import duckdb

from uptake.config import District
from uptake.contracts import Resource
from uptake.warehouse.engine import quoted, table_exists
from uptake.warehouse.landing_views import LakeFile, Name, has_plain_dates
from uptake.warehouse.reference import monday_of

# xAPI: a statement that takes back another one changes the date of that one, not its own.
STATEMENT: Name = ("xapi", "statement")
VOIDED: Name = ("xapi", "voided")
# Caliper: what a tool measured is cumulative, so a late report changes what the next one of its student adds.
MEASURED: Name = ("caliper", "event")
_TAKEN_WHOLE = 2  # a file that spans at most so many dates is taken to have events on each


def local_span(file: LakeFile, resource: Resource, zone: ZoneInfo) -> tuple[date, date] | None:
    """First and last district-local date of a file's events; None for an entity and for a file without times."""
    if file.first is None or file.last is None:
        return None
    place = UTC if has_plain_dates(resource) else zone
    return file.first.astimezone(place).date(), file.last.astimezone(place).date()


def dates_of(
    connection: duckdb.DuckDBPyConnection,
    files: Iterable[LakeFile],
    resources: Mapping[Name, Resource],
    zone: ZoneInfo,
) -> set[date]:
    """District-local dates on which the files have events.

    A file over many dates is looked into, so that one late row does not make a month be built again. A file that is
    gone (it was superseded, and retention took it) counts for every date of its span.
    """
    found: set[date] = set()
    wide: dict[Name, list[str]] = {}
    for file in files:
        resource = resources.get(file.name)
        span = local_span(file, resource, zone) if resource else None
        if span is None:
            continue
        if (span[1] - span[0]).days < _TAKEN_WHOLE or not file.path.exists():
            found.update(_each(*span))
        else:
            wide.setdefault(file.name, []).append(str(file.path))
    for name, paths in wide.items():
        resource = resources[name]
        at = f'"{resource.event_time}"'
        local = at if has_plain_dates(resource) else f"cast(timezone({quoted(zone.key)}, {at}) as date)"
        rows = connection.execute(f"select distinct {local} from read_parquet(?) where {at} is not null", [paths])
        found.update(row[0] for row in rows.fetchall())
    return found


def dates_of_voided(
    connection: duckdb.DuckDBPyConnection,
    changed: Iterable[LakeFile],
    files: Iterable[LakeFile],
    zone: ZoneInfo,
) -> set[date]:
    """District-local dates of the statements that `changed` takes back, however long ago they were made."""
    voidings = [str(file.path) for file in changed if file.name == VOIDED and file.path.exists()]
    statements = [str(file.path) for file in files if file.name == STATEMENT]
    if not voidings or not statements:
        return set()
    rows = connection.execute(
        f"""
        select distinct cast(timezone({quoted(zone.key)}, "timestamp") as date)
        from read_parquet($statements)
        where id in (select statement_id from read_parquet($voidings))
        """,
        {"statements": statements, "voidings": voidings},
    ).fetchall()
    return {row[0] for row in rows}


def dates_after_reports(
    connection: duckdb.DuckDBPyConnection, changed: Iterable[LakeFile], zone: ZoneInfo
) -> set[date]:
    """District-local dates of the reports that follow those in `changed`: their increase is over another one now.

    Reads the students and reports of the last good build; who has been unknown until then is looked after with the
    other dates of changed identities.
    """
    files = [str(file.path) for file in changed if file.name == MEASURED and file.path.exists()]
    if not files or not table_exists(connection, "intermediate", "int_tool_report_day"):
        return set()
    rows = connection.execute(
        f"""
        with reported as (
            select
                cast(timezone({quoted(zone.key)}, "eventTime") as date) as on_date,
                unnest([actor_sis_id, actor_email, actor_canvas_id]) as identifier,
                epoch_us("eventTime") as at_micros
            from read_parquet(?)
            where measures is not null
        ),
        late as (
            select person.person_key, reported.on_date, max(reported.at_micros) as at_micros
            from reported
            inner join intermediate.int_person_identity as person on person.identifier = reported.identifier
            group by all
        )
        -- The next one of each span that had begun, and the next one of any other span.
        select distinct min(following.on_date)
        from late
        inner join intermediate.int_tool_report_day as following
            on following.person_key = late.person_key and following.on_date > late.on_date
        group by
            late.person_key, late.on_date, following.tool_key,
            case when following.started_micros > late.at_micros then -1 else coalesce(following.started_micros, 0) end
        """,
        [files],
    ).fetchall()
    return {row[0] for row in rows}


def overlapping(
    files: Iterable[LakeFile], resources: Mapping[Name, Resource], zone: ZoneInfo, dates: Collection[date]
) -> list[LakeFile]:
    """Every entity file, and the event files that may hold an event of one of the dates."""
    ordered = sorted(dates)
    kept = []
    for file in files:
        resource = resources.get(file.name)
        if resource is None:
            continue
        span = local_span(file, resource, zone)
        if span is not None:
            place = bisect_left(ordered, span[0])
            if place == len(ordered) or ordered[place] > span[1]:
                continue
        kept.append(file)
    return kept


def in_batches(
    dates: Collection[date],
    files: Iterable[LakeFile],
    resources: Mapping[Name, Resource],
    zone: ZoneInfo,
    events_at_once: int,
) -> list[set[date]]:
    """The dates in order, parted so that a part has no more than so many events, or is one date. At least one part.

    The rows of a file are taken to be spread evenly over its dates.
    """
    events: dict[date, float] = dict.fromkeys(dates, 0.0)
    for file in files:
        resource = resources.get(file.name)
        span = local_span(file, resource, zone) if resource else None
        if span is None:
            continue
        days = list(_each(*span))
        for day in days:
            if day in events:
                events[day] += file.rows / len(days)
    batches: list[set[date]] = [set()]
    held = 0.0
    for day in sorted(events):
        if batches[-1] and held + events[day] > events_at_once:
            batches.append(set())
            held = 0.0
        batches[-1].add(day)
        held += events[day]
    return batches


def weeks_of(dates: Iterable[date], district: District) -> set[date]:
    """Mondays of the weeks whose marts depend on the dates.

    Consistent use looks back over the last w instructional weeks, so a late row also changes the weeks after its own.
    """
    own = {monday_of(day) for day in dates}
    instructional = _instructional_weeks(district)
    ahead = district.thresholds.consistent_window_weeks - 1
    reached = set(own)
    for week in own:
        following = instructional[bisect_left(instructional, week + timedelta(days=7)) :][:ahead]
        reached.update(following)
    return reached


def school_weeks(district: District) -> set[date]:
    """Every week of every school year."""
    return {monday_of(day) for day, _, _ in district.calendar.days()}


def _instructional_weeks(district: District) -> Sequence[date]:
    return sorted({monday_of(day) for day, _, is_instructional in district.calendar.days() if is_instructional})


def _each(first: date, last: date) -> Iterable[date]:
    return (first + timedelta(days=number) for number in range((last - first).days + 1))
