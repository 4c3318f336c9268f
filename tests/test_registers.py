"""Templates of registers: each is taken by the drop folder as it is, once it has a register's name."""

from __future__ import annotations

import csv
from pathlib import Path

import openpyxl
import pytest
from dropped import opened, set_age, take
from typer.testing import CliRunner

from uptake.cli import app
from uptake.errors import ConfigError
from uptake.registers import GUIDE_TITLES, columns, guide, register, registers, write_template

NAMES = sorted(registers())


def test_every_register_that_the_office_keeps_has_a_template() -> None:
    assert NAMES == [
        "coaching_log",
        "contracts",
        "cost_ingredients",
        "device_incidents",
        "devices",
        "helpdesk_tickets",
        "identity_links",
        "invoices",
        "privacy_agreements",
        "surveys",
        "training_attendance",
        "training_sessions",
    ]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("is_workbook", [False, True], ids=["csv", "xlsx"])
def test_a_template_under_a_registers_name_lands_whole(tmp_path: Path, name: str, is_workbook: bool) -> None:
    template, *_ = write_template(name, tmp_path, as_workbook=is_workbook)
    drop = tmp_path / "drop"
    drop.mkdir()
    template.rename(drop / f"{name}-2025-26{template.suffix}")
    set_age(drop / f"{name}-2025-26{template.suffix}", 3600)
    (batch,) = take(opened(drop, [f"registers/{name}"])).values()
    assert batch.rejects == [] and batch.unknown == {}
    (row,) = batch.table.to_pylist()
    asked = {column.name: column.example for column in columns(register(name))}
    assert all(asked.values()), "each column of a template has an example"
    assert {field for field, value in row.items() if value is not None} == set(asked)


@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_never_taken_for_a_register(tmp_path: Path, name: str) -> None:
    for is_workbook in (False, True):
        for path in write_template(name, tmp_path, as_workbook=is_workbook):
            set_age(path, 3600)
    source = opened(tmp_path, ["registers"])
    assert source.probe().count(" 0 files of") == len(NAMES)


def test_two_registers_never_want_the_same_file(tmp_path: Path) -> None:
    for name in NAMES:
        (tmp_path / f"{name}.csv").write_text("x")
    probe = opened(tmp_path, ["registers"]).probe()
    assert probe.count(" 1 files of") == len(NAMES)


def test_names_go_to_the_vault_and_words_nowhere() -> None:
    """No register lands a person's name or free text about people."""
    for name in NAMES:
        for column in register(name).columns:
            personal = any(part in column.name for part in ("staff", "coach", "teacher", "requester", "holder"))
            if personal and not column.name.endswith("_role") and column.name != "coached_on":
                assert column.identifier or column.vault, (name, column.name)
            if column.name in ("notes", "subject", "comment"):
                assert column.drop


def test_the_guide_says_what_each_column_may_hold(tmp_path: Path) -> None:
    found = {line[0]: line for line in guide(register("training_attendance"))}
    assert found["status"] == ("status", "yes", "text", "registered, attended, absent, cancelled", "")
    assert found["staff_email"][4] == "Lands as a pseudonym."
    assert found["rating"][1:3] == ("the column may be left out", "whole number")
    paths = write_template("training_attendance", tmp_path)
    assert [path.name for path in paths] == [
        "template_training_attendance.csv",
        "template_training_attendance_guide.csv",
    ]
    rows = list(csv.reader(paths[1].open(encoding="utf-8")))
    assert tuple(rows[0]) == GUIDE_TITLES and [row[0] for row in rows[1:]] == list(found)


def test_a_workbook_has_the_guide_on_its_second_sheet(tmp_path: Path) -> None:
    (path,) = write_template("devices", tmp_path, as_workbook=True)
    workbook = openpyxl.load_workbook(path)
    assert workbook.sheetnames == ["devices", "guide"]
    assert workbook["guide"]["A2"].value == "asset_tag"


def test_what_somebody_filled_in_is_not_replaced(tmp_path: Path) -> None:
    write_template("devices", tmp_path)
    with pytest.raises(ConfigError, match="is there already"):
        write_template("devices", tmp_path)
    with pytest.raises(ConfigError, match="there is no register 'device'") as caught:
        write_template("device", tmp_path)
    assert "devices" in caught.value.remedy


def test_the_command(tmp_path: Path) -> None:
    run = CliRunner().invoke
    listed = run(app, ["registers", "list"])
    assert listed.exit_code == 0 and all(name in listed.output for name in NAMES)
    made = run(app, ["registers", "template", "surveys", "--xlsx", "--folder", str(tmp_path)])
    assert made.exit_code == 0 and (tmp_path / "template_surveys.xlsx").exists()
    assert "surveys*.xlsx" in made.output
    wrong = run(app, ["registers", "template", "survey", "--folder", str(tmp_path)])
    assert wrong.exit_code == 1 and "there is no register" in wrong.output
