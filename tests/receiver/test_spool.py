"""The spool on disk: private, unreadable, whole up to a torn end, and taken over from a writer that died."""

from __future__ import annotations

import os
import random
import resource
import stat
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from uptake.errors import PermanentError
from uptake.receiver.spool import CLOSED, MAGIC, OPEN, SIGNAL, Delivery, Lane, SegmentWriter, SpoolFull, begun_at

AT = datetime(2026, 4, 14, 15, 0, 0, 123456, tzinfo=UTC)


def delivery(number: int, size: int = 50) -> Delivery:
    return Delivery(
        AT, "canvas production", f"kid{number}@lakeside.k12.example ".encode() * (size // 20), number % 2 == 0
    )


@pytest.fixture
def lane(tmp_path: Path) -> Lane:
    return Lane(tmp_path / "spool" / "lakeside" / "events" / "event", bytes(range(32)))


def writer(lane: Lane, **changes: float) -> SegmentWriter:
    settings = {"segment_bytes": 2**20, "segment_seconds": 600, "reserve_bytes": 0} | changes
    return SegmentWriter(lane, **settings)  # type: ignore[arg-type]


def read_all(lane: Lane) -> list[Delivery]:
    return [found for name in lane.closed() for found in lane.read(name)]


def test_what_was_written_is_read_in_order(lane: Lane) -> None:
    sent = [delivery(number) for number in range(20)]
    out = writer(lane)
    for first in range(0, 20, 5):
        out.append([one.pack() for one in sent[first : first + 5]])
    assert lane.closed() == [], "a segment that still grows is not taken"
    out.close()
    assert read_all(lane) == sent
    (name,) = lane.closed()
    assert abs((datetime.now(UTC) - begun_at(name)).total_seconds()) < 60
    lane.remove(name)
    assert lane.closed() == [] and list(lane.folder.iterdir()) == []


def test_a_closed_segment_gives_a_signal_that_no_lane_takes_for_its_own(lane: Lane) -> None:
    out = writer(lane)
    out.append([delivery(1).pack()])
    assert not lane.signal.exists(), "what still grows is nothing to pull"
    out.close()
    assert lane.signal == lane.folder.parents[1] / SIGNAL and lane.signal.exists()
    assert stat.S_IMODE(lane.signal.stat().st_mode) == 0o600
    assert lane.closed() and lane.oldest() is not None


def test_a_signal_that_cannot_be_given_loses_nothing(lane: Lane, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, **_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "touch", full)
    out = writer(lane)
    out.append([delivery(1).pack()])
    out.close()
    assert read_all(lane) == [delivery(1)]


def test_what_repeats_itself_takes_little_room(lane: Lane) -> None:
    sent = replace(delivery(1, 200_000), is_gzip=False)
    out = writer(lane)
    out.append([sent.pack()])
    out.close()
    assert next(lane.folder.iterdir()).stat().st_size < len(sent.body) / 10
    assert read_all(lane) == [sent]


def test_it_is_private_and_tells_nothing(lane: Lane) -> None:
    out = writer(lane)
    out.append([delivery(1).pack()])
    out.close()
    (path,) = lane.folder.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(lane.folder.stat().st_mode) == 0o700
    content = path.read_bytes()
    assert content.startswith(MAGIC)
    assert b"lakeside" not in content and b"canvas" not in content and "kid" not in path.name


def test_a_segment_ends_by_size_and_by_age(lane: Lane) -> None:
    small = writer(lane, segment_bytes=500)
    for number in range(9):
        small.append([delivery(number, 200).pack()])
    small.close()
    assert len(lane.closed()) == 5
    old = writer(lane, segment_seconds=0.0)
    old.append([delivery(9).pack()])
    assert len(lane.closed()) == 6 and len(read_all(lane)) == 10


@pytest.mark.parametrize("harm", ["cut", "changed", "grown"])
def test_a_torn_end_takes_nothing_before_it_away(lane: Lane, harm: str) -> None:
    """At many places: what is read is a beginning of what was written, and all of it that the harm did not reach."""
    sent = [delivery(number) for number in range(6)]
    out = writer(lane)
    ends = []
    for one in sent:
        out.append([one.pack()])
        ends.append(next(lane.folder.iterdir()).stat().st_size)
    out.close()
    (path,) = lane.folder.iterdir()
    whole = path.read_bytes()
    for place in range(0, len(whole), 3):
        if harm == "cut":
            path.write_bytes(whole[:place])
        elif harm == "changed":
            path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        else:
            path.write_bytes(whole + os.urandom(place % 40))
        intact = len(sent) if harm == "grown" else sum(end <= place for end in ends)
        assert read_all(lane) == sent[:intact], place


def test_another_districts_key_opens_nothing(lane: Lane) -> None:
    out = writer(lane)
    out.append([delivery(1).pack()])
    out.close()
    with pytest.raises(PermanentError, match="seal key"):
        read_all(replace(lane, key=bytes(32)))


@contextmanager
def files_limited_to(size: int) -> Iterator[None]:
    """The kernel refuses to let a file grow beyond this, after it has written what fits: as on a disk that fills up."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_nothing_follows_a_write_that_failed(lane: Lane) -> None:
    out = writer(lane)
    out.append([delivery(1).pack()])
    with files_limited_to(1500), pytest.raises(SpoolFull):
        out.append([delivery(2, 5000).pack()])
    assert list(lane.folder.glob(f"*{OPEN}")) == []
    out.append([delivery(3).pack()])
    out.close()
    assert read_all(lane) == [delivery(1), delivery(3)]
    assert len(lane.closed()) == 2


def test_the_reserve_of_the_disk_is_left_free(lane: Lane) -> None:
    with pytest.raises(SpoolFull):
        writer(lane, reserve_bytes=2**62).append([delivery(1).pack()])
    assert list(lane.folder.iterdir()) == []


def test_the_segment_of_a_writer_that_was_killed_is_taken(lane: Lane) -> None:
    script = f"""
        import os, signal, sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from pathlib import Path
        from test_spool import Lane, delivery, writer
        out = writer(Lane(Path({str(lane.folder)!r}), bytes(range(32))))
        for number in range(3):
            out.append([delivery(number).pack()])
        os.kill(os.getpid(), signal.SIGKILL)
    """
    killed = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True)
    assert killed.returncode == -9, killed.stderr
    assert [path.suffix for path in lane.folder.iterdir()] == [OPEN]
    assert read_all(lane) == [delivery(number) for number in range(3)]
    assert [path.suffix for path in lane.folder.iterdir()] == [CLOSED]


def test_a_writer_and_a_pull_at_once(lane: Lane) -> None:
    """The pull takes what is closed while the writer goes on; nothing is missed and nothing comes twice."""
    out, taken = writer(lane, segment_bytes=300), []
    chance = random.Random(7)
    for number in range(200):
        out.append([delivery(number).pack()])
        if chance.random() < 0.3:
            for name in lane.closed():
                taken += list(lane.read(name))
                lane.remove(name)
    out.close()
    assert taken + read_all(lane) == [delivery(number) for number in range(200)]
