"""demo/ and the sandbox's own copies agree, and the catalogue covers what is simulated."""

from __future__ import annotations

import csv
from decimal import Decimal
from importlib.resources import files
from pathlib import Path

import pytest

from uptake.catalogue import load_catalogue
from uptake.config import load_config
from uptake.credentials import from_environment
from uptake.sandbox.district import SimulatedDistrict
from uptake.sandbox.register import COLUMNS, drop_register
from uptake.sandbox.running import RunningSandbox
from uptake.sandbox.truths import load_truths

DEMO = Path(__file__).resolve().parents[2] / "demo"
DATA = files("uptake.sandbox") / "data"


@pytest.mark.parametrize("name", ["uptake.yaml", "tools.csv"])
def test_the_demos_file_is_the_sandboxs(name: str) -> None:
    assert (DEMO / name).read_bytes() == (DATA / name).read_bytes()


def tools() -> dict[str, dict[str, str]]:
    with (DEMO / "tools.csv").open(encoding="utf-8") as file:
        return {row["tool_id"]: row for row in csv.DictReader(file)}


def test_the_demos_configuration_is_valid() -> None:
    district = load_config(DEMO / "uptake.yaml").districts[0]
    assert (district.id, district.is_simulated) == ("riverbend", True)
    assert {source.name for source in district.sources} == {"sis", "lms", "filter", "registers"}
    assert district.tool_catalogue == DEMO / "tools.csv"
    load_catalogue(DEMO / "tools.csv")


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
