"""What changed is made again, and nothing else; and every model is one of which that can be known."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import duckdb
import pytest
from lake import DISTRICT, Lake, request

from uptake import clock
from uptake.warehouse import dbt
from uptake.warehouse.dbt import BuildSummary, build_warehouse, run_dbt, target_dir
from uptake.warehouse.dbt_project import dbt_project_dir
from uptake.warehouse.engine import content_of


@pytest.fixture(scope="module")
def lake(built: tuple[Lake, BuildSummary], tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A built district of this module's own; each test builds on what the ones before it left."""
    return built[0].copied(tmp_path_factory.mktemp("made") / "district")


def build(lake: Lake) -> dict[str, bool]:
    """Models and tests that dbt looked at, and whether each was made."""
    build_warehouse(lake.project, DISTRICT)
    results = json.loads((target_dir(lake.project, DISTRICT) / "run_results.json").read_text())["results"]
    return {result["unique_id"].split(".")[2]: result["message"] != "UNCHANGED" for result in results}


def made(found: dict[str, bool]) -> set[str]:
    return {name for name, is_made in found.items() if is_made}


def test_a_table_that_repeats_a_key_is_never_made(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table that is made whole, and one that is kept by date: those that the first build touched."""
    before = lake.contents()
    twice = tmp_path / "dbt_project"
    shutil.copytree(dbt_project_dir(), twice)
    for name in ("core/dim_school", "usage/fct_unmatched_usage_day"):
        model = twice / "models" / "marts" / f"{name}.sql"
        settings, query = re.fullmatch(r"(\{\{ config\(.*?\) \}\}\n)?(.*)", model.read_text(), re.DOTALL).groups("")
        model.write_text(
            f"{settings}select query.* from (\n{query}) as query cross join (values (1), (2)) as twice (n)"
        )
    monkeypatch.setattr(dbt, "dbt_project_dir", lambda: twice)
    run_dbt(lake.project, lake.district, ["run", "--select", "dim_school", "fct_unmatched_usage_day"])
    results = json.loads((target_dir(lake.project, DISTRICT) / "run_results.json").read_text())["results"]
    said = {result["unique_id"].split(".")[2]: result["message"] for result in results}
    assert "2 keys (school_key) are repeated in 4 rows" in said["dim_school"]
    assert "(district_id, on_date, host, reason) are repeated in" in said["fct_unmatched_usage_day"]
    assert lake.contents() == before


def test_an_event_makes_its_facts_and_not_the_roster(lake: Lake) -> None:
    """A Tuesday that is known already, in a week that is complete: what reads use is made, whom it is about is not."""
    lake.land("umbrella", "activity", [request("2026-03-03T18:07:00", "s1@mail")])
    found = build(lake)
    assert {"fct_student_tool_day", "mart_match_rate", "mart_source_health"} <= made(found)
    for name in (
        "dim_student",
        "brg_student_subgroup",
        "dim_contract",
        "mart_study",
        "fct_contract_period",
        "fct_cost_ingredient",
        "mart_cost_forecast",
    ):
        assert not found.get(name, False), name
    assert not {name for name in made(found) if name.startswith(("stg_oneroster", "stg_learnplatform"))}


def test_the_same_event_again_stops_where_it_changes_nothing(lake: Lake) -> None:
    """A window that brings what was there already is counted where windows are; the facts stay."""
    before = lake.contents()
    lake.land("umbrella", "activity", [request("2026-03-03T18:07:00", "s1@mail")], token="again")
    found = build(lake)
    assert {"int_event_day_count", "mart_reconciliation"} <= made(found)
    assert not made(found) & {"fct_student_tool_day", "mart_adoption", "mart_value"}
    assert not set(found) & {"fct_tool_usage_summary", "int_summary_day_count"}, "no aggregate came"
    assert not found.get("int_equity_gap_band", False), "the seed that it reads is known by its file"
    assert lake.contents()["marts.fct_student_tool_day"] == before["marts.fct_student_tool_day"]


def test_what_reads_a_fact_that_came_out_as_it_was_is_left(lake: Lake) -> None:
    """Somebody whom no roster knows, on the same Tuesday: the day is made again, and gives the same use."""
    lake.land("umbrella", "activity", [request("2026-03-03T18:08:00", "nobody@mail")])
    found = build(lake)
    assert {"fct_student_tool_day", "fct_unmatched_usage_day"} <= made(found)
    assert not {"mart_value", "mart_unused_tool"} & made(found)


def test_what_reads_a_changed_setting_is_made_again(lake: Lake) -> None:
    config = (lake.root / "uptake.yaml").read_text()
    try:
        (lake.root / "uptake.yaml").write_text(config + "    privacy: {minimum_n: 3}\n")
        lake.reload()
        found = made(build(lake))
    finally:
        (lake.root / "uptake.yaml").write_text(config)
        lake.reload()
    assert {"int_eligible_cell", "mart_adoption", "mart_equity_gap"} <= found
    assert not found & {"int_person", "dim_tool"}
    again = made(build(lake))
    assert {"int_eligible_cell", "mart_adoption", "mart_equity_gap"} <= again


def test_a_new_day_makes_what_reads_the_date(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    from datetime import timedelta

    now = clock.now(lake.district)
    monkeypatch.setattr(clock, "now", lambda district: now + timedelta(days=1))
    found = made(build(lake))
    assert {"dim_student", "mart_value", "mart_source_health"} <= found
    assert not found & {"fct_student_tool_day", "dim_school", "mart_study_plan"}


def test_a_changed_table_is_made_again_whoever_changed_it(lake: Lake) -> None:
    """A build that did not come to its end looks at every model, and makes those without a recipe."""
    with duckdb.connect(str(lake.project.warehouse(DISTRICT))) as connection:
        connection.execute("delete from build.version where name = 'marts.dim_school'")
        connection.execute("insert into build.begun values ('build', null)")
    found = build(lake)
    assert len(found) > 100
    assert "dim_school" in made(found)
    assert not made(found) & {"dim_class", "dim_tool", "int_person", "fct_student_tool_day"}


def test_a_digest_sees_every_change() -> None:
    with duckdb.connect() as connection:
        connection.execute("create table one as select 1 as a, 2 as b, [1, null] as list, null::varchar as text")
        before = content_of(connection, "one")
        for change in (
            "insert into one from one",
            "update one set a = 2, b = 1",
            "update one set b = null, a = null",
            "update one set list = [null, 1]",
            "update one set text = ''",
            "delete from one",
        ):
            connection.execute("begin")
            connection.execute(change)
            assert content_of(connection, "one") != before, change
            connection.execute("rollback")
        connection.execute("create table other as from (values (1, 'x'), (2, 'y')) as rows (a, b)")
        ordered = content_of(connection, "other")
        connection.execute("create or replace table other as from other order by a desc")
        assert content_of(connection, "other") == ordered


# The clock and chance; and, in braces, what a process brings along and what dbt does not see.
IMPURE = re.compile(
    r"\b(?:now|today|localtime\w*|random|\w*uuid)\(|\b(?:current_date|current_time\w*)\b"
    r"|\b(?:run_started_at|invocation_id|run_query|env_var|var\(|adapter\.|this\b)(?=[^{%]*[%}]\})"
)
# int_week_to_build looks at the mart that it decides on, and is made each time. The others take old rows away.
ALLOWED = {
    "int_week_to_build": {"adapter.", "this"},
    "mart_adoption": {"this"},
    "int_unmatched_student_day": {"this"},
}


def nodes(lake: Lake) -> dict[str, dict[str, Any]]:
    return dict(json.loads((target_dir(lake.project, DISTRICT) / "manifest.json").read_text())["nodes"])


def test_no_model_reads_the_clock_or_what_dbt_does_not_see(lake: Lake) -> None:
    written = {path.stem: path.read_text() for path in (dbt_project_dir() / "models").rglob("*.sql")}
    written |= {path.stem: path.read_text() for path in (dbt_project_dir() / "tests").rglob("*.sql")}
    macros = {
        path.stem: path.read_text()
        for path in (dbt_project_dir() / "macros").glob("*.sql")
        if path.stem not in ("made", "engine", "generate_schema_name")
    }
    for name, text in (written | macros).items():
        code = re.sub(r"\{#.*?#\}|--[^\n]*", "", text, flags=re.DOTALL)
        found = {match.group().strip().lower() for match in IMPURE.finditer(code)} - ALLOWED.get(name, set())
        assert not found, (name, found)
    for name in ALLOWED:
        assert name in written


def test_dbt_knows_every_table_that_a_model_reads(lake: Lake) -> None:
    """What DuckDB's parser finds in the compiled SQL is what dbt's graph says."""
    found = nodes(lake)
    sources = json.loads((target_dir(lake.project, DISTRICT) / "manifest.json").read_text())["sources"]
    place = {key: f"{node['schema']}.{node['alias']}" for key, node in found.items() if "alias" in node}
    place |= {key: f"{node['schema']}.{node['identifier']}" for key, node in sources.items()}
    asked = 0
    with duckdb.connect(str(lake.project.warehouse(DISTRICT)), read_only=True) as connection:
        for node in found.values():
            compiled = target_dir(lake.project, DISTRICT) / "compiled" / "uptake" / node["original_file_path"]
            if node["resource_type"] != "model" or not compiled.exists() or node["name"] == "int_week_to_build":
                continue
            [[said]] = connection.execute("select json_serialize_sql($1::varchar)", [compiled.read_text()]).fetchall()
            read = re.findall(r'"type":"BASE_TABLE".*?"schema_name":"(\w*)","table_name":"(\w+)"', said)
            tables = {f"{schema}.{table}" for schema, table in read if schema}
            assert tables, node["name"]
            assert tables <= {place[key] for key in node["depends_on"]["nodes"]}, node["name"]
            asked += 1
    assert asked > 80
