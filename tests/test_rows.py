"""Rows read as columns are the rows that the careful way gives: same table, same rejects, same unknown columns."""

from __future__ import annotations

from typing import Any

import orjson
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uptake.contracts import TIMESTAMP, Field, Resource
from uptake.parsing import parse_records
from uptake.rows import RowReader, Rows, joined


def _doubled(value: Any) -> list[str]:
    return [value["id"], value["id"]]


EVEN = Resource(
    "even",
    (
        Field("id"),
        Field("count", pa.int64()),
        Field("share", pa.float64()),
        Field("is_on", pa.bool_()),
        Field("at", TIMESTAMP),
        Field("sent", TIMESTAMP, epoch="ms"),
        Field("tags", pa.list_(pa.string())),
        Field("org", path="org.id", required=True),
        Field("pair", pa.list_(pa.string()), path="pair", convert=_doubled),
        Field("role", pa.struct([("name", pa.string()), ("begins", pa.date32())])),
    ),
    key=("id",),
    ignored=frozenset({"link", "org.href", "terms"}),
)
# Its last field is one that columns do not reach.
DEEP = Resource(
    "deep", (*EVEN.fields, Field("terms", pa.list_(pa.string()), path="terms[].id")), key=("id",), ignored=EVEN.ignored
)
# First what fits, then what needs a closer look.
VALUES: dict[str, list[Any]] = {
    "id": ["a", "b", 7, "", None, {"id": "a"}],
    "count": [3, 4, "5", 5.0, 5.5, True, None],
    "share": [0.5, 2, "0.25", 9_007_199_254_740_993, None],
    "is_on": [True, False, "true", "no", 1, None],
    "at": ["2026-04-14T15:04:05.123Z", "2026-04-14T15:04:05", "2026-04-14", "", None],
    "sent": [1_776_179_045_123, 10**17, "1776179045123", 1.5, None],
    "tags": [["x"], [], [None, "y"], [1], "x", None],
    "org": [{"id": "s1", "href": "/s1"}, {"href": "/s2"}, {"id": 4}, "s1", None, {"id": "s1", "name": "new"}],
    "terms": [[{"id": "t"}], [{}], None],
    "pair": [{"id": "p"}, {"id": 1}, {}, [], None],
    "role": [{"name": "t", "begins": "2026-01-31"}, {"name": "t"}, {"begins": ""}, {"begins": "0000-01-01"}, None],
    "link": ["l", 1, {"deep": [1]}],
    "stranger": [1, "x", [{"y": 1}, {}]],
}


@st.composite
def pages(draw: st.DrawFn) -> list[Any]:
    """Rows that mostly use the first value of each name only, so that most pages are even."""
    used = {name: values[: draw(st.sampled_from([0, 1, 1, 1, 1, 1, 2, 9]))] for name, values in VALUES.items()}
    row = st.fixed_dictionaries({name: st.sampled_from(values) for name, values in used.items() if values})
    return draw(st.lists(row, max_size=4)) + draw(st.sampled_from([[]] * 9 + [[None], ["x"]]))


def body_of(rows: Any) -> bytes:
    return orjson.dumps({"rows": rows})


@given(pages(), pages())
@settings(max_examples=200, deadline=None)
def test_columns_and_objects_make_the_same_batch(first: list[Any], second: list[Any]) -> None:
    read = RowReader("rows")
    for rows in (first, second, first):
        found = read(body_of(rows))["rows"]
        if isinstance(found, Rows):
            assert found.objects() == rows
            assert len(found) == len(rows)
        for resource in (EVEN, DEEP):
            by_columns, by_objects = parse_records(resource, found), parse_records(resource, rows)
            assert by_columns.table.equals(by_objects.table)
            assert by_columns.rejects == by_objects.rejects
            assert by_columns.unknown == by_objects.unknown


@given(pages(), st.data())
@settings(max_examples=150, deadline=None)
def test_a_damaged_body_is_malformed_to_both_readers(rows: list[Any], data: st.DataObject) -> None:
    read, body = RowReader("rows"), body_of(rows)
    read(body)
    place = data.draw(st.integers(0, len(body)))
    filling = data.draw(
        st.sampled_from([b"", b"\xff", b"NaN", b"Infinity", b",", b"\n", b'"', b"{}", b"1", b"\xef\xbb\xbf"])
    )
    damaged = body[:place] + filling + body[place + data.draw(st.integers(0, 3)) :]
    try:
        expected = orjson.loads(damaged)
    except orjson.JSONDecodeError:
        with pytest.raises(orjson.JSONDecodeError):
            read(damaged)
        return
    found = read(damaged)
    if isinstance(found, dict) and isinstance(found.get("rows"), Rows):
        assert found["rows"].objects() == expected["rows"]
    else:
        assert found == expected


GOOD = {name: values[0] for name, values in VALUES.items() if name not in ("stranger", "pair", "terms")}


def test_a_clean_page_is_never_decoded() -> None:
    read = RowReader("rows")
    read(body_of([GOOD]))
    found = read(body_of([GOOD, GOOD]))["rows"]
    plain = Resource("plain", tuple(f for f in EVEN.fields if not f.convert), key=("id",), ignored=EVEN.ignored)
    undecodable = Rows(found.table, lambda: pytest.fail("decoded"))
    assert parse_records(plain, undecodable).table.num_rows == 2


@pytest.mark.parametrize(
    "body",
    [
        b'{"rows": [{"share": NaN}]}',
        b'{"rows": [{"tags": [{"deep": Infinity}]}]}',
        b'{"rows": [{"id": "\xff"}]}',
        b'\xef\xbb\xbf{"rows": [{"id": "a"}]}',
        b'{"rows": [{"id": "a"}]} {"rows": [{"id": "b"}]}',
        b'{"rows": [{"id": "a"}',
    ],
)
def test_what_is_not_json_is_refused_though_arrow_reads_it(body: bytes) -> None:
    read = RowReader("rows")
    read(body_of([GOOD | {"tags": [{"deep": 1.5}]}]))
    with pytest.raises(orjson.JSONDecodeError):
        read(body)


@pytest.mark.parametrize(
    "document", [[], None, {"rows": None}, {"rows": []}, {"rows": [None]}, {"other": [{"id": "a"}]}]
)
def test_what_holds_no_objects_comes_as_it_is(document: Any) -> None:
    read = RowReader("rows")
    read(body_of([GOOD]))
    assert repr(read(orjson.dumps(document))) == repr(document)


def test_a_new_name_in_an_object_that_is_read_into_is_an_unknown_column() -> None:
    read = RowReader("rows")
    rows = [GOOD | {"org": {"id": "s1", "name": "new"}}]
    assert parse_records(EVEN, read(body_of(rows))["rows"]).unknown == {"org.name": ["new"]}


def test_pages_of_one_shape_are_joined_as_columns_and_others_as_objects() -> None:
    read = RowReader("rows")
    one, two = (read(body_of([{"id": text}]))["rows"] for text in "ab")
    both = joined([one, two])
    assert isinstance(both, Rows)
    assert both.objects() == [{"id": "a"}, {"id": "b"}]
    assert both[1:] == two
    assert both[1:].objects() == [{"id": "b"}]
    assert joined([one, [{"id": 1}]]) == [{"id": "a"}, {"id": 1}]
    number = read(body_of([{"id": 2}]))["rows"]
    assert joined([one, number]) == [{"id": "a"}, {"id": 2}]
