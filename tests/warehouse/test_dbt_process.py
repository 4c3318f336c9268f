"""dbt in its own process: what it writes and when, and that what it is spared changes nothing that it says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

FILES = {
    "dbt_project.yml": "name: small\nprofile: small\nmodel-paths: [models]\n",
    "profiles.yml": 'small: {target: one, outputs: {one: {type: duckdb, path: ":memory:"}}}\n',
    "models/one.sql": "{{ config(materialized='table') }}\nselect 1 as a\n",
}


class Small:
    """A dbt project of one model."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.target = root / "target"
        for name, text in FILES.items():
            self.write(name, text)

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def run(self) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "uptake.warehouse.dbt_process", "--no-use-colors", "run"]
        places = ["--project-dir", self.root, "--target-path", self.target, "--profiles-dir", self.root]
        return subprocess.run(
            [str(part) for part in (*command, *places)],
            cwd=self.root,
            env=os.environ | {"DBT_SEND_ANONYMOUS_USAGE_STATS": "false"},
            capture_output=True,
            text=True,
            check=False,
        )

    def results(self) -> list[str]:
        """Status of each node; the file is then gone."""
        path = self.target / "run_results.json"
        found = [result["status"] for result in json.loads(path.read_text())["results"]]
        path.unlink()
        return found

    def manifest(self) -> tuple[int, str]:
        path = self.target / "manifest.json"
        return path.stat().st_mtime_ns, json.loads(path.read_text())["nodes"]["model.small.one"]["raw_code"]


@pytest.fixture
def small(tmp_path: Path) -> Small:
    return Small(tmp_path / "small")


def test_the_manifest_is_written_where_it_is_not_of_the_project(small: Small) -> None:
    first = small.run()
    assert first.returncode == 0, first.stdout
    assert small.results() == ["success"]
    written = small.manifest()

    assert small.run().returncode == 0
    assert small.results() == ["success"], "what a run found is always written"
    assert small.manifest() == written

    small.write("models/one.sql", "select missing as a\n")
    failed = small.run()
    assert failed.returncode == 1 and "missing" in failed.stdout
    assert small.results() == ["error"]
    assert small.manifest()[1] == "select missing as a"

    # A manifest of which nobody knows what it is of, as after a kill in the midst of its writing.
    (small.target / "manifest.of").unlink()
    (small.target / "manifest.json").write_text("{")
    small.write("models/one.sql", FILES["models/one.sql"])
    assert small.run().returncode == 0
    assert small.manifest()[1] == written[1]

    small.write("models/one.sql", "{{ ref('nobody') }}")
    unread = small.run()
    assert unread.returncode == 2 and "nobody" in unread.stdout
    assert small.manifest()[1] == written[1] and not (small.target / "manifest.of").exists()


THRIFT = """
from dbt.adapters.events.types import SQLQuery
from dbt.context.macros import MacroNamespace
from dbt_common.events.functions import fire_event
from dbt_common.events import types_pb2
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
