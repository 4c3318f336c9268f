"""A study's plan: what is asked and how it will be answered, frozen and hashed before an outcome is read."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from uptake.errors import ConfigError
from uptake.evidence.linear import Variance

Scalar = str | bool | int | float
IDLE_GAPS = (5, 10, 30)  # of fct_student_tool_day
Design = Literal["randomised", "matched", "difference_in_differences", "regression", "dose_response"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Condition(_Part):
    """Rows that belong to the population: `column` is one of `is_in` or lies in [at_least, at_most]; never unknown."""

    column: str
    is_in: tuple[Scalar, ...] | None = None
    at_least: float | None = None
    at_most: float | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.is_in is None and self.at_least is None and self.at_most is None:
            raise ValueError("a condition needs is_in, at_least or at_most")
        return self


class Outcome(_Part):
    """`column`, or the sum of `columns` (missing where one is). A binary outcome is 1 where it is one of `positive`."""

    name: str
    columns: Annotated[tuple[str, ...], Field(min_length=1)]
    kind: Literal["continuous", "binary"] = "continuous"
    positive: tuple[Scalar, ...] = (1,)
    higher_is_better: bool = True


class Treatment(_Part):
    """Who is compared with whom. `column` holds the arm: as assigned, or as chosen where nobody assigned it.

    received: a column with what was used in fact (0/1 or an amount), for the effect on those who used it.
    other_arms: `leave_out` their rows, or keep them as columns of the regression (`adjust`) so that they help to
    estimate covariates and blocks. dose: an amount of use, for the descriptive curve.
    """

    column: str
    treated: Scalar = 1
    comparison: Scalar = 0
    other_arms: Literal["leave_out", "adjust"] = "leave_out"
    received: str | None = None
    dose: str | None = None


class Period(_Part):
    """Terms for a difference in differences: the table has one row for each student (or group) and term."""

    column: str
    before: Annotated[tuple[Scalar, ...], Field(min_length=1)]
    after: Annotated[tuple[Scalar, ...], Field(min_length=1)]


class Matching(_Part):
    """Nearest neighbours of each treated student. caliper: in standard deviations of the logit of the propensity
    (Austin 2011 finds 0.2 best), or of each covariate for `mahalanobis` distances; None for no limit."""

    method: Literal["propensity", "mahalanobis"] = "propensity"
    caliper: Annotated[float, Field(gt=0)] | None = 0.2
    neighbours: Annotated[int, Field(ge=1, le=20)] = 1
    with_replacement: bool = False
    exact: tuple[str, ...] = ()


class Prior(_Part):
    """What is believed of an effect (Hedges g) before the data: normal. 0.25 is the spread of effects that trials with
    standardised tests find (Kraft 2020, doi 10.3102/0013189X20912798: SD 0.28, median 0.10); centred on no effect."""

    mean: float = 0.0
    sd: Annotated[float, Field(gt=0)] = 0.25


class UseRule(_Part):
    """Treated: at least `active_days` days with the tool in the window. With `of_class`, whole classes are: those in
    which at least that share of the students with a score did so. No idle gap changes a day; with
    `active_minutes` (in all, in the window) the rule also counts minutes, and is tried with each idle gap that the
    marts know. other_days: thresholds to try beside it."""

    tool: str
    starts_on: date
    ends_on: date
    active_days: Annotated[int, Field(ge=1)] = 1
    active_minutes: Annotated[float, Field(gt=0)] | None = None
    of_class: Annotated[float, Field(gt=0, le=1)] | None = None
    other_days: tuple[Annotated[int, Field(ge=1)], ...] = ()
    in_school_only: bool = False


class Scores(_Part):
    """Results of one kind in a span of dates; a student's mean where there are several."""

    starts_on: date
    ends_on: date


class Marts(_Part):
    """The table is drawn from a district's published snapshot; see `uptake.evidence.marts` for its columns."""

    district: str
    category: str
    course: str
    baseline: Scores
    outcome: Scores
    use: UseRule
    grades: tuple[str, ...] = ()

    @property
    def idle_gaps(self) -> tuple[int, ...]:
        """Idle gaps, in minutes, by which the rule of use is tried."""
        return IDLE_GAPS if self.use.active_minutes is not None else ()


class StudyPlan(_Part):
    """Everything that could be chosen after seeing an answer, chosen before. Another plan is another study.

    meaningful_effect and g are in standard deviations (Hedges g; Cox index for a binary outcome). cluster: the unit
    that was assigned or that chose (school, class); site: where one arm must not be alone, the cluster when left out;
    scale_by: where scores of several grades or tests meet, outcomes and baselines become standard deviations from the
    mean of the comparison group of the same grade or test.
    """

    version: Literal[1] = 1
    question: Annotated[str, Field(min_length=10)]
    tool: str
    rationale: str = ""
    design: Design
    outcomes: Annotated[tuple[Outcome, ...], Field(min_length=1)]
    treatment: Treatment
    meaningful_effect: Annotated[float, Field(gt=0, le=2)]
    window: str = ""
    population: tuple[Condition, ...] = ()
    marts: Marts | None = None
    unit: str | None = None
    baseline: tuple[str, ...] = ()
    covariates: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    cluster: str | None = None
    site: str | None = None
    block: tuple[str, ...] = ()
    scale_by: tuple[str, ...] = ()
    weight: str | None = None
    period: Period | None = None
    matching: Matching = Matching()
    subgroups: tuple[str, ...] = ()
    alternative_treatments: tuple[str, ...] = ()
    variance: Variance | None = None
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    power: Annotated[float, Field(gt=0.5, lt=1)] = 0.80
    prior: Prior = Prior()
    minimum_n: Annotated[int, Field(ge=3)] = 10
    bootstrap_draws: Annotated[int, Field(ge=199)] = 1999
    seed: int = 20260901

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.design == "difference_in_differences") != (self.period is not None):
            raise ValueError("`period` belongs to difference_in_differences, and that design needs it")
        if self.design == "matched" and not (self.baseline or self.covariates):
            raise ValueError("a matched comparison needs `baseline` or `covariates` to match on")
        if self.treatment.other_arms == "adjust" and self.design not in ("randomised", "regression"):
            raise ValueError("other_arms: adjust belongs to a randomised or regression design")
        if self.design == "dose_response" and not self.treatment.dose:
            raise ValueError("dose_response needs `treatment.dose`")
        if self.variance is not None and self.variance.startswith("CR") != (self.cluster is not None):
            raise ValueError("variance CR1-CR3 need a `cluster`, HC1-HC3 none")
        outcomes = {column for outcome in self.outcomes for column in outcome.columns}
        used = outcomes & {*self.baseline, *self.covariates, *self.subgroups, *self.matching.exact, *self.block}
        if used:
            raise ValueError(f"{', '.join(sorted(used))}: an outcome cannot be adjusted for, nor divide the students")
        if len({outcome.name for outcome in self.outcomes}) < len(self.outcomes):
            raise ValueError("outcomes need names of their own")
        return self

    @property
    def canonical(self) -> str:
        """The plan as JSON with sorted keys and no blanks: the same plan is the same text, whatever the file.

        Defaults are written out, so that the text says all. A field that a later version adds must have as its default
        what was done before it existed: plans on record do not name it.
        """
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    @property
    def hash(self) -> str:
        """SHA-256 of the canonical text, in hex."""
        return hashlib.sha256(self.canonical.encode()).hexdigest()

    @property
    def site_column(self) -> str | None:
        return self.site or ("school" if self.marts else self.cluster)

    @property
    def all_alternatives(self) -> tuple[str, ...]:
        """Columns with another rule of who is treated: the plan's own and those of `other_days`."""
        days = self.marts.use.other_days if self.marts else ()
        gaps = self.marts.idle_gaps if self.marts else ()
        by_rule = [f"treated_from_{count}_days" for count in days] + [f"treated_by_idle_gap_{count}" for count in gaps]
        return (*self.alternative_treatments, *by_rule)

    @property
    def outcome_columns(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(column for outcome in self.outcomes for column in outcome.columns))

    @property
    def keys(self) -> frozenset[str]:
        """Columns of the table that tell students and places apart and are nothing else."""
        rest = self.model_copy(update={"unit": None, "cluster": None, "site": None})
        named = {column for column in (self.unit, self.cluster, self.site) if column}
        return frozenset(named.difference(rest.columns, rest.outcome_columns))

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column of the table that the plan names, but for the outcomes."""
        treatment, named = self.treatment, [condition.column for condition in self.population]
        single = (self.unit, self.cluster, self.site, self.weight, treatment.received, treatment.dose)
        named += [treatment.column, *(column for column in single if column)]
        named += [*self.baseline, *self.covariates, *self.block, *self.scale_by, *self.matching.exact]
        named += [*self.subgroups]
        named += [*self.all_alternatives, *([self.period.column] if self.period else ())]
        return tuple(dict.fromkeys(named))


def read_plan(path: Path) -> StudyPlan:
    """From a YAML file. Raises ConfigError naming the key that is wrong."""
    try:
        given: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"the plan {path} cannot be read: {error}", remedy="give a YAML file in UTF-8.") from error
    try:
        plan = StudyPlan.model_validate(given)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, part['loc'])) or 'plan'}: {part['msg']}" for part in error.errors())
        raise ConfigError(f"the plan {path} is not complete: {wrong}", remedy="see docs/evidence.md.") from error
    # Held here and not in the model, so that an older plan on record can always be read.
    treatment, period = plan.treatment, plan.period
    if str(treatment.treated) == str(treatment.comparison):
        wrong = "treatment: treated and comparison are the same"
    elif period is not None and set(map(str, period.before)) & set(map(str, period.after)):
        wrong = "period: a term is both before and after"
    else:
        return plan
    raise ConfigError(f"the plan {path} contradicts itself: {wrong}", remedy="see docs/evidence.md.")
