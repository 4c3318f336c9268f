"""No file makes a traceback, and every row of a readable one is landed or in quarantine."""

from __future__ import annotations

import csv
import io
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rosters import aged, manifest, opened, sheet, zipped

from uptake.contracts import Batch
from uptake.sources.oneroster.sheets import ONEROSTER

SETTINGS = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
DIALECTS = ["oneroster", "sds_v2.1", "sds_v2"]
TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00\r\n"), max_size=8)
VALUE = st.one_of(
    TEXT,
    st.sampled_from(["", "s1", "u1", "u2", "true", "FALSE", "2026-01-05", "2026-13-45", "9.5", "03,04", ",", "delta"]),
)


def all_batches(folder: Path, dialect: str) -> dict[str, list[Batch]]:
    source = opened(folder, dialect=dialect)
    return {
        name: [
            batch
            for window in source.windows(resource, since=None, until=None, full=True)  # type: ignore[arg-type]
            for batch in source.pull(resource, window)
        ]
        for name, resource in source.resources.items()
    }


@pytest.mark.parametrize("dialect", DIALECTS)
@SETTINGS
@given(content=st.one_of(st.binary(max_size=200), st.binary(max_size=40).map(lambda tail: b"PK\x05\x06" + tail)))
def test_any_bytes_as_a_zip(dialect: str, content: bytes) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "drop")
        folder.mkdir()
        (folder / "a.zip").write_bytes(content)
        aged(folder / "a.zip", 7200)
        found = all_batches(folder, dialect)
    assert [reject.reason for batch in found["orgs"] for reject in batch.rejects] != []


@SETTINGS
@given(data=st.data())
def test_a_zip_with_changed_bytes(data: Any) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "drop")
        files = {"manifest.csv": manifest("1.1", orgs="bulk"), "orgs.csv": sheet("1.1", "orgs", [{"sourcedId": "s1"}])}
        path = zipped(folder / "a.zip", files)
        content = bytearray(path.read_bytes())
        for _ in range(data.draw(st.integers(1, 4))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
        path.write_bytes(content)
        aged(path, 7200)
        all_batches(folder, "oneroster")


@pytest.mark.parametrize("dialect", DIALECTS)
@SETTINGS
@given(data=st.data())
def test_any_bytes_as_the_files(dialect: str, data: Any) -> None:
    names = ["manifest", "orgs", "users", "roles", "classes", "enrollments", "demographics", "results"]
    content = st.one_of(
        st.binary(max_size=120), st.lists(VALUE, max_size=12).map(lambda cells: ",".join(cells).encode())
    )
    files = {f"{name}.csv": data.draw(content) for name in data.draw(st.sets(st.sampled_from(names)))}
    if dialect == "oneroster" and data.draw(st.booleans()):
        files["manifest.csv"] = manifest("1.2", **dict.fromkeys(names[1:], "bulk")).encode()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "drop")
        zipped(folder / "a.zip", files, age=7200)
        all_batches(folder, dialect)


@pytest.mark.parametrize("mode", ["bulk", "delta"])
@pytest.mark.parametrize("version", list(ONEROSTER))
@SETTINGS
@given(data=st.data())
def test_every_row_is_landed_or_in_quarantine(version: str, mode: str, data: Any) -> None:
    """Of users each row of their own file; of their roles each row is a part of one of them, or in quarantine."""
    name = data.draw(st.sampled_from(list(ONEROSTER[version].sheets)))
    sheets = ONEROSTER[version].sheets[name]
    files, sent = {}, {}
    for entry in sheets:
        headers = [*entry.columns]
        rows = data.draw(st.lists(st.lists(VALUE, min_size=len(headers), max_size=len(headers)), max_size=6))
        # A row without any value is a blank line to a reader of CSV.
        sent[entry.names[0]] = [row for row in rows if any(cell.strip() for cell in row)]
        out = io.StringIO()
        csv.writer(out).writerows([headers, *sent[entry.names[0]]])
        files[f"{entry.names[0]}.csv"] = out.getvalue()
    files["manifest.csv"] = manifest(version, **dict.fromkeys(sent, mode))
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "drop")
        zipped(folder / "a.zip", files)
        batches = all_batches(folder, "oneroster")[name]
    rejects = [reject for batch in batches for reject in batch.rejects]
    if any(reject.raw.startswith("a.zip: ") for reject in rejects):
        assert len(rejects) == 1 and not any(batch.table.num_rows for batch in batches)
        return
    of_roles = [reject for reject in rejects if reject.reason == "unknown_user"]
    assert sum(batch.pulled for batch in batches) - len(of_roles) == len(sent[name])
    if len(sheets) > 1:
        users = Counter(orjson.loads(reject.raw).get("sourcedId") for reject in of_roles)
        known = {row[0] or None for row in sent[name]}
        expected = Counter(row[0] or None for row in sent["roles"] if row[6] != "tobedeleted" or not row[0])
        assert users == Counter({user: count for user, count in expected.items() if user is None or user not in known})
