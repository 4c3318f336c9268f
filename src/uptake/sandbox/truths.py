"""The planted truths, typed. The only place where they are written down is truths.yaml."""

from __future__ import annotations

from datetime import date, datetime
from functools import cache
from importlib.resources import files

import yaml
from pydantic import BaseModel, ConfigDict


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class UnusedLicence(_Part):
    tool: str


class ConsistentInTwoGrades(_Part):
    tool: str
    grades: tuple[str, ...]
    daily_rate: float
    consistent_rate_at_least: float
    elsewhere_at_most: float


class SpreadingUnapproved(_Part):
    tool: str
    starts_on: date
    days_between_schools: int
    level_order: tuple[str, ...]
    weekly_share_when_settled: float


class SpreadingUnmatched(_Part):
    host: str
    starts_on: date


class LessAccess(_Part):
    tool: str
    dimension: str
    in_school_factor: float
    out_of_school_factor: float


class BrokenRosterFeed(_Part):
    from_at: datetime


class Effect(_Part):
    tool: str
    subject: str
    grades: tuple[str, ...]
    g: float
    g_tolerance: float


class NoEffect(Effect):
    baseline_advantage_at_least: float


class SilentRenewal(_Part):
    tool: str
    decide_by_on: date


class CostBeyondLicence(_Part):
    tool: str
    licence_share_at_most: float


class FilterIdentity(_Part):
    user: float
    device: float
    network: float


class LateRows(_Part):
    share: float
    longest_delay_minutes: int


class RosterChanges(_Part):
    entries: float
    withdrawals: float
    moves: float
    class_changes: float


class Truths(_Part):
    seed: int
    clock_starts_at: datetime
    unused_licence: UnusedLicence
    consistent_in_two_grades: ConsistentInTwoGrades
    spreading_unapproved: SpreadingUnapproved
    spreading_unmatched: SpreadingUnmatched
    less_access: LessAccess
    broken_roster_feed: BrokenRosterFeed
    effect: Effect
    no_effect: NoEffect
    silent_renewal: SilentRenewal
    cost_beyond_licence: CostBeyondLicence
    filter_identity: FilterIdentity
    late_rows: LateRows
    roster_changes: RosterChanges


def truths_text() -> str:
    return (files("uptake.sandbox") / "truths.yaml").read_text(encoding="utf-8")


@cache
def load_truths() -> Truths:
    return Truths.model_validate(yaml.safe_load(truths_text()))
