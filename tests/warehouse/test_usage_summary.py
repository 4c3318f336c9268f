"""Use over many districts: increments against a full refresh, and the gaps between bands against SciPy."""

from __future__ import annotations

import csv
import random
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from pathlib import Path
from statistics import fmean

import pytest
from lake import DISTRICT, Lake, Row
from scipy import stats

from uptake.warehouse import dbt
from uptake.warehouse.dbt import BuildSummary, build_warehouse
from uptake.warehouse.prepare import Work

ROOT = Path(__file__).resolve().parents[2]
BANDS = ("[0, 0.2[", "[0.2, 0.4[", "[0.4, 0.6[", "NaN")
TABLES = ("intermediate.int_usage_summary_week", "intermediate.int_equity_gap_band", "marts.mart_usage_summary")
# What these are made from is a tenth of the models: the builds of this file leave the others out.
MADE_FROM = ("+int_equity_gap_band", "+mart_usage_summary")
PRODUCTS: list[Row] = [
    {"lp_id": 1, "product_name": "Atlas", "sectors": "PreK-12; Higher Ed", "primary_function": "LC - Maps"},
    {"lp_id": 2, "product_name": "Beacon", "sectors": "PreK-12", "primary_function": "SDO - Other"},
    {"lp_id": 3, "product_name": "Cairn", "sectors": "PreK-12", "primary_function": "LC - Maps"},
]


def days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def used(district: int, dates: Iterable[date], seed: int) -> list[Row]:
    """Products 1 to 4 (4 has no name) and none; a fifth of the numbers is blank, some days are missing."""
    generator = random.Random(district * 1000 + seed)
    level = 5 + 3 * (district % 3)
    rows: list[Row] = []
    for on_date in dates:
        for product in (1, 2, 3, 4, None):
            if generator.random() < 0.8:
                share = round(generator.uniform(0, level), 2)
                rows.append(
                    {
                        "district_id": str(district),
                        "time": on_date,
                        "lp_id": product,
                        "pct_access": None if generator.random() < 0.1 else share,
                        "engagement_index": None
                        if generator.random() < 0.2
                        else round(share * generator.uniform(9, 99), 2),
                    }
                )
    return rows


def land_district(lake: Lake, district: int, dates: Iterable[date], seed: int = 0) -> None:
    lake.land("learnplatform", "engagement", used(district, dates, seed), token=f"{district}.csv")


@pytest.fixture(scope="module")
def small_builds() -> Iterator[None]:
    """Of the models that a build would look at, it looks at those that TABLES are made from."""
    chosen = dbt._selection

    def select(work: Work) -> list[str]:
        return [f"{one},{of}" for one in chosen(work) for of in MADE_FROM] or list(MADE_FROM)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dbt, "_selection", select)
        patch.setenv("DBT_INDIRECT_SELECTION", "cautious")  # no test of a model that is left out
        yield


@pytest.fixture(scope="module")
def study(built: tuple[Lake, BuildSummary], tmp_path_factory: pytest.TempPathFactory, small_builds: None) -> Lake:
    """A built district, then eleven over a month. The first test brings one again with later days, a new one, a new
    sector."""
    lake = built[0].copied(tmp_path_factory.mktemp("study") / "district")
    places = [
        {"district_id": str(number), "state": "Utah", "locale": "City", "pct_free_reduced": BANDS[number % 4]}
        for number in range(1, 14)
    ]
    lake.land("learnplatform", "districts", places)
    lake.land("learnplatform", "products", PRODUCTS, token="products")
    for district in range(1, 12):
        land_district(lake, district, days(date(2026, 1, 26), date(2026, 2, 22)))
    build_warehouse(lake.project, DISTRICT, run_id="first")
    return lake


def contents(lake: Lake) -> dict[str, tuple[int, str]]:
    return {name: rows for name, rows in lake.contents().items() if name in TABLES}


def test_increments_give_the_rows_of_a_full_refresh(study: Lake) -> None:
    first = contents(study)
    assert set(first) == set(TABLES) and all(rows for rows, _ in first.values())
    land_district(study, 3, days(date(2026, 2, 16), date(2026, 3, 3)), seed=1)
    land_district(study, 12, days(date(2026, 3, 2), date(2026, 3, 6)))
    build_warehouse(study.project, DISTRICT, run_id="second")
    second = contents(study)
    assert all(second[name] != first[name] for name in TABLES)

    study.land("learnplatform", "products", [PRODUCTS[0], PRODUCTS[1] | {"sectors": "Corporate"}], token="products")
    build_warehouse(study.project, DISTRICT, run_id="third")
    sectors = study.query("select distinct level_key from intermediate.int_usage_summary_week where level = 'sector'")
    assert {row[0] for row in sectors} == {"PreK-12", "Higher Ed", "Corporate"}
    third = contents(study)
    build_warehouse(study.project, DISTRICT, full_refresh=True, run_id="fourth")
    assert contents(study) == third


def test_groups_add_up_and_means_are_of_the_rows(study: Lake) -> None:
    """The whole mart for everything and for products, made again in Python from the fact."""
    fact = study.query(
        """
        select fact.district_id, tool.tool_name, fact.on_date, fact.pct_access, fact.engagement_index
        from marts.fct_tool_usage_summary as fact
        left join marts.dim_tool as tool using (tool_key)
        """
    )
    bands = dict(study.query("select district_id, coalesce(free_reduced_band, 'unknown') from marts.dim_district"))
    shares: dict[tuple[str, date, str, date], list[float]] = {}
    present: dict[tuple[str, date, str], set[tuple[str, date]]] = {}
    for district, name, on_date, share, _ in fact:
        if on_date.weekday() > 4:
            continue
        monday = on_date - timedelta(days=on_date.weekday())
        for level in {"all", name or "all"}:
            present.setdefault((level, monday, bands[district]), set()).add((district, on_date))
            if share is not None:
                shares.setdefault((level, monday, district, on_date), []).append(share)
    expected = {}
    for (level, monday, band), where in present.items():
        known = [max(shares[key]) for pair in where if (key := (level, monday, *pair)) in shares]
        expected[level, monday, band] = (len({district for district, _ in where}), len(where), known and fmean(known))
    found = {
        (level, monday, band): (districts, district_days, share)
        for level, monday, band, districts, district_days, share in study.query(
            """
            select level_value, week_start_on, group_value, districts_reporting, district_days, mean_pct_access
            from marts.mart_usage_summary
            where level in ('all', 'product') and group_dimension = 'free_reduced_band'
            """
        )
    }
    assert len(found) > 50 and set(found) == set(expected)
    for key, (districts, district_days, share) in expected.items():
        assert found[key][:2] == (districts, district_days), key
        assert found[key][2] == (pytest.approx(share) if share else None), key
    sums = study.query(
        """
        select group_dimension, level, level_value, week_start_on, sum(districts_reporting), sum(district_days)
        from marts.mart_usage_summary group by all
        """
    )
    per_level: dict[tuple[str, str, date], set[tuple[int, int]]] = {}
    for _, level, value, week, districts, district_days in sums:
        per_level.setdefault((level, value, week), set()).add((districts, district_days))
    assert all(len(totals) == 1 for totals in per_level.values())


def test_gaps_between_bands_are_welch(study: Lake) -> None:
    """SciPy's Welch test, with its degrees of freedom rounded down."""
    means = study.query(
        """
        select week.district_id, dim_district.free_reduced_band,
               sum(week.pct_access_sum)::double / sum(week.pct_access_days)
        from intermediate.int_usage_summary_week as week
        inner join marts.dim_district as dim_district using (district_id)
        where week.level = 'all' and dim_district.free_reduced_band is not null
        group by all
        """
    )
    found = study.query(
        """
        select subgroup, group_n, reference_n, gap_points, gap_ci_low, gap_ci_high
        from intermediate.int_equity_gap_band
        where tool_key = '__any_tool__' and metric = 'pct_access' and dimension = 'free_reduced_band'
        """
    )
    assert {row[0] for row in found} == set(BANDS) - {"NaN"}
    for subgroup, group_n, reference_n, gap, low, high in found:
        group = [mean for _, band, mean in means if band == subgroup]
        others = [mean for _, band, mean in means if band != subgroup]
        welch = stats.ttest_ind(group, others, equal_var=False)
        error = (fmean(group) - fmean(others)) / welch.statistic
        margin = stats.t.ppf(0.975, int(welch.df)) * error
        assert (group_n, reference_n) == (len(group), len(others))
        assert (gap, high - gap, gap - low) == pytest.approx((fmean(group) - fmean(others), margin, margin))


def test_critical_values_are_those_of_scipy() -> None:
    with (ROOT / "dbt_project/seeds/t_critical.csv").open(encoding="utf-8", newline="") as file:
        rows = [(int(row["degrees_of_freedom"]), float(row["t_975"])) for row in csv.DictReader(file)]
    assert [df for df, _ in rows[:200]] == list(range(1, 201))
    assert rows == [(df, pytest.approx(stats.t.ppf(0.975, df), abs=1e-9)) for df, _ in rows]
