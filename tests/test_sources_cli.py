"""`uptake sources`: kinds, a trial that writes nothing, a first mapping."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import Result
from rosters import HOUR, ORG, USER, members, zipped
from typer.testing import CliRunner

from uptake import cli
from uptake.sandbox.running import RunningSandbox, running_sandbox
from uptake.sources import cli as sources_cli
from uptake.sources.registry import KINDS
from uptake.trial import try_source

runner = CliRunner()


def uptake(*arguments: str) -> Result:
    return runner.invoke(cli.app, ["sources", *arguments], env={"COLUMNS": "300", "NO_COLOR": "1", "TERM": "dumb"})


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    for console in (cli.out, cli.err, sources_cli.out):
        monkeypatch.setattr(console, "width", 300)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    with running_sandbox(state=tmp_path_factory.mktemp("sandbox"), students=60) as running:
        yield running


@pytest.fixture
def sandbox(served: RunningSandbox) -> Iterator[RunningSandbox]:
    yield served
    served.mend()


@pytest.fixture
def config(sandbox: RunningSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, value in sandbox.environment.items():
        monkeypatch.setenv(name, value)
    return sandbox.write_config(tmp_path / "demo" / "uptake.yaml", state_dir=tmp_path / "var")


def tried(config: Path, source: str, *options: str) -> tuple[int, dict[str, Any]]:
    found = uptake("test", "riverbend", source, "--config", str(config), "--json", *options)
    return found.exit_code, {entry["resource"]: entry for entry in json.loads(found.output)}


@pytest.mark.parametrize("command", ["list", "test", "profile"])
def test_every_command_teaches_by_an_example(command: str) -> None:
    assert re.search(rf"Examples?:.*uptake sources {command}", uptake(command, "--help").output, re.DOTALL)


def test_list_names_every_kind_and_one_says_all_of_itself() -> None:
    found = uptake("list")
    assert found.exit_code == 0 and all(kind in found.output for kind in KINDS)
    one = uptake("list", "oneroster")
    assert "token_url" in one.output and "kind: oneroster" in one.output
    assert [entry["kind"] for entry in json.loads(uptake("list", "--json").output)] == list(KINDS)
    assert uptake("list", "blackboard").exit_code == 1


def test_a_trial_shows_what_would_land_and_writes_nothing(config: Path, tmp_path: Path) -> None:
    code, found = tried(config, "sis", "--limit", "20")
    assert code == 0
    assert all(entry["rows"] > 0 and not entry["rejects"] for entry in found.values())
    assert found["users"]["rows"] == 20 and len(found["users"]["sample"]) == 2
    user = found["users"]["sample"][0]
    assert re.fullmatch(r"[0-9a-f]{8}…", user["sourcedId"]) and not {"givenName", "familyName"} & set(user)
    assert found["users"]["kept_apart"]["vault"] == ["givenName", "familyName"]
    assert not (tmp_path / "var").exists()


def test_a_trial_asks_for_no_more_pages_than_it_shows(
    config: Path, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    from uptake.sources.http import HttpClient

    asked: list[str] = []
    get = HttpClient.get

    def counted(self: HttpClient, path: Any, *rest: Any, **options: Any) -> Any:
        asked.append(str(path))
        return get(self, path, *rest, **options)

    monkeypatch.setattr(HttpClient, "get", counted)
    tried(config, "sis", "--resource", "enrollments", "--limit", "10")
    assert len(asked) == 1


def test_events_are_those_of_the_last_day(config: Path) -> None:
    code, found = tried(config, "filter", "--limit", "5")
    assert code == 0 and found["activity"]["rows"] == 5


@pytest.mark.parametrize(("fault", "code"), [({"fault": "error500"}, 75), ({"fault": "error500", "status": 404}, 1)])
def test_exit_codes_of_a_vendor_s_bad_day(
    config: Path, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch, fault: dict[str, Any], code: int
) -> None:
    from uptake.sources.api import ApiSource

    monkeypatch.setattr(ApiSource, "sleep", lambda seconds: None)
    sandbox.fault("oneroster/users", **fault)
    found, trials = tried(config, "sis", "--resource", "users", "--resource", "orgs")
    assert found == code
    assert trials["users"]["error"]["remedy"] and trials["orgs"]["error"] is None


def roster(tmp_path: Path, **user: str) -> Path:
    (tmp_path / "roster").mkdir()
    person = USER | {"sourcedId": "17", "role": "student", "orgSourcedIds": "s1", "givenName": "Zoelle"} | user
    zipped(tmp_path / "roster" / "a.zip", members("1.1", {"orgs": [ORG], "users": [person]}), age=HOUR)
    district = {"id": "riverbend", "name": "Riverbend", "time_zone": "America/Chicago"}
    district |= {"calendar": {"school_years": [{"name": "a", "starts_on": "2025-08-18", "ends_on": "2026-06-05"}]}}
    sources = [
        {"name": "sis", "kind": "oneroster_csv", "folder": "roster", "ids": "own"},
        {"name": "events", "kind": "caliper"},
    ]
    path = tmp_path / "uptake.yaml"
    path.write_text(yaml.safe_dump({"state_dir": "var", "districts": [district | {"sources": sources}]}))
    return path


def test_a_row_that_would_be_rejected_is_3_and_shows_no_name(tmp_path: Path) -> None:
    path = roster(tmp_path, enabledUser="perhaps")
    code, found = tried(path, "sis")
    assert code == 3
    (reject,) = found["users"]["rejects"]
    assert (reject["reason"], reject["column"], reject["rows"]) == ("not_boolean", "enabledUser", 1)
    text = uptake("test", "riverbend", "sis", "--config", str(path)).output
    assert "not_boolean in enabledUser" in text and "Zoelle" not in text and "Zoelle" not in json.dumps(found)
    assert not (tmp_path / "var").exists()


def test_what_cannot_be_tried_is_told(tmp_path: Path) -> None:
    path = roster(tmp_path)
    for arguments, told in [
        (("riverbend", "events"), "pushed"),
        (("riverbend", "lms"), "no source"),
        (("lakeside", "sis"), "no district"),
        (("riverbend", "sis", "--resource", "grades"), "no resource"),
    ]:
        found = uptake("test", *arguments, "--config", str(path))
        assert found.exit_code == 1 and told in found.output + (found.stderr if found.stderr_bytes else "")


def test_an_identifier_is_not_the_one_that_a_pull_would_make(tmp_path: Path) -> None:
    from uptake.project import Project

    project = Project.load(roster(tmp_path))
    district = project.district("riverbend")
    looks = [
        next(trial for trial in try_source(project, district, district.source("sis")) if trial.resource == "users")
        for _ in range(2)
    ]
    assert looks[0].sample[0]["sourcedId"] != looks[1].sample[0]["sourcedId"]


def test_profile_writes_a_mapping_and_overwrites_none(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,minutes\n1,5\n2,7\n")
    found = uptake("profile", str(tmp_path / "a.csv"))
    assert found.exit_code == 0 and "key: [id]" in found.output
    target = tmp_path / "mapping.yaml"
    assert uptake("profile", str(tmp_path / "a.csv"), "-o", str(target)).exit_code == 0
    assert target.read_text() == found.output
    assert uptake("profile", str(tmp_path / "a.csv"), "-o", str(target)).exit_code == 1
    assert uptake("profile", str(tmp_path / "nowhere.csv")).exit_code == 2
