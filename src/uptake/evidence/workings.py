"""The working of studies on record as flat tables, for the warehouse: plans, exclusions, balance, use, other answers.

The answers themselves are in `uptake.evidence.tables`. Read from stored results as they are; from the counts is taken
what would give a few students away, and no amount of use that is one student's own leaves.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

import pyarrow as pa
from sqlalchemy import Engine, select

from uptake.contracts import TIMESTAMP
from uptake.operations.models import StudyPlanRecord, StudyResultRecord

TOO_FEW = "fewer_than_n_students"
_KEY = (("plan_hash", pa.string()), ("outcome", pa.string()))
_PLACED = (*_KEY, ("position", pa.int32()))
_SENSITIVITY = (
    "wild_p", "wild_low", "wild_high", "without_one_site_low", "without_one_site_high", "robustness_value", "e_value",
    "effect_if_unseen_as_strong",
)  # fmt: skip
SCHEMAS = {
    "study_plan": pa.schema(
        [
            ("plan_hash", pa.string()),
            ("tool_key", pa.string()),
            ("tool_name", pa.string()),
            ("question", pa.string()),
            ("design", pa.string()),
            ("outcomes", pa.string()),
            ("use_measure", pa.string()),
            ("meaningful_g", pa.float64()),
            ("confidence", pa.float64()),
            ("minimum_n", pa.int32()),
            ("use_starts_on", pa.date32()),
            ("use_ends_on", pa.date32()),
            ("outcome_starts_on", pa.date32()),
            ("outcome_ends_on", pa.date32()),
            ("planned_at", TIMESTAMP),
        ]
    ),
    "study_flow": pa.schema(
        [
            *_PLACED,
            ("step", pa.string()),
            ("students", pa.int64()),
            ("students_with", pa.int64()),
            ("students_without", pa.int64()),
            ("suppression_reason", pa.string()),
        ]
    ),
    "study_balance": pa.schema(
        [
            *_PLACED,
            ("covariate", pa.string()),
            ("is_baseline", pa.bool_()),
            ("g_before", pa.float64()),
            ("g", pa.float64()),
            ("variance_ratio", pa.float64()),
        ]
    ),
    "study_dose": pa.schema(
        [
            *_PLACED,
            ("use_from", pa.float64()),
            ("use_to", pa.float64()),
            ("students", pa.int64()),
            ("effect", pa.float64()),
            ("low", pa.float64()),
            ("high", pa.float64()),
            ("suppression_reason", pa.string()),
        ]
    ),
    "study_sensitivity": pa.schema(
        [
            *_KEY,
            ("is_higher_better", pa.bool_()),
            ("mean_without", pa.float64()),
            ("sd", pa.float64()),
            *((name, pa.float64()) for name in _SENSITIVITY),
            ("as_strong_as", pa.string()),
            ("notes", pa.string()),
        ]
    ),
}


def working_tables(engine: Engine, district_id: str) -> dict[str, pa.Table]:
    """By the names of `SCHEMAS`: `study_plan` has every plan of the district, the others the newest run of each."""
    plan, run = StudyPlanRecord, StudyResultRecord
    of_district = plan.district == district_id
    plans = select(plan.hash, plan.tool, plan.question, plan.planned_at, plan.canonical).where(of_district)
    runs = select(run.plan_hash, run.result).join(plan, run.plan_hash == plan.hash).where(of_district)
    with engine.connect() as connection:
        recorded = connection.execute(plans.order_by(plan.hash)).mappings().all()
        newest = {row["plan_hash"]: row["result"] for row in connection.execute(runs.order_by(run.id)).mappings()}
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in SCHEMAS}
    for row in recorded:
        frozen = json.loads(row["canonical"])
        rows["study_plan"].append(_plan(row, frozen))
        is_better = {outcome["name"]: outcome["higher_is_better"] for outcome in frozen["outcomes"]}
        for one in newest.get(row["hash"], {"outcomes": ()})["outcomes"]:
            key = {"plan_hash": row["hash"], "outcome": one["outcome"]}
            for name, found in (
                ("study_flow", _flow(one["flow"], frozen["minimum_n"])),
                ("study_balance", one["balance"]),
                ("study_dose", _dose(one["dose"])),
            ):
                rows[name] += [key | {"position": place} | line for place, line in enumerate(found)]
            rows["study_sensitivity"] += [
                key | {"is_higher_better": is_better[one["outcome"]]} | line for line in _sensitivity(one)
            ]
    return {name: pa.Table.from_pylist(rows[name], schema=schema) for name, schema in SCHEMAS.items()}


def _plan(row: Any, plan: dict[str, Any]) -> dict[str, Any]:
    marts = plan["marts"]
    return {
        "plan_hash": row["hash"],
        "tool_key": marts["use"]["tool"],
        "tool_name": row["tool"],
        "question": row["question"],
        "design": plan["design"],
        "outcomes": ", ".join(outcome["name"] for outcome in plan["outcomes"]),
        "use_measure": plan["treatment"]["dose"],
        "meaningful_g": plan["meaningful_effect"],
        "confidence": plan["confidence"],
        "minimum_n": plan["minimum_n"],
        "use_starts_on": date.fromisoformat(marts["use"]["starts_on"]),
        "use_ends_on": date.fromisoformat(marts["use"]["ends_on"]),
        "outcome_starts_on": date.fromisoformat(marts["outcome"]["starts_on"]),
        "outcome_ends_on": date.fromisoformat(marts["outcome"]["ends_on"]),
        "planned_at": row["planned_at"],
    }


def _flow(steps: Sequence[dict[str, Any]], minimum_n: int) -> list[dict[str, Any]]:
    """Steps with their counts. The last one's stand beside the estimate; from there back, a step that leaves out from
    one up to minimum_n - 1 students, in all, of an arm or of neither, tells no counts."""
    shown: list[dict[str, Any]] = []
    later: dict[str, int] = {}
    for step in reversed(steps):
        counts = {name: step[name] for name in ("rows", "treated", "comparison") if step[name] is not None}
        if {"treated", "comparison"} <= counts.keys():
            counts["neither"] = counts["rows"] - counts["treated"] - counts["comparison"]
        gone = [counts[name] - later.get(name, counts[name]) for name in counts]
        is_small = any(0 < abs(count) < minimum_n for count in [*gone, *counts.values()])
        if not is_small:
            later |= counts
        shown.append(
            {
                "step": step["step"],
                "students": None if is_small else step["rows"],
                "students_with": None if is_small else step["treated"],
                "students_without": None if is_small else step["comparison"],
                "suppression_reason": TOO_FEW if is_small else None,
            }
        )
    return shown[::-1]


def _dose(points: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Parts of the users. The least and the most used are somebody's own: those ends stay open. Where a part is hidden
    no part's size is told, as the rest of the users could be subtracted."""
    all_shown = all(point["effect"] is not None for point in points)
    for place, point in enumerate(points):
        yield {
            "use_from": point["low"] if place else None,
            "use_to": point["high"] if place < len(points) - 1 else None,
            "students": point["n"] if all_shown else None,
            "effect": point["effect"],
            "low": point["effect_low"],
            "high": point["effect_high"],
            "suppression_reason": TOO_FEW if point["effect"] is None else None,
        }


def _sensitivity(one: dict[str, Any]) -> Iterator[dict[str, Any]]:
    found = one["sensitivity"]
    if found is not None:
        yield {name: found[name] for name in (*_SENSITIVITY, "as_strong_as")} | {
            "mean_without": one["main"]["mean_comparison"],
            "sd": one["main"]["sd"],
            "notes": "\n".join(found["notes"]) or None,
        }
