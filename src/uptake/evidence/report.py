"""A study's printed report, as HTML and as PDF: everything that a statistician needs to check it, on paper.

Both are made from the same blocks. The PDF uses a built-in font that knows Western European letters only; other letters
appear as `?` there and whole in the HTML.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.resources import files

import fpdf
from jinja2 import Environment, StrictUndefined

from uptake.evidence.plan import StudyPlan
from uptake.evidence.run import Estimate, OutcomeResult, StudyResult
from uptake.evidence.store import RecordedStudy

WARNINGS = (
    "Motivated and present students use more.",
    "Remedial tools go to weak students.",
    "Those who used it as recommended are few and unlike the rest.",
    "Fast students finish early; classes share a dose; minutes are measured with error.",
    "Several tools come at once, and the test may be inside one of them.",
)
PLAIN = str.maketrans({"—": "-", "–": "-", "…": "...", "→": "->", "≥": ">=", "≤": "<=", "−": "-", "’": "'"})


@dataclass(frozen=True)
class Interval:
    """A line of the picture: an estimate and its interval, in standard deviations."""

    name: str
    at: float
    low: float
    high: float
    is_main: bool = False


@dataclass(frozen=True)
class Block:
    """A part of the report: heading, paragraphs, a picture of intervals, a table; each may be empty."""

    heading: str
    paragraphs: tuple[str, ...] = ()
    intervals: tuple[Interval, ...] = ()
    meaningful: float = 0.0
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    is_lead: bool = field(default=False)

    @property
    def reach(self) -> tuple[float, float]:
        """Ends of the picture's scale: all intervals, nil and the meaningful size."""
        ends = [0.0, self.meaningful, *(end for one in self.intervals for end in (one.low, one.high))]
        low, high = min(ends), max(ends)
        margin = 0.05 * (high - low or 1.0)
        return low - margin, high + margin

    def place(self, value: float, width: float) -> float:
        low, high = self.reach
        return width * (value - low) / (high - low)


def blocks(study: RecordedStudy) -> Iterator[Block]:
    """The report of a study's newest result, the answer first. A study that has not run has a plan only."""
    plan = study.plan
    result = study.results[-1] if study.results else None
    if result is not None:
        for one in result.outcomes:
            yield from _outcome(plan, one)
    yield _plan(study)
    yield _method(study, result)


def _outcome(plan: StudyPlan, one: OutcomeResult) -> Iterator[Block]:
    yield Block(heading=one.outcome, paragraphs=(one.verdict.sentence, one.verdict.essa), is_lead=True)
    found = one.sensitivity
    ways = [one.main, *((found.naive, *found.others) if found else ()), *one.subgroups]
    drawn = tuple(
        Interval("this study" if i == 0 else way.name, way.g, way.g_low, way.g_high, i == 0)
        for i, way in enumerate(ways)
        if way.g is not None and way.g_low is not None and way.g_high is not None
    )
    if drawn:
        yield Block(
            heading="Effect and interval, by this and by other ways",
            paragraphs=(
                "In standard deviations of the students (Hedges g; Cox index where the outcome is yes or no). The "
                f"dashed line is the size that was named as worth having, {plan.meaningful_effect:g}.",
            ),
            intervals=drawn,
            meaningful=plan.meaningful_effect,
        )
    yield Block(
        heading="Every figure",
        columns=("estimate", "effect", "SE", "df", "interval", "p", "g", "points", "with", "without"),
        rows=tuple(map(_figures, ways)),
    )
    yield Block(heading="How sure", paragraphs=tuple(_how_sure(plan, one)))
    yield Block(
        heading="Gates",
        columns=("gate", "result", "limit", "what it says"),
        rows=tuple((gate.name, gate.status.replace("_", " "), gate.limit, gate.meaning) for gate in one.gates),
    )
    yield Block(
        heading="Who is in it",
        columns=("step", "rows", "with the tool", "without"),
        rows=tuple(
            (step["step"], _count(step["rows"]), _count(step["treated"]), _count(step["comparison"]))
            for step in one.flow
        ),
    )
    if one.balance:
        yield Block(
            heading="Were the groups alike before?",
            columns=("covariate", "g before", "g in the analysis", "ratio of variances"),
            rows=tuple(
                (row.covariate, _number(row.g_before), _number(row.g), _number(row.variance_ratio, "{:.2f}"))
                for row in one.balance
            ),
        )
    if one.dose:
        yield Block(
            heading="Use and outcome (a description: it does not say that use is why)",
            paragraphs=(" ".join(WARNINGS),),
            columns=("use from", "to", "students", "difference from those without", "interval"),
            rows=tuple(
                (
                    f"{part.low:.4g}",
                    f"{part.high:.4g}",
                    _count(part.n or None),
                    _number(part.effect, "{:+.4g}"),
                    _ends(part.effect_low, part.effect_high),
                )
                for part in one.dose
            ),
        )


def _figures(one: Estimate) -> tuple[str, ...]:
    if one.effect is None:
        return (one.name, one.hidden, *[""] * 8)
    p = one.p if one.p_adjusted is None else one.p_adjusted
    return (
        one.name,
        f"{one.effect:+.4g}",
        f"{one.se:.3g} {one.variance}",
        f"{one.df:.1f}",
        _ends(one.low, one.high),
        "<0.001" if p is not None and p < 0.001 else _number(p, "{:.3f}"),
        _number(one.g),
        _number(one.percentile_points, "{:+.1f}"),
        _count(one.n_treated),
        _count(one.n_comparison),
    )


def _how_sure(plan: StudyPlan, one: OutcomeResult) -> Iterator[str]:
    main, found = one.main, one.sensitivity
    if main.probability_above_zero is not None:
        yield (
            f"Probability of an effect above nil {main.probability_above_zero:.3f}, above {plan.meaningful_effect:g}: "
            f"{main.probability_meaningful:.3f}, with a normal prior of mean {plan.prior.mean:g} and SD "
            f"{plan.prior.sd:g}. With a power of {plan.power:.0%} this study finds effects from g "
            f"{main.minimum_detectable_g:.3f} on."
        )
    if one.on_users is not None:
        users = one.on_users
        yield (
            f"Effect on those who used it because it was offered: {users.effect:+.4g} (SE {users.se:.3g}, interval "
            f"{_ends(users.low, users.high)}); the offer moved use by {users.first_stage:+.3g} "
            f"(F {users.first_stage_f:.1f})."
        )
    if found is None:
        return
    if found.wild_p is not None:
        p = "<0.001" if found.wild_p < 0.001 else f"{found.wild_p:.3f}"
        yield f"Wild cluster bootstrap: p {p}, interval {_ends(found.wild_low, found.wild_high)}."
    if found.without_one_site_low is not None:
        yield f"With each site left out in turn: {_ends(found.without_one_site_low, found.without_one_site_high)}."
    if found.robustness_value is not None:
        text = f"An unseen cause would have to explain {found.robustness_value:.1%} of what is left of both use and "
        text += f"outcome to explain all of it away; E-value {found.e_value:.2f}."
        if found.as_strong_as is not None:
            text += f" One as strong as {found.as_strong_as} would leave {found.effect_if_unseen_as_strong:+.4g}."
        yield text
    yield from found.notes


def _plan(study: RecordedStudy) -> Block:
    given = study.plan.model_dump(mode="json")
    if study.plan.design != "matched":
        del given["matching"]
    return Block(
        heading="The plan, as it was frozen",
        paragraphs=(f"On record since {study.planned_at:%Y-%m-%d %H:%M} UTC. SHA-256 {study.hash}",),
        columns=("part", "value"),
        rows=tuple((name, _said(value)) for name, value in given.items() if value not in (None, "", [])),
    )


def _said(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_said(part)}" for name, part in value.items() if part not in (None, "", []))
    if isinstance(value, list | tuple):
        return "; ".join(map(_said, value))
    return str(value)


def _method(study: RecordedStudy, result: StudyResult | None) -> Block:
    run = "Not run yet." if result is None else (
        f"Run {result.run_at:%Y-%m-%d %H:%M} UTC with Uptake {result.code_version} on data {result.data_version}."
    )  # fmt: skip
    return Block(
        heading="Data, method, code",
        paragraphs=(
            run,
            "Design and method: docs/evidence.md of that version. The same plan, data and code give the same figures. "
            f"Run it again: uptake study run {study.short}",
        ),
    )


def _number(value: float | None, form: str = "{:+.3f}") -> str:
    return "—" if value is None else form.format(value)


def _count(value: int | None) -> str:
    return "—" if value is None else f"{value:,}"


def _ends(low: float | None, high: float | None) -> str:
    return " to ".join("no bound" if end is None else f"{end:.4g}" for end in (low, high))


def as_html(study: RecordedStudy) -> str:
    """One page without any script or outside file, made to be printed."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string((files("uptake.evidence") / "report.html").read_text(encoding="utf-8"))
    return template.render(study=study, blocks=list(blocks(study)))


def as_pdf(study: RecordedStudy) -> bytes:
    """The same on A4. The date of making is the run's, so that the same study gives the same file."""
    page = fpdf.FPDF(format="A4")
    page.set_creation_date(study.results[-1].run_at if study.results else study.planned_at)
    page.set_title(_latin(study.plan.question))
    page.set_margins(15, 15)
    page.set_auto_page_break(True, 15)
    page.add_page()
    _write(page, study.plan.question, 16, "B")
    _write(page, f"{study.plan.tool} · {study.plan.design.replace('_', ' ')} · study {study.short}", 9)
    for block in blocks(study):
        page.ln(3)
        _write(page, block.heading, 13 if block.is_lead else 11, "B")
        for text in block.paragraphs:
            _write(page, text, 11 if block.is_lead else 9)
        if block.intervals:
            _draw(page, block)
        if block.rows:
            _table(page, block)
    return bytes(page.output())


def _latin(text: str) -> str:
    return unicodedata.normalize("NFC", text).translate(PLAIN).encode("latin-1", "replace").decode("latin-1")


def _write(page: fpdf.FPDF, text: str, size: int, style: str = "") -> None:
    page.set_font("helvetica", style, size)
    page.multi_cell(0, size * 0.5, _latin(text), new_x="LMARGIN", new_y="NEXT", align="L")
    page.ln(1)


def _table(page: fpdf.FPDF, block: Block) -> None:
    widest = [max(len(row[i]) for row in (block.columns, *block.rows)) for i in range(len(block.columns))]
    shares = tuple(min(max(width, 6), 60) for width in widest)
    page.set_font("helvetica", "", 7)
    with page.table(col_widths=shares, line_height=3.5, borders_layout="HORIZONTAL_LINES", text_align="LEFT") as table:
        for row in (block.columns, *block.rows):
            table.row([_latin(cell) for cell in row])


def _draw(page: fpdf.FPDF, block: Block) -> None:
    left, width, step = page.l_margin + 62, page.epw - 64, 5.0
    if page.will_page_break(step * (len(block.intervals) + 1)):
        page.add_page()
    top = page.get_y()
    bottom = top + step * len(block.intervals)
    page.set_draw_color(120)
    page.line(left + block.place(0, width), top, left + block.place(0, width), bottom)
    page.set_dash_pattern(dash=1, gap=1)
    page.line(left + block.place(block.meaningful, width), top, left + block.place(block.meaningful, width), bottom)
    page.set_dash_pattern()
    page.set_font("helvetica", "", 8)
    for i, one in enumerate(block.intervals):
        y = top + step * (i + 0.5)
        page.set_draw_color(20 if one.is_main else 110)
        page.text(page.l_margin, y + 1, _latin(one.name[:40]))
        page.line(left + block.place(one.low, width), y, left + block.place(one.high, width), y)
        page.circle(left + block.place(one.at, width), y, 1.0 if one.is_main else 0.6, style="F")
    page.set_draw_color(0)
    page.set_y(bottom + 2)
