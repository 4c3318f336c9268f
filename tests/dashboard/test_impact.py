"""The Impact page: each kind of answer is told as what it is, and nothing is told beside an answer that cannot be."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import make_snapshot
import pytest
from conftest import said
from streamlit.testing.v1 import AppTest

from queries import impact

Visit = Callable[..., AppTest]
RAN = [(make_snapshot.STUDIED[tool][0], verdict) for tool, verdict, *_ in make_snapshot.STUDIES if verdict]
EFFECT = "Difference"


@pytest.mark.parametrize(("tool", "verdict"), [one for one in RAN if one[1] != "not_enough_evidence"])
def test_each_verdict_is_said_with_what_may_stand_beside_it(look: Visit, tool: str, verdict: str) -> None:
    app = look("impact", tool=tool)
    words = said(app)
    sentence = next(text for name, kind, text, *_ in make_snapshot.STUDIES if kind == verdict)
    assert sentence in words
    labels = [metric.label for metric in app.metric]
    charts = len(app.get("vega_lite_chart"))
    if verdict in ("failed_balance", "few_clusters"):
        assert EFFECT not in labels and charts == 1
        assert "For whom?" not in words and "Effects and subgroups are left out here" in words
        assert "Failed:" in words and "Do not renew or retire" in words
    else:
        assert labels[0] == EFFECT and charts == 3
        assert "Failed:" not in words


def test_advice_differs_by_answer(look: Visit) -> None:
    advice = set()
    for tool, verdict in RAN:
        if verdict != "not_enough_evidence":
            advice.add(said(look("impact", tool=tool)).split("What to do next")[-1])
    assert len(advice) == len(RAN) - 1


def test_without_an_effect_size_no_sample_is_said_to_be_enough(
    published: Path, visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everybody passed: the verdict is "not enough evidence", and more students like these would tell no more."""
    real = impact.answers
    sizeless = {
        "verdict": "not_enough_evidence",
        "sentence": "No effect size.",
        "g": None,
        "g_low": None,
        "g_high": None,
    }
    monkeypatch.setattr(impact, "answers", lambda *args, **kwargs: real(*args, **kwargs).assign(**sizeless))
    advice = said(visit("impact", tool="ReadWell")).split("What to do next")[-1]
    assert "it cannot answer the question" in advice and "how many would be enough" not in advice


def test_a_description_is_not_called_a_cause(look: Visit) -> None:
    app = look("impact", tool="TypeFast")
    words = said(app).replace("Does TypeFast raise the spring score?", "").replace(app.title[0].value, "")
    assert "Chance of a gain worth having" not in words
    assert not re.search(r"\b(raises|effect of|improves|causes|gain|benefits?)\b", words.split("What to do next")[0])


def test_a_regression_is_not_called_a_cause(look: Visit) -> None:
    app = look("impact", tool="WordGym")
    words = said(app)
    assert "Take this as a reason to look closer at WordGym, not as proof" in words
    assert "its users did better, by too little to matter" in app.dataframe[-1].value["Found"].tolist()
    assert not re.search(r"\b(raises|makes a difference|the gain is real)\b", words.replace(app.title[0].value, ""))


def test_several_studies_of_a_tool_newest_first(look: Visit) -> None:
    app = look("impact", tool="MathPath")
    assert "+6.4 percentile points" in said(app)
    listed = app.dataframe[-1].value
    assert listed["Planned"].tolist() == ["Oct 31, 2025", "Sep 1, 2025"]
    older = app.selectbox(key="study").options[1]
    assert "not enough evidence" in said(look("impact", tool="MathPath", study=older))


def test_a_study_that_has_not_run_says_when(look: Visit) -> None:
    app = look("impact", tool="QuizBlitz")
    assert "Not known yet: a study of QuizBlitz is planned, and its results come in until May 29, 2026." in said(app)
    assert not app.metric


def test_small_groups_and_steps_have_words_in_place_of_numbers(look: Visit) -> None:
    app = look("impact", tool="MathPath")
    groups, steps = app.dataframe[0].value, app.dataframe[1].value
    small = groups[groups["Group"] == "Students with disabilities"].iloc[0]
    assert small["Percentile points (interval)"].strip() == "hidden"
    assert small["With the tool"].strip() == small["Without"].strip() == "hidden"
    assert "ewer than 10 students" in small["Why there are no figures"]
    hidden = steps[steps["Students left after each step"] == "With the baseline"].iloc[0]
    assert hidden["Students"].strip() == hidden["With the tool"].strip() == "hidden"


def test_numbers_are_those_of_the_study(look: Visit) -> None:
    app = look("impact", tool="MathPath")
    assert {metric.label: metric.value for metric in app.metric} == {
        "Difference": "+6.4 points",
        "Chance of a gain worth having": "84%",
        "Students in the study": "824",
        "Checks of the method": "5 of 5",
    }
    assert "95% interval +2.0 to +10.6" in said(app)
    assert "With any one school left out, the difference lies between +3.0 and +7.9 points." in said(app)
    assert "gives p under 0.001." in said(app)


def test_finance_has_no_such_page(published: Path, visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UPTAKE_VIEWER_ROLE", "finance")
    with pytest.raises(ValueError, match="Could not find a navigation page"):
        visit("impact")
