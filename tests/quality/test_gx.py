"""The one module that knows Great Expectations: these tests fail when a new version of it behaves in another way."""

from __future__ import annotations

from pathlib import Path

import duckdb
import great_expectations.expectations as gxe
import pytest
from great_expectations.execution_engine import sqlalchemy_execution_engine

from uptake.quality import gx
from uptake.quality.suite import Result, Suite, check
from uptake.warehouse.snapshot import Audience

MENDED = "_PERSISTED_CONNECTION_DIALECTS"


@pytest.fixture
def files(tmp_path: Path) -> dict[Audience, Path]:
    made: dict[Audience, Path] = {"leaders": tmp_path / "leaders.duckdb", "restricted": tmp_path / "restricted.duckdb"}
    for file in made.values():
        with duckdb.connect(str(file)) as connection:
            connection.execute("CREATE TABLE pupil AS SELECT md5(range::VARCHAR) AS key, range AS number FROM range(5)")
            connection.execute("INSERT INTO pupil SELECT * FROM pupil WHERE number = 3")
    return made


def validate(files: dict[Audience, Path], *expectations: object, run_name: str = "run") -> dict[str, Result]:
    folder = files["leaders"].parent
    suite = Suite("marts", "leaders", "pupil", list(expectations))  # type: ignore[arg-type]
    results = gx.validate(files, [suite], stores=folder / "stores", site=folder / "site", run_name=run_name)
    return {result.check_id: result for result in results}


def expect(
    expectation: object, check_id: str = "some.check", severity: str = "critical", **arguments: object
) -> object:
    return check(expectation, check_id, "What must hold.", "What to do.", severity=severity, **arguments)  # type: ignore[arg-type]


def test_results_are_true_of_the_rows(files: dict[Audience, Path]) -> None:
    found = validate(
        files,
        expect(gxe.ExpectTableRowCountToBeBetween, "rows", min_value=6, max_value=6),
        expect(gxe.ExpectColumnValuesToBeUnique, "unique", column="number"),
        expect(gxe.ExpectColumnValuesToBeBetween, "between", column="number", max_value=4),
        expect(gxe.ExpectCompoundColumnsToBeUnique, "both", column_list=["key", "number"]),
        expect(
            gxe.UnexpectedRowsExpectation,
            "braces",
            "warning",
            unexpected_rows_query="SELECT number FROM {batch} "
            "WHERE regexp_matches(key, '^[0-9a-f]{{32}}$') AND number < 2",
        ),
    )
    assert {check_id: result.is_success for check_id, result in found.items()} == {
        "rows": True,
        "unique": False,
        "between": True,
        "both": False,
        "braces": False,
    }
    assert (found["unique"].unexpected_rows, found["unique"].observed) == (2, "2 of 6 rows")
    assert (found["braces"].unexpected_rows, found["braces"].observed) == (2, "2 rows")
    assert (found["braces"].severity, found["unique"].severity) == ("warning", "critical")
    assert (found["unique"].column, found["unique"].remedy) == ("number", "What to do.")


def test_the_mend_is_still_where_it_was_and_still_needed(
    files: dict[Audience, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """When this fails, Great Expectations has changed: read its notes on DuckDB, then drop or move the mend."""
    known = [d for d in getattr(sqlalchemy_execution_engine, MENDED) if d != "duckdb"]
    monkeypatch.setattr(sqlalchemy_execution_engine, MENDED, tuple(known))
    monkeypatch.setattr(gx, "_keep_connection", lambda: None)
    with pytest.raises(gx.CheckerBroken, match="the checker itself is broken"):
        validate(files, expect(gxe.ExpectColumnValuesToNotBeNull, column="number"))


def test_a_mend_that_has_no_place_any_more_is_an_error(
    files: dict[Audience, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(sqlalchemy_execution_engine, MENDED)
    with pytest.raises(gx.CheckerBroken, match=MENDED):
        validate(files, expect(gxe.ExpectColumnValuesToNotBeNull, column="number"))


@pytest.mark.parametrize(
    "rows",
    [
        "(1, 'one'), (2, 'two'), (3, 'three')",  # what must fail does not, and what must pass does not
        "(1, 'one'), (2, NULL), (3, NULL)",  # fails, but not with what is known
        "(7, 'one'), (2, 'two'), (3, NULL)",  # what must pass fails
    ],
)
def test_a_checker_that_does_not_find_what_is_known_is_not_believed(
    files: dict[Audience, Path], monkeypatch: pytest.MonkeyPatch, rows: str
) -> None:
    monkeypatch.setattr(gx, "CANARY_ROWS", f"SELECT * FROM (VALUES {rows}) AS canary (number, word)")
    with pytest.raises(gx.CheckerBroken, match="the checker itself is broken"):
        validate(files, expect(gxe.ExpectColumnValuesToNotBeNull, column="number"))


def test_a_lost_result_is_not_a_passed_one(files: dict[Audience, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    everything = gx._results
    monkeypatch.setattr(gx, "_results", lambda *given: [r for r in everything(*given) if r.check_id != "lost"])
    with pytest.raises(gx.CheckerBroken, match="2 expectations were asked and 1 answered"):
        validate(
            files,
            expect(gxe.ExpectColumnValuesToNotBeNull, "lost", column="number"),
            expect(gxe.ExpectColumnValuesToNotBeNull, "kept", column="key"),
        )


def test_a_check_that_cannot_run_is_critical_even_as_a_warning(files: dict[Audience, Path]) -> None:
    found = validate(files, expect(gxe.ExpectColumnValuesToNotBeNull, severity="warning", column="absent"))
    result = found["some.check"]
    assert (result.is_success, result.severity) == (False, "critical")
    assert result.observed.startswith("the check could not be run: ")
    assert "absent" in result.observed


def test_two_checks_of_one_id_are_refused(files: dict[Audience, Path]) -> None:
    one = expect(gxe.ExpectColumnValuesToNotBeNull, column="number")
    two = expect(gxe.ExpectColumnValuesToNotBeNull, column="key")
    with pytest.raises(ValueError, match="some\\.check"):
        validate(files, one, two)


def test_pages_and_stores_hold_the_last_runs_and_no_person(
    files: dict[Audience, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gx, "KEEP_RUNS", 3)
    folder = files["leaders"].parent
    for run in range(5):
        validate(files, expect(gxe.ExpectColumnValuesToBeUnique, column="key"), run_name=f"run-{run}")
    stored = {path.parent.parent.name for path in (folder / "stores").rglob("*.json")}
    assert stored == {"run-2", "run-3", "run-4"}
    pages = list((folder / "site" / "validations").rglob("*.html"))
    assert {path.parent.parent.name for path in pages} == {"run-2", "run-3", "run-4"}
    assert not [path for path in pages if "canary" in path.parts]
    person = duckdb.connect().sql("SELECT md5('3')").fetchall()[0][0]
    written = [*folder.rglob("*.html"), *folder.rglob("*.json")]
    assert written
    for path in written:
        assert person not in path.read_text(), path
    assert "What must hold." in max(pages).read_text()
    for path in [*(folder / "site").rglob("*.html")]:
        assert "://" not in path.read_text(), path
