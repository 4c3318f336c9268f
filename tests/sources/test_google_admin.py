"""Google's reports of use, which are late and come in parts, and its Chromebooks."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from asked_district import AskedDistrict
from google_server import ADMIN, CREDENTIAL, DEVICES, KEY_FILE, REPORTS, GoogleServer, error, warning
from scripted_vendor import Vendor

from uptake.contracts import Batch, Window
from uptake.errors import PermanentError
from uptake.sources.base import Home
from uptake.sources.google import GoogleAdmin, GoogleAdminSettings
from uptake.trial import try_source

FULL = Window.between("full", None, datetime(2026, 4, 14, tzinfo=UTC))
LATER = error(400, "invalid", "Data for dates later than 2026-04-11 is not yet available. Please check back later")
CHROMEBOOK = {
    "deviceId": "d1",
    "annotatedAssetId": "CB-1001",
    "annotatedUser": "Minarelle Odekunle",
    "serialNumber": "5CD900XYZ",
    "macAddress": "a0b1c2d3e4f5",
    "orgUnitPath": "/Students/Grade 7",
    "model": "Chromebook 314",
    "osVersion": "126.0",
    "status": "ACTIVE",
    "lastSync": "2026-04-13T15:00:00.000Z",
    "autoUpdateExpiration": "1843689600000",
    "recentUsers": [
        {"type": "USER_TYPE_MANAGED", "email": "mina.ode@lakeside.example"},
        {"type": "USER_TYPE_UNMANAGED"},
        {"type": "USER_TYPE_MANAGED", "email": "teo@lakeside.example"},
        {"type": "USER_TYPE_MANAGED", "email": "mina.ode@lakeside.example"},
    ],
    "activeTimeRanges": [{"date": "2026-04-10", "activeTime": 5_400_000}, {"date": "2026-04-13", "activeTime": 60_000}],
}


def used(user: str, **said: str | int) -> dict[str, Any]:
    """A user's report: `classroom` and `drive` are when the app was last used, other names are counts of Drive."""
    last = {"classroom": "classroom:timestamp_last_interaction", "drive": "drive:timestamp_last_active_usage"}
    parameters = [
        {"name": last[name], "datetimeValue": value}
        if name in last
        else {"name": f"drive:num_items_{name}", "intValue": str(value)}
        for name, value in said.items()
    ]
    entity = {"profileId": user, "userEmail": f"{user}@lakeside.example"}
    return {"date": "2026-04-10", "entity": entity, "parameters": parameters}


def source(vendor: Vendor, home: Path, **options: Any) -> GoogleAdmin:
    values = {"name": "google", "kind": "google_admin", "connection": "demo", "url": vendor.url}
    settings = GoogleAdminSettings.model_validate(values | {"token_url": f"{vendor.url}/token"} | options)
    admin = GoogleAdmin(settings, CREDENTIAL)
    admin.settle(Home(home, b"k" * 32))
    return admin


def day_of(day: str) -> Window:
    start = datetime.fromisoformat(f"{day}T08:00:00+00:00")
    return Window.between("interval", start, start + timedelta(days=1))


def uses(admin: GoogleAdmin, day: str = "2026-04-10") -> list[Batch]:
    return list(admin.pull(admin.resources["app_usage"], day_of(day)))


def rows(batches: list[Batch]) -> list[dict[str, Any]]:
    return [row for batch in batches for row in batch.table.to_pylist()]


@pytest.fixture
def google(vendor: Vendor) -> GoogleServer:
    return GoogleServer(vendor, clamp=2)


# --- use of apps -------------------------------------------------------------------------------------------------


def test_only_who_used_an_app_on_the_day_is_a_row(google: GoogleServer, vendor: Vendor, tmp_path: Path) -> None:
    reports = [
        used("u1", classroom="2026-04-10T17:02:03.000Z", drive="2026-04-11T07:59:59.000Z", edited=2, viewed=3),
        used("u2", classroom="2026-04-09T17:00:00.000Z", drive="2026-04-10T07:59:59.999Z"),  # the day before, Pacific
        used("u3", classroom="1970-01-01T00:00:00.000Z"),  # never
        used("u4", drive="2026-04-10T08:00:00.000Z", created=1),
        {"date": "2026-04-10", "entity": {"profileId": "u5", "userEmail": "u5@lakeside.example"}},
    ]
    google.lists(REPORTS + "2026-04-10", "usageReports", reports)
    with source(vendor, tmp_path) as admin:
        batches = uses(admin)
    found = [(row["user"], row["application"], row["created"], row["edited"], row["viewed"]) for row in rows(batches)]
    assert found == [("u1", "classroom", None, None, None), ("u1", "drive", None, 2, 3), ("u4", "drive", 1, None, None)]
    assert rows(batches)[0]["used_at"] == datetime(2026, 4, 10, 17, 2, 3, tzinfo=UTC)
    assert all(not batch.rejects and not batch.unknown for batch in batches)
    asked = vendor.asked[-1].text("parameters")
    assert "drive:timestamp_last_active_usage" in asked and "gmail" not in asked and "accounts" not in asked


def test_a_report_that_is_malformed_is_rejected_and_not_left_out(
    google: GoogleServer, vendor: Vendor, tmp_path: Path
) -> None:
    no_person = used("u1", classroom="2026-04-10T17:02:03.000Z") | {"entity": {}}
    odd = [no_person, used("u2", classroom="noon"), "text", used("u3") | {"parameters": ["text"]}]
    google.lists(REPORTS + "2026-04-10", "usageReports", odd)
    with source(vendor, tmp_path) as admin:
        found = [reject.reason for batch in uses(admin) for reject in batch.rejects]
    assert found == ["missing_key", "not_timestamp", "unreadable", "missing_key"]


def test_use_without_a_time_is_counted_and_told(google: GoogleServer, vendor: Vendor, tmp_path: Path) -> None:
    google.lists(REPORTS + "2026-04-10", "usageReports", [used("u1", edited=4), used("u2", edited=0)])
    with source(vendor, tmp_path) as admin:
        *_, last = uses(admin)
    assert last.note == "1 users did something on 2026-04-10 of which the report gives no time: left out."


def test_any_other_400_is_a_matter_for_a_person(google: GoogleServer, vendor: Vendor, tmp_path: Path) -> None:
    vendor.on(
        REPORTS + "2026-04-10", google.guarded(lambda _: error(400, "invalid", "bad parameter u1@lakeside.example"))
    )
    with source(vendor, tmp_path) as admin, pytest.raises(PermanentError, match="answered 400") as refused:
        uses(admin)
    assert "u1@" not in str(refused.value)


# --- which days are asked for ------------------------------------------------------------------------------------


class Days:
    """Pulls of reports, one after the other, as the pipeline asks for them; `good` moves its cursor."""

    def __init__(self, vendor: Vendor, home: Path, **options: Any) -> None:
        self._vendor, self._home, self._options = vendor, home, options
        self._last: datetime | None = None

    def pull(self, now: datetime, *, good: bool = True, since: datetime | None = None) -> list[str]:
        """Days that were asked for."""
        with source(self._vendor, self._home, **self._options) as admin:
            resource = admin.resources["app_usage"]
            start = since or (self._last - resource.lookback if self._last else None)
            windows = admin.windows(resource, since=start, until=now, full=False)
            self.notes = [batch.note for window in windows for batch in admin.pull(resource, window) if batch.note]
        self._last = now if good else self._last
        assert all(window.end - window.start == timedelta(days=1) for window in windows)
        assert all(window.start.hour == 8 and window.end <= now for window in windows)
        return [f"{window.start:%m-%d}" for window in windows]


NOW = datetime(2026, 4, 14, 12, 30, 0, 123456, tzinfo=UTC)


@pytest.fixture
def reports(google: GoogleServer, vendor: Vendor) -> GoogleServer:
    """Whole reports, of which April 11th lacks Drive; April 12th and 13th are not there yet."""
    for number in range(70):
        google.lists(f"{REPORTS}{date(2026, 3, 20) + timedelta(days=number)}", "usageReports", [])
    google.lists(REPORTS + "2026-04-11", "usageReports", [], warnings=[warning("PARTIAL_DATA_AVAILABLE", "docs")])
    for number in (12, 13):
        vendor.on(f"{REPORTS}2026-04-{number}", google.guarded(lambda _: LATER))
    return google


def test_days_are_asked_for_until_they_are_whole(reports: GoogleServer, vendor: Vendor, tmp_path: Path) -> None:
    days = Days(vendor, tmp_path, history_days=5)
    assert days.pull(NOW) == ["04-09", "04-10", "04-11", "04-12", "04-13"]
    assert days.pull(NOW + timedelta(hours=1)) == ["04-07", "04-08", "04-11", "04-12", "04-13"]
    reports.lists(REPORTS + "2026-04-11", "usageReports", [], warnings=[warning("PARTIAL_DATA_AVAILABLE", "gplus")])
    assert days.pull(NOW + timedelta(hours=2)) == ["04-11", "04-12", "04-13"]
    assert days.pull(NOW + timedelta(hours=3)) == ["04-12", "04-13"] and days.notes == []


def test_a_day_that_a_failed_pull_read_is_read_again(reports: GoogleServer, vendor: Vendor, tmp_path: Path) -> None:
    days = Days(vendor, tmp_path, history_days=3)
    days.pull(NOW)
    reports.lists(REPORTS + "2026-04-11", "usageReports", [])
    assert "04-11" in days.pull(NOW + timedelta(hours=1), good=False)
    assert "04-11" in days.pull(NOW + timedelta(hours=2))
    assert "04-11" not in days.pull(NOW + timedelta(hours=3))


def test_days_that_a_person_names_are_all_read(reports: GoogleServer, vendor: Vendor, tmp_path: Path) -> None:
    days = Days(vendor, tmp_path, history_days=3)
    days.pull(NOW)
    days.pull(NOW + timedelta(hours=1))
    asked = days.pull(NOW + timedelta(hours=2), since=datetime(2026, 4, 8, 12, tzinfo=UTC))
    assert asked == ["04-08", "04-09", "04-10", "04-11", "04-12", "04-13"]


def test_a_day_that_stays_incomplete_is_asked_for_for_a_month_and_told(
    reports: GoogleServer, vendor: Vendor, tmp_path: Path
) -> None:
    days = Days(vendor, tmp_path, history_days=20)
    days.pull(NOW)
    days.pull(NOW + timedelta(days=7))
    assert days.notes == []
    assert days.pull(NOW + timedelta(days=9))[0] == "04-11"  # long before the look-back
    assert days.notes[0].startswith("Google's report of 2026-04-11 is still not whole (drive).")
    days.pull(NOW + timedelta(days=29))
    assert "04-11" not in days.pull(NOW + timedelta(days=30))


def test_lost_notes_cost_requests_and_no_rows(reports: GoogleServer, vendor: Vendor, tmp_path: Path) -> None:
    days = Days(vendor, tmp_path, history_days=8)
    days.pull(NOW)
    (tmp_path / "reported_days.json").write_text("{")
    assert days.pull(NOW + timedelta(hours=1)) == [f"04-{number:02}" for number in range(7, 14)]


# --- Chromebooks -------------------------------------------------------------------------------------------------


def test_a_chromebook_is_read_without_what_tells_whose_it_is(
    google: GoogleServer, vendor: Vendor, tmp_path: Path
) -> None:
    google.lists(
        DEVICES, "chromeosdevices", [CHROMEBOOK, {"deviceId": "d2", "status": "DEPROVISIONED"}, {"status": "x"}]
    )
    with source(vendor, tmp_path) as admin:
        batches = list(admin.pull(admin.resources["chromeos_devices"], FULL))
        people = rows(list(admin.pull(admin.resources["chromeos_device_users"], FULL)))
        days = rows(list(admin.pull(admin.resources["chromeos_device_days"], FULL)))
    first, second = rows(batches)
    assert first["autoUpdateExpiration"] == datetime(2028, 6, 4, tzinfo=UTC) and second["model"] is None
    assert [reject.reason for batch in batches for reject in batch.rejects] == ["missing_key"]
    masks = " ".join(asked.text("fields") for asked in vendor.asked if asked.path == DEVICES)
    assert not any(name in masks + str(batches) for name in ("serialNumber", "macAddress", "annotatedUser", "5CD900"))
    assert [(row["email"], row["recency"]) for row in people] == [
        ("mina.ode@lakeside.example", 1),
        ("teo@lakeside.example", 2),
    ]
    assert [(row["date"], row["activeTime"]) for row in days] == [
        (date(2026, 4, 10), 5_400_000),
        (date(2026, 4, 13), 60_000),
    ]
    assert vendor.asked[-1].text("projection") == "FULL"


def test_a_probe_asks_for_devices_and_for_a_report(google: GoogleServer, vendor: Vendor, tmp_path: Path) -> None:
    google.lists(DEVICES, "chromeosdevices", [])
    report = f"{REPORTS}{datetime.now(UTC) - timedelta(hours=8, days=5):%Y-%m-%d}"
    vendor.on(report, google.guarded(lambda _: LATER))
    with source(vendor, tmp_path) as admin:
        assert "answers and takes the credential" in admin.probe()
        vendor.on(report, google.guarded(lambda _: error(403, "forbidden")))
        with pytest.raises(PermanentError, match="refused the credential"):
            admin.probe()


def test_through_the_door_nothing_is_asked_twice_a_day_nor_lost(
    google: GoogleServer, vendor: Vendor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    google.lists(DEVICES, "chromeosdevices", [CHROMEBOOK])
    for number in range(14):
        google.lists(f"{REPORTS}2026-04-{number:02}", "usageReports", [])
    google.lists(REPORTS + "2026-04-10", "usageReports", [used("u1", classroom="2026-04-10T17:00:00Z")])
    entry = {"kind": "google_admin", "url": vendor.url, "token_url": f"{vendor.url}/token", "history_days": 4}
    district = AskedDistrict(tmp_path, monkeypatch, (ADMIN, KEY_FILE), **entry)
    district.pull()
    requests = len(vendor.asked)
    district.later(hours=1)
    district.pull()
    again = [asked.path for asked in vendor.asked[requests:]]
    assert DEVICES not in again and REPORTS + "2026-04-10" not in again  # whole, and read
    (use,) = district.landed("app_usage")
    assert use["user"] == district.pseudonym("google_user", "u1")
    assert use["email"] == district.pseudonym("email", "u1@lakeside.example")
    google.lists(DEVICES, "chromeosdevices", [CHROMEBOOK | {"activeTimeRanges": [], "recentUsers": []}])
    district.later(days=1)
    district.pull(resources=["chromeos_device_days", "chromeos_devices"])
    assert len(district.current("chromeos_device_days", "date")) == 2  # what Google no longer lists is not gone
    held = district.bytes_at_rest()
    assert not any(text in held for text in (b"mina.ode", b"CB-1001", b"u1@lakeside", b"5CD900XYZ", b'"d1"'))


def test_a_trial_looks_back_to_days_that_are_there(
    reports: GoogleServer, vendor: Vendor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reports.lists(REPORTS + "2026-04-10", "usageReports", [used("u1", classroom="2026-04-10T17:00:00Z")])
    entry = {"kind": "google_admin", "url": vendor.url, "token_url": f"{vendor.url}/token"}
    project = AskedDistrict(tmp_path, monkeypatch, (ADMIN, KEY_FILE), **entry).project
    district = project.district("lakeside")
    (trial,) = try_source(project, district, district.source("sis"), resources=["app_usage"])
    assert trial.is_good and trial.rows == 1
