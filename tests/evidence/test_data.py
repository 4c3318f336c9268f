"""Reading a table: by name, CSV or Parquet, numbers as numbers and words as words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from studies import plan, world

from uptake.errors import ContractError
from uptake.evidence.data import is_one_of, read_columns, read_table
from uptake.evidence.run import run_study


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("tables")
    frame = world(effect=0.4, by_school=False).assign(arm=lambda f: np.where(f["arm"] == 1, "tool", "none"))
    frame.loc[3, "score"] = np.nan
    frame["name"] = "never read"
    found = {"csv": folder / "students.csv", "parquet": folder / "students.parquet"}
    frame.to_csv(found["csv"], index=False)
    frame.to_parquet(found["parquet"], index=False)
    return found


def test_csv_and_parquet_give_the_same(files: dict[str, Path]):
    chosen = plan(treatment={"column": "arm", "treated": "tool", "comparison": "none"}, baseline=["baseline"])
    csv, parquet = (run_study(chosen, read_table(chosen, path)).outcomes[0] for path in files.values())
    assert csv.main.effect == pytest.approx(parquet.main.effect)
    assert csv.flow == parquet.flow
    assert csv.flow[-1]["rows"] == 1799


def test_only_columns_that_the_plan_names_are_read(files: dict[str, Path]):
    chosen = plan()
    assert "name" in read_columns(files["csv"])
    assert list(read_table(chosen, files["csv"]).frame) == ["arm", "score"]
    assert read_table(chosen, files["csv"]).version.startswith("sha256:")


def test_a_missing_column_is_named(files: dict[str, Path]):
    with pytest.raises(ContractError, match="no column pretest"):
        read_table(plan(baseline=["pretest"]), files["parquet"])


def test_numbers_compare_as_numbers_and_words_as_words():
    assert is_one_of(pd.Series([1.0, 2.0, np.nan]), ["1", 2]).tolist() == [True, True, False]
    assert is_one_of(pd.Series(["1", "a", None]), [1]).tolist() == [True, False, False]
    assert is_one_of(pd.Series([True, False]), [True]).tolist() == [True, False]
    assert is_one_of(pd.Series(["yes", "None"]), ["yes"]).tolist() == [True, False]


def test_population_and_sums_of_columns():
    frame = world(by_school=False).assign(other=1.0)
    frame.loc[:9, "other"] = np.nan
    from studies import table

    chosen = plan(
        population=[{"column": "grade", "is_in": [3, 4]}, {"column": "baseline", "at_least": -1, "at_most": 1}],
        outcomes=[{"name": "both", "columns": ["score", "other"]}],
    )
    found = run_study(chosen, table(frame)).outcomes[0]
    inside = frame["grade"].isin([3, 4]) & frame["baseline"].between(-1, 1)
    assert found.flow[1]["rows"] == inside.sum()
    assert found.flow[-1]["rows"] == (inside & frame["other"].notna()).sum()
    assert found.main.mean_comparison == pytest.approx(
        frame.loc[inside & frame["other"].notna() & (frame["arm"] == 0), "score"].mean() + 1
    )
