"""From three vendors' protocols to the published marts: planted truths come out, every count agrees, no name does."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from whole_way import DISTRICT, WholeWay

from uptake import pipeline
from uptake.errors import TransientError
from uptake.sandbox.truths import load_truths
from uptake.sources.api import ApiSource
from uptake.tools.review import undecided
from uptake.warehouse.publish import current_snapshot

TRUTHS = load_truths()
# A school may be called as a person is: these columns hold names of organisations, never of people.
ORGANISATION_NAMES = {
    "name", "title", "org_name", "school_name", "class_name", "course_name", "tool_name", "vendor_name",
    "network_label",
}  # fmt: skip


def test_every_count_agrees(whole_way: WholeWay):
    rows = whole_way.rows("select source, resource, measure, expected, actual, is_reconciled from mart_reconciliation")
    assert [row for row in rows if not row[-1]] == []
    covered = {row[:2] for row in rows}
    landed = whole_way.rows("select source, resource from mart_source_health where rows_landed > 0")
    assert whole_way.rows("select resource from mart_source_health where data_complete_through is null") == []
    assert len(landed) > 20
    assert set(landed) <= covered


def test_the_licence_that_nobody_uses_is_found(whole_way: WholeWay):
    unused = whole_way.rows("select tool_key, weeks_without_use from mart_unused_tool")
    assert [key for key, _ in unused] == [TRUTHS.unused_licence.tool]
    value = whole_way.rows(
        f"select seats_used, wasted_usd, cost_usd from mart_value where tool_key = '{TRUTHS.unused_licence.tool}'"
    )
    used, wasted, cost = value[0]
    assert used == 0
    assert float(wasted) == float(cost)


def test_the_contract_that_renews_by_itself_is_told_with_its_last_day(whole_way: WholeWay):
    truth = TRUTHS.silent_renewal
    found = whole_way.rows(
        f"select decide_by_on, notice_basis, auto_renews from mart_value where tool_key = '{truth.tool}'"
    )
    assert found == [(truth.decide_by_on, "contract", True)]


def test_the_licence_that_is_the_smaller_part_of_its_cost(whole_way: WholeWay):
    truth = TRUTHS.cost_beyond_licence
    costs = dict(whole_way.rows(f"select ingredient, cost_low from mart_tool_cost where tool_key = '{truth.tool}'"))
    assert set(costs) == {"all", "licence", "training", "staff_time"}
    assert 0 < costs["licence"] / costs["all"] <= truth.licence_share_at_most
    years = whole_way.rows("select year_starts_on, sum(cost_low) < sum(cost_high) from mart_cost_forecast group by all")
    assert sorted(year.year for year, _ in years) == [2025, 2026, 2027, 2028] and all(wide for _, wide in years)


def test_the_tool_used_with_consistency_in_two_grades_only(whole_way: WholeWay):
    truth = TRUTHS.consistent_in_two_grades
    rows = whole_way.rows(
        f"""
        select org_key, consistent_rate, consistent_suppression_reason from mart_adoption
        where tool_key = '{truth.tool}' and org_level = 'grade' and dimension = 'all_students'
          and week_start_on = (select max(week_start_on) from mart_adoption)
        """
    )
    assert len(rows) == 6
    for grade, rate, reason in rows:
        # Fewer than n students beside the others are told as an end of the scale, not as a rate.
        if grade in truth.grades:
            assert reason == "small_count_high" or rate >= truth.consistent_rate_at_least - 0.1, (grade, rate, reason)
        else:
            assert reason == "small_count_low" or rate <= truth.elsewhere_at_most + 0.1, (grade, rate, reason)


def test_the_unapproved_tool_and_the_unknown_host_that_spread(whole_way: WholeWay):
    found = {
        (tool or host): (status, growth)
        for tool, host, status, growth in whole_way.rows(
            "select tool_key, host, status, growth_ratio from mart_unknown_tool"
        )
    }
    assert found[TRUTHS.spreading_unapproved.tool][0] == "unapproved"
    assert found[TRUTHS.spreading_unapproved.tool][1] > 1.2
    assert found[TRUTHS.spreading_unmatched.host][0] == "unmatched"
    district = whole_way.project.district(DISTRICT)
    to_review = {each.tool_id or each.host: each for each in undecided(whole_way.project, district)}
    assert to_review[TRUTHS.spreading_unapproved.tool].status == "unapproved"
    assert to_review[TRUTHS.spreading_unmatched.host].students is not None


def test_the_group_with_less_access_is_below_the_others(whole_way: WholeWay):
    truth = TRUTHS.less_access
    rows = whole_way.rows(
        f"""
        select metric, gap_points, gap_ci_high from mart_equity_gap
        where tool_key = '{truth.tool}' and dimension = '{truth.dimension}' and subgroup = 'yes'
          and org_level = 'district' and gap_points is not null
        """
    )
    assert rows
    assert min(gap for _, gap, _ in rows) < -5
    assert any(high < 0 for _, _, high in rows), "at least one interval lies below zero"


def test_no_name_and_no_address_is_anywhere_but_in_the_vault(whole_way: WholeWay):
    names = _names(whole_way.project.vault(DISTRICT))
    assert len(names) > 500
    with duckdb.connect() as connection:
        connection.execute("create table name (text varchar)")
        connection.executemany("insert into name values (?)", [(name,) for name in names])
        looked = 0
        for path in whole_way.project.lake.rglob("*.parquet"):
            looked += _texts(connection, f"read_parquet('{path}')")
        for kind in ("leaders", "restricted"):
            published = whole_way.project.published(DISTRICT)
            snapshot = published / (published / "current").read_text().strip()
            connection.execute(f"set file_search_path = '{snapshot}'")
            connection.execute(f"attach '{snapshot / kind}.duckdb' as {kind} (read_only)")
            for (table,) in connection.execute(
                f"select table_name from information_schema.tables where table_catalog = '{kind}'"
            ).fetchall():
                looked += _texts(connection, f"{kind}.main.{table}")
        assert looked > 50
        # No path beyond the catalogue's prefixes, no query, no search term.
        urls = connection.execute(
            f"select count(*), count(*) filter (where regexp_matches(url, '[?&#=]')) from "
            f"read_parquet('{whole_way.project.lake}/district=*/source=filter/resource=activity/*/*.parquet')"
        ).fetchone()
        assert urls[0] > 1000
        assert urls[1] == 0


def _names(vault: Path) -> set[str]:
    with sqlite3.connect(f"file:{vault / 'identities.sqlite'}?mode=ro", uri=True) as connection:
        tables = [name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")]
        assert {"identity", "attribute"} <= set(tables)
        raw = connection.execute("select identifier from identity where kind in ('email', 'username')").fetchall()
        personal = connection.execute("select value from attribute").fetchall()
    return {text.lower() for (text,) in raw + personal if text and len(text) > 3}


def _texts(connection: duckdb.DuckDBPyConnection, relation: str) -> int:
    """Hold every text column of a relation against the names. Returns how many columns there were."""
    columns = [
        name
        for name, kind, *_ in connection.execute(f"describe select * from {relation}").fetchall()
        if kind == "VARCHAR"
    ]
    for column in columns:
        if column in ORGANISATION_NAMES:
            continue
        distinct = f'select distinct lower("{column}") as text from {relation}'
        found = connection.execute(f"select count(*) from ({distinct}) semi join name using (text)").fetchone()
        assert found == (0,), f"{column} of {relation}"
    return len(columns)


def test_a_second_run_changes_nothing(whole_way: WholeWay):
    before = whole_way.contents()
    assert sum(map(len, before.values())) > 1000
    whole_way.pull()
    whole_way.build_check_publish()
    after = whole_way.contents()
    # Rows that differ, not a comparison of whole tables: pytest would print the district.
    assert {name: set(after[name]) ^ set(before[name]) for name in before if after[name] != before[name]} == {}
    assert after.keys() == before.keys()
    shown = current_snapshot(whole_way.project, DISTRICT)
    assert shown is not None and pipeline.update(whole_way.project, DISTRICT) is None
    still = current_snapshot(whole_way.project, DISTRICT)
    assert still is not None and still.id == shown.id, "nothing is published when nothing is new"


def test_new_events_move_the_date_and_vanished_feeds_delete_nobody(whole_way: WholeWay):
    through = whole_way.rows("select max(data_complete_through) from mart_unknown_tool")[0][0]
    whole_way.sandbox.set_clock(now=datetime(2026, 4, 15, 21, 0, tzinfo=UTC))
    students = whole_way.rows("select count(*) from dim_student where is_enrolled", "restricted.duckdb")

    # The next morning a school's enrolments are gone from the roster, and the filter throttles and repeats itself.
    whole_way.sandbox.fault("oneroster/enrollments", "roster_feed")
    whole_way.sandbox.fault("umbrella/activity", "throttle", times=2, retry_after=0.1)
    whole_way.sandbox.fault("umbrella/activity", "duplicate", share=0.3)
    whole_way.pull("sis", full=True)
    whole_way.pull("lms", "filter", "labbench")
    whole_way.sandbox.mend()
    whole_way.build_check_publish()

    moved = whole_way.rows("select max(data_complete_through) from mart_unknown_tool")[0][0]
    assert moved == through + timedelta(days=2)
    assert whole_way.rows("select count(*) from dim_student where is_enrolled", "restricted.duckdb") == students
    status, message = whole_way.rows(
        "select status, message from mart_source_health where source = 'sis' and resource = 'enrollments'"
    )[0]
    assert status == "warning"
    assert "broken" in message
    rows = whole_way.rows("select measure, expected, actual from mart_reconciliation where not is_reconciled")
    assert rows == []


def test_a_feed_that_is_down_is_told_and_the_last_snapshot_stays(whole_way: WholeWay, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ApiSource, "sleep", lambda seconds: None)
    published = (whole_way.project.published(DISTRICT) / "current").read_text()
    whole_way.sandbox.fault("oneroster/users", "html")
    with pytest.raises(TransientError) as caught:
        pipeline.pull(whole_way.project, DISTRICT, "sis", resources=["users"], full=True)
    whole_way.sandbox.mend()
    assert "HTML" in str(caught.value)
    assert {"district riverbend", "source sis", "resource users"} <= set(
        str(caught.value).split("[")[1].split("]")[0].split(", ")
    )
    assert (whole_way.project.published(DISTRICT) / "current").read_text() == published
