"""The one place that touches Great Expectations: its DuckDB mend, its stores, its pages, and what it found.

Great Expectations 1.24 connects to DuckDB and then answers `success=False` to most expectations without raising: it
closes the connection before it fetches, unless the dialect is one whose connection it keeps. `_keep_connection` adds
DuckDB to that list, and raises when the list is no longer where it was. Since a checker that is broken in silence is
worse than none, each file carries canaries: expectations whose result is known, on rows that are known. If one
misbehaves, nothing that the checker said is believed.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import great_expectations as gx
import great_expectations.expectations as gxe
from great_expectations.core import ExpectationSuiteValidationResult, ExpectationValidationResult
from great_expectations.core.batch_definition import BatchDefinition
from great_expectations.core.run_identifier import RunIdentifier
from great_expectations.data_context import EphemeralDataContext
from great_expectations.data_context.types.base import (
    DataContextConfig,
    InMemoryStoreBackendDefaults,
    ProgressBarsConfig,
)
from great_expectations.data_context.types.resource_identifiers import (
    ExpectationSuiteIdentifier,
    ValidationResultIdentifier,
)
from great_expectations.datasource.fluent import SQLDatasource
from great_expectations.datasource.fluent.sql_datasource import QueryAsset
from great_expectations.execution_engine import sqlalchemy_execution_engine

from uptake.errors import PermanentError
from uptake.quality.pages import make_local
from uptake.quality.suite import Result, Suite
from uptake.warehouse.snapshot import MEMORY_LIMIT, Audience

KEEP_RUNS = 20
CANARY_ROWS = "SELECT * FROM (VALUES (1, 'one'), (2, 'two'), (3, NULL)) AS canary (number, word)"
WHOLE = "whole"
_SITE = "site"
_DIALECTS = "_PERSISTED_CONNECTION_DIALECTS"

Outcome = dict[ValidationResultIdentifier, ExpectationSuiteValidationResult]


class CheckerBroken(PermanentError):
    """A canary misbehaved, or an expectation gave no result: nothing that the checker said can be believed."""


def validate(
    files: Mapping[Audience, Path],
    suites: Sequence[Suite],
    *,
    stores: Path,
    site: Path,
    run_name: str,
    carried: Collection[str] = (),
    progress: Callable[[int, int, str], None] = lambda done, total, now: None,
    answer: Callable[[list[Result]], None] = lambda results: None,
) -> list[Result]:
    """Run the suites and the canaries, keep the last runs in `stores`, and renew the pages of these suites in `site`.

    carried: names of suites that were asked before and stand; their pages stay.
    progress: is told how many of the checks are done, of how many, and of which suite the next are.
    answer: is given the results before the pages are written, which nobody who waits for a verdict needs.
    Raises CheckerBroken when a canary misbehaves or the number of results is not the number of expectations.
    """
    _keep_connection()
    asked = insist_on_ids(suites)
    _forget(stores, site, {*carried, *(suite.name for suite in suites)})
    with _context(stores, site) as context:
        run_id = RunIdentifier(run_name=run_name)
        outcome: Outcome = {}
        found: list[Result] = []
        total = len(asked) + len(files) * len(_KNOWN)
        for audience, file in files.items():
            canaries = Suite("canary", audience, "canary", _canaries(), query=CANARY_ROWS)
            asked_here = [canaries, *(suite for suite in suites if suite.audience == audience)]
            # Whole: with each asset that is added to a source by itself, all of its settings are written again.
            source = context.data_sources.add_sql(_source(audience, file, asked_here))
            for suite in asked_here:
                progress(len(found), total, suite.name)
                identifier, validation = _validation(source, suite, run_id)
                outcome[identifier] = validation
                found += _results(suite, validation, run_id)
        results = [result for result in found if result.area != "canary"]
        _believe(found, files)
        if sorted(result.check_id for result in results) != asked:
            raise CheckerBroken(f"{len(asked)} expectations were asked and {len(results)} answered")
        answer(results)
        _keep(context, suites, outcome)
        _build_pages(context, outcome, site, run_name)
    return results


def insist_on_ids(suites: Sequence[Suite]) -> list[str]:
    """The ids of all checks, in order. Raises ValueError when two have the same."""
    asked = sorted(check_id(expectation) for suite in suites for expectation in suite.expectations)
    if len(asked) != len(set(asked)):
        raise ValueError(f"check ids are not unique: {sorted({one for one in asked if asked.count(one) > 1})}")
    return asked


def _validation(
    source: SQLDatasource, suite: Suite, run_id: RunIdentifier
) -> tuple[ValidationResultIdentifier, ExpectationSuiteValidationResult]:
    """One suite's own validation, held by nothing yet: a validation definition, or a checkpoint over all suites, writes
    each down several times before it has run."""
    batch = source.get_asset(suite.name).get_batch_definition(WHOLE).get_batch()
    validation = batch.validate(
        _expected(suite),
        # No values: a page of the static site must not repeat what a check exists to keep out of sight.
        result_format={"result_format": "SUMMARY", "partial_unexpected_count": 0},
    )
    validation.meta |= {"run_id": run_id, "validation_time": run_id.run_time}
    name = ExpectationSuiteIdentifier(suite.name)
    return ValidationResultIdentifier(name, run_id, validation.batch_id), validation


def _expected(suite: Suite) -> gx.ExpectationSuite:
    return gx.ExpectationSuite(name=suite.name, expectations=list(suite.expectations))


def _keep(context: EphemeralDataContext, suites: Sequence[Suite], outcome: Outcome) -> None:
    """What was asked and what was found, where pages are made from and looked up later."""
    for suite in suites:
        context.suites.add(_expected(suite))
    for identifier, validation in outcome.items():
        context.validation_results_store.store_validation_results(validation, identifier)


def _source(audience: Audience, file: Path, suites: Sequence[Suite]) -> SQLDatasource:
    """One of the candidate's files, with an asset for each suite."""
    whole = [BatchDefinition(name=WHOLE)]
    settings = urlencode(
        {"access_mode": "read_only", "memory_limit": MEMORY_LIMIT, "file_search_path": str(file.parent)},
        quote_via=quote,
    )
    return SQLDatasource(
        name=audience,
        connection_string=f"duckdb:///{file}?{settings}",
        create_temp_table=False,
        assets=[
            # A table too is asked for as a query: its columns then come with its rows, not from a slow look-up.
            QueryAsset(name=suite.name, query=suite.batch, batch_definitions=whole)
            for suite in suites
        ],
    )


def check_id(expectation: Any) -> str:
    return str((expectation.meta or {})["check_id"])


class _Dialect(StrEnum):
    DUCKDB = "duckdb"


def _keep_connection() -> None:
    known = getattr(sqlalchemy_execution_engine, _DIALECTS, None)
    if not isinstance(known, tuple):
        raise CheckerBroken(
            f"Great Expectations has no {_DIALECTS} any more",
            remedy="see whether its DuckDB support works without the mend, and mend uptake.quality.gx.",
        )
    if _Dialect.DUCKDB not in known:
        setattr(sqlalchemy_execution_engine, _DIALECTS, (*known, _Dialect.DUCKDB))


# (what must come out, how many rows must be found) by canary
_KNOWN: dict[str, tuple[bool, int]] = {
    "canary.between.must_pass": (True, 0),
    "canary.rows.must_pass": (True, 0),
    "canary.null.must_fail": (False, 1),
    "canary.rows.must_fail": (False, 2),
}


def _canaries() -> list[Any]:
    def canary(expectation: Callable[..., Any], name: str, **arguments: Any) -> Any:
        description = f"Known beforehand: this check must {'pass' if _KNOWN[name][0] else 'fail'}."
        return expectation(description=description, meta={"check_id": name, "remedy": ""}, **arguments)

    return [
        canary(
            gxe.ExpectColumnValuesToBeBetween, "canary.between.must_pass", column="number", min_value=1, max_value=3
        ),
        canary(gxe.ExpectColumnValuesToNotBeNull, "canary.null.must_fail", column="word"),
        canary(
            gxe.UnexpectedRowsExpectation,
            "canary.rows.must_pass",
            unexpected_rows_query="SELECT number FROM {batch} WHERE regexp_matches(word, '^three$')",
        ),
        canary(
            gxe.UnexpectedRowsExpectation,
            "canary.rows.must_fail",
            unexpected_rows_query="SELECT number FROM {batch} WHERE regexp_matches(word, '^(one|two)$')",
        ),
    ]


def _believe(found: Sequence[Result], files: Mapping[Audience, Path]) -> None:
    for audience in files:
        seen = {
            result.check_id: (result.is_success, result.unexpected_rows)
            for result in found
            if result.area == "canary" and result.audience == audience
        }
        if seen != _KNOWN:
            wrong = sorted(name for name in _KNOWN if seen.get(name) != _KNOWN[name])
            raise CheckerBroken(
                f"the checker itself is broken: {', '.join(wrong)} on {audience}.duckdb gave "
                f"{[seen.get(name) for name in wrong]}",
                remedy="compare the installed great-expectations and duckdb-engine with requirements.lock.",
            )


def _results(suite: Suite, validation: ExpectationSuiteValidationResult, run_id: RunIdentifier) -> Iterator[Result]:
    checked_at = datetime.now(UTC)
    for result in validation.results:
        yield _result(suite, result, checked_at, str(run_id.run_name))


def _result(suite: Suite, result: ExpectationValidationResult, checked_at: datetime, run_name: str) -> Result:
    asked = result.expectation_config
    if asked is None:
        raise CheckerBroken("a result came without the expectation it belongs to")
    error = _exception(result)
    details = result.result or {}
    unexpected = details.get("unexpected_count")
    if asked.type == "unexpected_rows_expectation":
        unexpected = details.get("observed_value")
    if error:
        observed = f"the check could not be run: {error}"
    elif unexpected is not None:
        observed = (
            f"{unexpected} of {details['element_count']} rows" if "element_count" in details else _rows(unexpected)
        )
    else:
        observed = str(details.get("observed_value"))
    return Result(
        check_id=asked.meta["check_id"],
        area=suite.area,
        audience=suite.audience,
        table=suite.table,
        column=asked.kwargs.get("column"),
        # A warning that cannot be run is a broken promise of the table or of the check, and no longer a mere warning.
        severity="critical" if error else str(getattr(asked.severity, "value", asked.severity)),
        description=str(asked.description),
        remedy=asked.meta["remedy"],
        is_success=bool(result.success) and not error,
        observed=observed,
        unexpected_rows=int(unexpected) if unexpected is not None else None,
        query=asked.kwargs.get("unexpected_rows_query"),
        batch=f"({suite.batch}) AS batch",
        checked_at=checked_at,
        run_name=run_name,
    )


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"


def _exception(result: ExpectationValidationResult) -> str | None:
    """One line. GX puts either one exception or one for each metric here."""
    info = result.exception_info or {}
    one = [info] if "raised_exception" in info else list(info.values())
    messages = [str(each["exception_message"]) for each in one if each.get("raised_exception")]
    return " ".join(messages[0].split())[:300] if messages else None


@contextmanager
def _context(stores: Path, site: Path) -> Iterator[EphemeralDataContext]:
    """Results and pages are files. What is asked lives in memory: suites are code, and are written anew each time."""
    stores.mkdir(parents=True, exist_ok=True, mode=0o700)
    site.mkdir(parents=True, exist_ok=True)
    defaults = InMemoryStoreBackendDefaults()
    defaults.stores[defaults.validation_results_store_name]["store_backend"] = _folder(stores)
    defaults.data_docs_sites = {
        _SITE: {
            "class_name": "SiteBuilder",
            "show_how_to_buttons": False,
            "store_backend": _folder(site),
        }
    }
    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    context = gx.get_context(
        mode="ephemeral",
        project_config=DataContextConfig(
            store_backend_defaults=defaults,
            analytics_enabled=False,
            progress_bars=ProgressBarsConfig(globally=False),
        ),
    )
    try:
        yield context
    finally:
        for source in context.data_sources.all().values():
            source.get_execution_engine().close()


def _folder(path: Path) -> dict[str, str]:
    return {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(path)}


def _forget(stores: Path, site: Path, asked: Collection[str]) -> None:
    """Keep the results and pages of the last runs and, of each suite that is still asked, of its last one, which may be
    older. No page of a suite that is no longer asked."""
    runs: dict[Path, set[Path]] = {}
    for file in stores.rglob("*.json"):
        run = file.parent.parent  # <suite>/<run name>/<run time>/<batch>.json
        runs.setdefault(run.parent, set()).add(run)
    last = sorted({run.name for found in runs.values() for run in found})[-(KEEP_RUNS - 1) :]
    for suite, found in runs.items():
        stays = {max(found)} if _name(suite.relative_to(stores)) in asked else set()
        for run in found - stays:
            if run.name not in last:
                shutil.rmtree(run)
                shutil.rmtree(site / "validations" / run.relative_to(stores), ignore_errors=True)
    for page in (site / "expectations").rglob("*.html"):
        if _name(page.relative_to(site / "expectations").with_suffix("")) not in asked:
            page.unlink()


def _name(path: Path) -> str:
    return ".".join(path.parts)


def _build_pages(context: EphemeralDataContext, outcome: Outcome, site: Path, run_name: str) -> None:
    """Pages of this run. The canaries get none: a check that fails each time would frighten a reader.

    No index: `uptake.quality.pages` writes one that works without other hosts.
    """
    identifiers: list[Any] = [
        identifier for identifier in outcome if not identifier.expectation_suite_identifier.name.startswith("canary.")
    ]
    if not identifiers:
        return
    suites = [identifier.expectation_suite_identifier for identifier in identifiers]
    context.build_data_docs(site_names=[_SITE], resource_identifiers=[*identifiers, *suites], build_index=False)
    asked = [site / "expectations" / f"{suite.name.replace('.', '/')}.html" for suite in suites]
    for page in [*site.glob(f"validations/**/{run_name}/**/*.html"), *asked]:
        make_local(page)
