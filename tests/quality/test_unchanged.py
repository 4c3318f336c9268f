"""What a suite's results depend on is known, or the suite runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from uptake.quality.suite import Result, Suite
from uptake.quality.unchanged import LONGEST, Fingerprints, Kept, code_digest, tables_read

KNOWN = {"pupil", "school"}


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    return duckdb.connect()


@pytest.mark.parametrize(
    ("query", "tables"),
    [
        ("SELECT * FROM pupil", {"pupil"}),
        ("SELECT * FROM (SELECT 1) WHERE x IN (SELECT y FROM school)", {"school"}),
        ("WITH a AS (SELECT * FROM pupil), b AS (FROM a) SELECT * FROM b JOIN school USING (key)", KNOWN),
        ("WITH pupil AS (SELECT 1) SELECT * FROM pupil", {"pupil"}),
        ("SELECT count(*) FILTER (WHERE nullif(a, 1) IS NULL), lag(b) OVER (ORDER BY c) FROM pupil", {"pupil"}),
        ("SELECT name FROM (SELECT unnest(['a']) AS name) AS wanted", set()),
        ("SELECT * FROM elsewhere", None),
        ("SELECT * FROM other.pupil", None),
        ("SELECT * FROM 'file.parquet'", None),
        ("SELECT * FROM read_parquet('file.parquet')", None),
        ("SELECT * FROM duckdb_columns()", None),
        ("SELECT * FROM pupil WHERE ends_on < current_date", None),
        ("SELECT * FROM pupil WHERE ends_on < today()", None),
        ("SELECT * FROM pupil WHERE seen_at < now() - INTERVAL 1 DAY", None),
        ("SELECT * FROM pupil WHERE seen_at < CURRENT_TIMESTAMP", None),
        ("SELECT * FROM pupil WHERE random() < 0.5", None),
        ("SELECT * FROM pupil USING SAMPLE 10 ROWS", None),
        ("SELECT * FROM pupil TABLESAMPLE 10%", None),
        ("SELECT this is not SQL", None),
        ("SELECT my_macro(a) FROM pupil", None),
    ],
)
def test_what_a_query_reads(connection: duckdb.DuckDBPyConnection, query: str, tables: set[str] | None) -> None:
    assert tables_read(connection, {"suite": [query]}, KNOWN) == {"suite": tables}
    # One that is not known makes the suite unknown, wherever it stands.
    assert tables_read(connection, {"suite": ["FROM pupil", query]}, KNOWN) == {
        "suite": None if tables is None else tables | {"pupil"}
    }


def result(check_id: str, *, is_success: bool, checked_at: datetime) -> Result:
    return Result(
        check_id=check_id,
        area="marts",
        audience="leaders",
        table="mart_value",
        column=None,
        severity="critical",
        description="What must hold.",
        remedy="What to do.",
        is_success=is_success,
        observed="0 rows",
        unexpected_rows=0,
        query=None,
        batch="mart_value",
        checked_at=checked_at,
        run_name="a",
    )


NOW = datetime(2026, 4, 14, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("fingerprint", "age", "is_success", "stands"),
    [
        ("same", timedelta(hours=1), True, True),
        ("other", timedelta(hours=1), True, False),
        (None, timedelta(hours=1), True, False),
        ("same", timedelta(hours=1), False, False),
        ("same", LONGEST, True, False),
        ("same", timedelta(hours=-1), True, False),  # a clock that was set back
    ],
)
def test_what_stands(fingerprint: str | None, age: timedelta, is_success: bool, stands: bool) -> None:
    results = [
        result("marts.fine", is_success=True, checked_at=NOW),
        result("marts.other", is_success=is_success, checked_at=NOW - age),
    ]
    assert Kept("marts.leaders.mart_value", "same", results).stands(fingerprint, NOW) == stands


def test_other_code_is_another_digest(tmp_path: Path) -> None:
    (tmp_path / "within").mkdir()
    code = tmp_path / "within" / "marts.py"
    code.write_text("LOW = 0")
    before = code_digest([tmp_path])
    assert code_digest([tmp_path]) == before
    code.write_text("LOW = 1")
    assert code_digest([tmp_path]) != before


def test_what_queries_read_is_looked_for_once(tmp_path: Path) -> None:
    file, gone = tmp_path / "leaders.duckdb", tmp_path / "gone.duckdb"
    duckdb.connect(str(file)).close()
    suites = [Suite("marts", "leaders", "pupil", []), Suite("marts", "leaders", "now", [], query="SELECT now()")]

    def of(file: Path, digests: dict[str, str], read: dict[str, list[str] | None], code: str = "a") -> Fingerprints:
        found = Fingerprints({"leaders": file}, {"leaders": digests}, code, read)
        fingerprints = found.of(suites)
        assert fingerprints["marts.leaders.pupil"] is not None and fingerprints["marts.leaders.now"] is None
        return found

    first = of(file, {"pupil": "1", "school": "1"}, {})
    again = of(gone, {"pupil": "2", "school": "1"}, first.read | {"of an earlier code": []})
    assert again.read == first.read
    assert again.of(suites) != first.of(suites)
    # Another table may change what a name means, and other code how it is read.
    for digests, code in (({"pupil": "1"}, "a"), ({"pupil": "1", "school": "1"}, "b")):
        assert not set(of(file, digests, first.read, code).read) & set(first.read)
