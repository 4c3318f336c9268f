"""Check a candidate: run every suite, keep the history, and leave the verdict beside the candidate."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from uptake.config import District
from uptake.errors import PermanentError
from uptake.project import Project
from uptake.quality import history, pages, summary
from uptake.quality.suite import Columns, Facts, Result
from uptake.quality.summary import CheckSummary, FailedCheck
from uptake.warehouse.snapshot import AUDIENCES, Audience, Candidate

EXPECTATIONS_VARIABLE = "UPTAKE_EXPECTATIONS"
CHECKER = "checker.works"
SHOWN_ROWS = 3
KEPT_PAGES = 20


def run_checks(
    project: Project, district: District, candidate: Candidate, run_id: str, *, expectations: Path | None = None
) -> CheckSummary:
    """Run every suite on the candidate's files; write history, the static site and the candidate's checks.json.

    A failed check does not raise: publication does. A checker that cannot be trusted is a failed critical check too,
    and the only one, so that nothing it said is believed.
    """
    checked_at = datetime.now(UTC)
    facts = facts_of(district, candidate)
    results = _ask(project, district, candidate, facts, expectations or expectations_dir())
    results = _with_examples(candidate, results)
    history.record(
        project.operations,
        district=district.id,
        snapshot_id=candidate.id,
        run_id=run_id,
        checked_at=checked_at,
        results=results,
    )
    verdict = CheckSummary(
        snapshot_id=candidate.id,
        passed=sum(result.is_success for result in results),
        failed_critical=[_failed(result) for result in results if not result.is_success and _is_critical(result)],
        failed_warning=[_failed(result) for result in results if not result.is_success and not _is_critical(result)],
    )
    summary.save(verdict, candidate.path)
    this = pages.Run(
        candidate.id, checked_at, verdict.passed, len(verdict.failed_critical), len(verdict.failed_warning)
    )
    runs = history.recent_runs(project.operations, district.id, limit=KEPT_PAGES)
    pages.write_run(project.data_docs / district.id, district.name, this, results, runs)
    return verdict


def expectations_dir() -> Path:
    """$UPTAKE_EXPECTATIONS, else expectations beside the source tree, else in the working folder."""
    named = os.environ.get(EXPECTATIONS_VARIABLE)
    beside = Path(__file__).resolve().parents[3] / "expectations"
    for place in [Path(named)] if named else [beside, Path.cwd() / "expectations"]:
        if (place / "__init__.py").exists():
            return place.resolve()
    raise PermanentError(
        "the expectations are not where they were looked for",
        remedy=f"set {EXPECTATIONS_VARIABLE} to the folder expectations.",
    )


def facts_of(district: District, candidate: Candidate) -> Facts:
    """What suites may know of the candidate: read from its files, never from its rows."""
    tables: dict[Audience, Mapping[str, Columns]] = {}
    for audience in AUDIENCES:
        found: dict[str, dict[str, str]] = {}
        with candidate.open(audience) as connection:
            for table, column, kind in connection.execute(
                "SELECT table_name, column_name, data_type FROM duckdb_columns() "
                "WHERE NOT internal ORDER BY table_name, column_index"
            ).fetchall():
                found.setdefault(table, {})[column] = kind
        tables[audience] = found
    return Facts(
        district=district.id,
        sources=tuple(source.name for source in district.sources),
        minimum_n=district.privacy.minimum_n,
        tables=tables,
        keys=candidate.manifest["keys"],
        refused=candidate.manifest["refused"],
    )


def _ask(project: Project, district: District, candidate: Candidate, facts: Facts, expectations: Path) -> list[Result]:
    with tempfile.TemporaryDirectory(prefix="uptake-check-") as folder:
        request, answer = Path(folder, "request.json"), Path(folder, "answer.json")
        request.write_text(
            json.dumps(
                {
                    "expectations": str(expectations),
                    "facts": asdict(facts),
                    "files": {audience: str(candidate.file(audience)) for audience in AUDIENCES},
                    "stores": str(project.state_dir / "checks" / district.id),
                    "site": str(project.data_docs / district.id),
                    "run_name": candidate.id,
                }
            ),
            encoding="utf-8",
        )
        worker = subprocess.run(
            [sys.executable, "-m", "uptake.quality.worker", request, answer],
            # Its imports take twice as long where nothing that was compiled is kept.
            env={name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
            capture_output=True,
            text=True,
            check=False,
        )
        if not answer.exists():
            said_last = worker.stderr.partition("nanobind: leaked")[0]  # DuckDB's noise at the end of its process
            last = said_last.strip().splitlines()[-1:] or [f"it ended with {worker.returncode}"]
            return [_broken(last[0], "run `uptake check` again; if it stays, run `uptake doctor`.")]
        said: dict[str, Any] = json.loads(answer.read_text(encoding="utf-8"))
    if "broken" in said:
        return [_broken(said["broken"], said["remedy"])]
    return [Result(**result) for result in said["results"]]


def _broken(what: str, remedy: str) -> Result:
    return Result(
        check_id=CHECKER,
        area="checker",
        audience="leaders",
        table="",
        column=None,
        severity="critical",
        description="The checker itself works: on rows that are known it finds what is known.",
        remedy=remedy,
        is_success=False,
        observed=f"the checker itself is broken: {what.removeprefix('the checker itself is broken: ')}",
        unexpected_rows=None,
        query=None,
        batch="",
    )


def _with_examples(candidate: Candidate, results: Sequence[Result]) -> list[Result]:
    """Add the first rows that a failed query brings. Its columns are keys and counts, chosen to be shown."""
    explained = []
    for result in results:
        if result.is_success or result.query is None or not result.unexpected_rows:
            explained.append(result)
            continue
        query = result.query.format(batch=result.batch)
        with candidate.open(result.audience) as connection:
            found = connection.execute(f"SELECT * FROM ({query}) AS found LIMIT {SHOWN_ROWS}")
            names = [column[0] for column in found.description]
            rows = [
                ", ".join(f"{name} {value}" for name, value in zip(names, row, strict=True)) for row in found.fetchall()
            ]
        explained.append(replace(result, observed=f"{result.observed}: {'; '.join(rows)}"))
    return explained


def _is_critical(result: Result) -> bool:
    return result.severity != "warning"


def _failed(result: Result) -> FailedCheck:
    return FailedCheck(
        check_id=result.check_id,
        suite=result.area,
        table=result.table,
        column=result.column,
        severity=result.severity,
        description=result.description,
        observed=result.observed,
        remedy=result.remedy,
    )
