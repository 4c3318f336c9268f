"""Reading a table: by name, CSV or Parquet, numbers as numbers and words as words."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from studies import plan, table, world

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


GIVEN = b"arm,score,baseline\n" + b"".join(b"%d,%d,%d\n" % (row % 2, row % 7, row % 5) for row in range(60))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"", "not a sound CSV file: Empty"),
        ("a.csv", b"arm,score,baseline\n", "no rows"),
        ("a.csv", b"arm,score,baseline\n1,Ann Other\n", "Expected 3 columns, got 2 To mend"),
        ("a.csv", GIVEN.replace(b",", b";"), "no column arm, baseline, score"),
        ("a.csv", GIVEN.replace(b"baseline", b"sch\xfcler", 1), "not in UTF-8"),
        ("a.csv", b"arm,score,score,baseline\n1,2,3,4\n", "more than one column score"),
        ("a.csv", GIVEN.replace(b"1,3,3\n", b"1,\xfc,3\n"), "column score of a.csv holds bytes"),
        ("a.csv", GIVEN.replace(b"1,3,3\n", b"1,absent,3\n", 1), "1 of 60 known values are no number, .* row 4 "),
        ("a.csv", GIVEN.replace(b"1,3,3\n", b"1,3,absent\n", 1), "column baseline is text .* in row 4 To mend"),
        ("a.csv", GIVEN.replace(b"1,3,3\n", b"1,inf,3\n", 1), "column score is infinite in 1 row"),
        ("a.parquet", GIVEN, "not a sound Parquet file"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_read_is_refused_in_words(tmp_path: Path, name: str, content: bytes, message: str):
    file = tmp_path / name
    file.write_bytes(content)
    chosen = plan(baseline=["baseline"])
    with pytest.raises(ContractError, match=message) as caught:
        run_study(chosen, read_table(chosen, file))
    assert "Ann Other" not in str(caught.value), "no value of a row is told"


def test_columns_with_another_separator_are_recognised(tmp_path: Path):
    file = tmp_path / "a.csv"
    file.write_bytes(GIVEN.replace(b",", b";"))
    with pytest.raises(ContractError, match="apart by ';': save it with commas"):
        read_table(plan(), file)


def test_a_condition_on_words_asks_for_numbers_in_words(files: dict[str, Path]):
    chosen = plan(population=[{"column": "name", "at_least": 3}], treatment={"column": "arm", "treated": "tool"})
    with pytest.raises(ContractError, match="column name is text where a number is needed"):
        run_study(chosen, read_table(chosen, files["csv"]))


def test_yes_and_no_of_yaml_are_explained():
    frame = world(by_school=False)
    frame["arm"] = np.where(frame["arm"] == 1, "yes", "no")
    with pytest.raises(ContractError, match="put quotes round them"):
        run_study(plan(treatment={"column": "arm", "treated": True, "comparison": False}), table(frame))


def test_decimals_of_parquet_are_numbers(tmp_path: Path):
    frame = world(by_school=False)
    exact = frame.assign(score=[Decimal(f"{value:.3f}") for value in frame["score"]])
    exact.to_parquet(tmp_path / "a.parquet")
    assert read_table(plan(), tmp_path / "a.parquet").frame["score"].dtype == "float64"


def test_a_subgroup_of_many_values_is_refused():
    with pytest.raises(ContractError, match="subgroup baseline has 1,800 values"):
        run_study(plan(subgroups=["baseline"]), table(world()))


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_ids_of_many_digits_are_not_rounded(tmp_path: Path, kind: str):
    """A gap makes pandas read whole numbers as floats, which know 53 bits."""
    frame = world(by_school=False).assign(unit=lambda f: 2**60 + f.index, school=lambda f: 2**60 + f["school"])
    frame = frame.astype({"unit": "Int64", "school": "Int64"})
    frame.loc[0, ["unit", "school"]] = None
    file = tmp_path / f"a.{kind}"
    frame.to_csv(file, index=False) if kind == "csv" else frame.to_parquet(file, index=False)
    chosen = plan(unit="unit", cluster="school")
    found = run_study(chosen, read_table(chosen, file)).outcomes[0]
    assert "60 clusters" in next(gate for gate in found.gates if gate.name == "clusters").meaning
    assert found.flow[-1]["rows"] == 1799


def test_a_place_that_is_also_a_number_stays_one(files: dict[str, Path]):
    assert plan(unit="unit", cluster="school", site="grade", covariates=["grade"]).keys == {"unit", "school"}
