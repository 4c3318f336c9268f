"""The static site of checks: one page a run that says what was asked and found, over Great Expectations' own pages.

The site is read inside school networks and by auditors who are not online, so that it asks nothing of any other host:
Great Expectations' pages lose the style sheets, scripts, logo and newsletter that they load from elsewhere, and its
index, which is empty without them, is replaced.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from pathlib import Path

from uptake.quality.suite import Result
from uptake.warehouse import durable

RUNS = "runs"
AREAS = {
    "checker": "The checker itself",
    "reconciliation": "Nothing lost, nothing twice",
    "privacy": "Groups and never a person",
    "marts": "Numbers that can be true",
    "landing": "Feeds alive and fresh",
}
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1d2733; max-width: 76rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.15rem; margin-top: 2rem; } h4, h5, h6 { margin: .6rem 0; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem; }
th { border-bottom: 2px solid #c7d0d9; } td { border-bottom: 1px solid #e4e9ee; }
code, pre { font: 12.5px/1.45 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere; }
.passed, .text-success { color: #1a7f4b; } .critical, .text-danger { color: #b3261e; font-weight: 600; }
.warning, .text-warning { color: #8a5a00; font-weight: 600; } .answer { font-size: 1.1rem; } small { color: #55606b; }
.fa-check-circle::before { content: "passed"; } .fa-times::before { content: "failed"; }
.fa-exclamation-triangle::before { content: "could not be run"; } i.fas { font-style: normal; }
"""
_ELSEWHERE = re.compile(
    r"<link[^>]+href=[\"']https?://[^>]*>"
    r"|<script[^>]+src=[\"']https?://[^>]*>\s*</script>"
    r"|<img[^>]+src=[\"']https?://[^>]*>"
    r"|<style>.*?</style>"
    r"|<script>.*?</script>"
    r"|<footer>.*?</footer>"
    r"|<div class=\"card mb-3\">\s*<div class=\"card-header p-2\">\s*<strong>Actions</strong>.*?</label>\s*</div>",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Run:
    """Counts of one earlier check run."""

    snapshot_id: str
    checked_at: datetime
    passed: int
    failed_critical: int
    failed_warning: int


def make_local(page: Path) -> None:
    """Take what a page of Great Expectations loads from other hosts out of it, and give it a style of its own."""
    text = _ELSEWHERE.sub("", page.read_text(encoding="utf-8"))
    page.write_text(text.replace("</head>", f"<style>{STYLE}</style></head>", 1), encoding="utf-8")


def write_run(site: Path, district_name: str, this: Run, results: Sequence[Result], runs: Sequence[Run]) -> None:
    """Write the page of this run and make it the index. `runs`, newest first, are those whose pages stay."""
    folder = site / RUNS
    folder.mkdir(parents=True, exist_ok=True)
    durable.write_text(folder / f"{this.snapshot_id}.html", _page(site, district_name, this, results, runs, "../"))
    durable.write_text(site / "index.html", _page(site, district_name, this, results, runs, ""))
    kept = {run.snapshot_id for run in runs}
    for page in folder.glob("*.html"):
        if page.stem not in kept:
            page.unlink()


def _page(site: Path, district_name: str, this: Run, results: Sequence[Result], runs: Sequence[Run], root: str) -> str:
    carried = sum(result.run_name != this.snapshot_id for result in results)
    failed = [result for result in results if not result.is_success]
    passed = [result for result in results if result.is_success]
    sections = _table("What failed", failed, this) if failed else ""
    for area, heading in AREAS.items():
        if found := [result for result in passed if result.area == area]:
            sections += _table(heading, found, this) + _own_pages(site, found, root)
    title = f"Do the numbers of {district_name} hold?"
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head><body>'
        f'<h1>{escape(title)}</h1><p class="answer">{_answer(this, carried)}</p>'
        f"<p><small>Candidate {escape(this.snapshot_id)}, checked {_moment(this.checked_at)}.</small></p>"
        f"{sections}{_earlier(runs, root)}</body></html>"
    )


def _answer(run: Run, carried: int) -> str:
    asked = run.passed + run.failed_critical + run.failed_warning
    answer = f"{run.passed} of {asked} checks passed."
    if carried:
        answer += (
            f" {carried} of them were not asked again, because nothing that they read has changed since they passed."
        )
    if run.failed_critical:
        answer += (
            f' <span class="critical">{run.failed_critical} critical failed: this candidate is not published</span>'
            " and the last good snapshot stays up."
        )
    elif run.failed_warning:
        answer += " The candidate may be published; what failed is a warning."
    else:
        answer += " The candidate may be published."
    return answer


def _table(heading: str, results: Sequence[Result], run: Run) -> str:
    worst_first = sorted(results, key=lambda result: (result.severity != "critical", result.check_id))
    return (
        f"<h2>{escape(heading)}</h2><table><thead><tr><th>Result<th>What must hold<th>What was found</tr></thead>"
        f"<tbody>{''.join(_row(result, run) for result in worst_first)}</tbody></table>"
    )


def _own_pages(site: Path, results: Sequence[Result], root: str) -> str:
    """Links to what Great Expectations wrote when these results came about."""
    suites = sorted({(result.area, result.audience, result.table, result.run_name) for result in results})
    links = ", ".join(
        f'<a href="{root}{page.relative_to(site).as_posix()}">{escape(f"{audience} {table}")}</a>'
        for area, audience, table, run_name in suites
        for page in sorted((site / "validations" / area / audience / table / run_name).glob("*/*.html"))
    )
    return f"<p><small>Great Expectations' own pages: {links}</small></p>" if links else ""


def _row(result: Result, run: Run) -> str:
    verdict = "passed" if result.is_success else result.severity
    query = (
        f"<details><summary>SQL</summary><pre>{escape(result.query.strip())}</pre></details>" if result.query else ""
    )
    carried = (
        ""
        if result.run_name == run.snapshot_id
        else f"<br><small>Found {_moment(result.checked_at)}; nothing that this check reads has changed since.</small>"
    )
    remedy = "" if result.is_success else f"<br><strong>To mend it:</strong> {escape(result.remedy)}"
    return (
        f'<tr><td class="{verdict}">{verdict if result.is_success else f"failed ({verdict})"}</td>'
        f"<td>{escape(result.description)}<br><code>{escape(result.check_id)}</code>{query}</td>"
        f"<td>{escape(result.observed)}{carried}{remedy}</td></tr>"
    )


def _earlier(runs: Sequence[Run], root: str) -> str:
    rows = "".join(
        f'<tr><td><a href="{root}{RUNS}/{escape(run.snapshot_id)}.html">{_moment(run.checked_at)}</a></td>'
        f"<td>{run.passed}</td><td>{run.failed_critical}</td><td>{run.failed_warning}</td></tr>"
        for run in runs
    )
    return (
        f"<h2>The last {len(runs)} runs</h2><table><thead><tr><th>Checked<th>Passed<th>Failed, critical"
        f"<th>Failed, warning</tr></thead><tbody>{rows}</tbody></table>"
    )


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
