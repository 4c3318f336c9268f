"""Studies of what tools do for achievement: reads mart_study and the marts of its working.

Studies are of the whole district, and their figures are suppressed: whoever may open the page may see all of them.
"""

from __future__ import annotations

import pandas as pd

from queries.reader import Reader


def studies(reader: Reader) -> pd.DataFrame:
    """One row for each study on record, the newest plan first; what it found for its first outcome, if it ran."""
    reader.require("impact")
    return reader.frame(
        """
        select plan.plan_hash, plan.tool_key, plan.tool_name, plan.question, plan.design, plan.outcomes,
               plan.use_measure, plan.meaningful_g, plan.confidence, plan.use_starts_on, plan.use_ends_on,
               plan.outcome_starts_on, plan.outcome_ends_on, plan.planned_at, plan.is_shown,
               study.verdict, study.sentence, study.run_at
        from mart_study_plan as plan
        left join mart_study as study on study.plan_hash = plan.plan_hash and study.is_first_outcome
        order by plan.planned_at desc, plan.plan_hash
        """
    )


def answers(reader: Reader, *, plan_hash: str) -> pd.DataFrame:
    """One row for each outcome of a study that ran, the first outcome first, with its main estimate."""
    reader.require("impact")
    return reader.frame(
        """
        select study.outcome, study.verdict, study.sentence, study.essa, study.run_at, study.data_version,
               study.code_version, main.percentile_points, main.effect, main.g, main.g_low, main.g_high,
               main.probability_above_zero, main.probability_meaningful, main.students_with, main.students_without,
               coalesce(moves.is_higher_better, true) as is_higher_better, moves.wild_p, moves.without_one_site_low,
               moves.without_one_site_high, moves.robustness_value, moves.as_strong_as,
               moves.effect_if_unseen_as_strong, moves.notes
        from mart_study as study
        left join mart_study_estimate as main
          on main.plan_hash = study.plan_hash and main.outcome = study.outcome and main.role = 'main'
        left join mart_study_sensitivity as moves
          on moves.plan_hash = study.plan_hash and moves.outcome = study.outcome
        where study.plan_hash = $plan_hash
        order by study.is_first_outcome desc, study.outcome
        """,
        plan_hash=plan_hash,
    )


def estimates(reader: Reader, *, plan_hash: str, outcome: str) -> pd.DataFrame:
    """Every estimate: main, other ways, the plain comparison, subgroups."""
    reader.require("impact")
    return reader.frame(
        """
        select role, estimate, effect, low, high, p, p_adjusted, g, g_low, g_high, students_with, students_without,
               suppression_reason
        from mart_study_estimate
        where plan_hash = $plan_hash and outcome = $outcome
        order by case role when 'main' then 0 when 'other' then 1 when 'naive' then 2 else 3 end, estimate
        """,
        plan_hash=plan_hash,
        outcome=outcome,
    )


def gates(reader: Reader, *, plan_hash: str, outcome: str) -> pd.DataFrame:
    reader.require("impact")
    return reader.frame(
        """
        select gate, status, figure, limit_text, meaning
        from mart_study_gate
        where plan_hash = $plan_hash and outcome = $outcome
        order by position
        """,
        plan_hash=plan_hash,
        outcome=outcome,
    )


def balance(reader: Reader, *, plan_hash: str, outcome: str) -> pd.DataFrame:
    """What is known of how alike the groups were; the outcome's own baseline first."""
    reader.require("impact")
    return reader.frame(
        """
        select covariate, is_baseline, g_before, g
        from mart_study_balance
        where plan_hash = $plan_hash and outcome = $outcome and (g is not null or g_before is not null)
        order by not is_baseline, position
        """,
        plan_hash=plan_hash,
        outcome=outcome,
    )


def flow(reader: Reader, *, plan_hash: str, outcome: str) -> pd.DataFrame:
    reader.require("impact")
    return reader.frame(
        """
        select step, students, students_with, students_without, suppression_reason
        from mart_study_flow
        where plan_hash = $plan_hash and outcome = $outcome
        order by position
        """,
        plan_hash=plan_hash,
        outcome=outcome,
    )


def dose(reader: Reader, *, plan_hash: str, outcome: str) -> pd.DataFrame:
    """Parts of the users, least use first; an end of use that is null is open."""
    reader.require("impact")
    return reader.frame(
        """
        select use_from, use_to, students, effect, low, high, suppression_reason
        from mart_study_dose
        where plan_hash = $plan_hash and outcome = $outcome
        order by position
        """,
        plan_hash=plan_hash,
        outcome=outcome,
    )
