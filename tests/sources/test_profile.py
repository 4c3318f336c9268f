"""A first mapping for a file: what can be seen is proposed, and it can be used as it is."""

from __future__ import annotations

import gzip
import json
import tempfile
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dropped import drop, opened, take
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from uptake.errors import ContractError
from uptake.sources.dropfolder.mapping import Column, Mapping, load_mapping
from uptake.sources.dropfolder.profile import propose

ROWS = [
    {
        "Report ID": f"{number}",
        "Student E-mail": f"zoe.lind{number}@lakeside.example",
        "First Name": "Zoe",
        "Date of birth": "03/04/2012",
        "Grade": f"0{number % 9}",
        "Minutes": f"{number}.5",
        "Sessions": f"{number}",
        "Completed": "TRUE",
        "Day": f"1/{number + 12}/2026",
        "Link": "https://docs.example/forms/secret",
    }
    for number in range(1, 9)
]
PERSONAL = ["zoe", "lind", "lakeside.example", "2012", "secret"]


def proposed(path: Path, **options: Any) -> Mapping:
    text = propose(path, **options)
    mapping = path.with_name("proposed.yaml")
    mapping.write_text(text, encoding="utf-8")
    return load_mapping(mapping)


def columns(mapping: Mapping) -> dict[str, Column]:
    return {column.name: column for column in mapping.columns}


def as_csv(rows: list[dict[str, str]], delimiter: str = ",") -> str:
    return "\n".join(delimiter.join(cells) for cells in [list(rows[0]), *(list(row.values()) for row in rows)]) + "\n"


def test_types_dates_key_and_what_is_personal(tmp_path: Path) -> None:
    path = tmp_path / "usage_2026-01-31.csv"
    path.write_text(as_csv(ROWS))
    found = columns(proposed(path))
    assert {name: column.type for name, column in found.items() if column.type != "string"} == {
        "report_id": "integer",
        "minutes": "number",
        "sessions": "integer",
        "completed": "boolean",
        "day": "date",
    }
    assert found["day"].formats == ("%m/%d/%Y",) and found["grade"].type == "string"
    assert found["student_e_mail"].identifier == "email" and found["first_name"].vault == "given_name"
    assert found["date_of_birth"].drop and found["link"].url
    mapping = proposed(path)
    assert mapping.key == ("report_id",) and mapping.person == "student_e_mail"
    assert (mapping.delimiter, mapping.encoding, mapping.resource) == (",", "utf-8", "usage")
    assert mapping.globs == ("**/usage_*.csv",)


def test_no_value_of_the_file_is_in_the_proposal(tmp_path: Path) -> None:
    path = tmp_path / "usage.csv"
    path.write_text(as_csv(ROWS))
    assert not [text for text in PERSONAL if text in propose(path).casefold()]


def test_the_file_lands_whole_by_its_own_proposal(tmp_path: Path) -> None:
    path = drop(tmp_path / "drop", "usage.csv", as_csv(ROWS))
    (tmp_path / "mapping.yaml").write_text(propose(path), encoding="utf-8")
    (batch,) = take(opened(tmp_path / "drop", [tmp_path / "mapping.yaml"])).values()
    assert (batch.table.num_rows, batch.rejects, dict(batch.unknown)) == (len(ROWS), [], {})


def test_other_encodings_delimiters_and_commas(tmp_path: Path) -> None:
    rows = [{"Schule": "Süd, Mitte", "Wert": "1.234,5"}, {"Schule": "Nord", "Wert": "2,25"}]
    path = tmp_path / "werte.csv"
    path.write_bytes(as_csv(rows, ";").encode("cp1252"))
    mapping = proposed(path)
    assert (mapping.delimiter, mapping.encoding) == (";", "cp1252")
    assert (columns(mapping)["wert"].type, columns(mapping)["wert"].decimal_comma) == ("number", True)


def test_days_that_may_be_read_both_ways_are_said_to_be(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("id,day\n1,01/02/2026\n2,03/04/2026\n")
    assert "# %m/%d/%Y and %d/%m/%Y all fit: look which it is" in propose(path)


def test_times_without_a_zone_ask_for_one(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("student id,at\n7,1/13/2026 2:05 PM\n7,1/14/2026 2:05 PM\n")
    text = propose(path)
    mapping = proposed(path)
    assert columns(mapping)["at"].formats == ("%m/%d/%Y %I:%M %p",) and "time_zone" in text
    assert mapping.key == ("at",) and mapping.kind == "entity" and "kind: event with event_time: at" in text


def test_rows_that_happened_to_someone_are_events(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    moments = ["2026-01-13T14:05:00Z", "2026-01-13T15:05:00Z"]
    path.write_text("student id,at\n" + "".join(f"{who},{at}\n" for who in (7, 8) for at in moments))
    mapping = proposed(path)
    assert (mapping.kind, mapping.event_time, mapping.key) == ("event", "at", ("student_id", "at"))


def test_a_name_that_belongs_to_nobody_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("report,seen by\n1,Zoe Lind\n2,Max Moor\n3,Ada Birch\n")
    column = columns(proposed(path))["seen_by"]
    assert column.drop and column.vault is None


@pytest.mark.parametrize("kind", ["xlsx", "ndjson", "parquet", "csv.gz", "tsv"])
def test_every_format_that_the_drop_folder_reads(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"usage.{kind}"
    if kind == "xlsx":
        book = openpyxl.Workbook()
        for row in [list(ROWS[0]), *(list(row.values()) for row in ROWS)]:
            book.active.append(row)
        book.save(path)
    elif kind == "ndjson":
        path.write_text("".join(json.dumps(row | {"links": {"user": "7"}}) + "\n" for row in ROWS))
    elif kind == "parquet":
        pq.write_table(pa.Table.from_pylist(ROWS), path)
    elif kind == "tsv":
        path.write_text(as_csv(ROWS, "\t"))
    else:
        path.write_bytes(gzip.compress(as_csv(ROWS).encode()))
    found = columns(proposed(path))
    assert found["student_e_mail"].identifier == "email" and found["sessions"].type == "integer"
    assert ("links_user" in found) == (kind == "ndjson")
    folder = tmp_path / "drop"
    drop(folder, path.name, path.read_bytes())
    (batch,) = take(opened(folder, [tmp_path / "proposed.yaml"])).values()
    assert batch.table.num_rows == len(ROWS) and batch.rejects == []


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.csv", b"", "empty"),
        ("a.csv", b"Id,ID\n1,2\n", "read alike"),
        ("a.pdf", b"%PDF", "format"),
        ("a.xlsx", b"PK no", "workbook"),
        ("a.ndjson", b"[1, 2]\n", "no line is a JSON object"),
        ("a.csv", b"First name\nZoe\n", "looks personal"),
    ],
)
def test_what_cannot_be_profiled_is_told(tmp_path: Path, name: str, content: bytes, told: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ContractError, match=told):
        propose(path)


TITLE = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=12)
CELL = st.one_of(
    st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=12),
    st.sampled_from(["1", "2.5", "1/2/2026", "2026-01-05", "true", "a@b.example", "Zoe Lind", "0,5", "NULL"]),
)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    titles=st.lists(TITLE, min_size=1, max_size=3),
    data=st.data(),
    delimiter=st.sampled_from([",", ";", "\t"]),
)
def test_every_proposal_can_be_loaded(titles: list[str], data: Any, delimiter: str) -> None:
    rows = data.draw(st.lists(st.lists(CELL, min_size=len(titles), max_size=len(titles)), max_size=5))
    with tempfile.TemporaryDirectory() as place:
        path = Path(place, "file.csv")
        lines = [delimiter.join('"' + cell.replace('"', '""') + '"' for cell in row) for row in [titles, *rows]]
        path.write_text("\n".join(lines), encoding="utf-8")
        try:
            text = propose(path)
        except ContractError:
            return
        Path(place, "m.yaml").write_text(text, encoding="utf-8")
        load_mapping(Path(place, "m.yaml"))


@pytest.mark.parametrize("word", ["TRUE", "on", "null", "No"])
def test_titles_that_yaml_takes_for_something_else(tmp_path: Path, word: str) -> None:
    path = tmp_path / f"{word}.csv"
    path.write_text(f"{word},minutes\n1,5\n2,7\n")
    mapping = proposed(path)
    assert mapping.key == (word.casefold(),) and mapping.resource == word.casefold()
