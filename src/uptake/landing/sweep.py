"""Files that a killed pull left behind: written, and never made to count by the ledger.

They do no harm and take up space. What the ledger names, live or superseded, is never touched.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from uptake.landing import ledger
from uptake.project import Project


@dataclass(frozen=True, slots=True)
class Swept:
    """`files` that were removed, or would be in a dry run, and their size."""

    files: int = 0
    bytes: int = 0


def sweep(project: Project, district: str, source: str, *, before: float, dry_run: bool = False) -> Swept:
    """Remove what no pull of this source will finish. The caller holds the source's lock.

    before: seconds since 1970 by the machine's clock; a file that was touched since is left, as it may be somebody's
    who does not see the lock. Rows in quarantine are left too: their rerun takes them over, and some are in no ledger.
    """
    files = size = 0
    for path in _left_behind(project, district, source):
        try:
            found = path.stat()
            if found.st_mtime >= before:
                continue
            if not dry_run:
                path.unlink()
        except FileNotFoundError:
            continue
        files += 1
        size += found.st_size
    return Swept(files, size)


def _left_behind(project: Project, district: str, source: str) -> Iterator[Path]:
    for root in (project.lake, project.quarantine):
        folder = root / f"district={district}" / f"source={source}"
        yield from folder.glob("resource=*/day=*/.*.tmp")
    # Listed first and looked up after: what lands meanwhile is named by then.
    there = list((project.lake / f"district={district}" / f"source={source}").glob("resource=*/day=*/*.parquet"))
    named = ledger.named_paths(project.operations, district, source)
    for path in there:
        if path.relative_to(project.lake).as_posix() not in named:
            yield path
