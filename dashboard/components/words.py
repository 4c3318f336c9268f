"""Numbers and dates in a leader's words. A value that is not shown says why; it is never a zero."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from statistics import NormalDist
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

NOT_KNOWN = "not known"

GROUP_NAMES = {
    ("all_students", "all_students"): "All students",
    ("economic_disadvantage", "yes"): "Economically disadvantaged students",
    ("economic_disadvantage", "no"): "Students not economically disadvantaged",
    ("disability", "yes"): "Students with disabilities",
    ("disability", "no"): "Students without disabilities",
    ("english_learner", "yes"): "English learners",
    ("english_learner", "no"): "Students who are not English learners",
}

GROUP_NAMES |= {
    ("race_ethnicity", code): f"{name} students"
    for code, name in {
        "american_indian_or_alaska_native": "American Indian or Alaska Native",
        "asian": "Asian",
        "black_or_african_american": "Black or African American",
        "hispanic_or_latino": "Hispanic or Latino",
        "native_hawaiian_or_pacific_islander": "Native Hawaiian or Pacific Islander",
        "two_or_more_races": "Multiracial",
        "white": "White",
    }.items()
}

GROUP_NAMES |= {
    ("gender", "female"): "Female students",
    ("gender", "male"): "Male students",
    ("gender", "other"): "Students of another gender",
    # The small kinds of a district, one group for a whole school year.
    ("gender", "other_groups"): "Students of all other genders, together",
    ("race_ethnicity", "other_groups"): "Students of smaller groups of race and ethnicity, together",
}

DIMENSION_NAMES = {
    "economic_disadvantage": "Economic disadvantage",
    "disability": "Disability",
    "english_learner": "English learners",
    "race_ethnicity": "Race and ethnicity",
    "gender": "Gender",
    "free_reduced_band": "Share of students on free or reduced-price meals",
    "black_hispanic_band": "Share of Black and Hispanic students",
    "locale": "Kind of place",
    "all": "All districts",
}

BAND_NAMES = {
    "free_reduced_band": "of students on free or reduced-price meals",
    "black_hispanic_band": "Black and Hispanic students",
}

BAND_SHORT = {
    "free_reduced_band": "on free or reduced-price meals",
    "black_hispanic_band": "Black or Hispanic",
}

# Names that keep their capital inside a sentence.
PROPER = ("English", "Black", "Hispanic", "Asian", "American", "Native", "White")

METHOD_NAMES = {
    "lms_interaction": "measured by the learning platform",
    "filter_sessionised": "worked out from web-filter visits",
    "event_sessionised": "worked out from events that the tool sent",
    "hour_bucket": "hours with at least one visit",
}

PERIODS = {
    "latest_week": "the latest full school week",
    "last_4_weeks": "the last 4 school weeks",
    "school_year": "the school year so far",
}

REASONS = {
    "fewer_than_n_students": "Hidden: the group has fewer than {n} students.",
    "fewer_than_n_districts": "Hidden: the band has too few districts.",
    "small_count_low": "Shown as a limit: fewer than {n} students used it.",
    "small_count_high": "Shown as a limit: all but fewer than {n} students used it.",
    "small_count": "Hidden: in so small a group a count could point to single students.",
    "no_reference_group": "Not compared: fewer than {n} other students to compare with.",
    "class_band": "Classes are shown in bands, so that no student stands out.",
    "too_few_weeks": "Not known yet: it takes some school weeks to keep something up.",
    "complementary": "Hidden: it could be used to work out a group that is too small to show.",
    "no_eligible_students": "Nobody here was meant to use it.",
    "no_usage_source": "No source reports the use of this tool.",
}


def is_missing(value: Any) -> bool:
    return value is None or value is pd.NaT or (not isinstance(value, str) and bool(pd.isna(value)))


def count(value: Any) -> str:
    return NOT_KNOWN if is_missing(value) else f"{value:,.0f}"


def of(part: Any, whole: Any) -> str:
    """3 of 4."""
    return f"{count(part)} of {count(whole)}"


def plural(value: int, one: str, many: str | None = None) -> str:
    """1 tool, 2 tools."""
    return f"{value:,} {one if value == 1 else many or one + 's'}"


def percent(share: Any, places: int = 0) -> str:
    """A share of 1 as a percentage; a small one keeps a decimal, so that it does not read as nothing."""
    if is_missing(share):
        return NOT_KNOWN
    if 0 < share < 0.01 and not places:
        places = 1
    return f"{100 * share:.{places}f}%"


def money(amount: Any, currency: str = "USD", places: int = 0) -> str:
    """$1,200, or CAD 1,200."""
    if is_missing(amount):
        return NOT_KNOWN
    sign = "-" if amount < 0 else ""
    return f"{sign}{'$' if currency == 'USD' else f'{currency} '}{abs(amount):,.{places}f}"


def unit_price(amount: Any, currency: str = "USD") -> str:
    """Dollars and cents, for the cost of one of something."""
    return money(amount, currency, places=2)


def money_range(low: Any, high: Any, currency: str = "USD", places: int = 0) -> str:
    """$10 to $20; one amount where both ends are the same."""
    ends = [money(end, currency, places) for end in (low, high)]
    return ends[0] if ends[0] == ends[1] else " to ".join(ends)


def amounts(frame: pd.DataFrame, column: str) -> str:
    """The sum of a column of money, one sum for each currency: amounts of different ones are never added."""
    sums = frame.groupby("currency")[column].sum() if len(frame) else {"USD": 0}
    return " and ".join(money(total, str(currency)) for currency, total in sums.items())


def number(value: Any, places: int = 1) -> str:
    return NOT_KNOWN if is_missing(value) else f"{value:,.{places}f}"


def percentile_points(g: Any) -> float:
    """Standard deviations as percentile points of the comparison group (WWC's improvement index)."""
    return 100 * (NormalDist().cdf(float(g)) - 0.5)


def signed(points: float) -> str:
    return "0.0" if abs(points) < 0.05 else f"{points:+.1f}"


def day(value: Any) -> str:
    """Apr 10, 2026."""
    if is_missing(value):
        return NOT_KNOWN
    moment = pd.Timestamp(value)
    return f"{moment:%b} {moment.day}, {moment.year}"


def week(value: Any) -> str:
    return f"week of {day(value)}"


def moment(value: Any, zone: str) -> str:
    """Apr 10, 2026, 9:05 PM in the district's own time."""
    if is_missing(value):
        return NOT_KNOWN
    stamp = value.to_pydatetime() if isinstance(value, pd.Timestamp) else value
    if not isinstance(stamp, datetime):
        return day(stamp)
    local = stamp.astimezone(ZoneInfo(zone))
    return f"{day(local.date())}, {local.hour % 12 or 12}:{local:%M} {'AM' if local.hour < 12 else 'PM'}"


def group(dimension: str, subgroup: str) -> str:
    """A student group or a band of districts, as people say it."""
    if subgroup == "unknown":
        return f"{DIMENSION_NAMES.get(dimension, plain(dimension))}: not known"
    if (dimension, subgroup) in GROUP_NAMES:
        return GROUP_NAMES[dimension, subgroup]
    if dimension in BAND_NAMES:
        return f"Districts with {band(subgroup)} {BAND_NAMES[dimension]}"
    if dimension == "locale":
        return f"{plain(subgroup)} districts"
    if subgroup in ("yes", "no"):
        return f"{plain(dimension)}: {subgroup}"
    return plain(subgroup)


def dimension(code: str) -> str:
    return DIMENSION_NAMES.get(code, plain(code))


def found(text: str) -> str:
    """What a check observed, for a reader who does not know its columns: contract_key c1 -> contract c1."""
    return re.sub(r"\b([a-z]+(?:_[a-z]+)+)\b", lambda name: name[0].removesuffix("_key").replace("_", " "), text)


def band(text: str) -> str:
    """`[0.2, 0.4[` -> 20% to 40%. Other texts are given back in plain words."""
    parts = text.strip("[]").split(",")
    try:
        low, high = (float(part) for part in parts)
    except ValueError:
        return plain(text)
    return f"{100 * low:.0f}% to {100 * high:.0f}%"


def plain(code: str) -> str:
    """hispanic_or_latino -> Hispanic or latino."""
    text = code.replace("_", " ").strip()
    return text[:1].upper() + text[1:]


YOUNGEST = ("IT", "PR", "PK", "TK", "KG")


def grade_rank(code: str) -> tuple[int, str]:
    """Youngest first: CEDS codes put letters before numbers (https://ceds.ed.gov/element/001210)."""
    return (YOUNGEST.index(code), "") if code in YOUNGEST else (len(YOUNGEST), code)


def period(code: str) -> str:
    """Inside a sentence: the last 4 school weeks. A calendar year is its own name."""
    return PERIODS.get(code, code)


def method(code: Any) -> str:
    return "" if is_missing(code) else METHOD_NAMES.get(code, plain(code))


def why_hidden(reason: Any, minimum_n: int) -> str:
    """One sentence; empty when nothing is hidden."""
    return "" if is_missing(reason) else REASONS.get(reason, f"Hidden: {plain(reason).lower()}.").format(n=minimum_n)


def count_or_reason(value: Any, row: Mapping[str, Any], minimum_n: int) -> str:
    """A count of students, or the words that stand for it."""
    if not is_missing(value):
        return count(value)
    reason = row.get("suppression_reason")
    words = {
        "fewer_than_n_students": f"fewer than {minimum_n}",
        "small_count_low": f"fewer than {minimum_n}",
        "small_count_high": "nearly all",
        "no_eligible_students": "nobody eligible",
        "no_usage_source": "no source",
    }
    return words.get(str(reason), "hidden")


NOTHING_TO_TELL = frozenset({"hidden", "nobody eligible", "no source"})


def rate_or_reason(value: Any, row: Mapping[str, Any]) -> str:
    """A share, what may be told of it (at most 2%, at least 98%, 33% to 67%), or the words that stand for it."""
    if not is_missing(value):
        return percent(value)
    low, high = row.get("rate_low"), row.get("rate_high")
    has_low, has_high = not is_missing(low) and low > 0, not is_missing(high) and high < 1
    if has_low and has_high:
        return f"{percent(low)} to {percent(high)}"
    if has_high:
        return f"at most {percent(high)}"
    if has_low:
        return f"at least {percent(low)}"
    words = {"no_eligible_students": "nobody eligible", "no_usage_source": "no source"}
    return words.get(str(row.get("suppression_reason")), "hidden")


def short(said: str) -> str:
    """A share's words for a narrow cell: at most 2% -> ≤2%."""
    return said.replace("at most ", "≤").replace("at least ", "≥").replace(" to ", "–").replace("nobody eligible", "–")


def kept_up_or_reason(value: Any, row: Mapping[str, Any]) -> str:
    """The share that kept using a tool, which is hidden for reasons of its own."""
    if not is_missing(value):
        return percent(value)
    words = {
        "small_count_low": "very few",
        "small_count_high": "nearly all",
        "too_few_weeks": "too early to say",
        "no_eligible_students": "nobody eligible",
        "no_usage_source": "no source",
    }
    return words.get(str(row.get("consistent_suppression_reason")), "hidden")


def listed(names: list[str], limit: int = 3) -> str:
    """a, b and c; beyond the limit: a, b, c and 4 more."""
    if len(names) > limit:
        return f"{', '.join(names[:limit])} and {len(names) - limit} more"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


_MARKDOWN = str.maketrans({character: f"\\{character}" for character in "\\`*_{}[]<>#$|~:"})


def safe(text: str) -> str:
    """Text as it stands: a dollar sign opens no formula, and a name from the data can format nothing."""
    return text.translate(_MARKDOWN)


def source(name: str) -> str:
    """A source's name in the configuration, as a title: sis -> SIS, web_filter -> Web filter."""
    return name.upper() if len(name) <= 3 else plain(name)


def resource(name: str) -> str:
    """What a source sends, as words: page_views -> page views, academicSessions -> academic sessions."""
    if name == "*":
        return "everything"
    spaced = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name)
    return spaced.replace("_", " ").strip()


def in_sentence(name: str) -> str:
    """A group's name inside a sentence: the first letter is small unless the word is a proper name."""
    return name if name.startswith(PROPER) else name[:1].lower() + name[1:]
