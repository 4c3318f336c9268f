"""The `uptake` command: it teaches, it tells what to do, and scripts can trust its exit codes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest
from fake_source import FakeSource, make_project, people
from typer.testing import CliRunner, Result

from uptake import cli, doctor, pipeline
from uptake.errors import CheckError, PermanentError, TransientError, UptakeError
from uptake.landing import ledger
from uptake.landing.land import land, open_door
from uptake.project import Project
from uptake.quality.summary import CheckSummary, FailedCheck

runner = CliRunner()
COMMANDS = ("init", "pull", "build", "check", "publish", "run", "status", "doctor", "sandbox", "quarantine")


def uptake(*arguments: str) -> Result:
    return runner.invoke(cli.app, list(arguments), env={"COLUMNS": "300", "NO_COLOR": "1", "TERM": "dumb"})


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli.out, "width", 300)
    monkeypatch.setattr(cli.err, "width", 300)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def lakeside(folder: Path, monkeypatch: pytest.MonkeyPatch, operations_url: str) -> tuple[Project, FakeSource]:
    """A project whose one source is made of lists, and whose records are kept in either database."""
    monkeypatch.setenv("UPTAKE_OPERATIONS_URL", operations_url)
    project, source = make_project(folder), FakeSource()
    assert project.operations.dialect.name == operations_url.partition(":")[0].partition("+")[0]  # and it is made
    source.rows["people"] = people(12)
    source.earliest = datetime.now(UTC) - timedelta(hours=2)  # else a window for each hour since its first day
    monkeypatch.setattr(cli, "_project", lambda config: project)
    monkeypatch.setattr(pipeline, "open_source", lambda settings, credential: source)
    monkeypatch.setattr(pipeline, "credential_of", lambda project, settings: None)
    return project, source


# ---- help -----------------------------------------------------------------------------------------------------------


def test_help_names_every_command_and_the_exit_codes() -> None:
    text = uptake("--help").output
    for command in COMMANDS:
        assert re.search(rf"^\W+{command}\b", text, re.MULTILINE), command
    assert "75 try again later" in text


@pytest.mark.parametrize("command", [name for name in COMMANDS if name not in ("sandbox", "quarantine")])
def test_every_command_teaches_by_an_example(command: str) -> None:
    found = uptake(command, "--help")
    assert found.exit_code == 0
    assert re.search(rf"Examples?:.*uptake {command}", found.output, re.DOTALL)


@pytest.mark.parametrize("command", ["list", "show", "replay"])
def test_every_quarantine_command_teaches_by_an_example(command: str) -> None:
    assert f"uptake quarantine {command}" in uptake("quarantine", command, "--help").output


def test_help_does_not_wait_for_heavy_modules() -> None:
    """Time depends on the machine; what is imported does not."""
    script = "import sys, uptake.cli; print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert "uptake.cli" in found
    assert not {"duckdb", "pyarrow", "pydantic", "sqlalchemy", "httpx", "dbt", "great_expectations"} & set(found)


def test_wrong_usage_is_2() -> None:
    assert uptake("pull", "--nonsense").exit_code == 2
    assert uptake("quarantine", "show", "many").exit_code == 2
    assert uptake("pul").exit_code == 2


# ---- init and doctor ------------------------------------------------------------------------------------------------


def test_init_makes_what_the_other_commands_need_and_may_be_repeated(folder: Path) -> None:
    found = uptake("init")
    assert found.exit_code == 0, found.output
    assert "uptake doctor" in found.output
    modes = {path.name: path.stat().st_mode & 0o777 for path in (folder / "var").iterdir()}
    assert modes == dict.fromkeys(("landing", "quarantine", "operations", "warehouse", "vault", "published"), 0o700)
    vault = folder / "var" / "vault" / "lakeside"
    keys = {path.name: (path.stat().st_mode & 0o777, path.read_bytes()) for path in vault.iterdir()}
    assert {name: mode for name, (mode, _) in keys.items()} == {"pseudonym.key": 0o600, "seal.key": 0o600}
    (folder / "uptake.yaml").write_text((folder / "uptake.yaml").read_text() + "# mine\n")
    assert uptake("init").exit_code == 0
    assert (folder / "uptake.yaml").read_text().endswith("# mine\n")
    assert (vault / "pseudonym.key").read_bytes() == keys["pseudonym.key"][1]


def test_doctor_finds_a_fresh_installation_well(folder: Path) -> None:
    uptake("init")
    found = uptake("doctor")
    assert found.exit_code == 0, found.output
    for subject in ("configuration", "operations database", "lakeside: keys", "lakeside: registers", "disk", "duckdb"):
        assert re.search(rf"^ok +{subject}", found.output, re.MULTILINE), subject


def test_doctor_says_what_to_mend(folder: Path) -> None:
    uptake("init")
    (folder / "var" / "vault" / "lakeside" / "seal.key").unlink()
    (folder / "var" / "operations" / "uptake.db").unlink()
    (folder / "drop" / "registers").rmdir()
    found = uptake("doctor")
    assert found.exit_code == 1
    for subject in (
        "operations database: not there yet",
        "lakeside: keys: seal.key is not there",
        "lakeside: registers",
    ):
        assert re.search(rf"^mend {re.escape(subject)}.*\n +to mend it: \S", found.output, re.MULTILINE), subject
    assert not (folder / "var" / "operations" / "uptake.db").exists()  # it only looks


def test_doctor_tells_a_key_that_others_can_read(folder: Path) -> None:
    uptake("init")
    (folder / "var" / "vault" / "lakeside" / "pseudonym.key").chmod(0o644)
    assert "can be read by others" in uptake("doctor").output


def test_doctor_tells_a_missing_credential_and_asks_nobody(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uptake("init")
    path = folder / "uptake.yaml"
    source = "\n      - {name: sis, kind: oneroster, connection: lakeside_sis, url: 'https://sis.example.org'}\n"
    path.write_text(path.read_text() + source)
    monkeypatch.setattr(doctor, "open_source", lambda *_: pytest.fail("it was asked"))
    monkeypatch.delenv("AIRFLOW_CONN_LAKESIDE_SIS", raising=False)
    found = uptake("doctor", "--source", "sis")
    assert found.exit_code == 1
    assert "no credential for connection 'lakeside_sis'" in found.output
    assert "AIRFLOW_CONN_LAKESIDE_SIS" in found.output
    assert "registers" not in found.output
    monkeypatch.setenv("AIRFLOW_CONN_LAKESIDE_SIS", '{"login": "id", "password": "hush"}')
    found = uptake("doctor", "--offline")
    assert found.exit_code == 0
    assert "hush" not in found.output


def test_doctor_tells_what_may_mend_itself(
    lakeside: tuple[Project, FakeSource], monkeypatch: pytest.MonkeyPatch
) -> None:
    project, source = lakeside
    open_door(project, project.district("lakeside"))[1].__exit__(None, None, None)
    monkeypatch.setattr(doctor, "credential_of", lambda *_: None)
    monkeypatch.setattr(doctor, "open_source", lambda *_: source)
    found = uptake("doctor")
    assert found.exit_code == 0, found.output
    source.probe = lambda: (_ for _ in ()).throw(TransientError("no answer", remedy="wait."))  # type: ignore[method-assign]
    found = uptake("doctor")
    assert found.exit_code == 75
    assert "mend lakeside: sis (fake): no answer" in found.output


# ---- progress -------------------------------------------------------------------------------------------------------


def test_a_step_says_how_far_it_is_where_nobody_watches_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    moments = count(step=6.0)  # seconds from one look at the clock to the next
    monkeypatch.setattr(cli.time, "monotonic", lambda: next(moments))
    with cli._bars() as progress:
        bar = cli._Steps(progress, "lakeside", "build")
        for number in range(4):
            bar(number, 99, "dim_tool")
    said = capsys.readouterr().err
    assert "lakeside: building: 1 of 99 done, now dim_tool" in said
    assert "0 of 99" not in said and "2 of 99" not in said, "a line every ten seconds at most"


# ---- pull, build, check, publish ------------------------------------------------------------------------------------


def test_pull_tells_what_came(lakeside: tuple[Project, FakeSource]) -> None:
    _, source = lakeside
    source.rows["people"].append({"id": "x", "grade": "third"})
    found = uptake("pull", "--district", "lakeside", "--source", "sis", "--resource", "people")
    assert found.exit_code == 0, found.output
    assert "lakeside sis: 13 rows pulled, 12 landed, 1 in quarantine, 0 marked deleted" in found.output
    assert "people: 1 rows are in quarantine" in found.output


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (TransientError("away", remedy="wait."), 75),
        (PermanentError("no scope", remedy="grant it."), 1),
        (CheckError("a check failed", remedy="mend."), 3),
    ],
)
def test_exit_codes_follow_the_error(lakeside: tuple[Project, FakeSource], error: UptakeError, code: int) -> None:
    lakeside[1].errors["people"] = error
    found = uptake("pull", "--resource", "people")
    assert found.exit_code == code
    assert f"error: {error.message} (district lakeside, source sis, resource people" in found.stderr
    assert f"to mend it: {error.remedy}" in found.stderr


def test_since_and_until_are_in_the_districts_zone(
    lakeside: tuple[Project, FakeSource], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, object] = {}

    def pull(project: Project, district: str, source: str, **options: object) -> pipeline.PullSummary:
        asked.update(options)
        return pipeline.PullSummary(district, source, "run")

    monkeypatch.setattr(pipeline, "pull", pull)
    assert uptake("pull", "--since", "2026-03-01", "--until", "2026-03-10T08:00Z", "--full").exit_code == 0
    assert asked["since"] == datetime(2026, 3, 1, 6, tzinfo=UTC)
    assert asked["until"] == datetime(2026, 3, 10, 8, tzinfo=UTC)
    assert asked["full"] is True
    found = uptake("pull", "--since", "last week")
    assert found.exit_code == 2
    assert "'last week' is not a date" in found.output


def test_names_that_do_not_exist_are_1(lakeside: tuple[Project, FakeSource]) -> None:
    for arguments, known in (
        (("pull", "--district", "nowhere"), "name one of: lakeside"),
        (("pull", "--source", "lms"), "name one of: sis"),
        (("quarantine", "show", "99"), "no quarantine file 99"),
    ):
        found = uptake(*arguments)
        assert found.exit_code == 1
        assert known in found.output


def test_a_mass_delete_is_accepted_only_of_what_is_named(
    lakeside: tuple[Project, FakeSource], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, source = lakeside
    hours = count()
    monkeypatch.setattr(
        pipeline.clock, "now", lambda _: datetime(2026, 4, 14, tzinfo=UTC) + timedelta(hours=next(hours))
    )
    source.rows["people"] = people(60)
    uptake("pull", "--resource", "people")
    source.rows["people"] = []
    asked = ("pull", "--source", "sis", "--resource", "people", "--full")
    shown = " ".join(uptake(*asked, "--dry-run").output.split())
    assert "Nothing was changed." in shown and "60 held rows did not come" in shown
    assert "school-0: 30, school-1: 30" in shown
    for wrong in (
        ("pull", "--full"),
        ("pull", "--source", "sis"),
        ("pull", "--source", "sis", "--since", "2026-03-01"),
    ):
        found = uptake(*wrong, "--accept-deletes")
        assert found.exit_code == 2 and "--accept-deletes needs --source" in found.output
    assert "60 marked deleted" in uptake(*asked, "--accept-deletes").output


def test_no_configuration_is_1_and_says_how_to_begin(folder: Path) -> None:
    found = uptake("status")
    assert found.exit_code == 1
    assert "uptake init" in found.output
    assert "Traceback" not in found.output


def test_a_wrong_configuration_names_every_line(folder: Path) -> None:
    uptake("init")
    path = folder / "uptake.yaml"
    path.write_text(path.read_text().replace("time_zone:", "timezone:"))
    found = uptake("pull", "--config", str(path))
    assert found.exit_code == 1
    assert "timezone: unknown key" in found.output and "time_zone: missing key" in found.output


def test_check_is_3_when_a_critical_check_fails(
    lakeside: tuple[Project, FakeSource], monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = FailedCheck("pulled_is_landed", "landing", "t", None, "critical", "d", "3 rows are missing", "pull again.")
    summary = CheckSummary("snapshot", 7, [failed], [])
    monkeypatch.setattr(pipeline, "check", lambda *_, **__: summary)
    found = uptake("check")
    assert found.exit_code == 3
    assert "7 checks passed, 1 failed" in found.output
    assert "pulled_is_landed: 3 rows are missing" in found.output and "pull again." in found.output
    monkeypatch.setattr(pipeline, "check", lambda *_, **__: CheckSummary("snapshot", 7, [], [failed]))
    assert uptake("check").exit_code == 0


# ---- status and quarantine ------------------------------------------------------------------------------------------


def test_status_tells_what_is_fresh_and_what_failed(lakeside: tuple[Project, FakeSource]) -> None:
    _, source = lakeside
    (entry,) = json.loads(uptake("status", "--json").output)
    assert entry["snapshot_id"] is None
    assert entry["sources"] == [{"source": "sis", "kind": "fake", "failed": None, "resources": []}]
    source.rows["courses"] = [{"title": "no key"}]
    source.errors["visits"] = TransientError("away", remedy="wait.")
    source.rows["visits"] = []
    uptake("pull")
    (entry,) = json.loads(uptake("status", "--json").output)
    told = {row["resource"]: row for row in entry["sources"][0]["resources"]}
    assert (told["people"]["status"], told["courses"]["status"], told["visits"]["status"]) == (
        "good",
        "warning",
        "failed",
    )
    assert told["people"]["last_good_pull_at"] is not None
    assert (told["visits"]["last_good_pull_at"], told["visits"]["message"]) == (None, "away")
    assert entry["quarantined_rows"] == 1
    text = uptake("status").output
    assert "nothing is published yet" in text and "1 rows in quarantine" in text and "away" in text


def test_status_says_which_check_fails_since_when_and_what_to_do(lakeside: tuple[Project, FakeSource]) -> None:
    project, source = lakeside
    folder = project.published("lakeside")
    snapshot = "20260414T110500000000Z"
    (folder / snapshot).mkdir(parents=True)
    (folder / "current").write_text(snapshot)
    told = {"table": "mart_value", "column": None, "suite": "marts"}
    warning = told | {"check_id": "marts.seats", "severity": "warning", "description": "Seats are not exceeded.",
                      "observed": "2 rows", "remedy": "ask the vendor."}  # fmt: skip
    manifest = {"published_at": "2026-04-14T11:05:00+00:00", "data_complete_through": "2026-04-13",
                "checks": {"passed": 9, "failed_warning": [warning]}}  # fmt: skip
    (folder / snapshot / "manifest.json").write_text(json.dumps(manifest))
    critical = told | {
        "check_id": "marts.cost",
        "severity": "critical",
        "description": "No cost is negative.",
        "observed": "1 row",
        "remedy": "mend the register.",
        "since": "2026-04-15T08:00:00+00:00",
    }
    rejected = {"snapshot_id": "20260415T080000000000Z", "since": critical["since"], "checks": [critical]}
    (folder / "rejected.json").write_text(json.dumps(rejected))
    source.errors["people"] = TransientError("away", remedy="wait for it.")
    uptake("pull")
    text = " ".join(uptake("status").output.split())
    assert (
        "check fails since 2026-04-15T08:00:00+00:00: marts.cost No cost is negative. Found: 1 row. "
        "To mend it: mend the register." in text
    )
    assert "warning: marts.seats Seats are not exceeded. Found: 2 rows. To mend it: ask the vendor." in text
    assert "sis people failed: away To mend it: wait for it." in text


def test_quarantine_is_listed_shown_and_replayed(lakeside: tuple[Project, FakeSource]) -> None:
    project, source = lakeside
    source.rows["courses"] = [{"title": "Art", "id": {"no": "text"}}]
    uptake("pull", "--resource", "courses")
    (row,) = json.loads(uptake("quarantine", "list", "--json").output)
    assert (row["reason"], row["column"], row["rows"], row["state"]) == ("not_string", "id", 1, "open")
    assert "not_string" in uptake("quarantine", "list").output
    shown = uptake("quarantine", "show", str(row["id"]))
    assert shown.exit_code == 0
    assert "Art" not in shown.output
    found = uptake("quarantine", "replay", str(row["id"]))
    assert "0 of 1 rows landed, 1 still do not fit" in found.output
    assert uptake("quarantine", "list", "--source", "none").output.strip() == "Nothing is in quarantine."
    district = project.district("lakeside")
    door, vault = open_door(project, district)
    source.rows["courses"] = [{"id": "c1"}]
    with vault:
        window = source.asked[-1][1]
        resource = source.resources["courses"]
        land(
            project,
            district,
            district.sources[0],
            source,
            resource,
            window,
            run_id="r",
            door=door,
            now=datetime.now(UTC),
        )
    assert json.loads(uptake("quarantine", "list", "--json").output) == []
    (row,) = json.loads(uptake("quarantine", "list", "--all", "--json").output)
    assert row["state"] == "pulled again"
    assert len(ledger.live_files(project.operations, "lakeside")) == 1


def test_the_command_is_installed(folder: Path) -> None:
    command = Path(sys.executable).parent / "uptake"
    environment = {**os.environ, "COLUMNS": "200"}
    found = subprocess.run([command, "status"], check=False, capture_output=True, text=True, env=environment)
    assert found.returncode == 1
    assert found.stdout == ""
    assert "there is no file" in found.stderr and "Traceback" not in found.stderr
