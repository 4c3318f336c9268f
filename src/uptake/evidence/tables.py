"""Studies on record as flat tables, for the warehouse: one row for each answer, estimate and gate of the newest run.

Read from the stored results as they are, so that a build needs none of the statistics. What a result hides stays
hidden: its figures are null, with the reason beside them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
from sqlalchemy import Engine, select

from uptake.contracts import TIMESTAMP
from uptake.operations.models import StudyPlanRecord, StudyResultRecord

_FIGURES = (
    "effect", "se", "df", "low", "high", "p", "p_adjusted", "g", "g_low", "g_high", "percentile_points",
    "probability_above_zero", "probability_meaningful", "minimum_detectable_g",
)  # fmt: skip
STUDY = pa.schema(
    [
        ("plan_hash", pa.string()),
        ("outcome", pa.string()),
        ("is_first_outcome", pa.bool_()),
        ("tool_key", pa.string()),
        ("tool_name", pa.string()),
        ("question", pa.string()),
        ("design", pa.string()),
        ("meaningful_g", pa.float64()),
        ("verdict", pa.string()),
        ("sentence", pa.string()),
        ("essa_tier", pa.int32()),
        ("essa", pa.string()),
        ("planned_at", TIMESTAMP),
        ("run_at", TIMESTAMP),
        ("data_version", pa.string()),
        ("code_version", pa.string()),
    ]
)
ESTIMATE = pa.schema(
    [
        ("plan_hash", pa.string()),
        ("outcome", pa.string()),
        ("role", pa.string()),
        ("estimate", pa.string()),
        *((name, pa.float64()) for name in _FIGURES),
        ("students_with", pa.int64()),
        ("students_without", pa.int64()),
        ("suppression_reason", pa.string()),
    ]
)
GATE = pa.schema(
    [
        ("plan_hash", pa.string()),
        ("outcome", pa.string()),
        ("position", pa.int32()),
        ("gate", pa.string()),
        ("status", pa.string()),
        ("figure", pa.float64()),
        ("limit_text", pa.string()),
        ("meaning", pa.string()),
    ]
)


def study_tables(engine: Engine, district_id: str) -> dict[str, pa.Table]:
    """`study`, `study_estimate`, `study_gate` of a district's studies that have run."""
    plan, run = StudyPlanRecord, StudyResultRecord
    runs = (
        select(
            plan.hash, plan.tool, plan.question, plan.planned_at, plan.canonical,
            run.run_at, run.data_version, run.code_version, run.result,
        )
        .join(run, run.plan_hash == plan.hash)
        .where(plan.district == district_id)
        .order_by(plan.hash, run.id)
    )  # fmt: skip
    with engine.connect() as connection:
        newest = {row["hash"]: row for row in connection.execute(runs).mappings()}  # the last of each plan stays
    studies: list[dict[str, Any]] = []
    estimates: list[dict[str, Any]] = []
    gates: list[dict[str, Any]] = []
    for row in newest.values():
        frozen = json.loads(row["canonical"])
        for position, one in enumerate(row["result"]["outcomes"]):
            key = {"plan_hash": row["hash"], "outcome": one["outcome"]}
            studies.append(key | _study(row, frozen, one) | {"is_first_outcome": position == 0})
            estimates += [key | estimate for estimate in _estimates(one)]
            gates += [
                key
                | {"position": place, "gate": gate["name"], "status": gate["status"], "figure": gate["figure"]}
                | {"limit_text": gate["limit"], "meaning": gate["meaning"]}
                for place, gate in enumerate(one["gates"])
            ]
    return {
        "study": pa.Table.from_pylist(studies, schema=STUDY),
        "study_estimate": pa.Table.from_pylist(estimates, schema=ESTIMATE),
        "study_gate": pa.Table.from_pylist(gates, schema=GATE),
    }


def _study(row: Any, plan: dict[str, Any], one: dict[str, Any]) -> dict[str, Any]:
    verdict = one["verdict"]
    return {
        "tool_key": plan["marts"]["use"]["tool"],
        "tool_name": row["tool"],
        "question": row["question"],
        "design": plan["design"],
        "meaningful_g": plan["meaningful_effect"],
        "verdict": verdict["kind"],
        "sentence": verdict["sentence"],
        "essa_tier": verdict["tier"],
        "essa": verdict["essa"],
        "planned_at": row["planned_at"],
        "run_at": row["run_at"],
        "data_version": row["data_version"],
        "code_version": row["code_version"],
    }


def _estimates(one: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Other ways tell their numbers of students only where they are the study's own: those few whom a match leaves out
    could be worked out otherwise."""
    found, main = one["sensitivity"], one["main"]
    yield _estimate("main", main)
    if found is not None:
        for role, other in (("naive", found["naive"]), *(("other", other) for other in found["others"])):
            same = (other["n_treated"], other["n_comparison"]) == (main["n_treated"], main["n_comparison"])
            yield _estimate(role, other) | ({} if same else {"students_with": None, "students_without": None})
    yield from (_estimate("subgroup", part) for part in one["subgroups"])


def _estimate(role: str, one: dict[str, Any]) -> dict[str, Any]:
    figures = {name: one[name] for name in _FIGURES}
    counts = {"students_with": one["n_treated"], "students_without": one["n_comparison"]}
    return {"role": role, "estimate": one["name"], "suppression_reason": one["hidden"] or None} | figures | counts
