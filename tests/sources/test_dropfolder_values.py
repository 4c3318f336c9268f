"""Texts to values: formats, time zones, decimal commas, nulls, allowed values, values from the file's name."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest
from dropped import drop, opened, take, take_one, write_mapping
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from uptake.contracts import Batch

REASON = tuple[str, str | None]


def column_of(
    tmp_path: Path, texts: list[str], column: dict[str, Any], **changes: Any
) -> tuple[list[Any], list[REASON]]:
    """A column of texts through one column of a mapping: the values, and the rejects' reason and raw text."""
    rows = "".join('{},"{}"\n'.format(number, text.replace('"', '""')) for number, text in enumerate(texts))
    columns = [{"header": "Id", "required": True}, {"header": "Value"} | column]
    batch = take_one(tmp_path, "a.csv", "Id,Value\n" + rows, columns=columns, delimiter=",", **changes)
    return batch.table["value"].to_pylist(), [
        (reject.reason, orjson.loads(reject.raw)["value"]) for reject in batch.rejects
    ]


def test_dates_by_their_formats_then_iso(tmp_path: Path) -> None:
    texts = ["08/14/2025", "14.08.2025", "2025-08-14", "2025-08-14 00:00:00", "", "N/A"]
    wrong = ["02/30/2025", "08/14/2025 x", "2025-08-14 10:00:00", "2025-13-01", "soon"]
    values, rejects = column_of(tmp_path, texts + wrong, {"type": "date", "formats": ["%m/%d/%Y", "%d.%m.%Y"]})
    assert values == [date(2025, 8, 14)] * 4 + [None, None]
    assert rejects == [("not_date", text) for text in wrong]


def test_dates_without_a_format_are_iso(tmp_path: Path) -> None:
    values, rejects = column_of(tmp_path, ["2025-08-14", "2025-08-14T00:00", "08/14/2025"], {"type": "date"})
    assert (values, rejects) == ([date(2025, 8, 14)] * 2, [("not_date", "08/14/2025")])


def test_times_land_in_utc(tmp_path: Path) -> None:
    column = {"type": "timestamp", "formats": ["%m/%d/%Y %I:%M %p", "%d/%b/%Y:%H:%M:%S %z", "epoch_ms"]}
    texts = [
        "2025-08-14T15:30:00Z",
        "2025-08-14 10:30:00-05:00",
        "2025-08-14T10:30-0500",
        "2025-08-14 10:30",
        "08/14/2025 10:30 AM",
        "14/Aug/2025:17:30:00 +0200",
        "1755185400000",
    ]
    wrong = ["noon", "infinity", "2025-08-14 25:00", "2025-08-14T10:00 America/Denver", "99999999999999999999"]
    values, rejects = column_of(tmp_path, [*texts, *wrong], column, time_zone="America/Chicago")
    assert values == [datetime(2025, 8, 14, 15, 30, tzinfo=UTC)] * len(texts)
    assert rejects == [("not_timestamp", text) for text in wrong]


def test_clocks_that_go_back_and_forward(tmp_path: Path) -> None:
    texts = ["2025-11-02 00:59", "2025-11-02 01:30", "2025-11-02 02:00", "2026-03-08 01:59", "2026-03-08 03:00"]
    skipped = ["2026-03-08 02:00", "2026-03-08 02:59:59"]
    values, rejects = column_of(tmp_path, texts + skipped, {"type": "timestamp"}, time_zone="America/Chicago")
    assert [value.isoformat() for value in values] == [
        "2025-11-02T05:59:00+00:00",
        "2025-11-02T06:30:00+00:00",  # shown twice: the earlier of the two
        "2025-11-02T08:00:00+00:00",
        "2026-03-08T07:59:00+00:00",
        "2026-03-08T08:00:00+00:00",
    ]
    assert rejects == [("time_skipped_by_clock", text) for text in skipped]


def test_a_column_s_zone_overrules_the_mapping_s_and_that_the_source_s(tmp_path: Path) -> None:
    drop(tmp_path / "drop", "a.csv", "Id,A,B\n1,2025-01-01 00:00,2025-01-01 00:00\n")
    columns = [
        {"header": "Id", "required": True},
        {"header": "A", "type": "timestamp", "time_zone": "Asia/Tokyo"},
        {"header": "B", "type": "timestamp"},
    ]

    def hours(**mapping_zone: Any) -> list[int]:
        path = write_mapping(tmp_path, columns=columns, **mapping_zone)
        (batch,) = take(opened(tmp_path / "drop", [path], time_zone="America/New_York")).values()
        return [batch.table[name].to_pylist()[0].hour for name in ("a", "b")]

    assert hours() == [15, 5]
    assert hours(time_zone="America/Denver") == [15, 7]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    moments=st.lists(st.datetimes(datetime(1990, 1, 1), datetime(2040, 1, 1)), min_size=1, max_size=30),
    zone=st.sampled_from(["America/Chicago", "America/Phoenix", "Pacific/Honolulu", "America/St_Johns", "UTC"]),
)
def test_local_times_agree_with_python_s_own(
    tmp_path_factory: pytest.TempPathFactory, moments: list[datetime], zone: str
) -> None:
    texts = [moment.isoformat(sep=" ") for moment in moments]
    values, rejects = column_of(tmp_path_factory.mktemp("zones"), texts, {"type": "timestamp"}, time_zone=zone)
    at_home = [moment.replace(tzinfo=ZoneInfo(zone)) for moment in moments]
    exists = [
        local.astimezone(UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None) == local.replace(tzinfo=None)
        for local in at_home
    ]
    assert values == [local.astimezone(UTC) for local, there in zip(at_home, exists, strict=True) if there]
    assert [raw for _, raw in rejects] == [text for text, there in zip(texts, exists, strict=True) if not there]


def test_decimal_commas(tmp_path: Path) -> None:
    texts = ["1.234,56", "1 234,56", "1\u00a0234,56", "1234,56", " 1234,56 "]
    wrong = ["12.5", "1,234.56", "1.23,4", "12,34,5", "x"]
    values, rejects = column_of(tmp_path, texts + wrong, {"type": "decimal(18,2)"}, decimal_comma=True)
    assert values == [Decimal("1234.56")] * 5
    assert rejects == [("not_number", text) for text in wrong]


def test_a_column_may_differ_from_its_mapping_s_decimal_comma(tmp_path: Path) -> None:
    column = {"type": "number", "decimal_comma": False}
    assert column_of(tmp_path, ["12.5", "1,234.5"], column, decimal_comma=True) == ([12.5, 1234.5], [])


def test_numbers(tmp_path: Path) -> None:
    values, rejects = column_of(
        tmp_path, ["1,234", "25.0", " 7 ", "-3", "12.5", "1,23", "1e3", "$5"], {"type": "integer"}
    )
    assert values == [1234, 25, 7, -3]
    assert rejects == [("not_integer", text) for text in ("12.5", "1,23", "1e3", "$5")]


def test_money_keeps_every_cent(tmp_path: Path) -> None:
    values, rejects = column_of(tmp_path, ["0.10", "9999999999999999.99", "12.345"], {"type": "decimal(18,2)"})
    assert values == [Decimal("0.10"), Decimal("9999999999999999.99")]
    assert rejects == [("not_number", "12.345")]


def test_texts_that_mean_null(tmp_path: Path) -> None:
    assert column_of(tmp_path, ["NaN", "N/A", "", "[0.2, 0.4["], {})[0] == [None, None, None, "[0.2, 0.4["]
    own = {"null_texts": ["-"]}
    assert column_of(tmp_path / "b", ["NaN", "-", ""], own)[0] == ["NaN", None, None]
    assert column_of(tmp_path / "c", ["NaN", "-"], {}, null_texts=["-"])[0] == ["NaN", None]


def test_a_required_value_that_is_null_is_rejected(tmp_path: Path) -> None:
    _, rejects = column_of(tmp_path, ["a", "N/A"], {"required": True})
    assert [reason for reason, _ in rejects] == ["missing_required"]


def test_only_allowed_values_land_as_the_mapping_writes_them(tmp_path: Path) -> None:
    values, rejects = column_of(tmp_path, ["Per_Seat", " site", "", "monthly"], {"values": ["per_seat", "site"]})
    assert (values, rejects) == (["per_seat", "site", None], [("not_allowed", "monthly")])


@pytest.mark.parametrize("kind", ["number", "integer", "decimal(6,2)"])
def test_a_number_that_is_smaller_than_allowed_is_rejected(tmp_path: Path, kind: str) -> None:
    texts = ["0", " 12", "-0", "-1", "-1,234", "", "-x", "11-"]
    values, rejects = column_of(tmp_path, texts, {"type": kind, "at_least": 0})
    assert values == [0, 12, 0, None]
    not_a_number = "not_integer" if kind == "integer" else "not_number"
    assert sorted(rejects) == sorted(
        [("too_small", "-1"), ("too_small", "-1,234"), (not_a_number, "-x"), (not_a_number, "11-")]
    )


def test_a_smallest_number_is_found_behind_a_decimal_comma(tmp_path: Path) -> None:
    column = {"type": "number", "at_least": -0.5, "decimal_comma": True}
    assert column_of(tmp_path, ["-0,5", "-0,51"], column) == ([-0.5], [("too_small", "-0,51")])


def test_the_first_fault_of_a_row_is_its_reason_and_a_row_is_rejected_once(tmp_path: Path) -> None:
    columns = [{"header": "Id", "required": True}, {"header": "A", "type": "date"}, {"header": "B", "type": "integer"}]
    batch = take_one(tmp_path, "a.csv", "Id,A,B\n1,x,y\n2,2025-01-01,y\n,2025-01-01,1\n", columns=columns)
    assert [(reject.reason, reject.column) for reject in batch.rejects] == [
        ("not_date", "a"),
        ("not_integer", "b"),
        ("missing_key", "id"),
    ]


def named(tmp_path: Path, *names: str) -> dict[str, Batch]:
    for name in names:
        drop(tmp_path / "drop", name, "Id\n1\n")
    path = write_mapping(
        tmp_path,
        file_name=r"school_(?P<school>\d+)_(?P<day>\d{8})\.csv",
        columns=[
            {"header": "Id", "required": True},
            {"name": "school", "type": "integer", "from_file_name": True},
            {"name": "day", "type": "date", "formats": ["%Y%m%d"], "from_file_name": True},
        ],
    )
    return take(opened(tmp_path / "drop", [path]))


def test_values_come_from_the_file_s_name(tmp_path: Path) -> None:
    taken = named(
        tmp_path, "a/school_7_20250814.csv", "a/school_8_20250814.csv", "school_x.csv", "school_9_20259999.csv"
    )
    assert taken["a/school_7_20250814.csv"].table.to_pylist() == [{"id": "1", "school": 7, "day": date(2025, 8, 14)}]
    # The same content under another name is another file, for its name is a part of what it says.
    assert taken["a/school_8_20250814.csv"].table["school"].to_pylist() == [8]
    assert [reject.reason for reject in taken["school_x.csv"].rejects] == ["unexpected_file_name"]
    assert [reject.reason for reject in taken["school_9_20259999.csv"].rejects] == ["not_date"]


def test_a_key_column_that_is_not_required_may_be_null(tmp_path: Path) -> None:
    columns = [{"header": "Id", "required": True}, {"header": "Product", "type": "integer"}]
    batch = take_one(tmp_path, "a.csv", "Id,Product\n1,\n1,5\n,5\n", columns=columns, key=["id", "product"])
    assert batch.table.to_pylist() == [{"id": "1", "product": None}, {"id": "1", "product": 5}]
    assert [(reject.reason, reject.column) for reject in batch.rejects] == [("missing_key", "id")]


def test_rejected_rows_fit_once_the_mapping_is_mended(tmp_path: Path) -> None:
    drop(tmp_path / "drop", "a.csv", "Id,Day\n1,14.08.2025\n2,soon\n3,2025-08-14,\n")
    columns = [{"header": "Id", "required": True}, {"header": "Day", "type": "date"}]
    mapping = write_mapping(tmp_path, columns=columns)
    (batch,) = take(opened(tmp_path / "drop", [mapping])).values()
    assert [reject.reason for reject in batch.rejects] == ["wrong_column_count", "not_date", "not_date"]
    mended = opened(
        tmp_path / "drop", [write_mapping(tmp_path, columns=[columns[0], columns[1] | {"formats": ["%d.%m.%Y"]}])]
    )
    again = mended.reparse(mended.resources["visits"], [reject.raw for reject in batch.rejects])
    assert again.table.to_pylist() == [{"id": "1", "day": date(2025, 8, 14)}]
    assert sorted(reject.reason for reject in again.rejects) == ["not_date", "not_replayable"]
    assert again.pulled == 3


@given(
    st.builds(
        "{}{}{}{}Z".format,
        st.sampled_from(["2026-04-14", "0999-12-31", "9999-01-01", "2026-02-30", "20260414", "2026-4-14"]),
        st.sampled_from(["T", " ", "t", ""]),
        st.sampled_from(["13:00:00", "24:00:00", "23:59:60", "13:00", "130000", "13", "13:00:00+00:00"]),
        st.sampled_from(["", ".5", ".123456", ".1234567", ".123456789", ".", ",5", " "]),
    )
)
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_time_in_utc_is_the_same_whatever_its_neighbours_are(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    column = {"type": "timestamp"}
    values, rejects = column_of(tmp_path_factory.mktemp("alone"), [text], column, time_zone="UTC")
    beside, both = column_of(tmp_path_factory.mktemp("beside"), [text, "2026-04-14T13:00"], column, time_zone="UTC")
    assert values == beside[:-1]
    assert rejects == both
