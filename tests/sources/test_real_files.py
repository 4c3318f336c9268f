"""Mappings that come with Uptake, on the files that others published: every row lands, and no name with it.

The files are not in the repository; what is expected of them stands in ../shared/data/README.md or was counted there.
"""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from dropped import drop, opened, take

from uptake.contracts import Batch

DATA = Path(__file__).parents[3] / "shared" / "data"
HEADERS = {
    "iready/lessons": "Last Name,First Name,Student ID,Student Grade,Academic Year,School,Subject,Domain,Lesson Grade,"
    "Lesson Level,Lesson ID,Lesson Name,Lesson Objective,Lesson Language,Completion Date,Total Time on Lesson (min),"
    "Score,Passed or Not Passed,Teacher-Assigned Lesson",
    "intune/devices": "DeviceName,ManagedBy,Ownership,Compliance,OS,OSVersion,LastCheckIn,PrimaryUserUPN,DeviceID",
    "clever/daily_participation": "date,sis_id,clever_user_id,clever_school_id,school_name,active,num_logins,"
    "num_resources_accessed",
}
ROWS = {
    "iready/lessons": "Lind,Zoe,77,4,2025-2026,Maple,Math,Geometry,4,Mid,DI.1,Shapes,Draw,English,08/31/2025,29,100,"
    "Passed,N",
    "intune/devices": "LAB-7,Intune,Corporate,Compliant,Windows,10.0,2025-06-01 14:19:07.1733099,a@maple.example,8f",
    "clever/daily_participation": "2025-01-03,f2,b2,ab,Maple,True,3,2",
}
NAMES = {
    "iready/lessons": "personalized_instruction_by_lesson_math.csv",
    "intune/devices": "intune-devices.csv",
    "clever/daily_participation": "daily-participation-01.csv",
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_small_file_of_the_same_header_lands(tmp_path: Path, name: str) -> None:
    drop(tmp_path / "drop", NAMES[name], f"{HEADERS[name]}\n{ROWS[name]}\n")
    (batch,) = take(opened(tmp_path / "drop", [name])).values()
    assert (batch.rejects, batch.unknown, batch.table.num_rows) == ([], {}, 1)


def whole(name: str, folder: str) -> Batch:
    """All published files of one mapping, as one batch."""
    if not (DATA / folder).is_dir():
        pytest.skip(f"../shared/data/{folder} is not here: the published files are tested where they are")
    batches = list(take(opened(DATA / folder, [name])).values())
    tables = [batch.table for batch in batches]
    return Batch(pa.concat_tables(tables), [reject for batch in batches for reject in batch.rejects])


@pytest.mark.parametrize(
    ("name", "folder", "rows"),
    [
        ("intune/devices", "intune", 211),
        ("iready/lessons", "iready", 11_770 + 7_767),
        ("iready/diagnostic_results_ela", "iready", 1_022),
        ("iready/diagnostic_results_math", "iready", 1_002),
        ("clever/daily_participation", "clever", 15_000),
    ],
)
def test_every_row_of_the_published_files_lands(name: str, folder: str, rows: int) -> None:
    batch = whole(name, folder)
    assert (batch.table.num_rows, batch.rejects) == (rows, [])


def test_what_the_published_files_say_is_what_lands() -> None:
    lessons = whole("iready/lessons", "iready").table
    minutes = 0
    for path in sorted((DATA / "iready").glob("personalized_instruction_by_lesson_*/*.csv.gz")):
        with gzip.open(path, "rt", encoding="utf-8-sig") as file:
            minutes += sum(int(row["Total Time on Lesson (min)"]) for row in csv.DictReader(file))
    assert pc.sum(lessons["minutes"]).as_py() == minutes
    clever = whole("clever/daily_participation", "clever").table
    assert pc.sum(clever["was_active"].cast("int64")).as_py() == 7_500
    assert pc.count_distinct(clever["clever_user"]).as_py() == 600
    devices = whole("intune/devices", "intune").table
    assert pc.count_distinct(devices["primary_user"]).as_py() == 104
    assert devices["last_check_in_at"].null_count == 0
