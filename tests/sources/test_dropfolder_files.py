"""Reading files: encodings, delimiters, formats, headers, and files that are no such thing."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zipfile
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dropped import VISITS, drop, opened, take, take_one, write_mapping
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from uptake.sources.dropfolder.content import inspect
from uptake.sources.dropfolder.mapping import fingerprint

ENCODINGS = {
    "utf-8": "utf-8",
    "utf-8 with BOM": "utf-8-sig",
    "utf-16 little-endian with BOM": "utf-16",
    "utf-16 little-endian": "utf-16-le",
    "utf-16 big-endian": "utf-16-be",
    "windows-1252": "cp1252",
    "latin-1": "latin-1",
}


def written(rows: list[list[str]], delimiter: str = ",", end: str = "\r\n") -> str:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, lineterminator=end).writerows(rows)
    return text.getvalue()


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ENCODINGS.values(), ids=ENCODINGS.keys())
def test_any_usual_csv_is_read_without_being_told(tmp_path: Path, encoding: str, delimiter: str, ending: str) -> None:
    text = written(
        [
            ["Id", "Who", "Minutes"],
            ["1", "José Nuñez", "12.5"],
            ["2", f'a{delimiter}b "quoted"\nin two lines', ""],
            ["3", "Zoë", "3"],
        ],
        delimiter,
    )
    batch = take_one(tmp_path, f"visits.csv{ending}", text.encode(encoding))
    assert batch.rejects == []
    assert batch.table.to_pydict() == {
        "id": ["1", "2", "3"],
        "who": ["José Nuñez", f'a{delimiter}b "quoted"\nin two lines', "Zoë"],
        "minutes": [12.5, None, 3.0],
    }


def test_a_given_encoding_is_obeyed(tmp_path: Path) -> None:
    text = "Id,Who,Minutes\n1,Žižka,1\n"
    assert take_one(tmp_path, "a.csv", text.encode("cp1250"), encoding="cp1250").table["who"].to_pylist() == ["Žižka"]
    refused = take_one(tmp_path / "b", "a.csv", text.encode("cp1250"), encoding="utf-8")
    assert [reject.reason for reject in refused.rejects] == ["unreadable"]
    marked = take_one(tmp_path / "c", "a.csv", text.encode("utf-8-sig"), encoding="utf-8")
    assert marked.table["who"].to_pylist() == ["Žižka"]


def test_a_broken_byte_in_utf8_costs_its_row_and_not_the_other_names(tmp_path: Path) -> None:
    content = "Id,Who,Minutes\n1,José,1\n2,Zoë,2\n3,ab".encode() + b"\xff" + b",3\n4,d,4\n"
    batch = take_one(tmp_path, "a.csv", content)
    assert batch.table["who"].to_pylist() == ["José", "Zoë", "d"]
    assert [reject.reason for reject in batch.rejects] == ["bad_encoding"]


def test_bytes_that_windows_1252_does_not_have_are_latin_1(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"a,\xe9\x81\n")
    assert inspect(path).encoding == "latin-1"
    path.write_bytes(b"a,\xe9\x93\n")
    assert inspect(path).encoding == "cp1252"


def test_a_report_title_above_the_header_is_passed_over(tmp_path: Path) -> None:
    text = 'Report of "Visits\nmade on 2026-01-01\n\nId;Who;Minutes\n1;a;2\n'
    assert take_one(tmp_path, "a.csv", text, skip_lines=2).table.num_rows == 1


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_and_blank_lines(tmp_path: Path, end: str) -> None:
    text = f"{end}Id,Who,Minutes{end}1,a,2{end}{end}2,b,3"
    assert take_one(tmp_path, "a.csv", text).table["id"].to_pylist() == ["1", "2"]


# --- the header --------------------------------------------------------------------------------------------------


def refusal(batch: Any) -> tuple[str, str]:
    """(reason, note) of a file that was refused whole."""
    assert batch.table.num_rows == 0
    (reject,) = batch.rejects
    assert batch.note is not None and reject.raw in batch.note
    return reject.reason, batch.note


def test_a_changed_header_refuses_the_file_and_says_what_changed(tmp_path: Path) -> None:
    reason, note = refusal(take_one(tmp_path, "a.csv", "Id,Who,Minutes used,Colour\n1,a,2,red\n"))
    assert reason == "changed_header"
    assert note == ("Refused a.csv: missing: Minutes (renamed to Minutes used?); new: Minutes used; new: Colour.")


def test_without_a_header_no_value_is_quoted(tmp_path: Path) -> None:
    reason, note = refusal(take_one(tmp_path, "a.csv", "7,Maria Lopez,2\n8,John Smith,3\n"))
    assert reason == "changed_header"
    assert "none of the declared columns" in note
    assert "Lopez" not in note


def test_a_column_that_stands_twice_is_refused(tmp_path: Path) -> None:
    assert "twice: who" in refusal(take_one(tmp_path, "a.csv", "Id,Who,Minutes,WHO\n1,a,2,b\n"))[1]


def test_extra_columns_are_set_aside_where_the_mapping_allows_them(tmp_path: Path) -> None:
    batch = take_one(tmp_path, "a.csv", "Colour,Id,Minutes,Who\nred,1,2,a\n,,3,b\nblue,3,x,c\n", allow_extra=True)
    assert batch.table.to_pydict() == {"id": ["1"], "who": ["a"], "minutes": [2.0]}
    assert dict(batch.unknown) == {"Colour": ["red"]}
    assert [(reject.reason, reject.column) for reject in batch.rejects] == [
        ("missing_key", "id"),
        ("not_number", "minutes"),
    ]


def test_a_column_that_may_be_absent_is_null(tmp_path: Path) -> None:
    columns = [*VISITS["columns"], {"header": "Since", "type": "date", "may_be_absent": True}]
    batch = take_one(tmp_path, "a.csv", "Id,Who,Minutes\n1,a,2\n", columns=columns)
    assert batch.table.column("since").to_pylist() == [None]


def test_a_fingerprint_pins_the_order_too(tmp_path: Path) -> None:
    pin = fingerprint(["Id", "Who", "Minutes"])
    assert take_one(tmp_path, "a.csv", "id,WHO,minutes\n1,a,2\n", header_sha256=pin).table.num_rows == 1
    assert (
        "another order" in refusal(take_one(tmp_path / "b", "a.csv", "Who,Id,Minutes\na,1,2\n", header_sha256=pin))[1]
    )
    assert take_one(tmp_path / "c", "a.csv", "Who,Id,Minutes\na,1,2\n").table["id"].to_pylist() == ["1"]


# --- rows and files of the wrong shape ---------------------------------------------------------------------------


def test_rows_of_another_length_are_rejected_alone(tmp_path: Path) -> None:
    batch = take_one(tmp_path, "a.csv", "Id,Who,Minutes\n1,a,2\n2,b\n3,c,4,5\n4,d,6\n")
    assert batch.table["id"].to_pylist() == ["1", "4"]
    assert [(reject.reason, reject.raw) for reject in batch.rejects] == [
        ("wrong_column_count", "2,b"),
        ("wrong_column_count", "3,c,4,5"),
    ]


def test_a_value_under_no_title_is_rejected(tmp_path: Path) -> None:
    batch = take_one(tmp_path, "a.csv", "Id,Who,Minutes,\n1,a,2,\n2,b,3,?\n")
    assert batch.table["id"].to_pylist() == ["1"]
    assert [reject.reason for reject in batch.rejects] == ["wrong_column_count"]


@pytest.mark.parametrize("rows", ['1,a,2\n2,"b,3\n3,c,4\n', '1,a,2\n2,b,"3\n3,c,4\n', '1,a,2\n"'])
def test_a_quotation_mark_that_never_closes_swallows_no_row(tmp_path: Path, rows: str) -> None:
    assert refusal(take_one(tmp_path, "a.csv", "Id,Who,Minutes\n" + rows))[0] == "unclosed_quote"


def test_a_row_longer_than_a_block_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("uptake.sources.dropfolder.readers._BLOCK", 1000)
    rows = "".join(f"{n},{'x' * n * 30},{n}\n" for n in range(300))
    batch = take_one(tmp_path, "a.csv", f"Id,Who,Minutes\n{rows}")
    assert batch.table["minutes"].to_pylist() == list(range(300))


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.csv", b"", "empty"),
        ("a.csv", b"\n\n", "empty"),
        ("a.csv.gz", gzip.compress(b"", mtime=0), "empty"),
        ("a.csv.gz", gzip.compress(b"Id,Who,Minutes\n" + b"1,a,2\n" * 99_999, mtime=0)[:-99], "truncated"),
        ("a.csv.gz", gzip.compress(b"Id,Who,Minutes\n", mtime=0)[:5] + b"\xff" * 40, "unreadable"),
        ("a.csv.gz", b"\x1f\x8b\x07" + gzip.compress(b"Id,Who,Minutes\n", mtime=0)[3:], "unreadable"),
        ("a.csv.gz", gzip.compress(b"Id,Who,Minutes\n1,a,2\n", mtime=0)[:-8] + bytes(8), "unreadable"),
        ("a.csv", bytes(range(256)) * 9, "changed_header"),
        ("a.xlsx", b"PK\x03\x04 cut short", "truncated"),
        ("a.parquet", b"PAR1 cut short", "truncated"),
        ("a.parquet", b"PAR1 nonsense PAR1", "unreadable"),
        ("a.ndjson", b"no json\n{also none\n", "unreadable"),
        ("a.pdf", b"%PDF-1.7", "unknown_format"),
    ],
)
def test_what_cannot_be_read_is_refused_whole(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    assert refusal(take_one(tmp_path, name, content, format="auto"))[0] == reason


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any file is too large to hold, and comes in many parts."""
    monkeypatch.setattr("uptake.sources.dropfolder.content.IN_MEMORY", 1000)
    monkeypatch.setattr("uptake.sources.dropfolder.content.CHUNK", 128)
    monkeypatch.setattr("uptake.sources.dropfolder.readers._LARGE_BLOCK", 512)
    monkeypatch.setattr("uptake.sources.dropfolder.readers._LINES_BYTES", 512)


@pytest.mark.usefixtures("small_blocks")
def test_a_file_too_large_to_hold_comes_out_the_same(tmp_path: Path) -> None:
    rows = "".join(f"{n},José,{n}\n" for n in range(1000)) + "1000,cut\n"
    for place, encoding in enumerate(("utf-8", "utf-16", "cp1252")):
        batch = take_one(tmp_path / str(place), "a.csv.gz", f"Id,Who,Minutes\n{rows}".encode(encoding))
        assert batch.table["id"].to_pylist() == [str(n) for n in range(1000)]
        assert set(batch.table["who"].to_pylist()) == {"José"}
        assert [reject.raw for reject in batch.rejects] == ["1000,cut"]
    broken = take_one(tmp_path / "broken", "a.csv", f'Id,Who,Minutes\n{rows}"1001,a,2\n')
    assert refusal(broken)[0] == "unclosed_quote"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.usefixtures("small_blocks")
def test_lines_are_the_same_wherever_a_block_ends(tmp_path: Path, end: str) -> None:
    """Of lines of any length some are cut by the end of a block, some end with it, some are longer than it."""
    ids = ["é" * n for n in range(1, 600, 7)]
    lines = [json.dumps({"Id": each}, ensure_ascii=False) for each in ids]
    lines[3:3] = ["", " ", "{broken é", '[{"Id": "1"}]', "\x1f"]
    batch = take_one(tmp_path, "a.ndjson.gz", gzip.compress(end.join(lines).encode(), mtime=0), format="ndjson")
    assert batch.table["id"].to_pylist() == ids
    assert [reject.raw for reject in batch.rejects] == [" ", "{broken é", '[{"Id": "1"}]', "\x1f"]


@pytest.mark.usefixtures("small_blocks")
def test_a_line_without_an_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("uptake.sources.dropfolder.readers.IN_MEMORY", 1000)
    line = json.dumps({"Id": "1" * 2000}) + "\n"
    assert refusal(take_one(tmp_path, "a.ndjson", line, format="ndjson"))[0] == "unreadable"


@pytest.mark.parametrize("encoding", ENCODINGS.values(), ids=ENCODINGS.keys())
@pytest.mark.usefixtures("small_blocks")
def test_lines_that_begin_as_utf8_are_read_in_the_encoding_of_them_all(tmp_path: Path, encoding: str) -> None:
    plain = [json.dumps({"Id": str(n)}) for n in range(100)]
    named = [json.dumps({"Id": str(n), "Who": "José"}, ensure_ascii=False) for n in range(100, 110)]
    batch = take_one(tmp_path, "a.ndjson", "\n".join(plain + named).encode(encoding), format="ndjson")
    assert batch.rejects == []
    assert batch.table["id"].to_pylist() == [str(n) for n in range(110)]
    assert batch.table["who"].to_pylist() == [*[None] * 100, *["José"] * 10]


@pytest.mark.usefixtures("small_blocks")
def test_a_late_line_that_is_damaged_is_rejected_alone(tmp_path: Path) -> None:
    lines = [json.dumps({"Id": str(n), "Who": "José"}, ensure_ascii=False).encode() for n in range(100)]
    lines[90] = lines[90][:-3] + b'\xe9"}'
    batch = take_one(tmp_path, "a.ndjson.gz", gzip.compress(b"\n".join(lines), mtime=0), format="ndjson")
    assert batch.table["id"].to_pylist() == [str(n) for n in range(100) if n != 90]
    assert [reject.reason for reject in batch.rejects] == ["bad_encoding"]


@pytest.mark.usefixtures("small_blocks")
def test_lines_that_are_utf8_are_not_looked_at_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[Path] = []
    monkeypatch.setattr(
        "uptake.sources.dropfolder.readers.inspect", lambda path, _: looks.append(path) or inspect(path)
    )
    lines = "\n".join(json.dumps({"Id": str(n), "Who": "José"}, ensure_ascii=False) for n in range(100))
    batch = take_one(tmp_path, "a.ndjson", lines, format="ndjson")
    assert (batch.table.num_rows, looks) == (100, [])


@pytest.mark.usefixtures("small_blocks")
def test_what_a_later_line_leaves_out_or_adds_is_seen(tmp_path: Path) -> None:
    """The first lines say what to expect of an NDJSON file, and do not have the last word."""
    first = "".join(f'{{"Minutes": {n}}}\n' for n in range(50))
    lines = first + '{"Id": "50", "Who": "a"}\n' + "".join(f'{{"Id": "{n}"}}\n' for n in range(51, 100))
    batch = take_one(tmp_path / "a", "a.ndjson", lines, format="ndjson")
    assert batch.table["id"].to_pylist() == [str(n) for n in range(50, 100)]
    assert batch.table["who"].to_pylist() == ["a", *[None] * 49]
    assert {(reject.reason, reject.column) for reject in batch.rejects} == {("missing_key", "id")}
    assert len(batch.rejects) == 50
    good = "".join(f'{{"Id": "{n}", "Who": "a"}}\n' for n in range(100))
    late = take_one(tmp_path / "b", "a.ndjson", good + '{"Id": "100", "Minutes": 3}\n', format="ndjson")
    assert late.table["minutes"].to_pylist() == [*[None] * 100, 3.0] and late.rejects == []
    new = take_one(tmp_path / "c", "a.ndjson", good + '{"Id": "100", "colour": "red"}\n', format="ndjson")
    assert refusal(new) == ("changed_header", "Refused a.ndjson: new: colour.")


# --- other formats -----------------------------------------------------------------------------------------------

TYPED = {
    "columns": [
        {"header": "Id", "type": "integer", "required": True},
        {"header": "Who"},
        {"header": "Minutes", "type": "number"},
        {"header": "Price", "type": "decimal(18,2)"},
        {"header": "Day", "type": "date"},
        {"header": "At", "type": "timestamp", "time_zone": "America/Chicago"},
        {"header": "Done", "type": "boolean"},
    ],
    "format": "auto",
}
EXPECTED = {
    "id": [9007199254740993, 2],
    "who": ["José", None],
    "minutes": [0.1, None],
    "price": [Decimal("1234.50"), None],
    "day": [date(2026, 1, 2), None],
    "at": [datetime.fromisoformat("2026-01-02T16:30:00+00:00"), None],
    "done": [True, False],
}


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_ndjson(tmp_path: Path, ending: str) -> None:
    first = {"Id": 9007199254740993, "Who": "José", "Minutes": 0.1, "Price": "1,234.50"}
    first |= {"Day": "2026-01-02", "At": "2026-01-02T10:30:00", "Done": True}
    lines = ["\ufeff" + json.dumps(first), "", '{"Id": "2", "Done": "false", "Who": null}', "[3]", "{broken"]
    batch = take_one(tmp_path, f"a.ndjson{ending}", "\n".join(lines), **TYPED)
    assert batch.table.to_pydict() == EXPECTED
    assert [(reject.reason, reject.raw) for reject in batch.rejects] == [
        ("unreadable", "[3]"),
        ("unreadable", "{broken"),
    ]


def test_ndjson_reaches_into_objects_and_tells_new_keys(tmp_path: Path) -> None:
    columns = [{"header": "id", "required": True}, {"header": "links.user/name", "name": "who"}]
    lines = '{"id": 1, "links": {"user/name": "a"}}\n{"id": 2, "colour": "red"}\n'
    reason, note = refusal(take_one(tmp_path, "a.ndjson", lines, columns=columns, format="ndjson"))
    assert (reason, note) == ("changed_header", "Refused a.ndjson: new: colour.")
    batch = take_one(tmp_path / "b", "a.ndjson", lines, columns=columns, format="ndjson", allow_extra=True)
    assert batch.table.to_pydict() == {"id": ["1", "2"], "who": ["a", None]}
    assert dict(batch.unknown) == {"colour": [None, "red"]}


def workbook(rows: list[list[Any]], title: str = "Sheet") -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = title
    for row in rows:
        sheet.append(row)
    book.create_sheet("Notes").append(["something else"])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_xlsx(tmp_path: Path, ending: str) -> None:
    content = workbook(
        [
            ["Id", "Who", "Minutes", "Price", "Day", "At", "Done"],
            ["9007199254740993", "José", 0.1, 1234.5, datetime(2026, 1, 2), datetime(2026, 1, 2, 10, 30), True],
            [None] * 7,
            [2.0, None, None, None, None, None, False],
            [3, "wide", 1, 1, None, None, True, "more"],
        ]
    )
    batch = take_one(tmp_path, f"a.xlsx{ending}", gzip.compress(content, mtime=0) if ending else content, **TYPED)
    assert batch.table.to_pydict() == EXPECTED
    assert [reject.reason for reject in batch.rejects] == ["wrong_column_count"]


def test_xlsx_reads_the_sheet_that_is_named(tmp_path: Path) -> None:
    content = workbook([["Id", "Who", "Minutes"], [1, "a", 2]], title="Visits")
    assert take_one(tmp_path, "a.xlsx", content, format="auto", sheet="Visits").table.num_rows == 1
    assert refusal(take_one(tmp_path / "b", "a.xlsx", content, format="auto", sheet="Visit"))[0] == "missing_sheet"


def test_what_a_workbook_says_of_its_size_is_not_believed(tmp_path: Path) -> None:
    good = zipfile.ZipFile(io.BytesIO(workbook([["Id", "Who", "Minutes"], [1, "a", 2], [2, "b", 3]])))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as lying:
        for part in good.infolist():
            lying.writestr(part, good.read(part).replace(b'<dimension ref="A1:C3"', b'<dimension ref="A1:A1"'))
    assert take_one(tmp_path, "a.xlsx", out.getvalue(), format="auto").table["minutes"].to_pylist() == [2, 3]


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_parquet(tmp_path: Path, ending: str) -> None:
    table = pa.table(
        {
            "Id": pa.array([9007199254740993, 2]),
            "Who": pa.array(["José", None]).dictionary_encode(),
            "Minutes": pa.array([0.1, float("nan")]),
            "Price": pa.array([Decimal("1234.50"), None]),
            "Day": pa.array([date(2026, 1, 2), None]),
            "At": pa.array([datetime(2026, 1, 2, 10, 30), None], pa.timestamp("ns")),
            "Done": pa.array([True, False]),
        }
    )
    out = io.BytesIO()
    pq.write_table(table, out)
    content = gzip.compress(out.getvalue(), mtime=0) if ending else out.getvalue()
    batch = take_one(tmp_path, f"a.parquet{ending}", content, **TYPED)
    assert (batch.rejects, batch.table.to_pydict()) == ([], EXPECTED)


def test_a_parquet_file_whose_titles_are_no_text_is_refused(tmp_path: Path) -> None:
    out = io.BytesIO()
    pq.write_table(pa.table({"Id": ["1"], "Who": ["a"], "Minutes": [1.0]}), out)
    damaged = out.getvalue().replace(b"Who", b"W\x80o")
    assert refusal(take_one(tmp_path, "a.parquet", damaged, format="auto"))[0] == "unreadable"


def test_nested_parquet_is_refused(tmp_path: Path) -> None:
    out = io.BytesIO()
    pq.write_table(pa.table({"Id": ["1"], "Who": [["a"]], "Minutes": [1.0]}), out)
    assert "only plain values" in refusal(take_one(tmp_path, "a.parquet", out.getvalue(), format="auto"))[1]


def test_numbers_of_typed_formats_do_not_mistake_their_point_for_a_group(tmp_path: Path) -> None:
    out = io.BytesIO()
    pq.write_table(pa.table({"Id": ["1"], "Who": ["a"], "Minutes": [1.125]}), out)
    changes: dict[str, Any] = {"decimal_comma": True, "format": "auto"}
    lines = '{"Id": "1", "Who": "a", "Minutes": 1.125}\n{"Id": "2", "Who": "b", "Minutes": "1.125,5"}\n'
    sheet = workbook([["Id", "Who", "Minutes"], [1, "a", 1.125], [2, "b", "1.125,5"]])
    assert take_one(tmp_path, "a.parquet", out.getvalue(), **changes).table["minutes"].to_pylist() == [1.125]
    assert take_one(tmp_path / "b", "a.ndjson", lines, **changes).table["minutes"].to_pylist() == [1.125, 1125.5]
    assert take_one(tmp_path / "c", "a.xlsx", sheet, **changes).table["minutes"].to_pylist() == [1.125, 1125.5]


# --- anything at all ---------------------------------------------------------------------------------------------

ANY = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@ANY
@given(
    head=st.sampled_from(
        [b"", b"Id,Who,Minutes\n", b"\xff\xfeI\x00d\x00", b"\x1f\x8b", b"\xef\xbb\xbfId;Who;Minutes\r\n"]
    ),
    body=st.binary(max_size=400) | st.text(alphabet='ab1,;"\n\r\x00é\x1e', max_size=200).map(str.encode),
    kind=st.sampled_from(["csv", "ndjson", "xlsx", "parquet"]),
)
def test_no_bytes_make_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, head: bytes, body: bytes, kind: str
) -> None:
    tmp_path = tmp_path_factory.mktemp("any")
    drop(tmp_path / "drop", "any.bin", head + body)
    source = opened(tmp_path / "drop", [write_mapping(tmp_path, format=kind)])
    for batch in take(source).values():
        assert batch.table.schema.names == ["id", "who", "minutes"]
        assert batch.table["id"].null_count == 0
        assert batch.note is None or batch.pulled == 1


CELL = st.text(st.characters(codec="utf-8", exclude_characters="\x00\x1e"), max_size=12)


@ANY
@given(
    rows=st.lists(
        st.tuples(CELL.filter(lambda cell: cell.strip() and "\ufffd" not in cell), CELL, CELL), min_size=1, max_size=20
    ),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_every_row_that_was_written_lands_or_is_rejected(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, str]], delimiter: str, encoding: str
) -> None:
    tmp_path = tmp_path_factory.mktemp("rows")
    text = written([["Id", "Who", "Minutes"], *map(list, rows)], delimiter)
    batch = take_one(tmp_path, "a.csv", text.encode(encoding), null_texts=[])
    assert batch.table.num_rows + len(batch.rejects) == len(rows)
    assert {reject.reason for reject in batch.rejects} <= {"not_number"}
    kept = {(row["id"], row["who"] or "") for row in batch.table.to_pylist()}
    assert kept <= {(identifier, who) for identifier, who, _ in rows}


PLAIN = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12) | st.integers() | st.booleans()
OBJECT = st.fixed_dictionaries(
    {"Id": st.text('ab é\\"', min_size=1).filter(str.strip)},
    optional={"Who": st.none() | PLAIN, "Minutes": st.none() | PLAIN | st.lists(PLAIN, max_size=2)},
)
NO_OBJECT = st.sampled_from(["{", " ", "[1]", "nul", '"Id"', '{"Id": "1"} x', '{"Id": nil}', '{"Id": "\t"}', "\xa0{}"])


def as_column(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value or None
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@settings(ANY, max_examples=40)
@given(
    lines=st.lists(OBJECT | NO_OBJECT, min_size=1, max_size=20),
    separators=st.sampled_from([(",", ":"), (", ", ": ")]),
    is_ascii=st.booleans(),
    is_turned=st.booleans(),
)
@pytest.mark.usefixtures("small_blocks")
def test_every_json_object_is_a_row_and_every_other_line_a_reject(
    tmp_path_factory: pytest.TempPathFactory,
    lines: list[dict[str, Any] | str],
    separators: tuple[str, str],
    is_ascii: bool,
    is_turned: bool,
) -> None:
    """Whatever keys and values the lines around it have."""
    objects = [line for line in lines if isinstance(line, dict)]
    texts = [
        json.dumps(
            dict(reversed(line.items())) if is_turned and number % 2 else line,
            separators=separators,
            ensure_ascii=is_ascii,
        )
        if isinstance(line, dict)
        else line
        for number, line in enumerate(lines)
    ]
    columns = [{"header": "Id", "required": True}, {"header": "Who"}, {"header": "Minutes"}]
    tmp_path = tmp_path_factory.mktemp("lines")
    batch = take_one(tmp_path, "a.ndjson", "\n".join(texts), format="ndjson", columns=columns, null_texts=[])
    if not objects:
        assert refusal(batch)[0] == "unreadable"
        return
    names = {"Id": "id", "Who": "who", "Minutes": "minutes"}
    expected = [{name: as_column(each.get(key)) for key, name in names.items()} for each in objects]
    assert batch.table.to_pylist() == expected
    assert [reject.raw for reject in batch.rejects] == [line for line in lines if isinstance(line, str)]


@pytest.fixture(scope="module")
def good_files() -> dict[str, bytes]:
    table = pa.table({"Id": ["1", "2"] * 50, "Who": ["a", "é"] * 50, "Minutes": [1.5, 2.5] * 50})
    parquet = io.BytesIO()
    pq.write_table(table, parquet)
    rows = [["Id", "Who", "Minutes"], *([str(n), "é", n] for n in range(50))]
    return {
        "xlsx": workbook(rows),
        "parquet": parquet.getvalue(),
        "csv": gzip.compress(written([list(map(str, row)) for row in rows]).encode("utf-16")),
        "ndjson": b'{"Id": "1", "Who": "\\u00e9", "Minutes": 2}\n' * 20,
    }


@ANY
@given(
    kind=st.sampled_from(["csv", "ndjson", "xlsx", "parquet"]),
    places=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=6),
    share=st.floats(0.2, 1),
    cut=st.booleans(),
)
def test_no_damage_makes_a_traceback(
    tmp_path_factory: pytest.TempPathFactory,
    good_files: dict[str, bytes],
    kind: str,
    places: list[tuple[float, int]],
    share: float,
    cut: bool,
) -> None:
    content = bytearray(good_files[kind])
    for place, byte in places:
        content[int(place * len(content))] = byte
    content = content[: int(len(content) * share)] if cut else content
    tmp_path = tmp_path_factory.mktemp("damaged")
    drop(tmp_path / "drop", "any.bin", bytes(content))
    source = opened(tmp_path / "drop", [write_mapping(tmp_path, format=kind)])
    (batch,) = take(source).values()
    assert batch.table["id"].null_count == 0
    assert batch.note is None or (batch.table.num_rows, len(batch.rejects)) == (0, 1)
