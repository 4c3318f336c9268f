"""Check a candidate: run every suite, keep the history, and leave the verdict beside the candidate."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import duckdb

from uptake.config import District
from uptake.errors import PermanentError
from uptake.project import Project
from uptake.quality import history, pages, summary
from uptake.quality.suite import Facts, Result, from_plain
from uptake.quality.summary import CheckSummary, FailedCheck
from uptake.warehouse import durable
from uptake.warehouse.dbt import Steps
from uptake.warehouse.engine import quoted
from uptake.warehouse.snapshot import AUDIENCES, Audience, Candidate

EXPECTATIONS_VARIABLE = "UPTAKE_EXPECTATIONS"
CHECKER = "checker.works"
SHOWN_ROWS = 3
KEPT_PAGES = 20


class Checker:
    """The process that asks, for one check of one candidate. Use it as a context.

    Started before there is anything to check, it imports its libraries beside whatever else is done. It gives the
    verdict first and writes the pages of Great Expectations afterwards; leaving the context waits for them and writes
    the index.
    """

    def __init__(self, project: Project, district: District, *, expectations: Path | None = None) -> None:
        self._project = project
        self._district = district
        self._expectations = expectations or expectations_dir()
        self._said = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115 - see __exit__
        self._worker = subprocess.Popen(
            [sys.executable, "-m", "uptake.quality.worker"],
            # Its imports take twice as long where nothing that was compiled is kept.
            env={name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
            encoding="utf-8",
        )
        self._owes_pages = False
        self._write_index: Callable[[], None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        assert self._worker.stdin is not None and self._worker.stdout is not None
        with suppress(BrokenPipeError):
            self._worker.stdin.close()
        if self._write_index is None:
            self._worker.kill()
        code = self._worker.wait()
        self._worker.stdout.close()
        said = self._last_said(code)
        self._said.close()
        if self._write_index is not None:
            self._write_index()
            if self._owes_pages and code != 0 and error[0] is None:
                raise PermanentError(
                    f"the pages of the checks could not be written: {said}",
                    remedy="see whether the disk is full, then run `uptake check` again.",
                    district=self._district.id,
                )

    def run(self, candidate: Candidate, run_id: str, *, progress: Steps | None = None) -> CheckSummary:
        """Run every suite that has to run; write history and the candidate's checks.json.

        progress: is told how many of the checks that have to be asked have been.

        A failed check does not raise: publication does. A checker that cannot be trusted is a failed critical check
        too, and the only one, so that nothing it said is believed.
        """
        checked_at = datetime.now(UTC)
        results = _with_examples(candidate, self._ask(candidate, progress))
        history.record(
            self._project.operations,
            district=self._district.id,
            snapshot_id=candidate.id,
            run_id=run_id,
            results=results,
        )
        failed = [result for result in results if not result.is_success]
        verdict = CheckSummary(
            snapshot_id=candidate.id,
            passed=len(results) - len(failed),
            carried_over=sum(result.run_name != candidate.id for result in results),
            failed_critical=[_failed(result) for result in failed if _is_critical(result)],
            failed_warning=[_failed(result) for result in failed if not _is_critical(result)],
        )
        summary.save(verdict, candidate.path)

        def write_index() -> None:
            this = pages.Run(
                candidate.id, checked_at, verdict.passed, len(verdict.failed_critical), len(verdict.failed_warning)
            )
            runs = history.recent_runs(self._project.operations, self._district.id, limit=KEPT_PAGES)
            pages.write_run(self._project.data_docs / self._district.id, self._district.name, this, results, runs)

        self._write_index = write_index
        return verdict

    def _ask(self, candidate: Candidate, progress: Steps | None) -> list[Result]:
        """Everything that was found; what the suites found is kept for the next run, unless it cannot be believed."""
        assert self._worker.stdin is not None and self._worker.stdout is not None
        memory = self._project.state_dir / "checks" / f"{self._district.id}.json"
        request = {
            "expectations": str(self._expectations),
            "facts": asdict(facts_of(self._district, candidate)),
            "files": {audience: str(candidate.file(audience)) for audience in AUDIENCES},
            "digests": candidate.manifest["digests"],
            **_kept(memory),
            "stores": str(self._project.state_dir / "checks" / self._district.id),
            "site": str(self._project.data_docs / self._district.id),
            "run_name": candidate.id,
        }
        memory.unlink(missing_ok=True)  # until this run has an answer: one that dies leaves nothing to carry over
        with suppress(BrokenPipeError):
            self._worker.stdin.write(json.dumps(request) + "\n")
            self._worker.stdin.flush()
        said: dict[str, Any] = {}
        while not ("suites" in said or "broken" in said) and (answer := self._worker.stdout.readline()):
            said = json.loads(answer)
            if progress is not None and "now" in said:
                progress(said["done"], said["total"], said["now"])
        if not answer:
            last = self._last_said(self._worker.wait())
            return [_broken(candidate, last, "run `uptake check` again; if it stays, run `uptake doctor`.")]
        if "broken" in said:
            return [_broken(candidate, said["broken"], said["remedy"])]
        self._owes_pages = True
        kept = [one for one in said["suites"] if one["fingerprint"] is not None]
        durable.write_json(memory, {"kept": kept, "read": said["read"]})
        return [from_plain(result) for one in said["suites"] for result in one["results"]]

    def _last_said(self, code: int) -> str:
        self._said.seek(0)
        said = self._said.read().partition("nanobind: leaked")[0]  # DuckDB's noise at the end of its process
        return (said.strip().splitlines()[-1:] or [f"it ended with {code}"])[0]


def _kept(memory: Path) -> dict[str, Any]:
    """kept: what suites found. read: which tables their queries read."""
    try:
        kept: dict[str, Any] = json.loads(memory.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {"kept": [], "read": {}}
    return kept if "read" in kept else {"kept": [], "read": {}}


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
    tables: dict[Audience, dict[str, dict[str, str]]] = {audience: {} for audience in AUDIENCES}
    with duckdb.connect() as connection:
        for audience in AUDIENCES:
            connection.execute(f"ATTACH {quoted(str(candidate.file(audience)))} AS {audience} (READ_ONLY)")
        for audience, table, column, kind in connection.execute(
            "SELECT database_name, table_name, column_name, data_type FROM duckdb_columns() "
            "WHERE NOT internal ORDER BY database_name, table_name, column_index"
        ).fetchall():
            tables[audience].setdefault(table, {})[column] = kind
    return Facts(
        district=district.id,
        sources=tuple(source.name for source in district.sources),
        minimum_n=district.privacy.minimum_n,
        tables=tables,
        keys=candidate.manifest["keys"],
        refused=candidate.manifest["refused"],
    )


def _broken(candidate: Candidate, what: str, remedy: str) -> Result:
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
        checked_at=datetime.now(UTC),
        run_name=candidate.id,
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
