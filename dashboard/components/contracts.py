"""What can be said of a contract's use, in the same words on every page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from components import words

Row = Mapping[Any, Any]

UNUSED, FEW, IN_USE, NOT_SHOWN = "Nobody uses it", "Very few use it", "In use", "Use not shown"
STATES = [UNUSED, FEW, IN_USE, NOT_SHOWN]
ESTIMATE = "estimated_from_adoption"
SMALL = ("small_count_low", "small_count_high")  # waste is then told as a limit
WELL_USED = 0.9  # from here on the advice is not to buy less; the number itself always stands beside it


def state(row: Row) -> str:
    if row["is_unused"]:
        return UNUSED
    if row["suppression_reason"] == "small_count_low":
        return FEW
    if words.is_missing(row["active_students"]) and row["suppression_reason"] != "small_count_high":
        return NOT_SHOWN
    return IN_USE


def use(row: Row, minimum_n: int) -> str:
    """One clause about how much it is used."""
    if row["is_unused"]:
        last = row["last_used_on"]
        return "Nobody has used it" if words.is_missing(last) else f"Nobody has used it since {words.day(last)}"
    if row["suppression_reason"] == "small_count_low":
        return f"Fewer than {minimum_n} students have used it"
    if row["suppression_reason"] == "small_count_high":
        return "Nearly every student it is for has used it"
    if not words.is_missing(row["utilisation_rate"]):
        return f"{words.percent(row['utilisation_rate'])} of {words.count(row['seats'])} seats used"
    if not words.is_missing(row["active_students"]):
        return f"{words.count(row['active_students'])} students have used it"
    return "Its use cannot be shown"


def wasted(row: Row) -> str:
    """What was paid and not used: exact, a limit (few students), or an estimate (no seats)."""
    if words.is_missing(row["wasted"]):
        return "hidden"
    text = words.money(row["wasted"], row["currency"])
    text = f"at least {text}" if row["suppression_reason"] in SMALL else text
    return f"{text} (estimate)" if row["waste_method"] == ESTIMATE else text


def share_wasted(rows: pd.DataFrame) -> str:
    """Of how much the waste is a part; a share only where all of it is in one currency."""
    of = words.amounts(rows, "cost")
    if rows["currency"].nunique() > 1:
        return f"of {of}"
    return f"{words.percent(rows['wasted'].sum() / rows['cost'].sum())} of {of}"


def advice(row: Row) -> str:
    found = state(row)
    if found == UNUSED:
        return "Ask the schools why nobody uses it, and retire it unless there is a plan."
    if found == FEW:
        return "Ask the few who use it whether a handful of seats would do."
    if found == NOT_SHOWN:
        return "Its use cannot be shown: ask the schools that have it."
    if not words.is_missing(row["utilisation_rate"]) and row["utilisation_rate"] > 1:
        return "More students than seats: check the terms before the vendor does."
    used = 1 - row["wasted"] / row["cost"] if row["cost"] and not words.is_missing(row["wasted"]) else 1
    if used < WELL_USED:
        return "Ask for fewer seats or a lower price, or train the schools that do not use it."
    return "Nearly all of it is used: renew, and ask which other tool it could replace."


def is_due(row: Row, ahead_days: int) -> bool:
    """It has not renewed yet, and the last day to decide is past or within so many days."""
    return bool(row["days_to_renewal"] >= 0 and row["days_to_decision"] <= ahead_days)


def unless_decided(row: Row) -> str:
    """What happens on the day of renewal if nobody says anything."""
    if words.is_missing(row["auto_renews"]):
        return "Not known: read the contract"
    return "It renews by itself" if row["auto_renews"] else f"It ends on {words.day(row['ends_on'])}"


def notice(row: Row) -> str:
    """How many days before the renewal, and who says so."""
    days = words.plural(int(row["notice_days"]), "day")
    return f"{days}, by the contract" if row["notice_basis"] == "contract" else f"{days}, the district's own rule"


def by(row: Row) -> str:
    """When to decide, in words."""
    if row["days_to_decision"] < 0:
        return f"now: the notice date was {words.day(row['decide_by_on'])}"
    return f"by {words.day(row['decide_by_on'])}"
