"""The DAGs that a configuration must give, with no import error; and the rule by which tasks are retried."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from uptake.project import Project
from uptake.receiver.spool import Lane, spool_folder

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "src" / "uptake" / "sandbox" / "data"

EXPECTED = {
    "ingest__riverbend__sis",
    "ingest__riverbend__lms",
    "ingest__riverbend__filter",
    "ingest__riverbend__registers",
    "ingest__riverbend__labbench",
    "publish__riverbend",
    "backfill__riverbend",
    "retention__riverbend",
    "studies__riverbend",
}


def load(monkeypatch: pytest.MonkeyPatch, config: Path):
    from airflow.dag_processing.dagbag import DagBag

    monkeypatch.setenv("UPTAKE_CONFIG", str(config))
    return DagBag(dag_folder=str(ROOT / "dags"))


@pytest.fixture
def bag(monkeypatch: pytest.MonkeyPatch):
    return load(monkeypatch, DEMO / "uptake.yaml")


def test_the_expected_dags_are_there_and_nothing_failed_to_import(bag):
    assert bag.import_errors == {}
    assert set(bag.dags) == EXPECTED


def test_a_second_district_is_only_an_entry(monkeypatch, tmp_path):
    import yaml

    config = yaml.safe_load((DEMO / "uptake.yaml").read_text())
    config["districts"][0]["tool_catalogue"] = str(DEMO / "tools.csv")
    twin = config["districts"][0] | {
        "id": "lakeside",
        "name": "Lakeside",
        "sources": config["districts"][0]["sources"][:1],
    }
    config["districts"].append(twin)
    path = tmp_path / "uptake.yaml"
    path.write_text(yaml.safe_dump(config))
    bag = load(monkeypatch, path)
    assert bag.import_errors == {}
    assert set(bag.dags) == EXPECTED | {
        "ingest__lakeside__sis",
        "publish__lakeside",
        "backfill__lakeside",
        "retention__lakeside",
        "studies__lakeside",
    }


def test_a_wrong_configuration_is_an_import_error_that_names_the_key(monkeypatch, tmp_path):
    path = tmp_path / "uptake.yaml"
    text = (DEMO / "uptake.yaml").read_text().replace("tool_catalogue: tools.csv", "tool_catalog: tools.csv")
    path.write_text(text)
    bag = load(monkeypatch, path)
    assert bag.dags == {}
    assert all("tool_catalog" in error and "line" in error for error in bag.import_errors.values())
    assert len(bag.import_errors) == 5


def test_each_source_renews_its_asset_and_any_of_them_starts_the_publication(bag):
    renewed = {asset.name for dag_id in EXPECTED for task in bag.dags[dag_id].tasks for asset in task.outlets}
    assert renewed == {f"riverbend.{name}" for name in ("sis", "lms", "filter", "labbench", "registers", "backfill")}
    from airflow.sdk import AssetAny

    condition = bag.dags["publish__riverbend"].timetable.asset_condition
    assert isinstance(condition, AssetAny)
    assert {asset.name for asset in condition.objects} == renewed | {"riverbend.pushed"}


def test_the_triggerer_looks_for_the_signal_that_the_receiver_gives(bag):
    condition = bag.dags["publish__riverbend"].timetable.asset_condition
    (pushed,) = [asset for asset in condition.objects if asset.name == "riverbend.pushed"]
    (watcher,) = pushed.watchers
    _, arguments = watcher.trigger.serialize()
    project = Project.load(DEMO / "uptake.yaml")
    lane = Lane(spool_folder(project, "riverbend") / "labbench" / "event", b"")
    assert Path(arguments["filepath"]) == lane.signal


def test_a_district_without_pushed_sources_watches_no_spool(monkeypatch):
    bag = load(monkeypatch, ROOT / "examples" / "learnplatform" / "uptake.yaml")
    condition = bag.dags["publish__learnplatform"].timetable.asset_condition
    assert {asset.name for asset in condition.objects} == {"learnplatform.learnplatform", "learnplatform.backfill"}


def pulled(monkeypatch, *, windows: int, is_published: bool) -> dict[str, int]:
    """What the ingest task of LabBench gives when its pull found so many windows."""
    import dag_support

    from uptake.pipeline import PullSummary, ResourceSummary

    summary = PullSummary("riverbend", "labbench", "run", [ResourceSummary("event", "incremental", windows=windows)])
    monkeypatch.setenv("UPTAKE_CONFIG", str(DEMO / "uptake.yaml"))
    monkeypatch.setattr(dag_support.pipeline, "pull", lambda *_, **__: summary)
    monkeypatch.setattr("uptake.warehouse.publish.current_snapshot", lambda *_: object() if is_published else None)
    params = {"since": None, "until": None, "full": False}
    monkeypatch.setattr(dag_support, "get_current_context", lambda: {"params": params, "run_id": "run"})
    return dag_support.pull_as_asked(Project.load(DEMO / "uptake.yaml").district("riverbend"), "labbench")


def test_a_pull_that_finds_nothing_pushed_starts_no_publication_but_the_first(monkeypatch):
    from airflow.sdk.exceptions import AirflowSkipException

    with pytest.raises(AirflowSkipException):
        pulled(monkeypatch, windows=0, is_published=True)
    assert pulled(monkeypatch, windows=1, is_published=True)["landed"] == 0
    assert pulled(monkeypatch, windows=0, is_published=False)["landed"] == 0


def test_the_writer_tasks_share_the_one_slot_pool(bag, monkeypatch, capsys):
    import json
    import runpy

    pools = {task.pool for task in bag.dags["publish__riverbend"].tasks}
    pools |= {task.pool for task in bag.dags["retention__riverbend"].tasks}
    monkeypatch.setenv("UPTAKE_CONFIG", str(DEMO / "uptake.yaml"))
    runpy.run_path(str(ROOT / "scripts" / "airflow_pools.py"))
    made = json.loads(capsys.readouterr().out)
    assert pools == set(made)
    assert all(pool["slots"] == 1 for pool in made.values())


def times_of(district_id: str, every: int):
    """When a source of that district is pulled that is pulled each so many minutes."""
    from dag_support import pull_times

    district = Project.load(DEMO / "uptake.yaml").district("riverbend").model_copy(update={"id": district_id})
    return pull_times(district, district.source("sis").model_copy(update={"pull_every_minutes": every}))


def due(times, after: datetime, runs: int) -> list[datetime]:
    """The first runs of a source that was last pulled then."""
    from croniter import croniter

    coming = croniter(times.expression, after)
    return [coming.get_next(datetime) for _ in range(runs)]


def test_a_hundred_districts_are_not_due_in_one_minute_and_one_districts_sources_are():
    night = datetime(2026, 4, 14, tzinfo=UTC)
    firsts = Counter(due(times_of(f"district{number:03d}", 60), night, 1)[0] for number in range(100))
    assert firsts.total() == 100 and max(firsts.values()) <= 8
    # A day, an hour and ten minutes: what is due less often is due together with what is due more often.
    seldom, hourly, often = (set(due(times_of("riverbend", every), night, 144)) for every in (1440, 60, 10))
    assert {moment for moment in seldom if moment < max(hourly)} < hourly
    assert {moment for moment in hourly if moment < max(often)} < often
    # No process's own hash: the next start must find the same minutes.
    assert times_of("riverbend", 60).expression == "19-59/60 * * * *"


@pytest.mark.parametrize("every", [1, 2, 10, 60, 240, 1440])
def test_a_source_is_pulled_at_once_when_it_is_new_and_then_as_often_as_its_district_says(every):
    from airflow.serialization.encoders import coerce_to_core_timetable
    from airflow.timetables.base import TimeRestriction

    times = times_of("riverbend", every)
    moments = due(times, datetime(2026, 4, 14, tzinfo=UTC), 30)
    assert {later - earlier for earlier, later in pairwise(moments)} == {timedelta(minutes=every)}
    none = TimeRestriction(earliest=None, latest=None, catchup=False)
    first = coerce_to_core_timetable(times).next_dagrun_info(last_automated_data_interval=None, restriction=none)
    assert first.run_after <= datetime.now(UTC)


def test_a_cadence_that_goes_into_no_hour_or_day_counts_from_the_pull_before():
    assert times_of("riverbend", 7) == timedelta(minutes=7)
    assert times_of("riverbend", 90) == timedelta(minutes=90)


def test_the_nights_work_of_districts_is_spread_over_an_hour(bag):
    minute = times_of("riverbend", 60).expression.partition("-")[0]
    assert bag.dags["retention__riverbend"].timetable.expression == f"{minute} 3 * * *"
    assert bag.dags["studies__riverbend"].timetable.expression == f"{minute} 4 * * *"


def test_a_permanent_error_is_not_retried_and_a_throttle_waits_as_long_as_the_vendor_asked():
    from airflow.sdk import RetryAction
    from dag_support import RetryByErrorClass

    from uptake.errors import PermanentError, TransientError

    rule = RetryByErrorClass()
    # As the pull raises it: tests/landing/test_faults.py holds that all four places and the remedy are there.
    place = {"district": "riverbend", "source": "sis", "resource": "users", "window": "full-begin-20260414T200000Z"}
    failed = rule.evaluate(PermanentError("wrong secret", remedy="renew it.", **place), 1, 5)
    assert failed.action is RetryAction.FAIL
    assert [
        part for part in (*place.values(), "wrong secret", "To mend it: renew it.") if part not in failed.reason
    ] == []
    waits = rule.evaluate(TransientError("throttled", retry_after=120), 1, 5)
    assert (waits.action, waits.retry_delay) == (RetryAction.RETRY, timedelta(seconds=120))
    assert rule.evaluate(TransientError("timeout"), 1, 5).action is RetryAction.DEFAULT


def test_the_retry_rule_reaches_every_task(bag):
    from dag_support import RetryByErrorClass

    for dag in bag.dags.values():
        for task in dag.tasks:
            assert isinstance(task.retry_policy, RetryByErrorClass), (dag.dag_id, task.task_id)
            assert task.retries > 0


def test_a_publication_that_is_late_calls_the_alert_targets(bag, monkeypatch):
    """By Airflow's deadline; the callback is found by its name where the executor runs it."""
    from airflow.sdk._shared.module_loading import import_string

    (alert,) = bag.dags["publish__riverbend"].deadline
    assert alert.reference.reference_name == "DagRunQueuedAtDeadline" and alert.interval >= timedelta(minutes=5)
    told = []
    monkeypatch.setattr("dag_support.tell", lambda project, district, known, run_id: told.append(district.id))
    monkeypatch.setenv("UPTAKE_CONFIG", str(DEMO / "uptake.yaml"))
    import_string(alert.callback.path)(**alert.callback.kwargs)
    assert told == ["riverbend"]


def test_the_same_dags_run_the_real_set(monkeypatch):
    bag = load(monkeypatch, ROOT / "examples" / "learnplatform" / "uptake.yaml")
    assert bag.import_errors == {}
    names = {"ingest__learnplatform__learnplatform", "publish__learnplatform", "backfill__learnplatform"}
    names |= {"retention__learnplatform", "studies__learnplatform"}
    assert set(bag.dags) == names
