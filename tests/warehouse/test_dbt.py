"""Builds, end to end: the same rows however they came about, and an error that says what a person must do."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import pytest
from conftest import land_more, name_host
from lake import DISTRICT, Lake, request, roster

from uptake.errors import TransientError
from uptake.warehouse import dbt
from uptake.warehouse.dbt import BuildError, BuildSummary, build_warehouse, run_dbt, target_dir, tell_steps

CopyOf = Callable[[Lake], Lake]


def test_business_rules_hold(built: tuple[Lake, BuildSummary]) -> None:
    """The unit tests beside the models; each names its rule."""
    lake, _ = built
    done = run_dbt(lake.project, lake.district, ["test", "--select", "test_type:unit"])
    results = json.loads((target_dir(lake.project, DISTRICT) / "run_results.json").read_text())["results"]
    failed = {
        result["unique_id"].split(".", 2)[2]: result["message"] for result in results if result["status"] != "pass"
    }
    assert not failed, "\n".join(f"{name}\n{message}" for name, message in failed.items())
    assert done.returncode == 0 and len(results) > 20


def test_a_build_says_what_it_did(built: tuple[Lake, BuildSummary]) -> None:
    _, summary = built
    assert summary.models > 50 and summary.tests > 30 and summary.touched_dates == 3
    assert 0 < summary.dbt_startup_seconds < summary.seconds
    assert not summary.nothing_new


class Updated(NamedTuple):
    """A built district after `land_more`, an ordinary build, `name_host` and another one; what its tables hold."""

    lake: Lake
    contents: dict[str, tuple[int, str]]
    named: BuildSummary


@pytest.fixture(scope="module")
def updated(built: tuple[Lake, BuildSummary], tmp_path_factory: pytest.TempPathFactory) -> Updated:
    lake = built[0].copied(tmp_path_factory.mktemp("updated") / "district")
    land_more(lake)
    build_warehouse(lake.project, DISTRICT, run_id="second")
    assert lake.query("select sum(events) from marts.fct_unmatched_usage_day where host = 'play.rare.example'") == [
        (2,)
    ]
    name_host(lake)
    named = build_warehouse(lake.project, DISTRICT, run_id="named")
    return Updated(lake, lake.contents(), named)


def test_naming_a_host_names_its_past_and_makes_no_other_date_again(updated: Updated) -> None:
    assert updated.named.touched_dates == 1
    assert updated.lake.query(
        "select student_key, cast(on_date as varchar) from marts.fct_student_tool_day where tool_key = 'rare'"
    ) == [("s2", "2026-01-21")]
    assert updated.lake.query("from marts.fct_unmatched_usage_day where host = 'play.rare.example'") == []


def test_an_increment_gives_the_rows_of_a_full_refresh(updated: Updated, monkeypatch: pytest.MonkeyPatch) -> None:
    """Late rows, a superseded window, a longer page view, a student who was unknown and a host that nobody had named:
    each rebuilt its own dates.

    The refresh is made in two passes, as one is that would not fit the memory.
    """
    lake, incremental, _ = updated
    assert lake.query("select count(*) from marts.fct_student_tool_day where student_key = 'late'")[0][0] > 3
    assert incremental["marts.fct_student_tool_day"][0] > 50
    monkeypatch.setattr("uptake.warehouse.prepare.EVENTS_AT_ONCE", 700)
    summary = build_warehouse(lake.project, DISTRICT, full_refresh=True, run_id="third")
    assert summary.passes == 2
    assert lake.contents() == incremental


def test_a_second_build_finds_nothing_to_do(updated: Updated) -> None:
    lake, contents, _ = updated
    summary = build_warehouse(lake.project, DISTRICT, run_id="fourth")
    assert summary.nothing_new and summary.models == 0 and summary.seconds < 5
    assert lake.contents() == contents


RANDOM_KILLS = 1
BUILD = """
import sys
from datetime import datetime, UTC
from pathlib import Path
from uptake import clock
clock.now = lambda district: datetime(2026, 4, 14, 15, 0, tzinfo=UTC)
from uptake.project import Project
from uptake.warehouse.dbt import build_warehouse
build_warehouse(Project.load(Path(sys.argv[1])), "maple")
"""


@pytest.mark.timeout(600)
def test_a_killed_build_is_made_again_whole(
    built: tuple[Lake, BuildSummary], updated: Updated, copy_of: CopyOf
) -> None:
    """kill -9 between two facts of an increment, and at random instants of the builds after it; then one that ends:
    its rows are those of a build that nobody killed."""
    lake = copy_of(built[0])
    land_more(lake)
    name_host(lake)
    log = target_dir(lake.project, DISTRICT).parent / "dbt.log"
    log.unlink()
    command = [sys.executable, "-c", BUILD, str(lake.root / "uptake.yaml")]
    with subprocess.Popen(command, start_new_session=True) as build:
        until = time.monotonic() + 120
        while "OK created sql incremental model intermediate.int_person_seen_day" not in _text(log):
            assert time.monotonic() < until and build.poll() is None
            time.sleep(0.02)
        os.killpg(build.pid, signal.SIGKILL)
    assert "Completed successfully" not in _text(log)
    seed = random.randrange(10**6)
    chance = random.Random(seed)
    for _ in range(RANDOM_KILLS):
        with subprocess.Popen(command, start_new_session=True) as build:
            try:
                build.wait(chance.uniform(0.5, 5))
            except subprocess.TimeoutExpired:
                os.killpg(build.pid, signal.SIGKILL)
    build_warehouse(lake.project, DISTRICT)
    assert lake.contents() == updated.contents, f"seed {seed}"


def _text(path: Path) -> str:
    return path.read_text(errors="replace") if path.exists() else ""


def _fake_dbt(results: list[dict[str, object]] | None, log: str = "") -> Callable[..., SimpleNamespace]:
    """dbt as far as its exit code, its log and its run_results.json go."""

    def run(project: object, district: object, arguments: object, **_: object) -> SimpleNamespace:
        target = target_dir(project, DISTRICT)  # type: ignore[arg-type]
        target.mkdir(parents=True, exist_ok=True)
        (target.parent / "dbt.log").write_text(log)
        if results is not None:
            (target / "run_results.json").write_text(json.dumps({"results": results}))
        return SimpleNamespace(returncode=1)

    return run


def test_a_failing_model_is_named_with_its_message(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    results: list[dict[str, object]] = [
        {"unique_id": "model.uptake.dim_date", "status": "success", "message": "OK", "execution_time": 0.1},
        {
            "unique_id": "model.uptake.fct_result",
            "status": "error",
            "message": "Binder Error:\n  no column score",
            "execution_time": 0.1,
        },
        {"unique_id": "test.uptake.unique_x.1a2b", "status": "fail", "message": "Got 2", "execution_time": 0.1},
    ]
    monkeypatch.setattr(dbt, "run_dbt", _fake_dbt(results))
    with pytest.raises(BuildError) as caught:
        build_warehouse(lake.project, DISTRICT)
    assert caught.value.message == "fct_result: Binder Error: no column score (1 more failed)"
    assert caught.value.context == {"district": DISTRICT, "model": "fct_result"}
    assert "dbt.log" in caught.value.remedy


def test_a_failed_build_is_due_again(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dbt, "run_dbt", _fake_dbt([]))
    for _ in range(2):
        with pytest.raises(BuildError, match="ended with an error"):
            build_warehouse(lake.project, DISTRICT)


def test_a_dbt_that_does_not_start_says_why(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    log = "02:25:04  Encountered an error:\nParsing Error\n  profile uptake not found\n"
    monkeypatch.setattr(dbt, "run_dbt", _fake_dbt(None, log))
    with pytest.raises(BuildError, match="Parsing Error profile uptake not found"):
        build_warehouse(lake.project, DISTRICT)


def test_one_build_of_a_district_at_a_time(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dbt, "LOCK_WAIT_SECONDS", 0.1)
    with dbt._alone(lake.project, lake.district), pytest.raises(TransientError, match="another build"):
        build_warehouse(lake.project, DISTRICT)


def test_late_identity_makes_the_dates_of_its_events_again(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only dates on which the person was seen, and only when who they are has changed."""
    import duckdb

    from uptake.warehouse import prepare as preparation

    roster(lake)
    lake.land("umbrella", "activity", [request("2026-03-02T15:00:00", "a@mail")])
    work = preparation.prepare(lake.project, lake.district, models_signature="m")
    people = "intermediate.int_person_identity"
    seen = "intermediate.int_person_seen_day"
    with duckdb.connect(str(work.warehouse)) as connection:
        columns = "identifier_kind varchar, identifier varchar, person_key varchar, is_student boolean"
        connection.execute(f"create table {people} ({columns})")
        connection.execute(f"insert into {people} values ('email', 'a@mail', 's1', true), ('email', 'x', 's2', true)")
        days = "on_date date, identifier_kind varchar, identifier varchar, person_key varchar"
        connection.execute(f"create table {seen} ({days})")
        connection.execute(
            f"""insert into {seen} values
            ('2026-03-02', null, null, 's1'), ('2026-03-03', null, null, 's2'),
            ('2026-03-04', 'email', 'new@mail', null),
            ('2026-03-05', 'device', 'new@mail', null)"""
        )
    preparation.finish(work)
    work = preparation.prepare(lake.project, lake.district, models_signature="m")
    assert preparation.dates_of_changed_identities(work) == set()
    with duckdb.connect(str(work.warehouse)) as connection:
        connection.execute(f"insert into {people} values ('email', 'new@mail', 's3', true)")
        connection.execute(f"update {people} set is_student = false where person_key = 's2'")
    assert preparation.dates_of_changed_identities(work) == {date(2026, 3, 3), date(2026, 3, 4)}
    # A table of the version that the copy was made of is not compared: nobody changes one without the other.
    with duckdb.connect(str(work.warehouse)) as connection:
        connection.execute("insert into build.version (name, version) values (?, 'v1')", [people])
    preparation.finish(work)
    with duckdb.connect(str(work.warehouse)) as connection:
        connection.execute(f"insert into {people} values ('device', 'new@mail', 's4', true)")
    assert preparation.dates_of_changed_identities(work) == set()
    with duckdb.connect(str(work.warehouse)) as connection:
        connection.execute("update build.version set version = 'v2' where name = ?", [people])
    assert preparation.dates_of_changed_identities(work) == {date(2026, 3, 5)}


def test_what_dbt_writes_is_told_step_by_step(tmp_path: Path) -> None:
    log = tmp_path / "dbt.log"
    log.write_bytes(
        b"11:41:50  Concurrency: 1 threads (target='duckdb')\n"
        b"11:41:50  1 of 99 START sql view model staging.base_caliper__event ........ [RUN]\n"
        b"11:41:50  1 of 99 OK created sql view model staging.base_caliper__event ... [UNCHANGED in 0.07s]\n"
        b"11:41:50  2 of 99 START test not_null_dim"
    )
    told: list[tuple[int, int, str]] = []
    with log.open("rb") as said:
        tell_steps(said, lambda *step: told.append(step))
        assert told == [(0, 99, "base_caliper__event"), (1, 99, "base_caliper__event")]
        with log.open("ab") as more:
            more.write(
                b"_tool_key ..................... [RUN]\n11:41:51  2 of 99 PASS not_null_dim_tool_key .... [PASS]\n"
            )
        tell_steps(said, lambda *step: told.append(step))
    assert told[2:] == [(1, 99, "not_null_dim_tool_key"), (2, 99, "not_null_dim_tool_key")]
