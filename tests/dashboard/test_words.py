"""Numbers and dates in a leader's words."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pandas as pd
import pytest

from components import words


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        (words.percent(0.4149), "41%"),
        (words.percent(0.004), "0.4%"),
        (words.percent(0), "0%"),
        (words.percent(None), "not known"),
        (words.money(1234567.8), "$1,234,568"),
        (words.unit_price(3.5), "$3.50"),
        (words.money(0), "$0"),
        (words.money(float("nan")), "not known"),
        (words.count(12345), "12,345"),
        (words.count(pd.NA), "not known"),
        (words.day(date(2026, 4, 7)), "Apr 7, 2026"),
        (words.day(pd.NaT), "not known"),
        (words.moment(datetime(2026, 4, 11, 2, 5, tzinfo=UTC), "America/Chicago"), "Apr 10, 2026, 9:05 PM"),
        (words.moment(datetime(2026, 4, 11, 17, 5, tzinfo=UTC), "America/Chicago"), "Apr 11, 2026, 12:05 PM"),
        (words.band("[0.2, 0.4["), "20% to 40%"),
        (words.band("[0.8, 1["), "80% to 100%"),
        (words.group("race_ethnicity", "black_or_african_american"), "Black or African American students"),
        (words.group("disability", "yes"), "Students with disabilities"),
        (words.group("something_new", "yes"), "Something new: yes"),
        (words.resource("academicSessions"), "academic sessions"),
        (words.source("sis"), "SIS"),
        (words.listed(["a"]), "a"),
        (words.listed(["a", "b", "c"]), "a, b and c"),
        (words.listed(["a", "b", "c", "d", "e"]), "a, b, c and 2 more"),
        (words.in_sentence("English learners"), "English learners"),
        (words.in_sentence("Students with disabilities"), "students with disabilities"),
        (words.found("2 rows: contract_key c-1, seats_used 470"), "2 rows: contract c-1, seats used 470"),
        (words.period("latest_week"), "the latest full school week"),
        (words.safe("$5 [x](y) *a*"), r"\$5 \[x\](y) \*a\*"),
    ],
)
def test_words(said: str, wanted: str) -> None:
    assert said == wanted


@pytest.mark.parametrize("reason", [*words.REASONS, "something_new"])
def test_what_is_hidden_is_never_a_number(reason: str) -> None:
    row = {"suppression_reason": reason, "rate_low": None, "rate_high": None}
    said = words.count_or_reason(None, row, 10)
    assert said == "fewer than 10" or not any(letter.isdigit() for letter in said)
    assert words.rate_or_reason(None, row) in {"hidden", "nobody eligible", "no source"}
    assert words.why_hidden(reason, 10)


@pytest.mark.parametrize(
    ("low", "high", "wanted"),
    [
        (0.0, 0.021, "at most 2%"),
        (None, 0.17, "at most 17%"),
        (0.834, 1.0, "at least 83%"),
        (0.834, float("nan"), "at least 83%"),
        (1 / 3, 2 / 3, "33% to 67%"),
        (0.0, 1.0, "hidden"),
    ],
)
def test_the_limits_of_a_rate_are_said(low: float | None, high: float | None, wanted: str) -> None:
    assert words.rate_or_reason(None, {"rate_low": low, "rate_high": high}) == wanted


def test_kept_up_use_is_hidden_for_its_own_reason() -> None:
    assert words.kept_up_or_reason(0.5, {}) == "50%"
    assert words.kept_up_or_reason(None, {"consistent_suppression_reason": "too_few_weeks"}) == "too early to say"
    assert words.kept_up_or_reason(None, {"consistent_suppression_reason": "complementary"}) == "hidden"


def test_grades_stand_youngest_first() -> None:
    assert sorted(["10", "02", "KG", "PK", "01"], key=words.grade_rank) == ["PK", "KG", "01", "02", "10"]
