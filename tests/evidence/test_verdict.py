"""What is said: every kind of answer in words of its own, each true of its figures."""

from __future__ import annotations

import re

import numpy as np
import pytest
from studies import plan, table, world

from uptake.evidence.run import OutcomeResult, run_study


def result(frame, **changes) -> OutcomeResult:
    chosen = plan(**({"cluster": "school", "baseline": ["baseline"]} | changes))
    return run_study(chosen, table(frame)).outcomes[0]


def answers() -> dict[str, OutcomeResult]:
    few = world(schools=4, seed=1)
    one = world(seed=2)
    one["arm"] = (one["school"] == 0).astype(int)
    apart = world(by_school=False, selection=1.5, seed=3)
    lost = world(seed=4)
    lost.loc[(lost["arm"] == 1) & (np.arange(len(lost)) % 3 > 0), "score"] = np.nan
    lost["baseline"] += lost["arm"] * 0.2
    small = world(seed=5).iloc[:15].assign(arm=[1] * 9 + [0] * 6)
    lonely = world(by_school=False, selection=8, seed=6)
    return {
        "effect": result(world(effect=0.6, seed=7)),
        "effect_of_unclear_size": result(world(effect=0.3, seed=7)),
        "too_small": result(world(schools=400, effect=0.12, icc=0.02, seed=8), meaningful_effect=0.3),
        "null": result(world(schools=400, icc=0.02, seed=9)),
        "no_useful_effect": result(world(effect=-0.1, seed=10), meaningful_effect=0.15),
        "harmful": result(world(effect=-0.5, seed=11)),
        "not_enough_evidence": result(world(schools=12, seed=12)),
        "few_clusters": result(few),
        "one_site": result(one, design="regression"),
        "failed_balance": result(apart, design="regression", cluster=None, site="school"),
        "failed_attrition": result(lost, baseline=[]),
        "too_few_students": result(small, cluster=None),
        "no_overlap": result(lonely, design="matched", cluster=None, site="school"),
        "descriptive": result(world(by_school=False, seed=13).assign(days=5), design="dose_response", cluster=None,
                              treatment={"column": "arm", "dose": "days"}),
    }  # fmt: skip


@pytest.fixture(scope="module")
def said() -> dict[str, OutcomeResult]:
    return answers()


def test_every_answer_is_the_one_that_was_planted(said: dict[str, OutcomeResult]):
    assert {kind: one.verdict.kind for kind, one in said.items()} == {kind: kind for kind in said}


def test_no_two_answers_begin_alike_or_say_the_same(said: dict[str, OutcomeResult]):
    sentences = [re.sub(r"[-+]?[0-9][0-9.,]*[0-9]%?|[0-9]", "#", one.verdict.sentence) for one in said.values()]
    assert len(set(sentences)) == len(sentences)
    for sentence in sentences:
        assert sentence[0].isupper()
        assert sentence.rstrip().endswith(".")


def test_a_regression_claims_no_cause():
    alike = {"design": "regression", "cluster": "school", "baseline": ["baseline"], "site": "school"}
    for effect, word in ((0.6, "better"), (-0.6, "worse")):
        verdict = result(world(effect=effect, seed=7), **alike).verdict
        assert verdict.sentence.startswith(
            f"Students with Numbers did {word} in the score than students who were alike"
        ), verdict
        assert verdict.sentence.endswith("that the use is why is not shown.")
        assert "raises" not in verdict.sentence


def test_figures_in_the_sentence_are_those_of_the_estimate(said: dict[str, OutcomeResult]):
    for kind in ("effect", "too_small", "null", "harmful", "not_enough_evidence"):
        one = said[kind]
        assert f"g {one.main.g:+.2f}" in one.verdict.sentence
        assert f"{one.main.percentile_points:+.1f} percentile points" in one.verdict.sentence


def test_each_sentence_is_true_of_its_interval(said: dict[str, OutcomeResult]):
    main = {kind: one.main for kind, one in said.items()}
    assert main["effect"].g_low >= 0.2
    assert 0 < main["effect_of_unclear_size"].g_low < 0.2 <= main["effect_of_unclear_size"].g_high
    assert 0 < main["too_small"].g_low < main["too_small"].g_high < 0.3
    assert -0.2 < main["null"].g_low < 0 < main["null"].g_high < 0.2
    assert main["no_useful_effect"].g_low < -0.15
    assert main["no_useful_effect"].g_low < 0 < main["no_useful_effect"].g_high < 0.15
    assert main["harmful"].g_high < 0
    assert main["not_enough_evidence"].g_low < 0 and main["not_enough_evidence"].g_high > 0.2


def test_nothing_is_shown_of_an_arm_smaller_than_the_smallest_group(said: dict[str, OutcomeResult]):
    one = said["too_few_students"]
    text = one.model_dump_json(exclude={"verdict": {"tier"}})
    assert one.main.effect is None
    assert one.flow == ()
    assert not re.search(r"\b(9|6|15)\b", text)


def test_not_enough_evidence_names_a_sample_that_would_be(said: dict[str, OutcomeResult]):
    found = said["not_enough_evidence"].evidence
    assert f"about {found.enough:,} school groups" in said["not_enough_evidence"].verdict.sentence
    schools = found.enough + found.enough % 2
    seen = [result(world(schools=schools, effect=0.2, seed=100 + i)).main.p < 0.05 for i in range(40)]
    assert 0.6 <= np.mean(seen) <= 0.97, "that many find an effect of the meaningful size four times in five"


def test_an_outcome_of_which_less_is_better_turns_the_verdict_round():
    frame = world(effect=0.6, seed=7)
    frame["score"] = -frame["score"]
    fewer = {"name": "days absent", "columns": ["score"], "higher_is_better": False}
    found = result(frame, outcomes=[fewer]).verdict
    assert found.kind == "effect"
    assert found.sentence.startswith("Numbers lowers days absent: by +") and "above nil is better" in found.sentence
    assert result(world(effect=0.6, seed=7), outcomes=[fewer]).verdict.kind == "harmful"


def test_lots_that_no_lot_would_deal_are_not_believed():
    frame = world(by_school=False, selection=0.5, schools=100, seed=20)
    found = result(frame, cluster=None, site="school")
    assert found.verdict.kind == "failed_balance"
    assert "hardly drawn by lot" in found.verdict.sentence


@pytest.mark.parametrize(
    ("changes", "tier"),
    [
        ({}, 1),
        ({"design": "matched"}, 2),
        ({"design": "regression"}, 3),
    ],
)
def test_essa_tier_of_a_sound_positive_study(changes: dict, tier: int):
    frame = world(by_school=False, effect=0.5, seed=30)
    found = result(frame, **({"cluster": None, "site": "school"} | changes))
    assert found.verdict.tier == tier
    assert f"Design consistent with ESSA tier {tier}" in found.verdict.essa


def test_essa_tier_falls_with_few_students_without_sites_and_with_lost_students():
    frame = world(by_school=False, effect=0.9, seed=31)
    few = result(frame.iloc[:300], cluster=None, site="school")
    assert few.verdict.tier == 3
    assert "fewer than 350" in few.verdict.essa
    assert result(frame, cluster=None).verdict.tier == 3
    lost = frame.copy()
    lost.loc[(lost["arm"] == 1) & (np.arange(len(lost)) % 2 == 0), "score"] = np.nan
    assert result(lost, cluster=None, site="school").verdict.tier == 2


def test_without_an_effect_only_a_rationale_is_left_of_essa():
    frame = world(schools=12, seed=12)
    assert result(frame).verdict.tier is None
    assert result(frame, rationale="Practice with feedback helps.").verdict.tier == 4


def test_many_outcomes_raise_the_bar():
    """One of twenty intervals leaves nil by chance: it is not called an effect."""
    frame = world(schools=60, seed=40)
    rng = np.random.default_rng(40)
    names = [f"score{i}" for i in range(20)]
    for name in names:
        frame[name] = rng.normal(size=len(frame)) + 0.02 * frame["arm"]
    found = run_study(
        plan(cluster="school", outcomes=[{"name": name, "columns": [name]} for name in names]), table(frame)
    )
    alone = [one for one in found.outcomes if one.main.p < 0.05]
    assert alone, "the draw has one that would be called significant alone"
    assert all(one.main.p_adjusted >= one.main.p for one in found.outcomes)
    assert all(one.verdict.kind not in ("effect", "effect_of_unclear_size", "harmful") for one in found.outcomes)


def test_nobody_passing_is_an_answer_of_its_own():
    frame = world(seed=41).assign(passed=0)
    passing = {"name": "passing", "columns": ["passed"], "kind": "binary"}
    frame.loc[(frame["arm"] == 1) & (np.arange(len(frame)) % 9 == 0), "passed"] = 1
    found = result(frame, outcomes=[passing])
    assert found.verdict.kind == "not_enough_evidence"
    assert "No effect size" in found.verdict.sentence
    assert found.main.effect is None, "a share of 0 % tells of each of them"
