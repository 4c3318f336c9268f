"""Google's Admin SDK: who used which app on a day (Reports API), and Chromebooks (Directory API).

**Use.** https://developers.google.com/workspace/admin/reports/v1/reference/userUsageReport/get gives a report of all
users for a day by Pacific Standard Time (UTC-8, summer too), of the last 450 days
(https://developers.google.com/workspace/admin/reports/v1/guides/manage-usage-users). Of its parameters
(https://developers.google.com/workspace/admin/reports/v1/reference/usage-ref-appendix-a/users-classroom, …/users-drive)
those are read that say when a person last did something in Classroom, or in Drive with Docs, Sheets and Slides, and how
much. Sign-ins (`accounts`) say nothing of a tool, and mail is nobody's business. A report holds every user; one who was
last active on an earlier day was not active on this one, and is left out. There are no minutes in it, and one time a
day: what this says is that a person used the app, at least then.

Reports are days late. A day that is not there yet is a 400 that says so; one of which parts are missing has `warnings`,
whose codes (PARTIAL_DATA_AVAILABLE, DATA_NOT_AVAILABLE) name the app. Both are asked for again until they are whole.

**Chromebooks.** https://developers.google.com/workspace/admin/directory/reference/rest/v1/chromeosdevices/list, with
the projection FULL. Serial numbers, addresses of networks, and who annotated what are not read: of the people only the
managed users who signed in lately, and of the time how long a device was active on each day.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta, timezone
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal

import pyarrow as pa
from pydantic import Field as Key
from pydantic import HttpUrl

from uptake.contracts import TIMESTAMP, Batch, Field, Resource, Window
from uptake.credentials import Credential
from uptake.parsing import parse_records
from uptake.sources.api import BATCH_ROWS
from uptake.sources.base import Homed
from uptake.sources.google.api import GoogleSettings, GoogleSource, mask, rows_under
from uptake.sources.google.reported import ReportedDays
from uptake.sources.http import BadRequest
from uptake.sources.paging import Page, ahead, body_token_pages, gathered
from uptake.sources.windows import DAY, entity_windows

App = Literal["classroom", "drive"]
# Of each app: when somebody last did something in it, and how much was done on the day.
_LAST: dict[App, str] = {"classroom": "timestamp_last_interaction", "drive": "timestamp_last_active_usage"}
_COUNTS: dict[App, dict[str, str]] = {
    "classroom": {"posts_created": "num_posts_created"},
    "drive": {"created": "num_items_created", "edited": "num_items_edited", "viewed": "num_items_viewed"},
}
# Names that a warning gives an app besides its own.
_ALIASES = {"docs": "drive"}
_PACIFIC = timezone(timedelta(hours=-8))
_NOT_YET = re.compile(rb"not yet available|can not be later than")
# A report that is not whole by then is worth a person's eye.
_LATE = timedelta(days=10)
_NOTES = "reported_days.json"
_REPORTS = "admin/reports/v1/usage/users/all/dates"
_DEVICES = "admin/directory/v1/customer/my_customer/devices/chromeos"
_DEVICES_AT_ONCE = 200

RESOURCES: dict[str, Resource] = {
    resource.name: resource
    for resource in (
        Resource(
            "app_usage",
            (
                Field("report_date", pa.date32(), path="date", required=True),
                Field("user", path="entity.profileId", identifier="google_user"),
                Field("email", path="entity.userEmail", identifier="email"),
                Field("application", doc="classroom or drive"),
                Field("used_at", TIMESTAMP, doc="the last time on that day"),
                Field("posts_created", pa.int64()),
                Field("created", pa.int64(), doc="files"),
                Field("edited", pa.int64(), doc="files"),
                Field("viewed", pa.int64(), doc="files"),
            ),
            key=("user", "application", "used_at"),
            kind="event",
            event_time="used_at",
            lookback=timedelta(days=7),
            full_sync_every=None,
            retention=timedelta(days=450),
            ignored=frozenset({"kind", "etag", "parameters", "entity.type", "entity.customerId", "entity.entityId"}),
            doc="A person's last use of an app on a day.",
        ),
        Resource(
            "chromeos_devices",
            (
                Field("deviceId", identifier="chromeos_device"),
                Field("annotatedAssetId", identifier="device"),
                Field("orgUnitPath"),
                Field("model"),
                Field("osVersion"),
                Field("status"),
                Field("lastSync", TIMESTAMP),
                Field("lastEnrollmentTime", TIMESTAMP),
                Field("autoUpdateExpiration", TIMESTAMP, epoch="ms"),
            ),
            key=("deviceId",),
            full_sync_every=DAY,
            doc="Chromebooks of the domain, in whatever state.",
        ),
        Resource(
            "chromeos_device_users",
            (
                Field("deviceId", identifier="chromeos_device"),
                Field("email", identifier="email"),
                Field("recency", pa.int64(), doc="1 is who signed in last"),
            ),
            key=("deviceId", "email"),
            full_sync_every=DAY,
            delete_scope=("deviceId",),
            doc="Managed users who signed in to a Chromebook lately.",
        ),
        Resource(
            "chromeos_device_days",
            (
                Field("deviceId", identifier="chromeos_device"),
                Field("date", pa.date32()),
                Field("activeTime", pa.int64(), doc="milliseconds"),
            ),
            key=("deviceId", "date"),
            full_sync_every=None,  # days that Google no longer lists are not gone
            doc="How long a Chromebook was active on a day, whoever used it.",
        ),
    )
}


class GoogleAdminSettings(GoogleSettings):
    """url: the Admin SDK. applications: whose use is read. history_days: how far back the first pull reads.
    page_size: users asked for at once."""

    kind: Literal["google_admin"] = "google_admin"
    url: HttpUrl = HttpUrl("https://admin.googleapis.com")
    applications: Annotated[tuple[App, ...], Key(min_length=1)] = ("classroom", "drive")
    history_days: Annotated[int, Key(ge=1, le=450)] = 180
    page_size: Annotated[int, Key(ge=1, le=1000)] = 1000


class GoogleAdmin(Homed, GoogleSource):
    """Use of Google's apps and Chromebooks of one domain."""

    kind: ClassVar[str] = "google_admin"
    namespace: ClassVar[str] = "google_admin"
    settings_model: ClassVar[type[GoogleAdminSettings]] = GoogleAdminSettings
    declared = RESOURCES
    scopes = (
        "https://www.googleapis.com/auth/admin.reports.usage.readonly",
        "https://www.googleapis.com/auth/admin.directory.device.chromeos.readonly",
    )

    def __init__(self, settings: GoogleAdminSettings, credential: Credential | None) -> None:
        super().__init__(settings, credential)
        self._settings = settings
        self._history = timedelta(days=settings.history_days)
        self._until = datetime.min.replace(tzinfo=UTC)  # when this pull began

    @cached_property
    def _reported(self) -> ReportedDays:
        return ReportedDays(self.home.notes / _NOTES)

    def windows(self, resource: Resource, *, since: datetime | None, until: datetime, full: bool) -> list[Window]:
        if resource.name == "app_usage":
            return self._days(resource, None if full else since, until)
        if resource.full_sync_every is None:
            # The list is read whole, and says something new once a day.
            is_read = since is not None and not full and since.date() == until.date()
            return [] if is_read else [Window.between("incremental" if since else "full", since, until)]
        return entity_windows(resource, since, until, full)

    def _days(self, resource: Resource, since: datetime | None, until: datetime) -> list[Window]:
        """A window for each Pacific day that is over, from that of `since` on, but for those that are done with."""
        oldest = until - (resource.retention or self._history)
        first = (max(since, oldest) if since else until - self._history).astimezone(_PACIFIC).date()
        last = until.astimezone(_PACIFIC).date() - timedelta(days=1)
        days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
        due = self._reported.due(days, since + resource.lookback if since else None)
        self._reported.begin(until)
        self._until = until
        return [Window.between("interval", _start_of(day), _start_of(day + timedelta(days=1))) for day in due]

    def pull(self, resource: Resource, window: Window) -> Iterator[Batch]:
        if resource.name == "app_usage":
            yield from self._usage(resource, window)
            return
        rows_of, names = _DEVICE_ROWS[resource.name]
        read = f"nextPageToken,chromeosdevices({names})" if names else mask(resource, "chromeosdevices")
        asked = {"projection": "FULL", "maxResults": _DEVICES_AT_ONCE, "fields": read}
        pages = (Page(list(rows_of(page.rows))) for page in self._list(_DEVICES, "chromeosdevices", asked))
        for page in gathered(ahead(pages), BATCH_ROWS):
            yield parse_records(resource, page.rows)

    def probe(self) -> str:
        asked = {"maxResults": 1, "fields": "chromeosdevices(deviceId)"}
        answer = self.client.get(_DEVICES, asked, is_probe=True)
        rows_under(answer, "chromeosdevices")
        # An admin may be allowed to see devices and no reports.
        day = datetime.now(_PACIFIC).date() - timedelta(days=5)
        try:
            self.client.get(f"{_REPORTS}/{day}", {"maxResults": 1, "fields": "usageReports(date)"}, is_probe=True)
        except BadRequest as error:
            if not error.says(_NOT_YET):
                raise
        return f"Google's Admin SDK at {answer.url.host} answers and takes the credential."

    # --- use of apps ---------------------------------------------------------------------------------------------

    def _usage(self, resource: Resource, window: Window) -> Iterator[Batch]:
        assert window.start is not None and window.end is not None
        day, untimed, missing = window.start.astimezone(_PACIFIC).date(), [0], set[str]()
        pages = self._usage_pages(day, window.start, window.end, missing, untimed)
        for page in gathered(ahead(pages), BATCH_ROWS):
            yield parse_records(resource, page.rows)
        self._reported.note(day, is_whole=not missing)
        notes = []
        if untimed[0]:
            notes.append(f"{untimed[0]} users did something on {day} of which the report gives no time: left out.")
        if missing and self._until - window.end > _LATE:
            apps = " and ".join(sorted(missing))
            notes.append(
                f"Google's report of {day} is still not whole ({apps}). If it never is, the app may be off: leave it "
                "out of the source's `applications`."
            )
        if notes:
            yield Batch(resource.schema.empty_table(), note=" ".join(notes))

    def _usage_pages(
        self, day: date, start: datetime, end: datetime, missing: set[str], untimed: list[int]
    ) -> Iterator[Page]:
        """Uses of the apps within [start, end). What of the report is missing goes to `missing`, uses without a time
        are counted in `untimed`."""
        apps = self._settings.applications
        names = [f"{app}:{name}" for app in apps for name in (_LAST[app], *_COUNTS[app].values())]
        asked = {
            "parameters": ",".join(names),
            "maxResults": self._settings.page_size,
            "fields": "nextPageToken,warnings,usageReports(date,entity(profileId,userEmail),parameters)",
        }
        try:
            for answer in body_token_pages(self.client, f"{_REPORTS}/{day}", asked):
                missing.update(_missing(rows_under(answer, "warnings"), apps))
                rows: list[Any] = []
                for report in rows_under(answer, "usageReports"):
                    rows += _uses(report, apps, start, end, untimed)
                yield Page(rows)
        except BadRequest as error:
            if not error.says(_NOT_YET):
                raise
            missing.update(apps)


def _start_of(day: date) -> datetime:
    return datetime.combine(day, time(), _PACIFIC).astimezone(UTC)


def _missing(warnings: Iterable[Any], apps: Iterable[str]) -> set[str]:
    """Of `apps` those that the report does not have whole; all of them where a warning does not say which."""
    found: set[str] = set()
    for warning in warnings:
        data = warning.get("data") if isinstance(warning, dict) else None
        named = {each.get("value") for each in data or () if each.get("key") == "application"}
        found |= {_ALIASES.get(name, name) for name in named} if named else set(apps)
    return found & set(apps)


def _uses(report: Any, apps: Iterable[App], start: datetime, end: datetime, untimed: list[int]) -> Iterator[Any]:
    """One row for each app that a person used within [start, end). What is malformed is rejected where it is parsed."""
    try:
        values = {each["name"]: each for each in report.get("parameters") or ()}
    except (AttributeError, TypeError, KeyError):
        yield report
        return
    for app in apps:
        counts = {name: values.get(f"{app}:{of}", {}).get("intValue") for name, of in _COUNTS[app].items()}
        used_at = values.get(f"{app}:{_LAST[app]}", {}).get("datetimeValue")
        moment = _moment(used_at)
        if used_at is None:
            untimed[0] += any(count not in (None, "0", 0) for count in counts.values())
        elif moment is None or start <= moment < end:
            yield {**report, "application": app, "used_at": used_at, **counts}


def _moment(text: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo else None


# --- Chromebooks -------------------------------------------------------------------------------------------------


def _recent_users(devices: Iterable[Any]) -> Iterator[Any]:
    """The users of each device, the last first. Guests and people of elsewhere have no address."""
    for device in devices:
        emails = dict.fromkeys(
            user["email"] for user in _entries(device, "recentUsers") if isinstance(user, dict) and user.get("email")
        )
        for recency, email in enumerate(emails, start=1):
            yield {"deviceId": device["deviceId"], "email": email, "recency": recency}


def _active_days(devices: Iterable[Any]) -> Iterator[Any]:
    for device in devices:
        for entry in _entries(device, "activeTimeRanges"):
            yield {"deviceId": device["deviceId"], **entry} if isinstance(entry, dict) else entry


def _entries(device: Any, name: str) -> list[Any]:
    """Entries of a device's list; of a device without an id none, since `chromeos_devices` rejects it."""
    found = device.get(name) if isinstance(device, dict) and device.get("deviceId") else None
    return found if isinstance(found, list) else []


def _as_they_are(devices: Iterable[Any]) -> Iterable[Any]:
    return devices


# How the rows of a resource come of a page of devices, and what is asked of a device for it, where that is not the row.
_DEVICE_ROWS: dict[str, tuple[Callable[[Iterable[Any]], Iterable[Any]], str]] = {
    "chromeos_devices": (_as_they_are, ""),
    "chromeos_device_users": (_recent_users, "deviceId,recentUsers(email)"),
    "chromeos_device_days": (_active_days, "deviceId,activeTimeRanges(date,activeTime)"),
}
