"""The interval macros against statsmodels, over the real SQL."""

from __future__ import annotations

from pathlib import Path

import duckdb
import jinja2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import confint_proportions_2indep

MACROS = Path(__file__).resolve().parents[2] / "dbt_project" / "macros" / "intervals.sql"


@pytest.fixture(scope="module")
def query() -> str:
    calls = ", ".join(
        f"{{{{ {name}('x1', 'n1', 'x2', 'n2'{sign}) }}}} as {name}{number}"
        for number, (name, sign) in enumerate(
            [("newcombe_low", ""), ("newcombe_high", ""), ("katz_bound", ", '-'"), ("katz_bound", ", ''")]
        )
    )
    source = MACROS.read_text() + f"select {calls} from (select ? as x1, ? as n1, ? as x2, ? as n2)"
    return jinja2.Environment(autoescape=False).from_string(source).render()


@given(data=st.data())
def test_intervals_are_those_of_statsmodels(query, data):
    n1, n2 = (data.draw(st.integers(10, 5000)) for _ in range(2))
    x1, x2 = data.draw(st.integers(0, n1)), data.draw(st.integers(0, n2))
    low, high, ratio_low, ratio_high = duckdb.connect().execute(query, [x1, n1, x2, n2]).fetchone()
    expected = confint_proportions_2indep(x1, n1, x2, n2, compare="diff", method="newcomb")
    assert (low, high) == pytest.approx(expected, abs=1e-9)
    assert low <= x1 / n1 - x2 / n2 <= high
    if x1 and x2:
        # statsmodels' "log" is Katz's interval.
        expected = confint_proportions_2indep(x1, n1, x2, n2, compare="ratio", method="log")
        assert (ratio_low, ratio_high) == pytest.approx(expected, rel=1e-9)
    else:
        assert (ratio_low, ratio_high) == (None, None)
