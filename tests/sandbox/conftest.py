"""A small district that is served, a demo district to look into, and clients with each vendor's credentials."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest

from uptake.sandbox.credentials import CANVAS_TOKEN, ONEROSTER_CLIENT, UMBRELLA_CLIENT
from uptake.sandbox.district import SimulatedDistrict
from uptake.sandbox.oneroster import CORE, DEMOGRAPHICS, GRADES_CORE
from uptake.sandbox.running import RunningSandbox, running_sandbox

MORNING = datetime(2026, 4, 14, 12, 30, tzinfo=UTC)


@pytest.fixture(scope="session")
def demo() -> SimulatedDistrict:
    """The demo district: read it, do not change it."""
    return SimulatedDistrict.of_size("demo")


@pytest.fixture(scope="session")
def _served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    with running_sandbox(size="small", state=tmp_path_factory.mktemp("sandbox")) as running:
        yield running


@pytest.fixture
def sandbox(_served: RunningSandbox) -> Iterator[RunningSandbox]:
    """A small district at half past seven of 2026-04-14, its clock frozen and all vendors well."""
    _served.set_clock(now=MORNING, speed=0)
    yield _served
    _served.mend()


@pytest.fixture
def client(sandbox: RunningSandbox) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=sandbox.base_url, timeout=20) as client:
        yield client


@pytest.fixture
def sis(client: httpx.Client) -> httpx.Client:
    """With a OneRoster token of all read scopes."""
    form = {"grant_type": "client_credentials", "scope": " ".join((CORE, DEMOGRAPHICS, GRADES_CORE))}
    token = client.post("/token", data=form, auth=ONEROSTER_CLIENT).json()["access_token"]
    client.headers["Authorization"] = f"Bearer {token}"
    return client


@pytest.fixture
def lms(client: httpx.Client) -> httpx.Client:
    client.headers["Authorization"] = f"Bearer {CANVAS_TOKEN}"
    return client


@pytest.fixture
def web_filter(client: httpx.Client) -> httpx.Client:
    answer = client.post("/auth/v2/token", data={"grant_type": "client_credentials"}, auth=UMBRELLA_CLIENT)
    client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
    return client
