"""The demo's files are written whole, and their catalogue covers what is simulated."""

from __future__ import annotations

import csv
import io
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from uptake.catalogue import load_catalogue
from uptake.config import load_config
from uptake.credentials import from_environment
from uptake.evidence.plan import read_plan
from uptake.sandbox.cli import app
from uptake.sandbox.demo import CATALOGUE, CONFIG, STUDIES, demo_file, write_demo
from uptake.sandbox.district import SimulatedDistrict
from uptake.sandbox.register import COLUMNS, INGREDIENT_COLUMNS, drop_ingredients, drop_register
from uptake.sandbox.running import RunningSandbox
from uptake.sandbox.truths import load_truths


def tools() -> dict[str, dict[str, str]]:
    return {row["tool_id"]: row for row in csv.DictReader(io.StringIO(demo_file(CATALOGUE).decode()))}


def test_what_was_changed_is_not_written_over(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    for _ in range(2):
        assert CliRunner().invoke(app, ["init", str(folder)]).exit_code == 0
        assert {path.name for path in folder.iterdir()} == {CONFIG, CATALOGUE}
    (folder / CONFIG).write_text("# mine")
    found = CliRunner().invoke(app, ["init", str(folder)])
    assert found.exit_code == 1 and "uptake.yaml" in found.output and "--force" in found.output
    assert (folder / CONFIG).read_text() == "# mine"
    assert CliRunner().invoke(app, ["init", str(folder), "--force"]).exit_code == 0
    assert (folder / CONFIG).read_bytes() == demo_file(CONFIG)


def test_the_demos_configuration_is_valid(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    assert write_demo(folder) == []
    config = load_config(folder / CONFIG)
    assert config.state_dir == tmp_path / "var"
    district = config.districts[0]
    assert (district.id, district.is_simulated) == ("riverbend", True)
    assert {source.name for source in district.sources} == {"sis", "lms", "filter", "labbench", "registers"}
    assert district.tool_catalogue == folder / CATALOGUE
    load_catalogue(folder / CATALOGUE)


def test_every_simulated_tool_is_in_the_catalogue_and_only_one_host_is_not(demo: SimulatedDistrict) -> None:
    known, truths = tools(), load_truths()
    assert set(demo.usage.tool_names) - set(known) == {truths.spreading_unmatched.host}
    assert set(known) - set(demo.usage.tool_names) == {truths.unused_licence.tool}
    assert known[truths.spreading_unapproved.tool]["approval_status"] == "unapproved"


def test_two_tools_share_a_host(demo: SimulatedDistrict) -> None:
    hosts: dict[str, set[str]] = {}
    for tool, row in tools().items():
        for address in row["addresses"].split(";"):
            hosts.setdefault(address.split("/")[0], set()).add(tool)
    assert {"writebridge", "citeright"} in hosts.values()
    assert {"google_docs", "google_forms"} in hosts.values()


def test_the_register_of_contracts(tmp_path: Path) -> None:
    path = drop_register(tmp_path, 1200)
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == 12 == len({row["contract_id"] for row in rows})
    assert {row["tool"] for row in rows} <= {tool["tool_name"] for tool in tools().values()}
    assert all(Decimal(row["price"]) > 0 for row in rows)
    assert all((row["seats"] == "") == (row["price_basis"] == "site") for row in rows)
    soon = [row for row in rows if "2026-04-14" < row["renewal_on"] <= "2026-05-31"]
    assert 3 <= len(soon) < len(rows)
    before = path.stat().st_mtime_ns
    assert drop_register(tmp_path, 1200).stat().st_mtime_ns == before, "an unchanged register is not written again"
    assert [found.name for found in path.parent.iterdir()] == [path.name]


def test_the_demos_studies_are_of_the_two_tools_that_have_a_truth(tmp_path: Path) -> None:
    truths = load_truths()
    for name, truth in zip(STUDIES, (truths.effect, truths.no_effect), strict=True):
        (tmp_path / name).write_bytes(demo_file(name))
        plan = read_plan(tmp_path / name)
        assert plan.marts is not None and plan.marts.district == "riverbend"
        assert (plan.marts.use.tool, plan.marts.grades) == (truth.tool, truth.grades)
        assert plan.marts.outcome.ends_on < truths.clock_starts_at.date(), "it is due from the first publication on"


def test_the_register_of_ingredients(tmp_path: Path) -> None:
    path = drop_ingredients(tmp_path, 1200)
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == INGREDIENT_COLUMNS
    assert len(rows) == len({row["ingredient_id"] for row in rows}) > 5
    assert {row["tool"] for row in rows} <= {tool["tool_name"] for tool in tools().values()}
    for row in rows:
        for name in ("quantity", "unit_price"):
            low, high = (row[f"{name}_{end}"] or row[name] for end in ("low", "high"))
            assert 0 < Decimal(low) <= Decimal(row[name]) <= Decimal(high)
    assert drop_ingredients(tmp_path, 1200).read_bytes() == path.read_bytes()


def test_a_test_gets_a_configuration_of_its_own(
    sandbox: RunningSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = load_config(sandbox.write_config(tmp_path / "here" / "uptake.yaml", history_days=9))
    district = config.districts[0]
    assert district.source("filter").model_dump()["history_days"] == 9
    assert config.state_dir == tmp_path / "here" / "var"
    assert district.clock_url == f"{sandbox.base_url}/_sandbox/clock"
    assert district.tool_catalogue == tmp_path / "here" / "tools.csv"
    for name, value in sandbox.environment.items():
        monkeypatch.setenv(name, value)
    for source in district.sources:
        if source.connection:
            assert from_environment(source.connection).password
