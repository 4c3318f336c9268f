"""The effect that is planted in the simulated district, and the absence of one, come out of its own published marts."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner
from whole_way import DISTRICT, WholeWay

from uptake.cli import app
from uptake.evidence import store
from uptake.evidence.run import OutcomeResult
from uptake.sandbox.truths import Effect, load_truths

TRUTHS = load_truths()


def study(
    way: WholeWay, folder: Path, truth: Effect, course: str, minutes: float | None = None, **changes
) -> OutcomeResult:
    """Planned and run from the command line: fall score to spring score, in classes that used the tool."""
    plan = {
        "question": f"Does {truth.tool} raise the spring score?",
        "tool": truth.tool,
        "outcomes": [{"name": "the spring score", "columns": ["outcome"]}],
        "treatment": {"column": "treated", "dose": "active_minutes"},
        "meaningful_effect": 0.1,
        "marts": {
            "district": DISTRICT,
            "category": "Assessment",
            "course": course,
            "baseline": {"starts_on": "2025-09-01", "ends_on": "2025-10-15"},
            "outcome": {"starts_on": "2026-03-15", "ends_on": "2026-05-15"},
            "use": {
                "tool": truth.tool, "starts_on": "2025-09-01", "ends_on": "2026-04-14",
                "active_days": 2, "active_minutes": minutes, "of_class": 0.5, "other_days": [1],
            },
            "grades": list(truth.grades),
        },
        "scale_by": ["grade"],
        "baseline": ["baseline"],
        "cluster": "class",
        "subgroups": ["economic_disadvantage"],
    }  # fmt: skip
    file = folder / "plan.yaml"
    file.write_text(yaml.safe_dump(plan | changes))
    runner = CliRunner()
    config = ["--config", str(way.config)]
    planned = runner.invoke(app, ["study", "plan", str(file), *config])
    assert planned.exit_code == 0, planned.output
    ran = runner.invoke(app, ["study", "run", planned.output.split()[0], *config])
    assert ran.exit_code == 0, ran.output
    return store.find(way.project.operations, planned.output.split()[0]).results[-1].outcomes[0]


def test_the_planted_effect_comes_out(whole_way: WholeWay, tmp_path: Path):
    truth = TRUTHS.effect
    found = study(whole_way, tmp_path, truth, "^Mathematics", design="randomised", block=["school", "grade"])
    assert found.main.g == pytest.approx(truth.g, abs=truth.g_tolerance + 0.06), "the school is small"
    assert found.main.g_low < truth.g < found.main.g_high
    assert found.verdict.kind in ("effect", "effect_of_unclear_size")
    failed = {gate.name for gate in found.gates if gate.status == "failed"}
    assert failed <= {"baseline"}, "with so few classes lots fall unevenly, which a trial may"
    assert [one.name for one in found.sensitivity.others] == ["without covariates", "treated by treated_from_1_days"]


def test_the_planted_absence_of_an_effect_comes_out_and_the_plain_comparison_is_wrong(
    whole_way: WholeWay, tmp_path: Path
):
    truth = TRUTHS.no_effect
    found = study(
        whole_way, tmp_path, truth, "^English", design="matched", block=["grade"], matching={"exact": ["grade"]}
    )
    assert abs(found.main.g) < 0.25
    assert found.main.g_low < truth.g < found.main.g_high
    assert found.verdict.kind not in ("effect", "effect_of_unclear_size", "too_small", "harmful")
    assert found.sensitivity.naive.g_low > truth.baseline_advantage_at_least
    assert "plain comparison" in found.sensitivity.notes[0]
    assert found.balance[0].g_before > truth.baseline_advantage_at_least
    assert abs(found.balance[0].g) < 0.25


def test_a_rule_in_minutes_is_tried_with_every_idle_gap(whole_way: WholeWay, tmp_path: Path):
    truth = TRUTHS.effect
    found = study(
        whole_way, tmp_path, truth, "^Mathematics", design="randomised", block=["school", "grade"], minutes=5.0
    )
    by_gap = {one.name: one for one in found.sensitivity.others if "idle_gap" in one.name}
    assert set(by_gap) == {f"treated by treated_by_idle_gap_{gap}" for gap in (5, 10, 30)}
    assert by_gap["treated by treated_by_idle_gap_10"].effect == pytest.approx(found.main.effect), (
        "the district's own gap"
    )


def test_the_next_publication_holds_what_the_studies_found(whole_way: WholeWay):
    whole_way.build_check_publish()
    found = dict(whole_way.rows("select tool_key, verdict from mart_study where is_first_outcome"))
    assert set(found) == {TRUTHS.effect.tool, TRUTHS.no_effect.tool}
    main = whole_way.rows("select g, g_low, g_high from mart_study_estimate where role = 'main'")
    assert len(main) == whole_way.rows("select count(*) from mart_study")[0][0]
    assert all(low < g < high for g, low, high in main)
    assert whole_way.rows("select count(distinct gate) from mart_study_gate")[0][0] > 4


def test_a_gain_has_a_price_where_there_is_one_and_none_where_there_may_be_none(whole_way: WholeWay):
    """After the studies were published. The price that the planted effect has lies between the ends."""
    rows = whole_way.rows(
        "select tool_key, g_low, g_high, cost_per_active_student_low, cost_per_active_student_high, "
        "cost_per_tenth_low, cost_per_tenth_likely, cost_per_tenth_high, undefined_reason from mart_cost_effectiveness"
    )
    assert {row[0] for row in rows} == {TRUTHS.effect.tool, TRUTHS.no_effect.tool}
    for tool, g_low, g_high, cheap, dear, low, likely, high, reason in rows:
        if tool == TRUTHS.effect.tool:
            assert reason is None and 0 < cheap < dear
            assert float(low) == pytest.approx(float(cheap) / (10 * g_high), abs=0.01)
            assert float(high) == pytest.approx(float(dear) / (10 * g_low), abs=0.01)
            assert low < likely < high
            assert (
                float(low) < float(cheap) / (10 * TRUTHS.effect.g) < float(dear) / (10 * TRUTHS.effect.g) < float(high)
            )
        else:
            assert (low, likely, high) == (None, None, None)
            assert reason in ("interval_spans_zero", "study_cannot_tell")
