"""Each design on a table with a known answer; what it refuses; what it counts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from statsmodels.sandbox.regression.gmm import IV2SLS
from studies import plan, table, world

from uptake.errors import ContractError, PermanentError
from uptake.evidence.inference import cox_index
from uptake.evidence.run import OutcomeResult, run_study


def result(frame: pd.DataFrame, **changes) -> OutcomeResult:
    return run_study(plan(**changes), table(frame)).outcomes[0]


def panel(effect: float = 0.3, drift: float = 0.0, seed: int = 0) -> pd.DataFrame:
    first = world(schools=40, seed=seed)
    parts = []
    rng = np.random.default_rng(seed + 1)
    for term in (1, 2, 3):
        part = first.assign(term=f"T{term}", unit=np.arange(len(first)))
        part["score"] = first["baseline"] + 0.2 * term + 0.1 * first["arm"] + rng.normal(scale=0.3, size=len(first))
        part["score"] += effect * first["arm"] * (term == 3) + drift * first["arm"] * (term - 1.5)
        parts.append(part)
    return pd.concat(parts).sample(frac=1, random_state=seed)


TERMS = {
    "design": "difference_in_differences",
    "unit": "unit",
    "cluster": "school",
    "period": {"column": "term", "before": ["T1", "T2"], "after": ["T3"]},
}


def test_a_trial_without_clusters_is_the_difference_of_means_with_hc2():
    frame = world(by_school=False, effect=0.3, seed=1)
    found = result(frame).main
    one, none = frame.loc[frame["arm"] == 1, "score"], frame.loc[frame["arm"] == 0, "score"]
    assert found.effect == pytest.approx(one.mean() - none.mean())
    assert found.se == pytest.approx(np.sqrt(one.var() / len(one) + none.var() / len(none)))
    assert found.g == pytest.approx(found.effect / found.sd * (1 - 3 / (4 * len(frame) - 9)))


def test_effect_on_users_is_two_stage_least_squares():
    frame = world(by_school=False, seed=2)
    rng = np.random.default_rng(2)
    frame["used"] = frame["arm"] * (rng.random(len(frame)) < 0.6)
    frame["score"] += 0.5 * frame["used"]
    found = result(frame, treatment={"column": "arm", "received": "used"}, covariates=["baseline"], variance="HC1")
    outside = np.column_stack([np.ones(len(frame)), frame["baseline"]])
    theirs = IV2SLS(
        frame["score"], np.column_stack([outside, frame["used"]]), np.column_stack([outside, frame["arm"]])
    ).fit()
    users = found.on_users
    assert users.effect == pytest.approx(theirs.params.iloc[-1])
    assert users.effect == pytest.approx(found.main.effect / users.first_stage)
    residual = frame["score"] - np.column_stack([outside, frame["used"]]) @ theirs.params.to_numpy()
    part = sm.OLS(frame["arm"], outside).fit().resid
    robust = np.sqrt(np.sum((part * residual) ** 2)) / abs(part @ frame["used"]) * np.sqrt(1800 / 1797)
    assert users.se == pytest.approx(robust, rel=1e-6)
    assert users.low < 0.5 < users.high
    assert next(gate for gate in found.gates if gate.name == "instrument").status == "passed"


def test_unknown_use_takes_nobody_out_of_the_arm_they_were_assigned_to():
    frame = world(by_school=False, effect=0.3, seed=2)
    frame["used"] = frame["arm"].where(frame.index % 4 > 0)
    frame["days"] = (frame["arm"] * (1 + frame.index % 9)).where(frame["arm"] == 1)
    whole = result(frame)
    found = result(frame, treatment={"column": "arm", "received": "used", "dose": "days"})
    assert found.main == whole.main, "use is looked at after the start: it decides nothing of who is compared"
    assert next(gate for gate in found.gates if gate.name == "attrition").figure == 0
    known = frame[frame["used"].notna()]
    assert found.on_users.effect == pytest.approx(known.groupby("arm")["score"].mean().diff().iloc[-1])
    assert sum(part.n for part in found.dose) == whole.main.n_treated


def test_where_everybody_does_as_was_offered_the_effect_on_users_is_that_of_the_offer():
    frame = world(by_school=False, effect=0.3, seed=2)
    found = result(frame.assign(used=frame["arm"]), treatment={"column": "arm", "received": "used"})
    assert found.on_users.effect == pytest.approx(found.main.effect)
    assert (found.on_users.low, found.on_users.high) == pytest.approx((found.main.low, found.main.high), rel=1e-3)
    assert np.isfinite(found.on_users.first_stage_f)
    assert next(gate for gate in found.gates if gate.name == "instrument").status == "passed"


def test_an_offer_that_moved_use_by_rounding_only_tells_nothing_of_users():
    frame = world(by_school=False, seed=3).assign(used=0.1)
    found = result(frame, treatment={"column": "arm", "received": "used"}, covariates=["baseline"])
    assert found.on_users is None
    assert "nothing can be said" in next(gate for gate in found.gates if gate.name == "instrument").meaning


def test_an_offer_that_moved_nobody_sets_no_bound():
    frame = world(by_school=False, seed=3)
    frame["used"] = np.random.default_rng(3).integers(0, 2, len(frame))
    found = result(frame, treatment={"column": "arm", "received": "used"})
    assert found.on_users.low is None
    assert next(gate for gate in found.gates if gate.name == "instrument").status == "adjusted"


def test_difference_in_differences_is_that_of_the_changes():
    frame = panel()
    found = result(frame, **TERMS)
    wide = frame.pivot(index="unit", columns="term", values="score")
    change = wide["T3"] - wide[["T1", "T2"]].mean(axis=1)
    arm = frame.groupby("unit")["arm"].first()
    assert found.main.effect == pytest.approx(change[arm == 1].mean() - change[arm == 0].mean())
    theirs = sm.OLS(change, sm.add_constant(arm)).fit(
        cov_type="cluster", cov_kwds={"groups": frame.groupby("unit")["school"].first()}
    )
    assert found.main.se == pytest.approx(theirs.bse["arm"], rel=0.05)
    assert found.main.n_treated + found.main.n_comparison == 1200
    assert found.verdict.kind in ("effect", "effect_of_unclear_size")


def test_paths_that_part_before_the_start_are_told():
    found = result(panel(effect=0.0, drift=0.3), **TERMS)
    assert found.main.p < 0.05, "the estimate alone would mislead"
    assert found.verdict.kind == "different_paths"
    one_before = TERMS | {"period": {"column": "term", "before": ["T2"], "after": ["T3"]}}
    assert {g.name: g.status for g in result(panel(), **one_before).gates}["earlier trend"] == "adjusted"


def test_who_changes_arms_between_terms_is_refused():
    frame = panel()
    frame.loc[frame["term"] == "T3", "arm"] = 1
    with pytest.raises(PermanentError, match="change arms") as caught:
        result(frame, **TERMS)
    assert "one study for each start" in str(caught.value), "some had it from the first term, some from the last"
    frame["arm"] = ((frame["school"] % 2 == 1) & (frame["term"] == "T3")).astype(int)
    with pytest.raises(PermanentError, match="change arms between terms To mend it: the treatment column must say who"):
        result(frame, **TERMS)


def test_students_seen_on_one_side_of_the_start_are_not_counted():
    frame = panel()
    gone = frame["unit"].mod(3).eq(0) & frame["term"].eq("T3")
    frame.loc[gone & frame["arm"].eq(1), "score"] = np.nan
    frame.loc[frame["unit"].mod(3).eq(0) & frame["arm"].eq(1), "score"] += 2  # the baseline is of those who stayed
    found = result(frame, **TERMS)
    stayed = frame[~(frame["unit"].mod(3).eq(0) & frame["arm"].eq(1))]
    assert found.main.effect == pytest.approx(result(stayed, **TERMS).main.effect)
    assert found.main.n_treated == 400 and found.main.n_comparison == 600
    assert found.flow[-1]["step"] == "seen before and after" and found.flow[-1]["treated"] == 1200
    assert found.balance == result(stayed, **TERMS).balance
    frame.loc[frame["term"].eq("T3") & frame["arm"].eq(1), "score"] = np.nan
    with pytest.raises(PermanentError, match="seen both before the start and after"):
        result(frame, **TERMS)


def test_without_a_key_a_student_of_two_later_terms_is_counted_once():
    keyless = TERMS | {"unit": None, "period": {"column": "term", "before": ["T1"], "after": ["T2", "T3"]}}
    assert (result(panel(), **keyless).main.n_treated, result(panel(), **keyless).main.n_comparison) == (600, 600)


def test_terms_that_are_not_there_and_students_who_are_there_twice_are_refused():
    frame = panel()
    with pytest.raises(ContractError, match="column term has no row with T0, T9"):
        result(frame, **TERMS | {"period": {"column": "term", "before": ["T0", "T1"], "after": ["T9"]}})
    with pytest.raises(ContractError, match="repeats itself within a term"):
        result(pd.concat([frame, frame.iloc[:1]]), **TERMS)


def test_matching_mends_what_a_plain_comparison_gets_wrong():
    frame = world(by_school=False, selection=0.8, schools=80, effect=0.0, seed=4)
    found = result(frame, design="matched", baseline=["baseline"], site="school")
    assert found.verdict.kind == "null"
    assert abs(found.main.g) < 0.1 < found.sensitivity.naive.g_low
    assert "plain comparison" in found.sensitivity.notes[0]
    before, after = found.balance[0].g_before, found.balance[0].g
    assert before > 0.3
    assert abs(after) < 0.05
    assert {one.name for one in found.sensitivity.others} >= {
        "weighting by propensity", "caliper 0.1 in place of 0.2", "caliper 0.4 in place of 0.2",
    }  # fmt: skip
    assert found.flow[-1]["step"] == "matched"
    assert found.flow[-1]["treated"] == found.flow[-1]["comparison"] == found.main.n_treated


def test_exact_cells_are_kept_apart():
    frame = world(by_school=False, selection=0.5, effect=0.3, seed=5)
    found = result(
        frame, design="matched", baseline=["baseline"], matching={"exact": ["school", "grade"]}, site="school"
    )
    assert found.main.n_treated == found.main.n_comparison
    assert found.main.low < 0.3 < found.main.high


def test_binary_outcome_gets_a_cox_index():
    frame = world(by_school=False, seed=6)
    rng = np.random.default_rng(6)
    frame["level"] = np.where(rng.random(len(frame)) < 0.4 + 0.2 * frame["arm"], "proficient", "below")
    found = result(
        frame, outcomes=[{"name": "level", "columns": ["level"], "kind": "binary", "positive": ["proficient"]}]
    ).main
    share = (frame["level"] == "proficient").groupby(frame["arm"]).mean()
    assert found.effect == pytest.approx(share[1] - share[0])
    odds = np.log(share[1] / (1 - share[1])) - np.log(share[0] / (1 - share[0]))
    assert found.g == pytest.approx(odds / 1.65, rel=1e-3)
    assert found.g_low < found.g < found.g_high


def test_a_rare_outcome_has_a_verdict_though_its_interval_reaches_below_nobody():
    """1 of 100 with the tool, 10 of 100 without: the interval of the shares ends below 0, where no logit is."""
    frame = world(schools=40, students=20, by_school=False, seed=3)
    place = frame.groupby("arm").cumcount()
    size = frame.groupby("arm")["arm"].transform("size")
    frame["suspended"] = (place < size * np.where(frame["arm"] == 1, 0.004, 0.10)).astype(int)
    rare = {"name": "suspensions", "columns": ["suspended"], "kind": "binary", "higher_is_better": False}
    found = result(frame, outcomes=[rare], covariates=["baseline"], site="school").main
    without = frame.loc[frame["arm"] == 0, "suspended"].mean()
    assert found.low < -without, "the interval alone would have a share below nil"
    assert found.g == pytest.approx(cox_index(found.mean_comparison + found.effect, without, len(frame)))
    assert found.g_low == pytest.approx(cox_index(0.5 / found.n_treated, without, len(frame)))
    assert found.g_low < found.g < found.g_high < 0
    verdict = result(frame, outcomes=[rare], covariates=["baseline"], site="school").verdict
    assert verdict.kind in ("effect", "effect_of_unclear_size")


@pytest.mark.parametrize("design", ["randomised", "regression", "matched"])
def test_rounding_is_no_evidence(design: str):
    """An outcome that its covariate tells to the last digit, or that never varies, has no spread and no effect."""
    frame = world(by_school=False, seed=4)
    plain = {"design": design, "baseline": ["baseline"], "cluster": "school"}
    for copied, why in ((frame["baseline"] / 3 + 7, "last digit"), (0.1 + 0.2, "the same value")):
        found = result(frame.assign(score=copied), **plain)
        assert found.main.effect is None and why in found.verdict.sentence
        assert found.verdict.kind == "not_enough_evidence" and found.verdict.tier is None
        assert next(gate for gate in found.gates if gate.name == "clusters").status == "not_applicable"


def test_another_way_has_its_own_students():
    frame = world(by_school=False, selection=0.8, seed=5)
    found = result(frame, design="matched", baseline=["baseline"], site="school")
    naive, weighted = found.sensitivity.naive, found.sensitivity.others[0]
    assert weighted.name == "weighting by propensity"
    assert naive.n_treated == weighted.n_treated == frame["arm"].sum() > found.main.n_treated
    assert naive.n_comparison == (1 - frame["arm"]).sum() > found.main.n_comparison


def test_scores_of_several_grades_are_put_on_one_scale():
    frame = world(by_school=False, effect=0.4, seed=7)
    factor = frame["grade"] - 2
    other = frame.assign(
        score=100 * frame["grade"] + 10 * factor * frame["score"],
        baseline=5 * frame["grade"] + factor * frame["baseline"],
    )
    plain, scaled = (result(one, baseline=["baseline"], scale_by=["grade"]).main for one in (frame, other))
    assert scaled.effect == pytest.approx(plain.effect)
    assert result(other, baseline=["baseline"]).main.g < 0.1


def test_small_subgroups_are_hidden_and_the_one_that_would_give_them_away():
    frame = world(by_school=False, effect=0.3, seed=8)
    frame["home"] = np.select([np.arange(len(frame)) < 12, np.arange(len(frame)) < 200], ["c", "b"], "a")
    found = {one.name: one for one in result(frame, subgroups=["home", "grade"]).subgroups}
    assert found["home = c"].effect is None
    assert found["home = b"].effect is None
    assert found["home = a"].effect is not None
    assert "worked out" in found["home = b"].hidden
    shown = [one for one in found.values() if one.p is not None]
    assert len(shown) == 4
    assert all(one.p_adjusted >= one.p for one in shown)


def test_students_of_no_known_subgroup_cannot_be_worked_out():
    frame = world(by_school=False, effect=0.3, seed=9)
    frame["home"] = np.where(frame.index < 7, None, np.where(frame.index < 500, "flat", "house"))
    shown = {part.name: part for part in result(frame, subgroups=["home"]).subgroups}
    assert "worked out" in shown["home = flat"].hidden and shown["home = house"].g is not None
    assert set(shown) == {"home = flat", "home = house"}
    frame.loc[:6, "home"] = "flat"
    assert all(part.g is not None for part in result(frame, subgroups=["home"]).subgroups)


def test_dose_is_a_description_by_quarters_of_the_users():
    frame = world(by_school=False, seed=9)
    frame["minutes"] = np.where(frame["arm"] == 1, np.random.default_rng(9).exponential(100, len(frame)), 0)
    frame["score"] += frame["minutes"] / 200
    points = result(frame, treatment={"column": "arm", "dose": "minutes"}).dose
    assert len(points) == 4
    assert sum(point.n for point in points) == (frame["arm"] == 1).sum()
    assert np.all(np.diff([point.effect for point in points]) > 0)


def test_another_rule_of_who_is_treated_stands_beside_the_first():
    frame = world(by_school=False, effect=0.3, seed=10)
    frame["arm_30"] = frame["arm"] * (np.random.default_rng(10).random(len(frame)) < 0.9)
    found = result(frame, alternative_treatments=["arm_30"]).sensitivity.others
    assert [one.name for one in found] == ["treated by arm_30"]
    assert found[0].effect is not None


def test_an_unseen_cause_as_strong_as_the_strongest_covariate():
    """`sensemakr`'s bound, worked out from separate regressions."""
    frame = world(by_school=False, selection=0.4, effect=0.3, seed=11)
    found = result(frame, design="regression", baseline=["baseline"], covariates=["grade"], site="school").sensitivity
    assert found.as_strong_as == "baseline"
    x = sm.add_constant(frame[["baseline", "grade"]])
    of_arm = sm.OLS(frame["arm"], x).fit()
    of_score = sm.OLS(frame["score"], x.assign(arm=frame["arm"])).fit()
    r_arm = of_arm.tvalues["baseline"] ** 2 / (of_arm.tvalues["baseline"] ** 2 + of_arm.df_resid)
    r_score = of_score.tvalues["baseline"] ** 2 / (of_score.tvalues["baseline"] ** 2 + of_score.df_resid)
    share = r_arm / (1 - r_arm)
    link = r_arm**2 / (1 - r_arm) ** 2
    outcome = ((1 + np.sqrt(link)) / np.sqrt(1 - link)) ** 2 * r_score / (1 - r_score)
    bias = of_score.bse["arm"] * np.sqrt(of_score.df_resid * min(outcome, 1) * share / (1 - share))
    assert found.effect_if_unseen_as_strong == pytest.approx(of_score.params["arm"] - bias, rel=1e-3)


def test_few_clusters_have_a_wild_bootstrap_beside_them():
    few, many = (result(world(schools=n, seed=12), cluster="school").sensitivity for n in (16, 60))
    assert 0 < few.wild_p <= 1
    assert few.wild_low < few.wild_high
    assert many.wild_p is None


def test_unknown_values_are_counted_filled_or_left_out():
    frame = world(by_school=False, effect=0.3, seed=13).astype({"score": float})
    frame["meals"] = np.where(np.arange(len(frame)) % 7 == 0, None, "free")
    frame.loc[frame.index % 5 == 0, "baseline"] = np.nan
    frame.loc[frame.index % 4 == 0, "score"] = np.nan
    trial = result(frame, baseline=["baseline"], covariates=["meals"])
    assert [step["rows"] for step in trial.flow][-1] == frame["score"].notna().sum()
    assert "baseline unknown" in {row.covariate for row in trial.balance}
    assert next(gate for gate in trial.gates if gate.name == "attrition").meaning.startswith("25.0 %")
    chosen = result(frame, design="regression", baseline=["baseline"], site="school")
    assert chosen.flow[-1]["rows"] == (frame["score"].notna() & frame["baseline"].notna()).sum()


def test_a_table_that_does_not_fit_is_refused_in_words():
    frame = world(seed=14)
    with pytest.raises(ContractError, match="no row with"):
        result(frame, treatment={"column": "arm", "treated": "yes"})
    with pytest.raises(ContractError, match="text where a number is needed"):
        result(frame.assign(score="high"))
    with pytest.raises(ContractError, match="repeats itself"):
        result(frame, unit="school")
    with pytest.raises(ContractError, match="levels"):
        result(frame.assign(teacher=np.arange(len(frame)).astype(str)), covariates=["teacher"])


def test_the_same_plan_on_the_same_table_gives_the_same_result():
    frame = world(by_school=False, selection=0.5, seed=15)
    one, two = (result(frame, design="matched", baseline=["baseline"], site="school") for _ in range(2))
    assert one == two


def test_one_cluster_in_each_arm_leaves_no_spread_and_says_so():
    frame = world(schools=2, seed=16)
    found = result(frame, cluster="school")
    assert found.main.effect is None
    assert "nothing is left" in found.main.hidden
    assert found.verdict.kind == "one_site"
    assert result(frame, cluster="school", site="grade").verdict.kind == "few_clusters"


def few_alike(alike: int) -> pd.DataFrame:
    """80 students in each arm, of which so many treated ones have a counterpart."""
    rng = np.random.default_rng(4)
    apart = np.r_[np.zeros(alike), np.full(80 - alike, 9.0), np.zeros(80)]
    frame = pd.DataFrame({"arm": np.repeat([1, 0], 80), "baseline": apart + rng.normal(scale=0.1, size=160)})
    return frame.assign(score=rng.normal(size=160), school=np.tile(["a", "b"], 80), grade="03")


def test_a_match_of_too_few_shows_nothing():
    plain = {"design": "matched", "baseline": ["baseline"], "site": "school"}
    assert min(result(few_alike(30), **plain).main.n_treated, 30) >= 10
    found = result(few_alike(5), **plain)
    assert "fewer than 10" in found.main.hidden and found.main.n_treated is None
    assert found.sensitivity is None and not found.flow and not found.balance


def test_covariates_that_repeat_each_other_change_no_match():
    frame = world(by_school=False, selection=0.5, effect=0.3, seed=17)
    frame["twice"], frame["always"], frame["never"] = 2 * frame["baseline"], 1, np.nan
    plain = {"design": "matched", "baseline": ["baseline"], "site": "school"}
    once = result(frame, **plain)
    again = result(frame, **plain, covariates=["twice", "always", "never"])
    assert again.main.effect == pytest.approx(once.main.effect, abs=1e-6)


@pytest.mark.parametrize("seed", range(12))
def test_whatever_the_table_it_answers_or_refuses_in_words(seed: int):
    """Small, gappy, lopsided tables: no crash, and no figure that is not a number."""
    rng = np.random.default_rng(seed)
    n, schools = int(rng.choice([12, 40, 150])), int(rng.choice([2, 4, 9]))
    frame = pd.DataFrame({"school": rng.integers(0, schools, n), "x": rng.normal(size=n), "score": rng.normal(size=n)})
    frame["arm"] = frame["school"] % 2 if seed % 2 else rng.integers(0, 2, n)
    frame["word"] = rng.choice(["a", "b", None], n)
    frame.loc[rng.random(n) < 0.3, ["x", "score"]] = np.nan
    for design in ("randomised", "matched", "regression"):
        for cluster in (None, "school"):
            try:
                found = result(frame, design=design, covariates=["x", "word"], cluster=cluster, subgroups=["word"])
            except (PermanentError, ContractError) as refused:
                assert len(refused.message) > 20
                continue
            others = (found.sensitivity.naive, *found.sensitivity.others) if found.sensitivity else ()
            for one in (found.main, *found.subgroups, *others):
                assert one.hidden or min(one.n_treated, one.n_comparison) >= 10
                assert one.hidden or all(np.isfinite(v) for v in (one.effect, one.se, one.df, one.low, one.high, one.g))
