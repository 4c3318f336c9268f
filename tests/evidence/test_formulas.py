"""Published vectors for each formula."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from uptake.evidence import inference
from uptake.evidence.gates import attrition_limit
from uptake.evidence.plan import Prior
from uptake.evidence.sensitivity import bias_bound, e_value, robustness_value


@pytest.mark.parametrize(("df", "j"), [(10, 0.9231), (20, 0.9620), (50, 0.9849), (100, 0.9925)])
def test_small_sample_correction(df: int, j: float):
    """Borenstein, Hedges, Higgins & Rothstein 2009, eq. 4.22."""
    assert inference.small_sample(df) == pytest.approx(j, abs=5e-5)


def test_hedges_g_of_the_textbook_example():
    """Borenstein et al. 2009, chapter 4: means 103 and 100, SD 5.5 and 4.5, 50 each: d 0.5970, g 0.5924."""
    sd = np.sqrt((49 * 5.5**2 + 49 * 4.5**2) / 98)
    assert 3 / sd == pytest.approx(0.5970, abs=5e-5)
    assert inference.hedges_g(3, sd, 100) == pytest.approx(0.5924, abs=5e-5)


def test_pooled_sd_is_of_the_arms_not_of_the_whole():
    y = np.array([1.0, 2, 3, 11, 12, 13])
    t = np.array([0.0, 0, 0, 1, 1, 1])
    assert inference.pooled_sd(y, t) == pytest.approx(1.0)


def test_cox_index():
    """Odds ratio 2.25 from 60 % against 40 %: ln 2.25 / 1.65 = 0.4915; a share of 0 or 1 has none."""
    huge = 10**9
    assert inference.cox_index(0.6, 0.4, huge) == pytest.approx(np.log(2.25) / 1.65, abs=1e-6)
    assert inference.cox_index(0.6, 0.4, 40) == pytest.approx(np.log(2.25) / 1.65 * (1 - 3 / (4 * 38 - 1)))
    assert np.isnan(inference.cox_index(1.0, 0.4, 100))


@pytest.mark.parametrize(("g", "points"), [(0.0, 0.0), (0.25, 9.87), (-0.25, -9.87), (1.0, 34.13)])
def test_improvement_index(g: float, points: float):
    assert inference.percentile_points(g) == pytest.approx(points, abs=0.005)


@pytest.mark.parametrize(
    ("overall", "cautious", "optimistic"),
    [(0, 5.7, 10.0), (10, 6.3, 10.9), (20, 5.4, 10.0), (30, 4.1, 8.2), (50, 1.0, 3.7)],
)
def test_attrition_boundary(overall: float, cautious: float, optimistic: float):
    """WWC handbook, table of the highest differential attrition."""
    assert attrition_limit(overall, "cautious") == pytest.approx(cautious)
    assert attrition_limit(overall, "optimistic") == pytest.approx(optimistic)


def test_attrition_boundary_between_whole_percents_and_beyond_its_end():
    low, high = attrition_limit(20, "cautious"), attrition_limit(21, "cautious")
    assert attrition_limit(20.5, "cautious") == pytest.approx((low + high) / 2)
    assert attrition_limit(66, "optimistic") is None


def test_benjamini_hochberg():
    """Benjamini & Hochberg 1995, section 3: of these 15, the four smallest are found at 5 %."""
    p = [
        0.0001,
        0.0004,
        0.0019,
        0.0095,
        0.0201,
        0.0278,
        0.0298,
        0.0344,
        0.0459,
        0.3240,
        0.4262,
        0.5719,
        0.6528,
        0.7590,
        1.0,
    ]
    adjusted = inference.benjamini_hochberg(p)
    assert [value < 0.05 for value in adjusted] == [True] * 4 + [False] * 11
    assert adjusted[3] == pytest.approx(0.0095 * 15 / 4)
    assert inference.benjamini_hochberg([]) == []


def test_minimum_detectable_effect():
    """Bloom 1995: 2.80 standard errors for 80 % power at 5 %, with many degrees of freedom; more with few."""
    assert inference.minimum_detectable(1.0, 1e6, 0.95, 0.8) == pytest.approx(2.80, abs=0.005)
    assert inference.minimum_detectable(1.0, 8, 0.95, 0.8) == pytest.approx(2.306 + 0.889, abs=0.001)


def test_a_study_grown_by_the_factor_sees_the_target():
    factor = inference.times_as_large(0.2, 10, 0.2, 0.95, 0.8)
    assert factor > 7
    assert inference.minimum_detectable(0.2 / np.sqrt(factor), 10 * factor, 0.95, 0.8) == pytest.approx(0.2, rel=2e-3)
    assert inference.times_as_large(0.01, 500, 0.2, 0.95, 0.8) == 1.0


def test_posterior_probability():
    """Normal prior and likelihood of equal spread: half way between, with spread 1/sqrt 2."""
    prior = Prior(mean=0.0, sd=0.1)
    found = inference.probability_above(0.0, 0.2, 0.1, 1e9, prior)
    assert found == pytest.approx(stats.norm.sf(0, 0.1, 0.1 / np.sqrt(2)))
    assert inference.probability_above(0.0, 0.2, 0.1, 5, prior) < found, "few clusters know less"


def test_effect_on_users_has_the_bounds_of_fieller():
    """Every bound is a ratio that the data just do not tell from nil."""
    estimate, covariance = np.array([0.3, 0.6]), np.array([[0.01, 0.002], [0.002, 0.004]])
    low, high = inference.ratio_interval(estimate, covariance, 30, 0.95)
    for bound in (low, high):
        gap = estimate[0] - bound * estimate[1]
        se = np.sqrt(covariance[0, 0] - 2 * bound * covariance[0, 1] + bound**2 * covariance[1, 1])
        assert abs(gap) / se == pytest.approx(stats.t.ppf(0.975, 30))
    assert low < 0.5 < high
    assert inference.ratio_interval(np.array([0.3, 0.1]), covariance, 30, 0.95) is None


def test_robustness_value_and_bound():
    """Cinelli & Hazlett 2020, Darfur: t 4.18, 783 df, RV 13.9 %; a cause as strong as `female` leaves 0.075."""
    assert robustness_value(4.18, 783) == pytest.approx(0.139, abs=5e-4)
    assert 0.097 - bias_bound(0.0233, 783, 0.00916, 0.12464) == pytest.approx(0.075, abs=5e-4)


def test_e_value():
    """VanderWeele & Ding 2017: a risk ratio of 3.9 has E-value 7.26."""
    assert e_value(np.log(3.9) / 0.91) == pytest.approx(7.26, abs=0.005)
    assert e_value(-np.log(3.9) / 0.91) == pytest.approx(7.26, abs=0.005)
    assert e_value(0.0) == 1.0
