from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from uptake import clock
from uptake.warehouse.dbt import BuildSummary, build_warehouse

sys.path.insert(0, str(Path(__file__).parent))
from lake import DISTRICT, Lake, Row, at, page_view, request, roster
from made_once import made_once

NOW = datetime(2026, 4, 14, 15, 0, tzinfo=UTC)
URLS = ["mathgym.example", "cdn.mathgym.example", "docs.bigco.example/document", "docs.bigco.example", "odd.example"]


@contextmanager
def standing_clock() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clock, "now", lambda district: NOW)
        yield


@pytest.fixture(scope="module", autouse=True)
def _standing_clock() -> Iterator[None]:
    with standing_clock():
        yield


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path)


def filter_day(day: date, count: int, seed: int) -> list[Row]:
    """Requests of one local day, midnight to midnight, in bouts; known and unknown people, blocked, lookups."""
    generator = random.Random(seed)
    midnight = datetime(day.year, day.month, day.day, 6, tzinfo=UTC)  # Chicago in winter
    rows: list[Row] = []
    moment = midnight
    while len(rows) < count:
        moment += timedelta(seconds=generator.choice([0, 1, 30, 240, 600, 601, 2400]))
        if moment >= midnight + timedelta(days=1):
            moment = midnight + timedelta(seconds=generator.randrange(1000))
        rows.append(
            request(
                moment.replace(tzinfo=None).isoformat(),
                generator.choice(["s1@mail", "s2@mail", "s3@mail", "t1@mail", "late@mail", "zz@mail", None]),
                generator.choice(URLS),
                verdict=generator.choice(["allowed"] * 9 + ["blocked"]),
                type=generator.choice(["proxy"] * 9 + ["dns"]),
                network_label=f"net{len(rows)}",
            )
        )
    return rows


def land_first(lake: Lake) -> None:
    """What the first build sees: a roster without student `late`, three filter days, page views and contracts."""
    roster(lake)
    for day in (2, 3, 4):
        lake.land("umbrella", "activity", filter_day(date(2026, 2, day), 300, day), token=f"day-{day}")
    lake.land(
        "canvas",
        "users",
        [{"id": f"c{number}", "sis_user_id": f"s{number}", "login_id": f"s{number}@mail"} for number in range(1, 5)],
    )
    lake.land(
        "canvas",
        "page_views",
        [
            page_view("p1", "2026-02-03T15:00:00", "c1", 30.0),
            page_view("p2", "2026-02-03T15:05:00", "c1", 45.5),
            page_view("p3", "2026-02-03T15:06:00", "c2", 45.0, real_user_id="c9"),
            page_view("p4", "2026-02-03T15:06:00", "c2", 45.0, user_request=False),
            page_view("p5", "2026-02-03T15:06:00", "c8", 45.0),
        ],
        token="views",
    )
    lake.land(
        "registers",
        "contracts",
        [
            {
                "contract_id": "C-1",
                "tool": " mathgym",
                "vendor": "Larkfield",
                "seats": 100,
                "price": 1000,
                "currency": "USD",
                "price_basis": "per_seat",
                "starts_on": date(2025, 7, 1),
                "ends_on": date(2026, 6, 30),
            }
        ],
    )


def land_more(lake: Lake) -> None:
    """What the second build sees: a day pulled again, late rows, a page view that went on, a late student, and a host
    that nobody has named (`name_host`)."""
    again = filter_day(date(2026, 2, 3), 300, 3)
    lake.land("umbrella", "activity", [*again[:200], *filter_day(date(2026, 2, 3), 50, 33)], token="day-3")
    lake.land(
        "umbrella",
        "activity",
        [*filter_day(date(2026, 2, 10), 100, 10), request("2026-01-20T15:00:00", "s2@mail"), again[0], again[0]],
    )
    lake.land(
        "umbrella",
        "activity",
        [request("2026-01-21T15:00:00", who, "play.rare.example") for who in ("s2@mail", "t1@mail")],
    )
    lake.land("canvas", "page_views", [page_view("p2", "2026-02-03T15:05:00", "c1", 95.5)])
    person = {
        "sourcedId": "late",
        "status": "active",
        "dateLastModified": at("2026-02-12T12:00:00"),
        "email": "late@mail",
        "grades": ["03"],
        "primaryOrg_sourcedId": "north",
        "roles": [{"role": "student", "roleType": "primary", "org_sourcedId": "north"}],
    }
    lake.land("oneroster", "users", [person])


def name_host(lake: Lake) -> None:
    """The district says which tool the host of `land_more` is of."""
    catalogue = lake.root / "tools.csv"
    catalogue.write_text(catalogue.read_text() + "rare,Rare,,,,approved,,rare.example\n")
    lake.reload()


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Lake, BuildSummary]:
    """A district after its first build. Do not change it: copy it with `copy_of`."""

    def make(root: Path) -> BuildSummary:
        lake = Lake(root)
        land_first(lake)
        with standing_clock():
            summary = build_warehouse(lake.project, DISTRICT, run_id="first")
        lake.project.operations.dispose()
        return summary

    root, summary = made_once(tmp_path_factory, "built", make)
    return Lake.at(root), summary


@pytest.fixture
def copy_of(tmp_path: Path) -> Callable[[Lake], Lake]:
    return lambda lake: lake.copied(tmp_path / "copy")
