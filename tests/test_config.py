"""A wrong key is one line that names the key and the line it stands on."""

from __future__ import annotations

import textwrap
from datetime import date
from pathlib import Path

import pytest

from uptake.config import load_config
from uptake.errors import ConfigError
from uptake.sources.dropfolder import DropFolderSettings

GOOD = """\
state_dir: state
districts:
  - id: lakeside
    name: Lakeside School District
    time_zone: America/Chicago
    tool_catalogue: tools.csv
    calendar:
      school_years:
        - {name: 2025-26, starts_on: 2025-08-18, ends_on: 2026-06-05}
      days_off:
        - 2025-09-01
        - {name: Fall break, starts_on: 2025-10-09, ends_on: 2025-10-10}
      school_hours: {start: "08:00", end: "15:30"}
    sources:
      - name: registers
        kind: dropfolder
        folder: drop
        mappings: registers/contracts
      - name: sis
        kind: oneroster
        connection: lakeside_sis
        url: https://sis.example.org
"""


@pytest.fixture
def write(tmp_path: Path):  # type: ignore[no-untyped-def]
    (tmp_path / "tools.csv").touch()

    def writes(text: str) -> Path:
        path = tmp_path / "uptake.yaml"
        path.write_text(textwrap.dedent(text))
        return path

    return writes


def complaint(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    return str(caught.value)


def test_a_good_file(write, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    config = load_config(write(GOOD))
    district = config.district("lakeside")
    assert config.state_dir == tmp_path / "state"
    assert district.tool_catalogue == tmp_path / "tools.csv"
    registers = district.source("registers")
    assert isinstance(registers, DropFolderSettings)
    assert registers.folder == tmp_path / "drop"
    assert district.zone.key == "America/Chicago"
    assert district.calendar.off == {date(2025, 9, 1), date(2025, 10, 9), date(2025, 10, 10)}


def test_state_lies_beside_the_file_when_nothing_is_said(write, tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.chdir("/")
    assert load_config(write(GOOD.replace("state_dir: state\n", ""))).state_dir == tmp_path / "var"


KINDS = "known kinds: oneroster, oneroster_csv, canvas"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("state_dir:", "statedir:", "uptake.yaml line 1: statedir: unknown key"),
        (
            "kind: dropfolder",
            "kind: canvs",
            f"line 16: districts.0.sources.0.kind: unknown source kind 'canvs'; {KINDS}",
        ),
        ("kind: oneroster", "kind: [a]", f"line 20: districts.0.sources.1.kind: unknown source kind ['a']; {KINDS}"),
        ("        folder: drop\n", "", "line 15: districts.0.sources.0.folder: missing key"),
        ("        kind: dropfolder\n", "", "line 15: districts.0.sources.0.kind: missing key"),
        ("connection:", "conection:", "line 21: districts.0.sources.1.conection: unknown key"),
        ("url: https://sis.example.org", "url: sis", "line 22: districts.0.sources.1.url: Input should be a valid URL"),
        ("name: sis", "name: Sis", "line 19: districts.0.sources.1.name: String should match pattern"),
        ("name: sis", "name: registers", "line 19: districts.0.sources.1.name: another source is named 'registers'"),
        ("America/Chicago", "Chicago", "line 5: districts.0.time_zone: 'Chicago' is not an IANA time zone"),
        (
            "        - 2025-09-01",
            "        - someday",
            "line 11: districts.0.calendar.days_off.0: Input should be a valid date",
        ),
        ("name: Fall break, ", "", "line 12: districts.0.calendar.days_off.1.name: missing key"),
        (
            "ends_on: 2026-06-05",
            "ends_on: 2024-06-05",
            "line 9: districts.0.calendar.school_years.0: ends_on is before",
        ),
        ('start: "08:00"', 'start: "18:00"', "line 13: districts.0.calendar.school_hours: end is not after start"),
        ("tools.csv", "tool.csv", "line 6: districts.0.tool_catalogue: there is no file"),
        ("registers/contracts", "maps/a.yaml", "line 18: districts.0.sources.0.mappings: there is no file"),
        ("registers/contracts", "[registers/contract]", "districts.0.sources.0: no mapping 'registers/contract'"),
        ("state_dir: state", "state_dir: ${NO_SUCH_VARIABLE}", "line 1: state_dir: ${NO_SUCH_VARIABLE} is not set"),
        (
            "    name: Lakeside School District",
            "    id: other",
            "line 3: districts.0.id: this key stands on line 4 too",
        ),
        ("  - id: lakeside", "  - id: [", "uptake.yaml line 5: not YAML"),
        ("districts:", "districts: []\nother:", "line 2: districts: Tuple should have at least 1 item"),
        (
            "2025-09-01",
            "2025-02-30",
            "line 11: districts.0.calendar.days_off.0: 2025-02-30 is no date: day is out of range for month",
        ),
        (
            "state_dir: state",
            "operations_url: postgresql://uptake:hush@db/uptake",
            "line 1: operations_url: a password does not belong in this file",
        ),
        ("    time_zone", "    clock_url: http://x.example\n    time_zone", "clock_url: only a simulated district"),
        (
            "    time_zone",
            "    finance: {price_rise: {low: 0.05}}\n    time_zone",
            "line 5: districts.0.finance.price_rise: low cannot exceed likely",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_line(write, old: str, new: str, expected: str) -> None:  # type: ignore[no-untyped-def]
    assert old in GOOD
    found = complaint(write(GOOD.replace(old, new, 1)))
    assert expected in found
    assert "hush" not in found


def test_every_wrong_key_is_told_in_the_order_of_the_file(write) -> None:  # type: ignore[no-untyped-def]
    text = GOOD.replace("state_dir", "state").replace("folder: drop", "folders: drop").replace("tools.csv", "t.csv")
    lines = complaint(write(text)).splitlines()
    assert [line.split(":")[0] for line in lines] == [f"uptake.yaml line {number}" for number in (1, 6, 15, 17)]


def test_two_canvases_that_number_their_people_alike_are_refused(write) -> None:  # type: ignore[no-untyped-def]
    canvas = "      - {{name: {}, kind: canvas, connection: c, url: 'https://{}.example'{}}}\n"
    one, other = canvas.format("lms", "one", ""), canvas.format("lms2", "two", "")
    with pytest.raises(ConfigError, match=r"sources\.3\.url: 'lms' and 'lms2' number their people alike"):
        load_config(write(GOOD + one + other))
    load_config(write(GOOD + one + canvas.format("lms2", "two", ", ids: own")))
    load_config(write(GOOD + one + canvas.format("lms2", "one", ", account: '7'")))


def test_two_districts_need_two_ids(write) -> None:  # type: ignore[no-untyped-def]
    second = GOOD[GOOD.index("  - id") :]
    assert "line 23: districts.1.id: another district has the id 'lakeside'" in complaint(write(GOOD + second))


@pytest.mark.parametrize("text", ["", "# nothing\n", "- a\n", "just text"])
def test_a_file_without_keys(write, text: str) -> None:  # type: ignore[no-untyped-def]
    assert "has no keys" in complaint(write(text))


def test_no_file_at_all_says_how_to_make_one(tmp_path: Path) -> None:
    assert "uptake init" in complaint(tmp_path / "uptake.yaml")


def test_values_come_from_the_environment(write, tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("PLACE", "elsewhere")
    text = GOOD.replace("state_dir: state", "state_dir: ${PLACE}/x").replace("folder: drop", "folder: ${NONE:-d}/e")
    config = load_config(write(text))
    assert config.state_dir == tmp_path / "elsewhere" / "x"
    registers = config.district("lakeside").source("registers")
    assert isinstance(registers, DropFolderSettings) and registers.folder == tmp_path / "d" / "e"


def test_a_folder_may_be_an_address_and_its_known_hosts_a_file(write, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    address = "folder: sftp://files.example:2222/out/x\n        connection: files\n        known_hosts: hosts"
    text = GOOD.replace("folder: drop", address)
    assert f"there is no file {tmp_path / 'hosts'}" in complaint(write(text))
    (tmp_path / "hosts").write_text("")
    registers = load_config(write(text)).district("lakeside").source("registers")
    assert isinstance(registers, DropFolderSettings)
    assert (registers.folder, registers.known_hosts) == ("sftp://files.example:2222/out/x", tmp_path / "hosts")
    assert "a password does not belong" in complaint(write(text.replace("sftp://", "sftp://me:hush@")))


def test_a_password_may_come_from_the_environment(write, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("SECRET", "hush")
    text = "operations_url: postgresql://uptake:${SECRET}@db/uptake\n" + GOOD
    assert load_config(write(text)).operations_url == "postgresql://uptake:hush@db/uptake"


def test_names_that_do_not_exist(write) -> None:  # type: ignore[no-untyped-def]
    config = load_config(write(GOOD))
    with pytest.raises(ConfigError, match="name one of: lakeside"):
        config.district("riverbend")
    with pytest.raises(ConfigError, match="name one of: registers, sis"):
        config.district("lakeside").source("lms")
