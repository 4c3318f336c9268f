"""Which tests run where, and first, when several workers share the suite (`make test`).

A file is not divided: its fixtures are made once. Files that share an expensive fixture are kept together for the same
reason. What takes long begins first, since a long file that begins last is waited for by all the others.
"""

from __future__ import annotations

from xdist.scheduler.loadfile import LoadFileScheduling

# Files of one group run on one worker, one after the other.
TOGETHER = {
    "a district on its whole way": ("tests/e2e/",),
}
LONG = (
    "tests/dags/test_scheduler.py",
    "tests/e2e/",
    "tests/warehouse/test_dbt.py",
    "tests/examples/",
    "tests/warehouse/test_made.py",
    "tests/dashboard/test_pages.py",
    "tests/dashboard/test_browser.py",
    "tests/quality/",
    "tests/warehouse/",
    "tests/landing/",
    "tests/publish/",
)


def turn(test: str) -> int:
    """The place of a test's file among the long ones; all others come after them, in the order they have."""
    return next((place for place, begins in enumerate(LONG) if test.startswith(begins)), len(LONG))


class FilesOfOneKind(LoadFileScheduling):
    """xdist's scheduling by file, with TOGETHER's files as one."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return next((name for name, files in TOGETHER.items() if file.startswith(files)), file)
