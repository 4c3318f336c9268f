"""Which studies run at night: those whose outcome is in, once for the rows that they would read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import Engine
from studies import MARTS, plan, world

from uptake.errors import ConfigError
from uptake.evidence import due, store
from uptake.evidence.data import StudyTable, fingerprint
from uptake.evidence.due import run_due
from uptake.evidence.run import run_study
from uptake.operations.session import open_engine


@dataclass
class Snapshot:
    manifest: dict[str, Any]


@dataclass
class Place:
    """A project with a snapshot: its last complete day, its id and its table."""

    operations: Engine
    through: str = "2026-04-30"
    id: str = "s1"
    frame: Any = None


@pytest.fixture
def place(operations_url: str, monkeypatch: pytest.MonkeyPatch) -> Place:
    place = Place(open_engine(operations_url), frame=world())

    def read(chosen: Any, project: Place) -> StudyTable:
        if chosen.marts.category == "Nothing":
            raise ConfigError("no result of category 'Nothing'", remedy="look at the gradebook.")
        return StudyTable(project.frame, f"snapshot:{project.id} {fingerprint(project.frame)}")

    monkeypatch.setattr(due, "read_marts", read)
    monkeypatch.setattr(
        due, "current_snapshot", lambda project, _: Snapshot({"data_complete_through": project.through})
    )
    return place


def test_a_study_waits_for_its_outcome_and_then_runs_once_for_the_same_rows(place: Place):
    study = store.record(place.operations, plan(marts=MARTS))
    place.through = "2026-04-29"
    assert run_due(place, "maple").waiting == (study.short,)
    assert store.find(place.operations, study.hash).results == ()

    place.through = "2026-04-30"
    said: list[str] = []
    assert run_due(place, "maple", said.append).ran == (study.short,)
    assert said == [f"study 1 of 1: {study.short} {study.plan.tool}"]
    (result,) = store.find(place.operations, study.hash).results
    assert result.data_version.startswith("snapshot:s1 rows:")

    by_hand = store.record(place.operations, plan(marts=MARTS, question="And by hand?"))
    store.keep(place.operations, by_hand, run_study(by_hand.plan, due.read_marts(by_hand.plan, place)))
    assert run_due(place, "maple").unchanged == (by_hand.short, study.short), "run by hand on just these rows"

    place.id, place.frame = "s2", place.frame.sample(frac=1, random_state=1)
    assert run_due(place, "maple").unchanged == (by_hand.short, study.short), "another snapshot of the same rows"

    place.frame = world(seed=8)
    assert run_due(place, "maple").ran == (by_hand.short, study.short)
    assert len(store.find(place.operations, study.hash).results) == 2


def test_a_study_that_cannot_run_is_told_and_keeps_no_other_from_running(place: Place):
    broken = store.record(place.operations, plan(marts=MARTS | {"category": "Nothing"}))
    whole = store.record(place.operations, plan(marts=MARTS))
    done = run_due(place, "maple")
    assert done.ran == (whole.short,)
    assert "no result of category" in done.refused[broken.short]


def test_studies_of_tables_and_of_other_districts_are_let_alone(place: Place):
    store.record(place.operations, plan())
    store.record(place.operations, plan(marts=MARTS | {"district": "oak"}))
    done = run_due(place, "maple")
    assert (done.ran, done.unchanged, done.waiting, done.refused) == ((), (), (), {})


def test_a_fingerprint_is_of_the_rows_in_any_order(place: Place):
    one = fingerprint(place.frame)
    assert one == fingerprint(place.frame.iloc[::-1])
    changed = place.frame.copy()
    changed.iloc[0, changed.columns.get_loc("y") if "y" in changed else 0] += 1
    assert one != fingerprint(changed)
