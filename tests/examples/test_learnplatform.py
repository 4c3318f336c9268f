"""The LearnPlatform example from dropped files to marts: the counts that are known of the set must come out exactly.

The whole set is tested where ../shared/data holds it, elsewhere the excerpt in tests/data.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest
from sqlalchemy import func, select

from uptake import pipeline
from uptake.operations.models import Outcome
from uptake.operations.session import reading
from uptake.project import Project
from uptake.warehouse.publish import current_snapshot

REPOSITORY = Path(__file__).parents[2]
EXAMPLE = REPOSITORY / "examples" / "learnplatform" / "uptake.yaml"
EXCERPT = REPOSITORY / "tests" / "data" / "learnplatform"
WHOLE = REPOSITORY.parent / "shared" / "data" / "learnplatform"
DISTRICT = "learnplatform"


@dataclass(frozen=True)
class Expected:
    files: int
    rows: int
    days: int
    products: int  # distinct lp_id, the blank one included
    without_engagement: int
    without_product: int
    of_listed_products: int
    districts: int
    unknown_states: int
    bands_of_files: int


COUNTS = {
    "excerpt": Expected(3, 6_701, 200, 909, 1_987, 74, 4_824, 6, 2, 2),
    "whole": Expected(188, 13_309_138, 366, 8_177, 3_491_412, 256, 7_819_420, 233, 57, 115),
}


@dataclass(frozen=True)
class Ran:
    """The example, pulled. `lake` and `warehouse` answer one query with one row."""

    project: Project
    pulled: pipeline.PullSummary
    expected: Expected

    def lake(self, query: str) -> tuple[object, ...]:
        """`{engagement}`, `{districts}`, `{products}` stand for the landed rows."""
        folder = self.project.lake / f"district={DISTRICT}" / "source=learnplatform"
        landed = {
            name: f"read_parquet('{folder}/resource={name}/**/*.parquet', hive_partitioning = false)"
            for name in ("engagement", "districts", "products")
        }
        (found,) = duckdb.connect().sql(query.format(**landed)).fetchall()
        return tuple(found)

    def warehouse(self, query: str) -> tuple[object, ...]:
        with duckdb.connect(str(self.project.warehouse(DISTRICT)), read_only=True) as connection:
            (found,) = connection.sql(query).fetchall()
        return tuple(found)


# The whole set is tested by the same figures, and is the harder test: where it is, the excerpt would say nothing more.
@pytest.fixture(scope="module", params=["whole" if WHOLE.is_dir() else "excerpt"])
def ran(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    folder = WHOLE
    if request.param == "excerpt":
        folder = tmp_path_factory.mktemp("dropped") / "learnplatform"
        shutil.copytree(EXCERPT, folder)
        for path in folder.rglob("*"):  # a fresh clone's files would count as still being written
            os.utime(path, (time.time() - 3600,) * 2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UPTAKE_LEARNPLATFORM_DIR", str(folder))
        patch.setenv("UPTAKE_STATE_DIR", str(tmp_path_factory.mktemp("state")))
        project = Project.load(EXAMPLE)
        pulled = pipeline.pull(project, DISTRICT, "learnplatform")
        yield Ran(project, pulled, COUNTS[request.param])


@pytest.fixture(scope="module")
def built(ran: Ran) -> Ran:
    pipeline.build(ran.project, DISTRICT)
    return ran


def test_every_row_that_was_read_landed(ran: Ran) -> None:
    counted = {found.resource: (found.windows, found.pulled, found.landed) for found in ran.pulled.resources}
    assert counted == {
        "engagement": (ran.expected.files, ran.expected.rows, ran.expected.rows),
        "districts": (1, ran.expected.districts, ran.expected.districts),
        "products": (1, 372, 372),
    }
    assert ran.pulled.counts()["quarantined"] == 0
    with reading(ran.project.operations) as session:
        recorded = session.execute(
            select(func.sum(Outcome.rows_in), func.sum(Outcome.rows_out), func.sum(Outcome.rows_quarantined)).filter_by(
                step="land", resource="engagement"
            )
        ).one()
    assert tuple(recorded) == (ran.expected.rows, ran.expected.rows, 0)


def test_a_second_pull_finds_nothing_new(ran: Ran) -> None:
    again = pipeline.pull(ran.project, DISTRICT, "learnplatform")
    assert [found.windows for found in again.resources] == [0, 0, 0]


def test_the_dirt_of_the_set_is_kept_as_what_it_is(ran: Ran) -> None:
    expected = ran.expected
    assert ran.lake(
        """
        SELECT count(*), count(DISTINCT district_id), count(DISTINCT "time"), count(DISTINCT coalesce(lp_id, -1)),
            count(*) FILTER (engagement_index IS NULL), count(*) FILTER (lp_id IS NULL)
        FROM {engagement}
        """
    ) == (
        *(expected.rows, expected.files, expected.days, expected.products),
        *(expected.without_engagement, expected.without_product),
    )
    assert ran.lake("SELECT count(*) FROM {engagement} WHERE lp_id IN (SELECT lp_id FROM {products})") == (
        expected.of_listed_products,
    )
    unknown = ran.lake(
        """
        SELECT count(*) FILTER (state IS NULL), count(*) FILTER (state = 'NaN'), count(DISTINCT district_id)
        FROM {districts}
        """
    )
    assert unknown == (expected.unknown_states, 0, expected.districts)


def test_bands_survive(ran: Ran) -> None:
    (bands,) = ran.lake("SELECT list(DISTINCT pct_free_reduced) FROM {districts}")
    assert isinstance(bands, list)
    assert "[0.6, 0.8[" in bands
    assert not [band for band in bands if band is not None and not (band.startswith("[") and band.endswith("["))]
    assert ran.lake(
        """
        SELECT count(*) FROM {districts}
        WHERE pct_free_reduced IS NOT NULL AND district_id IN (SELECT district_id FROM {engagement})
        """
    ) == (ran.expected.bands_of_files,)


def test_the_usage_fact_holds_every_row(built: Ran) -> None:
    expected = built.expected
    assert built.warehouse(
        """
        SELECT count(*), count(DISTINCT district_id), count(DISTINCT on_date),
            count(*) FILTER (engagement_index IS NULL), count(*) FILTER (tool_key IS NULL)
        FROM marts.fct_tool_usage_summary
        """
    ) == (expected.rows, expected.files, expected.days, expected.without_engagement, expected.without_product)
    assert built.warehouse(
        """
        SELECT count(*), count(tool.tool_key) FROM marts.fct_tool_usage_summary
        JOIN (SELECT * FROM marts.dim_tool WHERE tool_name IS NOT NULL) AS tool USING (tool_key)
        """
    ) == (expected.of_listed_products, expected.of_listed_products)


def test_districts_keep_their_bands_and_what_is_unknown(built: Ran) -> None:
    expected = built.expected
    assert built.warehouse(
        "SELECT count(*), count(*) FILTER (state IS NULL), count(*) FILTER (state = 'NaN') FROM marts.dim_district"
    ) == (expected.districts, expected.unknown_states, 0)
    assert built.warehouse(
        """
        SELECT count(*) FROM marts.dim_district
        WHERE free_reduced_band IS NOT NULL AND district_id IN (SELECT district_id FROM marts.fct_tool_usage_summary)
        """
    ) == (expected.bands_of_files,)


def test_the_quality_page_shows_these_counts(built: Ran) -> None:
    expected = built.expected
    with duckdb.connect(str(built.project.warehouse(DISTRICT)), read_only=True) as connection:
        found = {
            (resource, measure): (counted, note)
            for resource, measure, counted, note in connection.sql(
                "SELECT resource, measure, actual, note FROM marts.mart_reconciliation WHERE is_reconciled"
            ).fetchall()
        }
        assert connection.sql("SELECT * FROM marts.mart_reconciliation WHERE NOT is_reconciled").fetchall() == []
    assert {measure: counted for (resource, measure), (counted, _) in found.items() if resource == "engagement"} == {
        "pulled = landed + quarantined": expected.rows,
        "held by the ledger = read from the lake": expected.rows,
        "landed = counted + repeated": expected.rows,
        "blank engagement kept as unknown": expected.without_engagement,
        "rows without a product id": expected.without_product,
        "rows matched to a named product": expected.of_listed_products,
    }
    assert found["engagement", "landed = counted + repeated"][1] == (
        f"{expected.files} districts, {expected.days} days, {expected.products} product ids, a blank one counted as one"
    )
    band_note = found["districts", "districts with and without a free or reduced-price meal band"][1]
    assert band_note.startswith(f"known for {expected.bands_of_files} of {expected.files} reporting districts")
    state_note = found["districts", "districts with and without a known state"][1]
    assert state_note.endswith(f"of all {expected.districts} listed districts unknown for {expected.unknown_states}")


def test_the_example_is_checked_and_published(built: Ran) -> None:
    assert pipeline.check(built.project, DISTRICT).failed_critical == []
    pipeline.publish(built.project, DISTRICT)
    snapshot = current_snapshot(built.project, DISTRICT)
    assert snapshot is not None
    assert snapshot.rejected is None
    with duckdb.connect(str(snapshot.path / "leaders.duckdb"), read_only=True) as connection:
        levels = connection.sql("SELECT DISTINCT level FROM mart_usage_summary").fetchall()
        bases = connection.sql("SELECT DISTINCT basis FROM mart_equity_gap").fetchall()
        reporting = connection.sql("SELECT max(districts_reporting) FROM mart_usage_summary").fetchall()
    assert {"all", "product", "sector", "function"} <= {level for (level,) in levels}
    assert bases == [("district_band",)]
    by_week = """
        SELECT max(districts) FROM (
            SELECT count(DISTINCT district_id) AS districts FROM {engagement} GROUP BY date_trunc('week', "time")
        )
    """
    assert reporting == [built.lake(by_week)]
