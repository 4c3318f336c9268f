"""The working of studies as flat tables: nobody can be told from it."""

from __future__ import annotations

from studies import MARTS, plan, table, world

from uptake.evidence import store
from uptake.evidence.run import run_study
from uptake.evidence.workings import SCHEMAS, TOO_FEW, _dose, _flow, working_tables
from uptake.operations.session import open_engine


def step(name: str, rows: int, treated: int | None = None, comparison: int | None = None) -> dict:
    return {"step": name, "rows": rows, "treated": treated, "comparison": comparison}


def test_every_plan_and_the_working_of_its_newest_run(operations_url: str):
    engine = open_engine(operations_url)
    assert {name: found.num_rows for name, found in working_tables(engine, "maple").items()} == dict.fromkeys(
        SCHEMAS, 0
    )
    chosen = plan(cluster="school", site="school", marts=MARTS)
    study = store.record(engine, chosen)
    waiting = store.record(engine, plan(marts=MARTS, seed=5))
    store.keep(engine, study, run_study(chosen, table(world(seed=3, by_school=True))))
    newest = run_study(chosen, table(world(by_school=True, effect=0.6)))
    store.keep(engine, study, newest)
    store.keep(engine, store.record(engine, plan()), run_study(plan(), table(world())))  # of no district

    found = {name: rows.to_pylist() for name, rows in working_tables(engine, "maple").items()}
    assert {row["plan_hash"] for row in found["study_plan"]} == {study.hash, waiting.hash}
    assert found["study_plan"][0]["outcome_ends_on"].isoformat() == "2026-04-30"
    (one,) = newest.outcomes
    assert [row["step"] for row in found["study_flow"]] == [step["step"] for step in one.flow]
    assert [(row["covariate"], row["g"]) for row in found["study_balance"]] == [(b.covariate, b.g) for b in one.balance]
    (moves,) = found["study_sensitivity"]
    assert moves["without_one_site_low"] == one.sensitivity.without_one_site_low
    assert moves["sd"] == one.main.sd


def test_a_step_that_leaves_out_a_few_tells_no_counts():
    steps = [step("all", 500), step("known", 480), step("arms", 477, 240, 237), step("scored", 460, 237, 223)]
    told = _flow(steps, 10)
    assert [row["students"] for row in told] == [500, 480, None, 460]
    assert told[2] == {
        "step": "arms", "students": None, "students_with": None, "students_without": None,
        "suppression_reason": TOO_FEW,
    }  # fmt: skip
    assert [row["students"] for row in _flow([step("all", 463), step("scored", 460, 237, 223)], 10)] == [None, 460]
    of_neither = [step("all", 480), step("arms", 465, 240, 220), step("scored", 400, 200, 200)]
    assert [row["students"] for row in _flow(of_neither, 10)] == [480, None, 400], "5 in neither arm"


def test_the_ends_of_use_are_open_and_the_size_of_a_hidden_part_cannot_be_worked_out():
    parts = [
        {"low": 1.0, "high": 20.0, "n": 30, "effect": 0.1, "effect_low": -0.1, "effect_high": 0.3},
        {"low": 20.0, "high": 60.0, "n": 30, "effect": 0.2, "effect_low": 0.0, "effect_high": 0.4},
        {"low": 60.0, "high": 987.0, "n": 30, "effect": 0.2, "effect_low": 0.0, "effect_high": 0.4},
    ]
    told = list(_dose(parts))
    assert [(row["use_from"], row["use_to"]) for row in told] == [(None, 20.0), (20.0, 60.0), (60.0, None)]
    assert [row["students"] for row in told] == [30, 30, 30]
    parts[2] |= {"n": 0, "effect": None, "effect_low": None, "effect_high": None}
    told = list(_dose(parts))
    assert [row["students"] for row in told] == [None, None, None]
    assert [row["suppression_reason"] for row in told] == [None, None, TOO_FEW]
