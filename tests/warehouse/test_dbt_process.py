"""dbt in its own process: what it writes and when, and that what it is spared changes nothing that it says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
import small_dbt
from ready import forked

from uptake.warehouse import dbt_project

ONE = "{{ config(materialized='table') }}\nselect 1 as a\n"


class Small:
    """A dbt project of one model."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.target = root / "target"
        small_dbt.write(root, small_dbt.SETTINGS | {"models/one.sql": ONE})

    def write(self, name: str, text: str) -> None:
        small_dbt.write(self.root, {name: text})

    def run(self) -> int:
        """The exit code. What was said is then in the file `said`."""
        process, heard = forked(run, self.root, self.target)
        code: int = heard.recv()
        process.join()
        return code

    def said(self) -> str:
        return (self.root / "said").read_text()

    def results(self) -> list[str]:
        """Status of each node; the file is then gone."""
        path = self.target / "run_results.json"
        found = [result["status"] for result in json.loads(path.read_text())["results"]]
        path.unlink()
        return found

    def manifest(self) -> tuple[int, str]:
        path = self.target / "manifest.json"
        return path.stat().st_mtime_ns, json.loads(path.read_text())["nodes"]["model.small.one"]["raw_code"]


def run(say: Connection, root: Path, target: Path) -> None:
    """In a process of its own, forked from one that knows dbt already."""
    from uptake.warehouse import dbt_process

    os.chdir(root)
    with (root / "said").open("wb") as said:
        os.dup2(said.fileno(), 1)
        os.dup2(said.fileno(), 2)
    places = ["--project-dir", root, "--target-path", target, "--profiles-dir", root]
    say.send(dbt_process.main(["--no-use-colors", "run", *map(str, places)]))


@pytest.fixture
def small(tmp_path: Path) -> Small:
    return Small(tmp_path / "small")


def test_the_manifest_is_written_where_it_is_not_of_the_project(small: Small) -> None:
    assert small.run() == 0, small.said()
    assert small.results() == ["success"]
    written = small.manifest()

    assert small.run() == 0
    assert small.results() == ["success"], "what a run found is always written"
    assert small.manifest() == written

    small.write("models/one.sql", "select missing as a\n")
    assert small.run() == 1 and "missing" in small.said()
    assert small.results() == ["error"]
    assert small.manifest()[1] == "select missing as a"

    # A manifest of which nobody knows what it is of, as after a kill in the midst of its writing.
    (small.target / "manifest.of").unlink()
    (small.target / "manifest.json").write_text("{")
    small.write("models/one.sql", ONE)
    assert small.run() == 0
    assert small.manifest()[1] == written[1]

    small.write("models/one.sql", "{{ ref('nobody') }}")
    assert small.run() == 2 and "nobody" in small.said()
    assert small.manifest()[1] == written[1] and not (small.target / "manifest.of").exists()


def test_a_setting_that_dbt_does_not_take_is_told(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBT_LOG_FORMAT", "rhyme")
    assert small.run() == 2
    assert "rhyme" in small.said()


def test_a_project_is_its_files_and_not_what_dbt_made_of_them(tmp_path: Path) -> None:
    small = Small(tmp_path)
    digest = dbt_project.project_digest(tmp_path)
    small.write("target/compiled/one.sql", "select 1 as a\n")
    small.write("logs/dbt.yml", "")
    small.write(".user.yml", "id: 1\n")
    assert dbt_project.project_digest(tmp_path) == digest
    deciding = dbt_project.project_digest(tmp_path, dbt_project.DECIDING)
    small.write("models/one.yml", "models: []\n")
    assert dbt_project.project_digest(tmp_path) != digest
    assert dbt_project.project_digest(tmp_path, dbt_project.DECIDING) == deciding
    small.write("profiles.yml", "")
    assert dbt_project.project_digest(tmp_path, dbt_project.DECIDING) != deciding


THRIFT = """
from dbt.adapters.events.types import SQLQuery
from dbt.context.macros import MacroNamespace
from dbt_common.events.functions import fire_event
from dbt_common.events.base_types import EventLevel
from dbt_common.events.event_manager_client import add_callback_to_manager
from dbt_common.events.types import Formatting, Note

said = {"conn_name": "master", "sql": "select 1", "node_info": {"node_name": "one"}}
places = ({"a": 1, "b": 1}, {"b": 2, "c": 2}, {"a": 3, "d": 3}, {"small": {"e": 4}, "c": 4})
eager, found = SQLQuery(**said).pb_msg, dict(MacroNamespace(*places))

from uptake.warehouse import dbt_thrift

dbt_thrift.use()
told = []
add_callback_to_manager(lambda message: told.append((message.info.level, message.data.msg)))

late = SQLQuery(**said)
assert "_message" not in late.__dict__
assert late.pb_msg == eager and late.sql == "select 1" and late.pb_msg is late.pb_msg
late.sql = "select 2"
assert late.message() == "On master: select 2", late.message()
assert dict(MacroNamespace(*places)) == found == {"a": 1, "b": 2, "c": 2, "d": 3, "small": {"e": 4}, "dbt": places[2]}

dropped = Note(msg="nobody asks")
fire_event(dropped, level=EventLevel.DEBUG)
fire_event(SQLQuery(**said))
assert told == [] and "_message" not in dropped.__dict__
fire_event(Note(msg="an answer"), level=EventLevel.INFO)
fire_event(Formatting("a line"), level=EventLevel.WARN)
assert told == [("info", "an answer"), ("warn", "a line")], told
"""


def test_what_dbt_is_spared_changes_nothing_that_it_says() -> None:
    """In a process of its own: it is for good."""
    done = subprocess.run([sys.executable, "-c", THRIFT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
