"""Rows in = rows typed + rejects, whatever a vendor sends; and what is typed is what was sent."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uptake.contracts import TIMESTAMP, Field, Resource
from uptake.parsing import parse_records, parse_table
from uptake.sources.registry import warehouse_resources

WIDE = Resource(
    "wide",
    (
        Field("id"),
        Field("count", pa.int64()),
        Field("share", pa.float64()),
        Field("is_on", pa.bool_()),
        Field("on", pa.date32()),
        Field("at", TIMESTAMP),
        Field("sent", TIMESTAMP, epoch="ms"),
        Field("price", pa.decimal128(18, 2)),
        Field("tags", pa.list_(pa.string())),
        Field("org", path="org.id", required=True),
        Field("terms", pa.list_(pa.string()), path="terms[].id"),
    ),
    key=("id",),
    ignored=frozenset({"link", "org.href"}),
)
GOOD = {
    "id": "a",
    "count": 3,
    "share": 0.5,
    "is_on": True,
    "on": "2026-04-14",
    "at": "2026-04-14T15:04:05.123Z",
    "sent": 1_776_179_045_123,
    "price": 12.5,
    "tags": ["x", "y"],
    "org": {"id": "s1", "href": "/orgs/s1"},
    "terms": [{"id": "t1"}, {"id": "t2"}],
    "link": "ignored",
}
TYPED = {
    "id": "a",
    "count": 3,
    "share": 0.5,
    "is_on": True,
    "on": date(2026, 4, 14),
    "at": datetime(2026, 4, 14, 15, 4, 5, 123_000, tzinfo=UTC),
    "sent": datetime(2026, 4, 14, 15, 4, 5, 123_000, tzinfo=UTC),
    "price": Decimal("12.50"),
    "tags": ["x", "y"],
    "org": "s1",
    "terms": ["t1", "t2"],
}

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.sampled_from(
        ["2026-04-14", "2026-04-14T15:04:05Z", "true", "12", "-1.5", "", " ", "NaN", "0x10", "1_0", "9e999"]
    ),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "href", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)


def one(value: dict[str, Any]) -> Any:
    return parse_records(WIDE, [value])


@given(st.lists(st.dictionaries(st.sampled_from([*GOOD, "stranger"]), json_values) | json_values, max_size=8))
@settings(max_examples=200, deadline=None)
def test_every_row_is_a_typed_row_or_a_reject(rows: list[Any]) -> None:
    batch = parse_records(WIDE, rows)
    assert batch.pulled == len(rows)
    assert batch.table.schema == WIDE.schema
    batch.table.validate(full=True)
    batch.table.to_pylist()  # every value can be shown
    for name, values in batch.unknown.items():
        assert len(values) == batch.table.num_rows, name
    for reject in batch.rejects:
        assert json.loads(reject.raw) in rows or reject.raw


@given(json_values, st.sampled_from([field.name for field in WIDE.fields]))
@settings(max_examples=200, deadline=None)
def test_a_bad_value_costs_its_own_row_only(value: Any, name: str) -> None:
    path = {"org": "org", "terms": "terms"}.get(name, name)
    rows = [GOOD, {**GOOD, path: value}, {**GOOD, "id": "c"}]
    batch = parse_records(WIDE, rows)
    assert batch.pulled == 3
    ids = batch.table.column("id").to_pylist()
    assert ids[0] == "a" and ids[-1] == "c"
    assert {reject.column for reject in batch.rejects} <= {name}


@given(
    st.lists(st.sampled_from(["", "12", " 12", "1.5", "x", "true", "2026-04-14", "2026-04-14T15:04:05Z", "NaN", None]))
)
@settings(deadline=None)
def test_text_is_typed_alike_in_records_and_in_tables(values: list[str | None]) -> None:
    kinds = {"count": pa.int64(), "share": pa.float64(), "is_on": pa.bool_(), "on": pa.date32(), "at": TIMESTAMP}
    resource = Resource("r", (Field("id"), *(Field(name, kind) for name, kind in kinds.items())), key=("id",))
    rows = [{"id": f"{i}", **dict.fromkeys(kinds, value)} for i, value in enumerate(values)]
    table = pa.table({name: pa.array([row[name] for row in rows], pa.string()) for name in resource.schema.names})
    from_records, from_table = parse_records(resource, rows), parse_table(resource, table)
    assert from_records.table.equals(from_table.table)
    assert [(r.reason, r.column) for r in from_records.rejects] == [(r.reason, r.column) for r in from_table.rejects]


def test_a_good_row_is_typed() -> None:
    batch = one(GOOD)
    assert batch.rejects == [] and batch.unknown == {}
    assert batch.table.to_pylist() == [TYPED]


def test_numbers_dates_and_booleans_may_come_as_text() -> None:
    sent = GOOD | {"count": "3", "share": "0.5", "is_on": "True", "price": "12.50", "sent": "1776179045123"}
    assert one(sent).table.to_pylist() == [TYPED]


def test_offsets_become_utc_and_long_fractions_are_cut() -> None:
    assert one(GOOD | {"at": "2026-04-14T10:04:05.1230009-05:00"}).table.to_pylist() == [TYPED]


@pytest.mark.parametrize(
    ("change", "reason", "column"),
    [
        ({"id": None}, "missing_key", "id"),
        ({"id": ""}, "missing_key", "id"),
        ({"org": None}, "missing_required", "org"),
        ({"org": {"id": ""}}, "missing_required", "org"),
        ({"org": "s1"}, "not_string", "org"),
        ({"id": 1.5}, "not_string", "id"),
        ({"count": 5.5}, "not_integer", "count"),
        ({"count": True}, "not_integer", "count"),
        ({"count": 2**63}, "not_integer", "count"),
        ({"count": "0x10"}, "not_integer", "count"),
        ({"share": "NaN"}, "not_number", "share"),
        ({"share": "inf"}, "not_number", "share"),
        ({"share": False}, "not_number", "share"),
        ({"is_on": 1}, "not_boolean", "is_on"),
        ({"is_on": "yes"}, "not_boolean", "is_on"),
        ({"on": "2026-02-30"}, "not_date", "on"),
        ({"on": "0000-01-01"}, "not_date", "on"),
        ({"on": "2026-04-14T00:00:00Z"}, "not_date", "on"),
        ({"at": "2026-04-14T15:04:05"}, "not_timestamp", "at"),
        ({"at": "2026-04-14"}, "not_timestamp", "at"),
        ({"at": 1_776_179_045_123}, "not_timestamp", "at"),
        ({"at": "9999-12-31T23:59:59-05:00"}, "not_timestamp", "at"),
        ({"sent": 10**18}, "not_timestamp", "sent"),
        ({"price": "12.505"}, "not_number", "price"),
        ({"tags": "ab"}, "not_list", "tags"),
        ({"tags": ["a", 1.5]}, "not_list", "tags"),
        ({"terms": {"id": "t1"}}, "not_list", "terms"),
        ({"terms": {}}, "not_list", "terms"),
        ({"terms": ""}, "not_list", "terms"),
        ({"terms": [["id"]]}, "not_list", "terms"),
    ],
)
def test_reason_and_column_of_a_reject(change: dict[str, Any], reason: str, column: str) -> None:
    batch = parse_records(WIDE, [GOOD, GOOD | change])
    assert [(r.reason, r.column) for r in batch.rejects] == [(reason, column)]
    assert json.loads(batch.rejects[0].raw) == GOOD | change
    assert batch.table.to_pylist() == [TYPED]
    alone = parse_records(WIDE, [GOOD | change])  # a column that is of one kind is typed by another way
    assert [(r.reason, r.column) for r in alone.rejects] == [(reason, column)]


def test_a_list_of_objects_may_have_gaps() -> None:
    batch = parse_records(WIDE, [GOOD, GOOD | {"terms": None}, GOOD | {"terms": [{"id": "t1"}, {}, None]}])
    assert batch.table.column("terms").to_pylist() == [["t1", "t2"], None, ["t1", None, None]]


def test_a_row_that_is_no_object_is_unreadable() -> None:
    batch = parse_records(WIDE, ["text", GOOD])
    assert [(r.reason, r.column) for r in batch.rejects] == [("unreadable", None)]


def test_blank_text_is_an_absent_value_but_not_in_text_columns() -> None:
    resource = Resource("r", (Field("id"), Field("note"), Field("count", pa.int64())), key=("id",))
    batch = parse_records(resource, [{"id": "a", "note": "", "count": " "}])
    assert batch.table.to_pylist() == [{"id": "a", "note": "", "count": None}]


def test_ids_beyond_a_double_stay_exact_as_number_and_as_text() -> None:
    big = 10_000_000_000_000_001
    resource = Resource("r", (Field("id", pa.int64()), Field("user")), key=("id",))
    batch = parse_records(resource, [{"id": big, "user": big}, {"id": big + 2, "user": None}])
    assert batch.table.to_pylist() == [{"id": big, "user": str(big)}, {"id": big + 2, "user": None}]


def test_unknown_names_come_with_their_values_and_ignored_ones_do_not() -> None:
    rows = [GOOD, GOOD | {"shoe_size": 41, "org": {"id": "s1", "colour": "red"}}, GOOD | {"id": None, "shoe_size": 1}]
    batch = parse_records(WIDE, rows)
    assert dict(batch.unknown) == {"shoe_size": [None, 41], "org.colour": [None, "red"]}


def test_a_table_of_text_is_typed_and_its_strangers_are_reported() -> None:
    resource = Resource(
        "r",
        (Field("id"), Field("share", pa.float64()), Field("gone", pa.int64())),
        key=("id",),
        ignored=frozenset({"x"}),
    )
    table = pa.table(
        {"id": ["a", "b", "", "d"], "share": ["0.5", "", "1", "x"], "new": ["1", None, "", "2"], "x": ["q"] * 4}
    )
    batch = parse_table(resource, table)
    assert batch.table.to_pylist() == [
        {"id": "a", "share": 0.5, "gone": None},
        {"id": "b", "share": None, "gone": None},
    ]
    assert [(r.reason, r.column) for r in batch.rejects] == [("missing_key", "id"), ("not_number", "share")]
    assert json.loads(batch.rejects[1].raw)["share"] == "x"
    assert dict(batch.unknown) == {"new": ["1", None]}


def test_a_chunked_and_sliced_table_is_read_whole() -> None:
    resource = Resource("r", (Field("id"), Field("n", pa.int64())), key=("id",))
    part = pa.table({"id": ["a", "b"], "n": ["1", "x"]})
    batch = parse_table(resource, pa.concat_tables([part, part, part]).slice(1))
    assert batch.table.column("id").to_pylist() == ["a", "a"]
    assert [r.reason for r in batch.rejects] == ["not_integer"] * 3


def test_nothing_in_nothing_out() -> None:
    assert parse_records(WIDE, []).table.schema == WIDE.schema
    assert parse_table(WIDE, WIDE.schema.empty_table()).pulled == 0


@pytest.mark.parametrize("place", sorted(warehouse_resources()), ids="/".join)
def test_every_shipped_resource_declares_what_landing_needs(place: tuple[str, str]) -> None:
    resource = warehouse_resources()[place]
    landed = resource.landed_schema.names
    fields = {field.name: field for field in resource.fields}
    assert len(fields) == len(resource.fields)
    assert set(resource.key) <= set(landed) and resource.key
    assert set(resource.delete_scope) <= set(landed)
    assert (resource.kind == "event") == (resource.event_time is not None)
    if resource.event_time:
        assert resource.landed_schema.field(resource.event_time).type in (TIMESTAMP, pa.date32())
    if any(field.vault for field in resource.fields):
        assert resource.person is not None and fields[resource.person].identifier
    for field in resource.fields:
        rules = [bool(field.identifier), bool(field.vault), field.drop, field.url]
        assert sum(rules) <= 1, f"{field.name} has more than one privacy rule"
    parse_records(resource, [])
