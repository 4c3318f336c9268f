"""What a build is given: typed views over live files, and the dates that it has to make again."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from lake import CATALOGUE, CONFIG, DISTRICT, Lake, page_view, request, roster

from uptake.errors import PermanentError, TransientError
from uptake.sources.registry import warehouse_resources
from uptake.warehouse import landing_views
from uptake.warehouse import prepare as preparation
from uptake.warehouse.prepare import Work, prepare


def prepared(lake: Lake, **options: bool) -> Work:
    return prepare(lake.project, lake.district, models_signature="models 1", **options)


def done(lake: Lake, work: Work) -> None:
    """As after a good dbt run."""
    with duckdb.connect(str(work.warehouse)) as connection:
        connection.execute("create or replace table intermediate.int_person_identity (identifier_kind varchar)")
    preparation.finish(work)


def test_every_resource_has_a_typed_view_before_anything_has_landed(lake: Lake) -> None:
    prepared(lake)
    with lake.reading() as connection:
        for (namespace, name), resource in warehouse_resources().items():
            described = connection.execute(f'describe landing."{namespace}__{name}"').fetchall()
            columns = [row[0] for row in described]
            own = ["_row_no", "_source", "_window", "_landed_at", "_as_of_at"]
            assert columns == [*resource.landed_schema.names, *own]
            assert connection.execute(f'select count(*) from landing."{namespace}__{name}"').fetchall() == [(0,)]
    types = dict(lake.query("select column_name, column_type from (describe landing.oneroster__classes)"))
    assert types["grades"] == "VARCHAR[]"
    assert types["dateLastModified"] == "TIMESTAMP WITH TIME ZONE"
    assert types["_deleted"] == "BOOLEAN"


def test_rows_say_where_they_come_from_and_superseded_files_do_not_count(lake: Lake) -> None:
    lake.land("umbrella", "activity", [request("2026-03-02T15:00:00", "old@mail")], token="hour-1")
    lake.land("umbrella", "activity", [request("2026-03-02T16:00:00", "b@mail")], token="hour-2")
    lake.land("umbrella", "activity", [request("2026-03-02T15:00:00", "new@mail")], token="hour-1")
    prepared(lake)
    rows = lake.query(
        "select user_label, _source, _window, _landed_at from landing.umbrella__activity order by _window"
    )
    assert [row[:3] for row in rows] == [("new@mail", "filter", "hour-1"), ("b@mail", "filter", "hour-2")]
    ledger = dict(lake.query("select window_token, landed_at from ops.landed_file where superseded_at is null"))
    assert {row[2]: row[3] for row in rows} == ledger


def test_a_view_is_made_again_only_where_its_files_are_others(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    real, made = landing_views._columns, list[str]()
    monkeypatch.setattr(
        landing_views, "_columns", lambda db, pattern: (made.append(pattern.stem), real(db, pattern))[1]
    )
    lake.land("umbrella", "activity", [request("2026-03-02T15:00:00", "a@mail")], token="hour-1")
    prepared(lake)
    assert len(made) == len(warehouse_resources())
    made.clear()
    prepared(lake)
    assert made == []
    lake.land("umbrella", "activity", [request("2026-03-02T16:00:00", "a@mail")], token="hour-2")
    prepared(lake)
    assert made == ["umbrella__activity"]


def test_a_view_follows_a_lake_that_has_moved(lake: Lake) -> None:
    lake.land("umbrella", "activity", [request("2026-03-02T15:00:00", "a@mail")], token="hour-1")
    prepared(lake)
    moved = lake.root.parent / "moved"
    lake.root.rename(moved)
    there = Lake.at(moved)
    prepared(there)
    assert there.query("select user_label from landing.umbrella__activity") == [("a@mail",)]


def test_a_column_that_a_file_does_not_have_yet_is_null(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    real = warehouse_resources()
    whole = real["oneroster", "orgs"]
    earlier = replace(whole, fields=tuple(field for field in whole.fields if field.name != "identifier"))
    monkeypatch.setattr("lake.warehouse_resources", lambda: real | {("oneroster", "orgs"): earlier})
    lake.land("oneroster", "orgs", [{"sourcedId": "a", "name": "A"}])
    prepared(lake)
    assert lake.query("select sourcedId, identifier from landing.oneroster__orgs") == [("a", None)]


def test_the_first_build_touches_every_date_and_week(lake: Lake) -> None:
    lake.land("umbrella", "activity", [request("2026-03-02T15:00:00", "a@mail")])
    work = prepared(lake)
    assert work.full_refresh and work.dates == {date(2026, 3, 2)}
    assert len(work.weeks) == 42  # every week of the school year, and none beside
    assert {row[0] for row in lake.query("from landing.touched_date")} == work.dates
    assert {row[0] for row in lake.query("from landing.touched_week")} == work.weeks


def test_nothing_new_is_nothing_to_do(lake: Lake) -> None:
    roster(lake)
    lake.land("umbrella", "activity", [request("2026-03-02T15:00:00", "a@mail")])
    done(lake, prepared(lake))
    work = prepared(lake)
    assert work.is_nothing and not work.dates and not work.weeks
    assert prepared(lake, full_refresh=True).full_refresh


def test_new_and_superseded_files_touch_their_local_dates(lake: Lake) -> None:
    lake.land("umbrella", "activity", [request("2026-03-02T15:00:00", "a@mail")], token="a")
    lake.land("umbrella", "activity", [request("2026-03-09T15:00:00", "a@mail")], token="b")
    done(lake, prepared(lake))
    # 04:30 UTC is still the evening before in Chicago; the window that held 9 March now holds 12 March
    lake.land("umbrella", "activity", [request("2026-03-05T04:30:00", "a@mail")])
    lake.land("umbrella", "activity", [request("2026-03-12T15:00:00", "a@mail")], token="b")
    work = prepared(lake)
    assert work.dates == {date(2026, 3, 4), date(2026, 3, 9), date(2026, 3, 12)}
    assert not work.full_refresh
    assert lake.query("select window_token from ops.landed_file where superseded_at is not null") == [("b",)]
    # the file of 2 March holds none of these dates: it is not even opened
    assert lake.query("select count(*) from landing.umbrella__activity") == [(2,)]


def test_a_date_has_a_new_version_before_it_is_made_again_and_the_others_keep_theirs(lake: Lake) -> None:
    def versions() -> dict[date, str]:
        return dict(lake.query("select on_date, version from build.date_version"))

    lake.land("umbrella", "activity", [request("2026-03-02T15:00:00", "a@mail")])
    lake.land("umbrella", "activity", [request("2026-03-09T15:00:00", "a@mail")])
    done(lake, prepared(lake))
    first = versions()
    done(lake, prepared(lake))
    assert versions() == first and set(first) == {date(2026, 3, 2), date(2026, 3, 9)}
    lake.land("umbrella", "activity", [request("2026-03-09T16:00:00", "a@mail")])
    prepared(lake)  # and dbt dies
    second = versions()
    assert second[date(2026, 3, 2)] == first[date(2026, 3, 2)]
    assert second[date(2026, 3, 9)] != first[date(2026, 3, 9)]
    prepared(lake)
    assert versions()[date(2026, 3, 9)] != second[date(2026, 3, 9)]
    prepared(lake, full_refresh=True)
    assert not set(versions().values()) & set(first.values())


def test_weeks_reach_as_far_as_consistent_use_looks_back(lake: Lake) -> None:
    lake.land("umbrella", "activity", [request("2025-11-05T15:00:00", "a@mail")], token="a")
    done(lake, prepared(lake))
    lake.land("umbrella", "activity", [request("2025-11-12T15:00:00", "a@mail")])
    # 3 of the last 4 instructional weeks; the week of Thanksgiving has no instruction
    expected = {date(2025, 11, 10), date(2025, 11, 17), date(2025, 12, 1), date(2025, 12, 8)}
    assert prepared(lake).weeks == expected


def test_one_late_row_in_a_wide_file_touches_its_own_dates_only(lake: Lake) -> None:
    lake.land("canvas", "page_views", [page_view("p0", "2026-02-02T15:00:00", "c1", 1.0)])
    done(lake, prepared(lake))
    late = [page_view("p1", "2026-01-12T15:00:00", "c1", 1.0), page_view("p2", "2026-03-02T15:00:00", "c1", 1.0)]
    lake.land("canvas", "page_views", late)
    assert prepared(lake).dates == {date(2026, 1, 12), date(2026, 3, 2)}


def test_a_wide_file_that_retention_took_touches_its_whole_span(lake: Lake) -> None:
    wide = [page_view("p1", "2026-03-02T15:00:00", "c1", 1.0), page_view("p2", "2026-03-05T15:00:00", "c1", 1.0)]
    lake.land("canvas", "page_views", wide, token="a")
    done(lake, prepared(lake))
    lake.land("canvas", "page_views", wide[:1], token="a")
    gone = lake.query("select path from ops.landed_file")
    (lake.project.lake / gone[0][0]).unlink()
    assert prepared(lake).dates == {date(2026, 3, day) for day in (2, 3, 4, 5)}


def test_dates_of_a_source_without_times_are_taken_as_they_are(lake: Lake) -> None:
    row = {"district_id": "1000", "time": date(2026, 3, 2), "lp_id": 1, "pct_access": 0.5}
    lake.land("learnplatform", "engagement", [row])
    assert prepared(lake).dates == {date(2026, 3, 2)}


def test_a_new_roster_touches_the_school_year_but_no_date(lake: Lake) -> None:
    lake.land("umbrella", "activity", [request("2026-03-02T15:00:00", "a@mail")])
    done(lake, prepared(lake))
    roster(lake)
    work = prepared(lake)
    assert not work.dates and len(work.weeks) == 42


def test_a_build_that_did_not_finish_is_due_again(lake: Lake) -> None:
    lake.land("umbrella", "activity", [request("2026-03-02T15:00:00", "a@mail")])
    done(lake, prepared(lake))
    lake.land("umbrella", "activity", [request("2026-03-03T15:00:00", "a@mail")])
    assert prepared(lake).dates == prepared(lake).dates == {date(2026, 3, 3)}
    prepared(lake, full_refresh=True)
    assert prepared(lake).full_refresh  # it died: half of the tables may be of the old kind


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("America/Chicago", "America/Denver"),
        ('start: "08:00"', 'start: "08:30"'),
        ("time_zone", "thresholds: {idle_gap_minutes: 5}\n    time_zone"),
    ],
)
def test_settings_that_facts_depend_on_make_everything_again(lake: Lake, before: str, after: str) -> None:
    done(lake, prepared(lake))
    (lake.root / "uptake.yaml").write_text(CONFIG.replace(before, after))
    lake.reload()
    assert prepared(lake).full_refresh


def test_other_settings_make_the_weekly_marts_again(lake: Lake) -> None:
    lake.land("umbrella", "activity", [request("2026-03-02T15:00:00", "a@mail")])
    done(lake, prepared(lake))
    (lake.root / "uptake.yaml").write_text(CONFIG.replace("time_zone", "privacy: {minimum_n: 15}\n    time_zone"))
    lake.reload()
    work = prepared(lake)
    assert not work.full_refresh and not work.dates and len(work.weeks) == 42
    assert lake.query("select minimum_n from config.district") == [(15,)]


def test_a_new_model_makes_everything_again(lake: Lake) -> None:
    done(lake, prepared(lake))
    assert prepare(lake.project, lake.district, models_signature="models 2").full_refresh


def test_an_address_that_another_tool_has_now_makes_every_date_again(lake: Lake) -> None:
    for day in ("2026-03-02", "2026-03-04"):
        lake.land("umbrella", "activity", [request(f"{day}T15:00:00", "a@mail")])
    done(lake, prepared(lake))
    (lake.root / "tools.csv").write_text(CATALOGUE.replace("app.mathgym.example", "play.mathgym.example"))
    work = prepared(lake)
    assert work.dates == {date(2026, 3, 2), date(2026, 3, 4)} and work.has_new_settings and not work.full_refresh


def test_settings_calendar_and_catalogue_are_tables(lake: Lake) -> None:
    prepared(lake)
    row = lake.query(
        "select district_id, time_zone, cast(school_end as varchar), idle_gap_minutes from config.district"
    )
    assert row == [("maple", "America/Chicago", "15:30:00", 10)]
    assert lake.query("select as_of_at from config.clock") == [(datetime(2026, 4, 14, 15, tzinfo=UTC),)]
    days = "select week_start_on, term, is_instructional from config.calendar_day where on_date = date "
    assert lake.query(days + "'2025-12-20'") == [(date(2025, 12, 15), None, False)]
    assert lake.query(days + "'2026-01-06'") == [(date(2026, 1, 5), "Spring", True)]
    assert lake.query("select licensed_grades from config.tool where tool_id = 'mathgym'") == [(["03", "04"],)]
    assert ("docs", "docs.bigco.example", "document") in lake.query("from config.tool_address")
    assert lake.query("from config.subgroup")[0] == ("economic_disadvantage",)


def test_only_new_outcomes_are_copied_and_changed_rows_are_brought_up(lake: Lake) -> None:
    lake.land("umbrella", "activity", [request("2026-03-02T15:00:00", "a@mail")], token="a")
    prepared(lake)
    assert lake.query("select count(*) from ops.outcome") == [(1,)]
    lake.land("umbrella", "activity", [request("2026-03-02T15:00:00", "b@mail")], token="a")
    prepared(lake)
    assert lake.query("select count(*), count(distinct id) from ops.outcome") == [(2, 2)]
    assert lake.query("select count(superseded_at), count(*) from ops.landed_file") == [(1, 2)]


def test_a_file_that_is_missing_from_the_lake_is_named(lake: Lake) -> None:
    lake.land("umbrella", "activity", [request("2026-03-02T15:00:00", "a@mail")], token="the-window")
    next(lake.project.lake.rglob("*.parquet")).unlink()
    with pytest.raises(PermanentError, match=r"the-window.*district maple.*restore"):
        prepared(lake)


def test_a_warehouse_that_is_open_elsewhere_is_worth_a_retry(lake: Lake, tmp_path: Path) -> None:
    import subprocess
    import sys

    prepared(lake)
    warehouse = lake.project.warehouse(DISTRICT)
    code = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(warehouse)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None and other.stdin is not None
        other.stdout.readline()
        with pytest.raises(TransientError, match="another process"):
            prepared(lake)
        other.stdin.close()


def test_a_school_year_is_not_touched_by_time_alone(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    from uptake import clock

    done(lake, prepared(lake))
    monkeypatch.setattr(clock, "now", lambda district: datetime(2026, 4, 14, 23, tzinfo=UTC))
    assert prepared(lake).is_nothing
    monkeypatch.setattr(clock, "now", lambda district: datetime(2026, 4, 14, 23, tzinfo=UTC) + timedelta(days=1))
    work = prepared(lake)
    assert work.has_new_settings and not work.full_refresh and not work.dates


def test_dates_of_aggregates_are_touched_where_aggregates_came(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    def touched() -> list[int]:
        return [day for (day,) in lake.query("select day(on_date) from landing.touched_summary_date order by 1")]

    def report(day: int, index: float) -> dict[str, object]:
        row = {"time": date(2026, 3, day), "district_id": "1000", "lp_id": 7, "engagement_index": index}
        return row | {"pct_access": 1.0}

    lake.land("learnplatform", "engagement", [report(2, 1.0)], token="a")
    lake.land("learnplatform", "engagement", [report(3, 1.0)], token="b")
    done(lake, prepared(lake))
    assert touched() == [2, 3]
    lake.land("umbrella", "activity", [request("2026-03-02T15:00:00", "a@mail")])
    done(lake, prepared(lake))
    assert touched() == []
    # Of a file that is superseded, too.
    lake.land("learnplatform", "engagement", [report(4, 1.0)], token="b")
    lake.land("umbrella", "activity", [request("2026-03-02T15:00:01", "a@mail"), request("2026-03-05T15:00:00", "b")])
    monkeypatch.setattr(preparation, "EVENTS_AT_ONCE", 1)
    work = prepared(lake)
    assert work.summary_dates == {date(2026, 3, 3), date(2026, 3, 4)}
    assert [[day.day for day in sorted(batch)] for batch in work.batches] == [[2], [3], [4], [5]]
    assert touched() == []
    preparation.touch(lake.project, lake.district, work, work.batches[1], work.weeks)
    assert touched() == [3]
    # What a build that died had made is not known.
    assert prepared(lake).summary_dates >= {date(2026, 3, 2), date(2026, 3, 3), date(2026, 3, 4), date(2026, 3, 5)}


def test_dates_are_parted_by_the_events_that_one_pass_holds(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    for day, count in ((2, 3), (3, 2), (4, 2), (5, 9), (6, 1)):
        rows = [request(f"2026-03-{day:02}T15:00:{second:02}", "a@mail") for second in range(count)]
        lake.land("umbrella", "activity", rows)
    monkeypatch.setattr(preparation, "EVENTS_AT_ONCE", 5)
    work = prepared(lake)
    days = [[day.day for day in sorted(batch)] for batch in work.batches]
    assert days == [[2, 3], [4], [5], [6]]
    # the first of them is touched, and the weeks wait for the last
    assert lake.query("select day(on_date) from landing.touched_date order by 1") == [(2,), (3,)]
    assert lake.query("select count(*) from landing.touched_week") == [(0,)]
    assert lake.query("select count(*) from landing.umbrella__activity") == [(5,)]
