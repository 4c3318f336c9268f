"""The table of a study: read by name, outcomes last, every row that leaves it counted.

A table has one row for each student; for a difference in differences one for each student and term. `Sample` is what
the designs compute with: plain arrays, one entry for each row that is analysed.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from uptake.errors import ContractError
from uptake.evidence.plan import Condition, Outcome, Scalar, StudyPlan

MOST_LEVELS = 60  # of a categorical covariate: more are blocks, or a mistake


@dataclass(frozen=True)
class StudyTable:
    """The plan's columns. `version` names the data: a file's SHA-256, or the id of a published snapshot and, since many
    snapshots hold the same rows for a study, the fingerprint of its rows."""

    frame: pd.DataFrame
    version: str


def fingerprint(frame: pd.DataFrame) -> str:
    """`rows:` and 16 hex digits that stand for the table's columns and rows, in whatever order the rows come."""
    digest = hashlib.sha256(repr([(name, str(kind)) for name, kind in frame.dtypes.items()]).encode())
    digest.update(pd.util.hash_pandas_object(frame, index=False).sort_values().to_numpy().tobytes())
    return f"rows:{digest.hexdigest()[:16]}"


@dataclass(frozen=True, slots=True)
class FlowStep:
    """Rows that are left after a step, in all and by arm (None before arms are known)."""

    step: str
    rows: int
    treated: int | None = None
    comparison: int | None = None


@dataclass(frozen=True)
class Sample:
    """Rows of one analysis. y, t (n,): outcome, 1 treated or 0 · x (n, p): covariates, numeric, `names` of them, the
    first `n_baseline` of them from the baseline · other (n, q): further arms, all 0 in the two that are compared ·
    cluster, site, block, exact, unit, period: codes from 0 or None."""

    y: np.ndarray
    t: np.ndarray
    x: np.ndarray
    names: tuple[str, ...]
    n_baseline: int
    other: np.ndarray
    row: np.ndarray
    cluster: np.ndarray | None = None
    site: np.ndarray | None = None
    block: np.ndarray | None = None
    exact: np.ndarray | None = None
    unit: np.ndarray | None = None
    period: np.ndarray | None = None
    after: np.ndarray | None = None
    weight: np.ndarray | None = None
    received: np.ndarray | None = None
    dose: np.ndarray | None = None

    @property
    def is_compared(self) -> np.ndarray:
        """(n,) rows of the two arms that are compared."""
        return np.asarray(~self.other.any(axis=1))

    @property
    def counts(self) -> tuple[int, int]:
        """Rows treated and in comparison."""
        compared = self.is_compared
        return int(((self.t == 1) & compared).sum()), int(((self.t == 0) & compared).sum())

    def per_arm(self, codes: np.ndarray) -> tuple[int, int]:
        """How many different codes (clusters, sites) each arm has."""
        compared = self.is_compared
        return len(np.unique(codes[(self.t == 1) & compared])), len(np.unique(codes[(self.t == 0) & compared]))

    def take(self, rows: np.ndarray) -> Sample:
        """Those rows (a mask or indices), with codes from 0 again."""
        changed: dict[str, np.ndarray] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, np.ndarray):
                part = value[rows]
                is_code = field.name in {"cluster", "site", "block", "exact", "unit", "period"}
                changed[field.name] = np.unique(part, return_inverse=True)[1] if is_code else part
        return replace(self, **changed)  # type: ignore[arg-type]


def read_columns(path: Path) -> list[str]:
    """Names of the columns of a CSV or Parquet file; no value is read. Raises ContractError when it is neither."""
    try:
        if path.suffix.lower() == ".parquet":
            return list(pq.read_schema(path).names)
        with pa_csv.open_csv(path) as reader:
            return list(reader.schema.names)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> ContractError:
    """What is wrong with the file, without the values that the reader quotes."""
    if isinstance(error, UnicodeDecodeError):
        return ContractError(f"{path.name} is not in UTF-8", remedy="save it as CSV in UTF-8, or as Parquet.")
    kind = "Parquet" if path.suffix.lower() == ".parquet" else "CSV"
    reason = re.sub(r"(got \d+|invalid value).*", r"\1", str(error), flags=re.DOTALL)
    return ContractError(f"{path.name} is not a sound {kind} file: {reason}", remedy="mend the file.")


def check_columns(plan: StudyPlan, path: Path) -> list[str]:
    """The plan's columns, outcomes last. Raises ContractError naming those that the file lacks or has twice."""
    wanted = list(dict.fromkeys([*plan.columns, *plan.outcome_columns]))
    there = Counter(read_columns(path))
    missing = [name for name in wanted if name not in there]
    if missing:
        remedy = "mend the file or the plan."
        if len(there) == 1 and (mark := re.search(r"[;\t|]", next(iter(there)))):
            remedy = f"its columns stand apart by {mark[0]!r}: save it with commas."
        raise ContractError(f"{path.name} has no column {', '.join(sorted(missing))}", remedy=remedy)
    twice = [name for name in wanted if there[name] > 1]
    if twice:
        raise ContractError(f"{path.name} has more than one column {', '.join(twice)}", remedy="rename all but one.")
    return wanted


def read_table(plan: StudyPlan, path: Path) -> StudyTable:
    """The plan's columns of a CSV or Parquet file. Raises ContractError naming what does not fit."""
    wanted = check_columns(plan, path)
    try:
        if path.suffix.lower() == ".parquet":
            table = pq.read_table(path, columns=wanted)
        else:
            as_text = dict.fromkeys(plan.keys, pa.string())  # ids of many digits are no numbers that may be rounded
            options = pa_csv.ConvertOptions(include_columns=wanted, strings_can_be_null=True, column_types=as_text)
            table = pa_csv.read_csv(path, convert_options=options)
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, error) from error
    if not len(table):
        raise ContractError(f"{path.name} has no rows", remedy="mend the file.")
    for place, column in enumerate(table.schema):
        if pa.types.is_decimal(column.type):
            table = table.set_column(place, column.name, table.column(place).cast(pa.float64()))
        elif column.name in plan.keys and pa.types.is_integer(column.type):
            table = table.set_column(place, column.name, table.column(place).cast(pa.string()))
        elif pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
            raise ContractError(
                f"column {column.name} of {path.name} holds bytes that are no text in UTF-8",
                remedy="save the file in UTF-8.",
            )
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return StudyTable(table.to_pandas(ignore_metadata=True), f"sha256:{digest}")


def is_one_of(column: pd.Series, values: Sequence[Scalar]) -> np.ndarray:
    """(n,) whether a value is one of `values`; numbers compare as numbers, all else as text; unknown is not."""
    if pd.api.types.is_bool_dtype(column.dtype) or pd.api.types.is_numeric_dtype(column.dtype):
        numbers = {float(value) for value in values if _is_number(value)}
        return column.astype("float64").isin(numbers).to_numpy()
    known = column.notna().to_numpy()
    return known & column.astype(str).isin({str(value) for value in values}).to_numpy()


def _is_number(value: Scalar) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True


def _holds(frame: pd.DataFrame, condition: Condition) -> np.ndarray:
    column = frame[condition.column]
    holds = column.notna().to_numpy()
    if condition.is_in is not None:
        holds = holds & is_one_of(column, condition.is_in)
    if condition.at_least is not None:
        holds = holds & (numeric(column) >= condition.at_least)
    if condition.at_most is not None:
        holds = holds & (numeric(column) <= condition.at_most)
    return holds


def outcome_values(frame: pd.DataFrame, outcome: Outcome) -> np.ndarray:
    """(n,) float, NaN where it is not known. Raises ContractError when a continuous outcome is not a number."""
    parts = [frame[name] for name in outcome.columns]
    if outcome.kind == "binary":
        if len(parts) != 1:
            raise ContractError(f"outcome {outcome.name}: a binary outcome has one column", remedy="mend the plan.")
        return np.where(parts[0].notna(), is_one_of(parts[0], outcome.positive), np.nan).astype(float)
    return np.sum([numeric(part) for part in parts], axis=0)


def numeric(column: pd.Series) -> np.ndarray:
    """(n,) float, NaN where it is not known. Raises ContractError when the column holds text, or no finite number."""
    if not (_is_of_numbers(column) or column.isna().all()):
        wrong = column.notna() & pd.to_numeric(column, errors="coerce").isna()
        what = "a date" if pd.api.types.is_datetime64_any_dtype(column.dtype) else "text"
        found = "its numbers are stored as text"
        if wrong.any():
            found = f"{wrong.sum():,} of {column.notna().sum():,} known values are no number, the first in row "
            found += f"{column.index[int(wrong.to_numpy().argmax())] + 1:,}"
        raise ContractError(
            f"column {column.name} is {what} where a number is needed: {found}",
            remedy="mend the file: numbers stored as numbers, unknown ones left blank.",
        )
    values = column.astype("float64").to_numpy(na_value=np.nan)
    if np.isinf(values).any():
        raise ContractError(
            f"column {column.name} is infinite in {np.isinf(values).sum():,} rows", remedy="leave unknown values blank."
        )
    return values


def _is_of_numbers(column: pd.Series) -> bool:
    return pd.api.types.is_bool_dtype(column.dtype) or pd.api.types.is_numeric_dtype(column.dtype)


def is_categorical(plan: StudyPlan, column: pd.Series) -> bool:
    return column.name in plan.categorical or not _is_of_numbers(column)


def _is_spoilt(plan: StudyPlan, column: pd.Series) -> bool:
    """Numbers for the most part, and text because of some values that are none."""
    if _is_of_numbers(column) or column.name in plan.categorical:
        return False
    known, numbers = column.notna().sum(), pd.to_numeric(column, errors="coerce").notna().sum()
    return bool(known / 2 < numbers < known)


@dataclass(frozen=True)
class Eligible:
    """Rows of the population whose arm is known: who was assigned, or who chose. Nothing of the outcome yet."""

    frame: pd.DataFrame
    t: np.ndarray
    other: np.ndarray
    flow: tuple[FlowStep, ...]


def eligible(plan: StudyPlan, table: StudyTable, treatment: str | None = None) -> Eligible:
    """Population and arms. `treatment` takes the place of the plan's column, for an alternative rule."""
    frame = table.frame
    flow = [FlowStep("rows in the table", len(frame))]
    inside = np.ones(len(frame), dtype=bool)
    for condition in plan.population:
        inside &= _holds(frame, condition)
    frame = frame[inside]
    flow.append(FlowStep("in the population", len(frame)))
    arm = frame[treatment or plan.treatment.column]
    treated = is_one_of(arm, (plan.treatment.treated,))
    compared = is_one_of(arm, (plan.treatment.comparison,))
    if not (treated.any() and compared.any()):
        arms = (plan.treatment.treated, plan.treatment.comparison)
        remedy = "mend `treatment` in the plan, or its population."
        if any(isinstance(value, bool) for value in arms) and not _is_of_numbers(arm):
            remedy += " YAML takes yes and no for true and false: put quotes round them."
        raise ContractError(f"column {arm.name} has no row with {arms[0]!r} or none with {arms[1]!r}", remedy=remedy)
    in_arm = treated | compared
    other = np.zeros((len(frame), 0))
    if plan.treatment.other_arms == "adjust":
        levels = sorted(arm[arm.notna() & ~in_arm].unique().tolist())
        if levels:
            other = np.column_stack([is_one_of(arm, (level,)) for level in levels]).astype(float)
            in_arm |= other.any(axis=1)
    else:
        flow.append(FlowStep("with a known arm", int(arm.notna().sum())))
    frame, t, other = frame[in_arm], treated[in_arm].astype(float), other[in_arm]
    flow.append(_step("in one of the arms", t, other))
    return Eligible(frame, t, other, tuple(flow))


def _step(step: str, t: np.ndarray, other: np.ndarray) -> FlowStep:
    compared = ~other.any(axis=1)
    return FlowStep(step, len(t), int(((t == 1) & compared).sum()), int(((t == 0) & compared).sum()))


def sample(plan: StudyPlan, rows: Eligible, outcome: Outcome) -> tuple[Sample, tuple[FlowStep, ...]]:
    """The rows that can be analysed for an outcome, and how many went at each step.

    An unknown cluster, site, block or weight takes a row out. An unknown baseline does so too, but in a randomised
    study, where it is filled with the mean and flagged (WWC allows it there and not elsewhere); covariates likewise
    everywhere. Unknown outcomes are never filled. Unknown use (`received`, `dose`) takes nobody out: it is NaN.
    """
    frame, t, other = rows.frame, rows.t, rows.other
    flow = list(rows.flow)
    keep = np.ones(len(frame), dtype=bool)

    def need(step: str, columns: Sequence[str]) -> None:
        nonlocal keep
        if columns:
            keep = keep & frame[list(dict.fromkeys(columns))].notna().all(axis=1).to_numpy()
            flow.append(_step(step, t[keep], other[keep]))

    places = [plan.cluster, plan.site, plan.weight, plan.unit]
    need(
        "with known places and weights", [*(c for c in places if c), *plan.block, *plan.scale_by, *plan.matching.exact]
    )
    if plan.period is not None:
        terms = (*plan.period.before, *plan.period.after)  # in the plan's order, which is that of time
        by_term = [is_one_of(frame[plan.period.column], (term,)) for term in terms]
        if absent := [str(term) for term, rows_of in zip(terms, by_term, strict=True) if not rows_of.any()]:
            raise ContractError(
                f"column {plan.period.column} has no row with {', '.join(absent)}", remedy="mend `period` in the plan."
            )
        keep &= np.any(by_term, axis=0)
        flow.append(_step("in one of the periods", t[keep], other[keep]))
    if plan.design != "randomised":
        need("with a known baseline", plan.baseline)
    y = outcome_values(frame, outcome)
    keep &= ~np.isnan(y)
    flow.append(_step("with a known outcome", t[keep], other[keep]))
    if plan.scale_by:
        scaled, frame = _scaled(plan, frame, y, keep & (t == 0) & ~other.any(axis=1))
        y = y if outcome.kind == "binary" else scaled
        keep &= ~np.isnan(scaled)
        flow.append(_step("on a scale that the comparison group gives", t[keep], other[keep]))
    frame = frame[keep]
    x, names, n_baseline = covariates(plan, frame)
    weight = numeric(frame[plan.weight]) if plan.weight else None
    if weight is not None and (weight <= 0).any():
        raise ContractError(f"column {plan.weight} has weights that are not positive", remedy="leave those rows out.")
    period = after = None
    if plan.period is not None:
        period = np.unique(np.argmax(by_term, axis=0)[keep], return_inverse=True)[1]
        after = is_one_of(frame[plan.period.column], plan.period.after).astype(float)
    made = Sample(
        y=y[keep],
        t=t[keep],
        x=x,
        names=names,
        n_baseline=n_baseline,
        other=other[keep],
        row=np.flatnonzero(keep),
        cluster=_codes(frame, (plan.cluster,)),
        site=_codes(frame, (plan.site_column,)),
        block=_codes(frame, plan.block),
        exact=_codes(frame, plan.matching.exact),
        unit=_codes(frame, (plan.unit,)),
        period=period,
        after=after,
        weight=weight,
        received=_amount(frame, plan.treatment.received),
        dose=_amount(frame, plan.treatment.dose),
    )
    if made.unit is not None:
        keys = made.unit if made.period is None else made.unit * len(made.period) + made.period
        if len(np.unique(keys)) < len(keys):
            per, each = ("", "") if made.period is None else (" within a term", " and term")
            raise ContractError(
                f"column {plan.unit} repeats itself{per}", remedy=f"give one row for each student{each}."
            )
    return made, tuple(flow)


def _scaled(
    plan: StudyPlan, frame: pd.DataFrame, y: np.ndarray, comparison: np.ndarray
) -> tuple[np.ndarray, pd.DataFrame]:
    """Outcome and numeric baselines as standard deviations from the comparison group's mean, within `scale_by`; NaN
    where fewer than two of the comparison group, or two alike, leave no scale."""
    group = _codes(frame, plan.scale_by)
    if group is None:
        return y, frame
    size = int(group.max()) + 1

    def scaled(values: np.ndarray) -> np.ndarray:
        base = comparison & ~np.isnan(values) & (group >= 0)
        n = np.bincount(group[base], minlength=size)
        mean = np.bincount(group[base], values[base], minlength=size) / np.maximum(n, 1)
        squares = np.bincount(group[base], (values[base] - mean[group[base]]) ** 2, minlength=size)
        spread = np.sqrt(squares / np.maximum(n - 1, 1))
        spread = np.where((n > 1) & (spread > 0), spread, np.nan)
        return np.where(group >= 0, (values - mean[group]) / spread[group], np.nan)

    changed = {name: scaled(numeric(frame[name])) for name in plan.baseline if not is_categorical(plan, frame[name])}
    return scaled(y), frame.assign(**changed)


def _amount(frame: pd.DataFrame, name: str | None) -> np.ndarray | None:
    return None if name is None else numeric(frame[name])


def _codes(frame: pd.DataFrame, names: Sequence[str | None]) -> np.ndarray | None:
    known = [name for name in names if name]
    if not known:
        return None
    if len(known) == 1:
        return pd.factorize(frame[known[0]])[0]
    return frame.groupby(known, sort=False, observed=True).ngroup().to_numpy()


def covariates(plan: StudyPlan, frame: pd.DataFrame) -> tuple[np.ndarray, tuple[str, ...], int]:
    """(n, p) numbers, their names, and how many of them are the baseline's.

    A category becomes a 0/1 column for each level but the commonest, with unknown as a level; an unknown number becomes
    the mean, beside a 0/1 column that says so.
    """
    columns: list[np.ndarray] = []
    names: list[str] = []
    n_baseline = 0
    for position, name in enumerate([*plan.baseline, *plan.covariates]):
        column = frame[name]
        if is_categorical(plan, column):
            text = column.astype(str).where(column.notna(), "unknown")
            levels = text.value_counts().index.tolist()
            if _is_spoilt(plan, column) and (position < len(plan.baseline) or len(levels) > MOST_LEVELS):
                numeric(column)  # says which row is no number
            if len(levels) > MOST_LEVELS:
                raise ContractError(f"covariate {name} has {len(levels)} levels", remedy="name it as `block` instead.")
            for level in sorted(levels[1:]):
                columns.append((text == level).to_numpy(dtype=float))
                names.append(f"{name} = {level}")
        else:
            values = numeric(column)
            unknown = np.isnan(values)
            if unknown.any():
                values = np.where(unknown, np.nanmean(values) if not unknown.all() else 0.0, values)
            columns.append(values)
            names.append(name)
            if unknown.any():
                columns.append(unknown.astype(float))
                names.append(f"{name} unknown")
        if position == len(plan.baseline) - 1:
            n_baseline = len(columns)
    return np.column_stack(columns) if columns else np.zeros((len(frame), 0)), tuple(names), n_baseline
