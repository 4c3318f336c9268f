"""Studies on record as flat tables for the warehouse."""

from __future__ import annotations

from studies import MARTS, plan, table, world

from uptake.evidence import store
from uptake.evidence.run import run_study
from uptake.evidence.tables import study_tables
from uptake.operations.session import open_engine


def test_the_newest_run_of_each_study_of_the_district(operations_url: str):
    engine = open_engine(operations_url)
    assert [found.num_rows for found in study_tables(engine, "maple").values()] == [0, 0, 0]
    chosen = plan(cluster="school", site="school", marts=MARTS, subgroups=["home"])
    frame = world(by_school=True, effect=0.6)
    frame["home"] = (frame.index % 60 < 1).astype(int)
    frame.loc[frame["home"].eq(1) & (frame.index > 400), "home"] = 0
    study = store.record(engine, chosen)
    store.record(engine, plan(marts=MARTS, seed=5))  # planned and never run
    store.keep(engine, study, run_study(chosen, table(world(seed=3).assign(home=0))))
    newest = run_study(chosen, table(frame))
    store.keep(engine, study, newest)
    store.keep(engine, store.record(engine, plan()), run_study(plan(), table(frame)))  # of no district

    found = study_tables(engine, "maple")
    (one,) = found["study"].to_pylist()
    assert (one["plan_hash"], one["run_at"], one["verdict"]) == (study.hash, newest.run_at, "effect")
    assert (one["tool_key"], one["is_first_outcome"], one["essa_tier"]) == ("mathgym", True, 1)
    estimates = {(row["role"], row["estimate"]): row for row in found["study_estimate"].to_pylist()}
    main = newest.outcomes[0].main
    assert estimates["main", "the score"]["g"] == main.g
    assert estimates["main", "the score"]["students_with"] == main.n_treated
    hidden = estimates["subgroup", "home = 1"]
    assert "fewer than 10" in hidden["suppression_reason"]
    assert {value for name, value in hidden.items() if isinstance(value, float | int)} == set()
    gates = found["study_gate"].to_pylist()
    assert [row["gate"] for row in gates] == [gate.name for gate in newest.outcomes[0].gates]
    assert study_tables(engine, "elsewhere")["study"].num_rows == 0


def test_those_whom_a_match_leaves_out_cannot_be_worked_out(operations_url: str):
    engine = open_engine(operations_url)
    chosen = plan(design="matched", baseline=["baseline"], site="school", marts=MARTS | {"district": "cedar"})
    frame = world(by_school=False, selection=0.8)
    newest = run_study(chosen, table(frame))
    store.keep(engine, store.record(engine, chosen), newest)
    naive = newest.outcomes[0].sensitivity.naive
    assert naive.n_treated > newest.outcomes[0].main.n_treated, "some have no match"
    estimates = {row["role"]: row for row in study_tables(engine, "cedar")["study_estimate"].to_pylist()}
    assert estimates["main"]["students_with"] == newest.outcomes[0].main.n_treated
    assert estimates["naive"]["students_with"] is estimates["naive"]["students_without"] is None
    assert estimates["naive"]["effect"] == naive.effect
