"""What every DAG file shares: the project with Airflow's credentials, assets, pools and the retry rule.

DAG files stay thin: a task calls one function of the library.
"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.standard.triggers.file import FileDeleteTrigger
from airflow.sdk import (
    Asset,
    AssetWatcher,
    Connection,
    CronTriggerTimetable,
    DeadlineAlert,
    DeadlineReference,
    Param,
    RetryDecision,
    RetryPolicy,
    SyncCallback,
    get_current_context,
)
from airflow.sdk.exceptions import AirflowNotFoundException, AirflowSkipException

from uptake import pipeline
from uptake.alerts.tell import tell
from uptake.config import District, SourceSettings
from uptake.credentials import Credential
from uptake.errors import ConfigError, PermanentError, TransientError
from uptake.freshness import goal_seconds
from uptake.project import Project
from uptake.receiver.spool import signal_file
from uptake.sources.pushed import PushedSettings

OWNER = "uptake"
SIGNAL_EVERY_SECONDS = 0.5
LATE_AFTER = timedelta(minutes=5)  # a full build takes its time; a shorter deadline would cry at each of them


def airflow_connection(name: str) -> Credential:
    """A credential from Airflow's connections, whichever secrets backend holds them."""
    try:
        connection = Connection.get(name)
    except AirflowNotFoundException as error:
        raise ConfigError(
            f"no Airflow connection {name!r}", remedy=f"add it: airflow connections add {name} --conn-type http ..."
        ) from error
    extra = json.loads(connection.extra) if connection.extra else {}
    return Credential(login=connection.login or "", password=connection.password or "", extra=extra)


def load_project() -> Project:
    """At parse time and in each task: the file may have changed since the scheduler started."""
    return Project.load(credential=airflow_connection)


class RetryByErrorClass(RetryPolicy):
    """Permanent errors fail at once and say what a person must do; transient ones wait as long as the vendor asked."""

    def evaluate(self, exception: BaseException, try_number: int, max_tries: int, context: Any = None) -> RetryDecision:
        if isinstance(exception, PermanentError):
            return RetryDecision.fail(reason=str(exception))
        if isinstance(exception, TransientError) and exception.retry_after is not None:
            return RetryDecision.retry(delay=timedelta(seconds=exception.retry_after), reason=str(exception))
        return RetryDecision.default()

    def serialize(self) -> dict[str, Any]:
        return {}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> RetryByErrorClass:
        return cls()


DEFAULT_ARGS = {
    "owner": OWNER,
    "retries": 4,
    "retry_delay": timedelta(seconds=30),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(minutes=30),
    "retry_policy": RetryByErrorClass(),
}


def source_asset(district: District, source_name: str) -> Asset:
    """What an ingest run renews: the landed rows of one source."""
    return Asset(name=f"{district.id}.{source_name}", uri=f"uptake://landing/{district.id}/{source_name}")


def backfill_asset(district: District) -> Asset:
    return Asset(name=f"{district.id}.backfill", uri=f"uptake://landing/{district.id}/backfill")


def pushed_assets(project: Project, district: District) -> list[Asset]:
    """What a closed segment of the receiver's spool renews: the triggerer finds the receiver's signal and removes it.

    A signal that is missed costs a minute: the source's own ingest DAG pulls by the clock too.
    """
    if not any(isinstance(source, PushedSettings) for source in district.sources):
        return []
    trigger = FileDeleteTrigger(filepath=str(signal_file(project, district.id)), poke_interval=SIGNAL_EVERY_SECONDS)
    return [
        Asset(
            name=f"{district.id}.pushed",
            uri=f"uptake://spool/{district.id}",
            watchers=[AssetWatcher(name=f"{district.id}.segments", trigger=trigger)],
        )
    ]


def tell_of_a_late_publication(district_id: str) -> None:
    """Called by Airflow when a publication is not done in time, also one that never began: says how old the data is."""
    project = load_project()
    tell(project, project.district(district_id), {}, run_id="deadline")


def publication_deadline(district: District) -> DeadlineAlert:
    """A quiet first line is the alert at the end of a run; this one holds where no run comes to its end."""
    goal = min((goal_seconds(district, source) for source in district.sources), default=0)
    return DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=max(LATE_AFTER, timedelta(seconds=goal)),
        callback=SyncCallback("dag_support.tell_of_a_late_publication", kwargs={"district_id": district.id}),
    )


def minute_of(district: District, every: int = 60) -> int:
    """In each span of so many minutes, the one in which the district's work is due: the same after each start, and
    another for most other districts, so that a hundred of them are not all due at once.

    It is of the district and not of the source, so that sources of one district come together, and one build shows all.
    """
    return int.from_bytes(hashlib.sha256(district.id.encode()).digest()[:8]) % every


def pull_times(district: District, source: SourceSettings) -> CronTriggerTimetable | timedelta:
    """When a source is pulled: at once when it is new, then at the district's minutes.

    A cadence that does not go into an hour or a day, such as seven minutes, counts from the pull before.
    """
    every = source.pull_every_minutes
    hour, minute = divmod(minute_of(district, every), 60)
    if 60 % every == 0:
        cron = f"{minute}-59/{every} * * * *"
    elif every % 60 == 0 and 24 * 60 % every == 0:
        cron = f"{minute} {hour}-23/{every // 60} * * *"
    else:
        return timedelta(minutes=every)
    return CronTriggerTimetable(cron, timezone="UTC", run_immediately=True)


def writer_pool(district: District) -> str:
    """One slot for each district: a warehouse has one writer. Made by scripts/airflow_pools.py."""
    return f"warehouse_{district.id}"


def optional_time(value: str | None) -> datetime | None:
    """A DAG param such as 2026-03-01 or 2026-03-01T00:00:00Z; a time without a zone is UTC."""
    if not value:
        return None
    moment = datetime.fromisoformat(value)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


PULL_PARAMS = {
    "since": Param(None, type=["null", "string"], description="from this time, such as 2026-03-01"),
    "until": Param(None, type=["null", "string"], description="up to this time; now when empty"),
    "full": Param(False, type="boolean", description="read everything and look for deleted records"),
}


def pull_as_asked(district: District, source_name: str) -> dict[str, int]:
    """Pull one source, with the run's own `since`, `until` and `full`. Returns rows pulled, landed and quarantined.

    Where nothing was pushed the task is skipped, so that no publication follows.
    """
    context = get_current_context()
    params = context["params"]
    project = load_project()
    summary = pipeline.pull(
        project,
        district.id,
        source_name,
        since=optional_time(params["since"]),
        until=optional_time(params["until"]),
        full=params["full"],
        run_id=context["run_id"],
    )
    from uptake.warehouse.publish import current_snapshot  # noqa: PLC0415 - the warehouse is not needed to parse this

    is_pushed = isinstance(district.source(source_name), PushedSettings)
    if is_pushed and summary.is_empty and current_snapshot(project, district.id) is not None:
        raise AirflowSkipException("nothing was pushed since the last pull")
    return summary.counts()
