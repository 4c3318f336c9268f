"""The simulated clock runs through school days and jumps over the rest; a restart resumes it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from uptake.sandbox.clock import Clock
from uptake.sandbox.running import RunningSandbox
from uptake.sandbox.schoolyear import ZONE, SchoolYear

YEAR = SchoolYear()


class Wall:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def at(*when: int) -> datetime:
    return datetime(*when, tzinfo=ZONE)  # type: ignore[arg-type,misc]


def moved(start: datetime, seconds: float, speed: float = 60) -> datetime:
    wall = Wall()
    clock = Clock(YEAR, start, speed=speed, wall=wall)
    wall.seconds += seconds
    return clock.now.astimezone(ZONE)


@pytest.mark.parametrize(
    ("start", "seconds", "expected"),
    [
        (at(2026, 4, 14, 7, 30), 60, at(2026, 4, 14, 8, 30)),
        (at(2026, 4, 14, 15, 30), 60, at(2026, 4, 15, 7, 30)),  # over the night
        (at(2026, 4, 17, 15, 30), 60, at(2026, 4, 20, 7, 30)),  # over the weekend
        (
            at(2026, 3, 13, 15, 30),
            60,
            at(2026, 3, 23, 7, 30),
        ),  # over spring break, and the change to summer time before
        (at(2026, 4, 14, 3, 0), 60, at(2026, 4, 14, 8, 0)),  # at night it is first thing in the morning
        (at(2026, 4, 18, 12, 0), 60, at(2026, 4, 20, 8, 0)),
        (at(2026, 4, 14, 7, 30), 60 * 9 * 2, at(2026, 4, 16, 7, 30)),  # two whole days
        (at(2026, 6, 5, 15, 0), 3600, at(2026, 6, 5, 16, 0)),  # and there it stands
        (at(2025, 10, 31, 15, 30), 60, at(2025, 11, 3, 7, 30)),  # over the change to winter time
    ],
)
def test_it_runs_through_school_days_only(start: datetime, seconds: float, expected: datetime) -> None:
    assert moved(start, seconds) == expected


def test_speed_zero_freezes_it_anywhere() -> None:
    night = at(2026, 4, 14, 23, 11)
    assert moved(night, 10_000, speed=0) == night


def test_it_never_goes_back() -> None:
    after_the_end = at(2026, 7, 1, 12)
    assert moved(after_the_end, 100) == after_the_end


def test_a_change_of_speed_keeps_the_time() -> None:
    wall = Wall()
    clock = Clock(YEAR, at(2026, 4, 14, 8), wall=wall)
    wall.seconds += 30
    clock.set(speed=120)
    wall.seconds += 30
    assert clock.now.astimezone(ZONE) == at(2026, 4, 14, 9, 30)


def test_a_restart_resumes_and_time_did_not_pass_meanwhile(tmp_path: Path) -> None:
    wall, file = Wall(), tmp_path / "state" / "clock.json"
    first = Clock(YEAR, at(2026, 4, 14, 8), wall=wall, file=file)
    wall.seconds += 60
    first.set(speed=30)
    wall.seconds += 5000
    second = Clock(YEAR, at(2026, 4, 14, 8), wall=wall, file=file)
    assert second.now.astimezone(ZONE) == at(2026, 4, 14, 9)
    assert second.speed == 30
    assert [path.name for path in file.parent.iterdir()] == ["clock.json"]


def test_nonsense_is_refused() -> None:
    clock = Clock(YEAR, at(2026, 4, 14, 8))
    with pytest.raises(ValueError, match="negative"):
        clock.set(speed=-1)
    with pytest.raises(ValueError, match="offset"):
        clock.set(now=datetime(2026, 4, 14, 8))


def test_over_http(sandbox: RunningSandbox, client: httpx.Client) -> None:
    assert client.get("/_sandbox/clock").json() == {"now": "2026-04-14T12:30:00Z", "speed": 0.0}
    answer = client.post("/_sandbox/clock", json={"now": "2026-04-15T09:00:00-05:00"}).json()
    assert answer["now"] == "2026-04-15T14:00:00Z"
    assert sandbox.sandbox.clock.now == datetime(2026, 4, 15, 14, tzinfo=UTC)
    for wrong in ({"speed": -1}, {"now": "tomorrow"}, {"now": "2026-04-15T09:00:00"}, {"sped": 1}):
        assert client.post("/_sandbox/clock", json=wrong).status_code == 422
