"""Run by test_crash.py: `publish_loop.py write|read <root>`, until it is killed (write) or told to stop (read)."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from uptake.quality import summary
from uptake.quality.summary import CheckSummary
from uptake.warehouse.publish import publish_latest, read_current
from uptake.warehouse.snapshot import AUDIENCES, make_candidate

spec = importlib.util.spec_from_file_location(
    "small_district", Path(__file__).parent.parent / "quality" / "small_district.py"
)
assert spec is not None and spec.loader is not None
small_district = importlib.util.module_from_spec(spec)
spec.loader.exec_module(small_district)


def write(root: Path) -> None:
    """Publish for ever. Said before each publication: a line, so that the parent knows that it is under way."""
    project = small_district.make_project(root)
    district = project.district("maple")
    while True:
        candidate = make_candidate(project, district, "loop")
        summary.save(CheckSummary(candidate.id, 1), candidate.path)
        publish_latest(project, district, "loop")
        print("published", flush=True)


def read(root: Path) -> None:
    """Open whatever is current, count every table against the manifest, and print how many snapshots were read."""
    folder = small_district.make_project(root).published("maple")
    last, reads = "", 0
    while not (root / "stop").exists():
        current = read_current(folder)
        assert current is not None, "the pointer vanished"
        assert current.id >= last, f"went back from {last} to {current.id}"
        last = current.id
        counted = {}
        for audience in AUDIENCES:
            with current.open(audience) as connection:
                for (table,) in connection.execute("SELECT table_name FROM information_schema.tables").fetchall():
                    counted[table] = connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # type: ignore[index]
        assert counted == current.manifest["tables"], counted
        reads += 1
    print(reads, flush=True)


if __name__ == "__main__":
    {"write": write, "read": read}[sys.argv[1]](Path(sys.argv[2]))
