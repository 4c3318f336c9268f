"""The printed report holds the plan and every figure, in HTML and in PDF."""

from __future__ import annotations

import re
import zlib
from datetime import UTC, datetime

import pytest
from studies import plan, table, world

from uptake.evidence.report import as_html, as_pdf, blocks
from uptake.evidence.run import run_study
from uptake.evidence.store import RecordedStudy


@pytest.fixture(scope="module")
def study() -> RecordedStudy:
    chosen = plan(
        tool="Numbers <& more>",
        design="matched",
        baseline=["baseline"],
        site="school",
        subgroups=["grade"],
        treatment={"column": "arm", "dose": "days"},
    )
    frame = world(by_school=False, selection=0.5, effect=0.4, seed=1)
    frame["days"] = frame["arm"] * (1 + frame.index % 9)
    result = run_study(chosen, table(frame))
    return RecordedStudy(chosen, chosen.hash, datetime(2026, 9, 1, 8, 0, tzinfo=UTC), (result,))


def words_of(pdf: bytes) -> str:
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL)
    text = b"".join(zlib.decompressobj().decompress(part) for part in streams if part[:1] == b"x")
    return b" ".join(re.findall(rb"\((.*?)(?<!\\)\) Tj", text)).decode("latin-1").replace("\\", "")


def test_html_holds_plan_verdict_and_every_figure(study: RecordedStudy):
    page = as_html(study)
    one = study.results[0].outcomes[0]
    assert study.hash in page
    assert study.results[0].data_version in page
    assert "Numbers &lt;&amp; more&gt;" in page
    assert "<script" not in page
    assert "http" not in page.replace("http://www.w3.org", "")
    for gate in one.gates:
        assert gate.name in page
    for estimate in (one.main, one.sensitivity.naive, *one.sensitivity.others, *one.subgroups):
        assert f"{estimate.effect:+.4g}" in page
    assert page.count("<circle") == 5 + len(one.subgroups)
    assert "description" in page
    assert "caliper: 0.2" in page and "seed" in page, "what was left at its default was chosen too"


def test_pdf_holds_the_same_and_the_same_study_gives_the_same_file(study: RecordedStudy):
    pdf = as_pdf(study)
    assert pdf.startswith(b"%PDF")
    assert pdf == as_pdf(study)
    words = words_of(pdf)
    for block in blocks(study):
        assert block.heading.split()[0] in words
    assert f"{study.results[0].outcomes[0].main.effect:+.4g}" in words


def test_the_picture_holds_every_interval_nil_and_the_meaningful_size(study: RecordedStudy):
    drawn = next(block for block in blocks(study) if block.intervals)
    for value in (0.0, drawn.meaningful, *(end for one in drawn.intervals for end in (one.low, one.high))):
        assert 0 <= drawn.place(value, 100) <= 100


def test_a_study_that_has_not_run_prints_its_plan(study: RecordedStudy):
    waiting = RecordedStudy(study.plan, study.hash, study.planned_at, ())
    assert "Not run yet" in as_html(waiting)
    assert as_pdf(waiting).startswith(b"%PDF")
