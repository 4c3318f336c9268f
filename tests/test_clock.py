from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from fake_source import make_project

from uptake import clock
from uptake.config import District
from uptake.errors import TransientError

URL = "http://clock.example/_sandbox/clock"


@pytest.fixture
def simulated(tmp_path: Path) -> District:
    district = make_project(tmp_path).district("lakeside")
    return district.model_copy(update={"is_simulated": True, "clock_url": URL})


def test_a_real_district_lives_by_the_wall_clock(tmp_path: Path) -> None:
    found = clock.now(make_project(tmp_path).district("lakeside"))
    assert found.tzinfo is UTC
    assert abs(datetime.now(UTC) - found) < timedelta(seconds=5)


def _answers(monkeypatch: pytest.MonkeyPatch, response: httpx.Response | Exception) -> None:
    def get(url: str, **_: object) -> httpx.Response:
        assert url == URL
        if isinstance(response, Exception):
            raise response
        response.request = httpx.Request("GET", url)
        return response

    monkeypatch.setattr(httpx, "get", get)


@pytest.mark.parametrize("text", ["2026-04-14T15:04:05Z", "2026-04-14T10:04:05-05:00"])
def test_a_simulated_district_is_asked(monkeypatch: pytest.MonkeyPatch, simulated: District, text: str) -> None:
    _answers(monkeypatch, httpx.Response(200, json={"now": text}))
    found = clock.now(simulated)
    assert (found, found.tzinfo) == (datetime(2026, 4, 14, 15, 4, 5, tzinfo=UTC), UTC)


@pytest.mark.parametrize(
    "response",
    [
        httpx.ConnectError("refused"),
        httpx.Response(503),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json={"time": "x"}),
        httpx.Response(200, json={"now": "soon"}),
        httpx.Response(200, json={"now": 7}),
        httpx.Response(200, json=["now"]),
        httpx.Response(200, json={"now": "2026-04-14T15:04:05"}),
    ],
    ids=str,
)
def test_a_clock_that_does_not_tell_is_worth_a_retry(
    monkeypatch: pytest.MonkeyPatch, simulated: District, response: httpx.Response | Exception
) -> None:
    _answers(monkeypatch, response)
    with pytest.raises(TransientError, match="start the simulated district"):
        clock.now(simulated)
