"""The folder: which files are taken, when, and how often."""

from __future__ import annotations

import gzip
import hashlib
import os
from io import BufferedReader
from pathlib import Path
from typing import Any

import pytest
from dropped import NOW, VISITS, drop, opened, set_age, take, write_mapping

from uptake.contracts import Window
from uptake.errors import PermanentError, TransientError
from uptake.sources.base import Home
from uptake.sources.dropfolder import DropFolder

ROW = "Id,Who,Minutes\n1,a,2\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "drop").mkdir()
    return tmp_path / "drop"


@pytest.fixture
def source(tmp_path: Path, folder: Path) -> DropFolder:
    return opened(folder, [write_mapping(tmp_path)])


def tokens(source: DropFolder) -> list[str]:
    (resource,) = source.resources.values()
    return [window.token for window in source.windows(resource, since=None, until=NOW, full=False)]


def test_a_file_is_known_by_its_content(folder: Path, source: DropFolder) -> None:
    drop(folder, "a.csv", ROW)
    (token,) = tokens(source)
    assert token.startswith("file-") and len(token) == len("file-") + 16
    drop(folder, "copy of a.csv", ROW)
    assert tokens(source) == [token]
    (folder / "a.csv").rename(folder / "b.csv")
    assert tokens(source) == [token]
    drop(folder, "b.csv", ROW + "2,b,3\n")
    assert len(set(tokens(source)) - {token}) == 1


# ---- a file that has not changed costs a stat -----------------------------------------------------------------------


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that are read to be known, in order."""
    names: list[str] = []
    original = hashlib.file_digest

    def digest(file: BufferedReader, kind: str) -> object:
        names.append(Path(file.name).name)
        return original(file, kind)

    monkeypatch.setattr("uptake.sources.places.folder.hashlib.file_digest", digest)
    return names


def looks(tmp_path: Path, folder: Path, **changes: Any) -> list[str]:
    """Tokens as a process of its own finds them, with the notes of the ones before."""
    notes = tmp_path / "notes"
    notes.mkdir(exist_ok=True)
    source = opened(folder, [write_mapping(tmp_path, **changes)])
    source.settle(Home(notes, bytes(32)))
    return tokens(source)


def test_a_file_that_has_not_changed_is_not_read_again(tmp_path: Path, folder: Path, read: list[str]) -> None:
    drop(folder, "a.csv", ROW)
    drop(folder, "b.csv.gz", ROW + "2,b,3\n")
    first = looks(tmp_path, folder)
    assert read == ["a.csv", "b.csv.gz"]
    assert looks(tmp_path, folder) == first
    assert read == ["a.csv", "b.csv.gz"]
    (tmp_path / "notes" / "visits.json").write_text("{ not whole")
    assert looks(tmp_path, folder) == first
    assert read == ["a.csv", "b.csv.gz"] * 2


@pytest.mark.parametrize("how", ["content", "time", "another file", "restored time"])
def test_a_file_that_changed_is_read_again(tmp_path: Path, folder: Path, read: list[str], how: str) -> None:
    path = drop(folder, "a.csv", ROW, age=500)
    before = path.stat()
    (first,) = looks(tmp_path, folder)
    if how == "content":
        drop(folder, "a.csv", ROW + "2,b,3\n")
    elif how == "time":
        set_age(path, 400)
    else:
        if how == "another file":  # of the same size, moved over it with its time
            drop(folder, "beside.tmp", ROW.replace("1", "7"))
            (folder / "beside.tmp").replace(path)
        else:
            path.write_text(ROW.replace("1", "7"))
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    (second,) = looks(tmp_path, folder)
    assert read == ["a.csv", "a.csv"]
    assert (second == first) is (how == "time")


def test_what_the_name_holds_is_part_of_what_is_known(tmp_path: Path, folder: Path, read: list[str]) -> None:
    drop(folder, "day_1.csv", ROW)
    (first,) = looks(tmp_path, folder)
    columns = [*VISITS["columns"], {"name": "day", "from_file_name": True}]
    (second,) = looks(tmp_path, folder, file_name=r"day_(?P<day>\d)", columns=columns)
    assert second != first


def test_a_young_file_is_not_remembered(tmp_path: Path, folder: Path, read: list[str]) -> None:
    """It could change again within the same tick of its clock."""
    drop(folder, "a.csv", ROW, age=-7200)
    looks(tmp_path, folder)
    looks(tmp_path, folder)
    assert read == ["a.csv", "a.csv"]


def test_files_that_are_gone_are_forgotten(tmp_path: Path, folder: Path) -> None:
    drop(folder, "a.csv", ROW)
    looks(tmp_path, folder)
    (folder / "a.csv").rename(folder / "b.csv")
    looks(tmp_path, folder)
    notes = (tmp_path / "notes" / "visits.json").read_text()
    assert "b.csv" in notes and "a.csv" not in notes


def test_older_files_come_first(folder: Path, source: DropFolder) -> None:
    drop(folder, "a.csv", "Id,Who,Minutes\n1,new,2\n", age=100)
    drop(folder, "b.csv", "Id,Who,Minutes\n1,old,2\n", age=200)
    assert [batch.table["who"].to_pylist() for batch in take(source).values()] == [["old"], ["new"]]


def test_only_files_that_the_mapping_names(tmp_path: Path, folder: Path) -> None:
    for name in (
        "contracts.csv",
        "in/Contracts_2026.CSV",
        "in/deep/contracts.csv",
        "contract.csv",
        "contracts.csv.bak",
    ):
        drop(folder, name, ROW + name)
    source = opened(folder, [write_mapping(tmp_path, files=["**/contracts*.csv"])])
    assert sorted(take(source)) == ["contracts.csv", "in/Contracts_2026.CSV", "in/deep/contracts.csv"]
    flat = opened(folder, [write_mapping(tmp_path, files="contracts?csv")])
    assert sorted(take(flat)) == ["contracts.csv"]


@pytest.mark.parametrize(
    "name", ["a.csv.part", "a.csv.tmp", "a.CSV.Part", "~$a.csv", ".a.csv", "a.csv~", ".hidden/a.csv"]
)
def test_names_of_unfinished_files_are_left(folder: Path, source: DropFolder, name: str) -> None:
    drop(folder, name, ROW)
    assert tokens(source) == []


def test_a_file_that_was_just_written_is_left_until_it_settles(folder: Path, source: DropFolder) -> None:
    path = drop(folder, "a.csv", ROW, age=2)
    assert tokens(source) == []
    set_age(path, 11)
    assert len(tokens(source)) == 1
    set_age(path, -7200)  # the file server's clock is ahead
    assert len(tokens(source)) == 1


def test_a_file_that_changes_between_two_looks_is_left(
    folder: Path, source: DropFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = drop(folder, "a.csv", ROW)
    digest = "uptake.sources.places.folder.hashlib.file_digest"
    original = __import__("hashlib").file_digest

    def appended_meanwhile(file: object, kind: str) -> object:
        found = original(file, kind)
        with path.open("a") as more:
            more.write("2,b,3\n")
        return found

    with monkeypatch.context() as patch:
        patch.setattr(digest, appended_meanwhile)
        assert tokens(source) == []
    set_age(path, 60)
    assert len(tokens(source)) == 1


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv.gz", gzip.compress(ROW.encode() * 500, mtime=0)[:-8]),
        ("a.xlsx", b"PK\x03\x04 begun"),
        ("a.parquet", b"PAR1"),
    ],
)
def test_a_file_without_its_end_is_unfinished_for_an_hour_and_then_broken(
    tmp_path: Path, folder: Path, name: str, content: bytes
) -> None:
    source = opened(folder, [write_mapping(tmp_path, format="auto")])
    path = drop(folder, name, content, age=1800)
    assert tokens(source) == []
    set_age(path, 3700)
    (batch,) = take(source).values()
    assert [reject.reason for reject in batch.rejects] == ["truncated"]


def test_a_file_that_changes_after_it_was_listed_is_left_to_the_next_pull(folder: Path, source: DropFolder) -> None:
    (resource,) = source.resources.values()
    drop(folder, "a.csv", ROW)
    (window,) = source.windows(resource, since=None, until=NOW, full=False)
    drop(folder, "a.csv", ROW + "2,b,3\n", age=30)
    with pytest.raises(TransientError, match="changed or taken away"):
        list(source.pull(resource, window))
    (folder / "a.csv").unlink()
    with pytest.raises(TransientError, match="changed or taken away"):
        list(source.pull(resource, window))


def test_another_process_finds_the_file_by_its_window(tmp_path: Path, folder: Path, source: DropFolder) -> None:
    drop(folder, "a.csv", ROW)
    (token,) = tokens(source)
    other = opened(folder, [write_mapping(tmp_path)])
    (resource,) = other.resources.values()
    assert [batch.table.num_rows for batch in other.pull(resource, Window("file", token))] == [1]
    with pytest.raises(TransientError, match="no file of the drop folder"):
        list(other.pull(resource, Window("file", "file-0000000000000000")))


def test_a_folder_that_is_not_there_is_an_error_and_not_an_empty_one(tmp_path: Path) -> None:
    source = opened(tmp_path / "nowhere", [write_mapping(tmp_path)])
    with pytest.raises(PermanentError, match="make or mount it"):
        tokens(source)
    with pytest.raises(PermanentError, match="there is no drop folder"):
        source.probe()


def test_probe_counts_files(folder: Path, source: DropFolder) -> None:
    drop(folder, "a.csv", ROW)
    assert source.probe() == f"{folder}: 1 files of visits"


def test_a_file_that_may_not_be_read_is_an_error_and_not_left_in_silence(
    folder: Path, source: DropFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop(folder, "a.csv", ROW)

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("uptake.sources.places.folder.hashlib.file_digest", refuse)
    with pytest.raises(PermanentError, match=r"a\.csv cannot be read \(Permission denied\)"):
        tokens(source)


def test_a_file_that_has_just_gone_is_left(folder: Path, source: DropFolder) -> None:
    (folder / "a.csv").symlink_to(folder / "gone.csv")
    assert tokens(source) == []


def test_nothing_is_moved_or_changed(folder: Path, source: DropFolder) -> None:
    drop(folder, "good.csv", ROW)
    drop(folder, "bad.csv", "nonsense")
    before = {path: (path.read_bytes(), path.stat().st_mtime) for path in folder.iterdir()}
    take(source)
    assert {path: (path.read_bytes(), path.stat().st_mtime) for path in folder.iterdir()} == before
