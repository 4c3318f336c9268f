"""Publication: one pointer file names the snapshot that readers open, and is swapped in one step.

    published/<district>/<id>/{leaders.duckdb,restricted.duckdb,manifest.json,checks.json}   the last five
    published/<district>/<id>/{partitions.json,restricted/}   person-level facts by date; see `partitions`
    published/<district>/current          the id that readers open
    published/<district>/rejected.json    why the newest candidate is not up, and since when; absent when it is
    published/<district>/manifests/       manifests of the snapshots whose files were pruned

A reader needs this folder and nothing else. A process killed at any instant leaves `current` on a whole snapshot;
the next run finishes or replaces what was left.
"""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb

from uptake.config import District
from uptake.errors import CheckError, PermanentError
from uptake.operations.models import Snapshot
from uptake.operations.session import writing
from uptake.project import Project
from uptake.quality import summary
from uptake.quality.summary import CheckSummary
from uptake.warehouse import durable
from uptake.warehouse.engine import name_of_last_build, open_warehouse
from uptake.warehouse.partitions import PARTITIONS, describe_file, insist_on, read_snapshot_file
from uptake.warehouse.snapshot import (
    AUDIENCES,
    CANDIDATE_PREFIX,
    ID_FORMAT,
    MANIFEST,
    Audience,
    Candidate,
)

POINTER = "current"
REJECTED = "rejected.json"
MANIFESTS = "manifests"


@dataclass(frozen=True, slots=True)
class SnapshotRef:
    """A published snapshot. `rejected` is the content of rejected.json while a newer candidate is held back."""

    id: str
    path: Path
    manifest: dict[str, Any]
    rejected: dict[str, Any] | None = None

    def open(self, audience: Audience) -> duckdb.DuckDBPyConnection:
        """Read-only, with everything that its views are over."""
        return read_snapshot_file(self.path, self.file(audience).name)

    def file(self, audience: Audience) -> Path:
        """It never changes under its name. The leaders' file may be opened by itself; for the other one use `open`."""
        return self.path / f"{audience}.duckdb"

    @property
    def leaders(self) -> Path:
        return self.file("leaders")

    @property
    def restricted(self) -> Path:
        return self.file("restricted")


def current_snapshot(project: Project, district_id: str) -> SnapshotRef | None:
    """The snapshot that is up, or None before the first publication. See `read_current`."""
    return read_current(project.published(district_id))


def read_current(folder: Path) -> SnapshotRef | None:
    """As `current_snapshot`, from the district's published folder alone: reads three small files and no database."""
    try:
        snapshot_id = (folder / POINTER).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None
    path = folder / snapshot_id
    manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
    return SnapshotRef(snapshot_id, path, manifest, read_rejection(folder))


def shows_last_build(project: Project, district_id: str) -> bool:
    """Whether the snapshot that is up was made from the warehouse as it is now."""
    current, warehouse = current_snapshot(project, district_id), project.warehouse(district_id)
    if current is None or current.rejected is not None or not warehouse.exists():
        return False
    with closing(open_warehouse(warehouse, "256MB")) as connection:
        made = name_of_last_build(connection, warehouse.stem)
    return made is not None and made == current.manifest.get("build")


def read_rejection(folder: Path) -> dict[str, Any] | None:
    """Why the newest candidate was held back: {snapshot_id, at, since, checks}; None when the newest one is up."""
    try:
        rejected: dict[str, Any] = json.loads((folder / REJECTED).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    current = _pointed_at(folder)
    # Killed between swapping the pointer and removing the file: what is up is newer than what was rejected.
    return None if current is not None and current >= rejected["snapshot_id"] else rejected


def latest_candidate(project: Project, district: District) -> Candidate | None:
    """The newest candidate, checked or not, rejected or not; also one whose publication was cut short.

    When the newest is already up, that one is given, and publishing it again changes nothing.
    """
    folder = project.published(district.id)
    found = {path.name.removeprefix(CANDIDATE_PREFIX): path for path in folder.glob(f"{CANDIDATE_PREFIX}*")}
    found |= {path.name: path for path in _snapshots(folder)}
    current = _pointed_at(folder)
    newer = [snapshot_id for snapshot_id in found if current is None or snapshot_id >= current]
    if not newer:
        return None
    path = found[max(newer)]
    return Candidate(max(newer), path, json.loads((path / MANIFEST).read_text(encoding="utf-8")))


def publish_latest(project: Project, district: District, run_id: str) -> SnapshotRef:
    """Publish the newest candidate on the strength of the checks kept with it. Raises as `publish_candidate`."""
    candidate = latest_candidate(project, district)
    if candidate is None:
        raise PermanentError("there is no candidate to publish", remedy="run `uptake check`.", district=district.id)
    return publish_candidate(project, district, candidate, summary.load(candidate.path), run_id)


def publish_candidate(
    project: Project, district: District, candidate: Candidate, checks: CheckSummary, run_id: str
) -> SnapshotRef:
    """Put the candidate up, and keep the last few. Safe to repeat after a crash at any instant.

    Raises CheckError when a critical check failed, after writing down why; the last good snapshot stays up. Raises it
    too when the checks are of another candidate, or the files are not the ones that were checked.
    """
    folder = project.published(district.id)
    if checks.snapshot_id != candidate.id:
        raise CheckError(
            f"the checks are of {checks.snapshot_id}, not of {candidate.id}",
            remedy="run `uptake check`, then publish.",
            district=district.id,
        )
    if not checks.is_publishable:
        _reject(project, district, candidate, checks)
    previous = _pointed_at(folder)
    if previous != candidate.id:
        if previous is not None:
            _record(project, district, previous)  # the run that put it up may have been killed before it said so
        _put_up(folder, candidate, checks)
    (folder / REJECTED).unlink(missing_ok=True)
    _record(project, district, candidate.id)
    prune_snapshots(folder, keep=district.privacy.retention.snapshots)
    path = folder / candidate.id
    return SnapshotRef(candidate.id, path, json.loads((path / MANIFEST).read_text(encoding="utf-8")))


def status_of(project: Project, district: District) -> dict[str, Any]:
    """What `uptake status` prints of a district, from the published folder alone.

    {district, name, is_simulated, snapshot_id, published_at, data_complete_through, warnings, failing_checks_since,
    failing_checks: [{check_id, table, description, observed, remedy, since}]}; ids and times are None before the first
    publication, and `failing_checks` is empty unless a newer candidate is held back.
    """
    folder = project.published(district.id)
    current = read_current(folder)
    rejected = read_rejection(folder) or {}
    manifest = current.manifest if current else {}
    return {
        "district": district.id,
        "name": district.name,
        "is_simulated": district.is_simulated,
        "snapshot_id": current.id if current else None,
        "published_at": manifest.get("published_at"),
        "data_complete_through": manifest.get("data_complete_through"),
        "warnings": (manifest.get("checks") or {}).get("failed_warning", []),
        "failing_checks_since": rejected.get("since"),
        "failing_checks": rejected.get("checks", []),
    }


def _put_up(folder: Path, candidate: Candidate, checks: CheckSummary) -> None:
    files = {audience: candidate.file(audience) for audience in AUDIENCES} | {PARTITIONS: candidate.path / PARTITIONS}
    for name, file in files.items():
        if describe_file(file) != candidate.manifest["files"][name]:
            raise CheckError(
                f"{file.name} is not the file that was checked",
                remedy="run `uptake check` again; nothing else may write in the published folder.",
                district=folder.name,
            )
    insist_on(candidate.path)
    manifest = candidate.manifest | {
        "published_at": datetime.now(UTC).isoformat(),
        "checks": {
            "passed": checks.passed,
            "failed_warning": [asdict(check) for check in checks.failed_warning],
        },
    }
    durable.write_json(candidate.path / MANIFEST, manifest)
    path = folder / candidate.id
    if candidate.path != path:
        durable.rename(candidate.path, path)
    durable.write_text(folder / POINTER, candidate.id)


def _reject(project: Project, district: District, candidate: Candidate, checks: CheckSummary) -> None:
    folder = project.published(district.id)
    now = datetime.now(UTC).isoformat()
    before = read_rejection(folder) or {}
    since = {check["check_id"]: check["since"] for check in before.get("checks", [])}
    durable.write_json(
        folder / REJECTED,
        {
            "snapshot_id": candidate.id,
            "at": now,
            "since": before.get("since", now),
            "checks": [asdict(check) | {"since": since.get(check.check_id, now)} for check in checks.failed_critical],
        },
    )
    with writing(project.operations) as session:
        row = session.get(Snapshot, candidate.id)
        if row is not None:
            row.status = "rejected"
            row.failed_checks = [check.check_id for check in checks.failed_critical]
    named = "; ".join(f"{check.check_id} ({check.observed})" for check in checks.failed_critical[:3])
    more = len(checks.failed_critical) - 3
    raise CheckError(
        f"{len(checks.failed_critical)} critical checks failed: {named}{f'; and {more} more' if more > 0 else ''}",
        remedy=checks.failed_critical[0].remedy,
        district=district.id,
    )


def _record(project: Project, district: District, snapshot_id: str) -> None:
    """Say in the operations database that the pointer named this snapshot."""
    path = project.published(district.id) / snapshot_id / MANIFEST
    manifest = json.loads(path.read_text(encoding="utf-8"))
    through = manifest["data_complete_through"]
    with writing(project.operations) as session:
        row = session.get(Snapshot, snapshot_id)
        if row is None:  # killed between renaming the candidate and recording it
            row = Snapshot(
                id=snapshot_id,
                district=district.id,
                run_id=manifest["run_id"],
                created_at=datetime.fromisoformat(manifest["created_at"]),
                data_complete_through=date.fromisoformat(through) if through else None,
                code_version=manifest["code_version"],
            )
            session.add(row)
        row.status = "published"
        row.published_at = datetime.fromisoformat(manifest["published_at"])
        row.failed_checks = [check["check_id"] for check in manifest["checks"]["failed_warning"]]


def prune_snapshots(folder: Path, *, keep: int, dry_run: bool = False) -> list[str]:
    """Remove all but the newest `keep` snapshots and the one that is up; their manifests stay. Returns their ids."""
    current = _pointed_at(folder)
    old = [path for path in _snapshots(folder)[:-keep] if path.name != current]
    if dry_run or not folder.exists():
        return [path.name for path in old]
    archive = folder / MANIFESTS
    archive.mkdir(exist_ok=True, mode=0o700)
    for path in old:
        if (path / MANIFEST).exists():
            durable.rename(path / MANIFEST, archive / f"{path.name}.json")
        shutil.rmtree(path)
    return [path.name for path in old]


def _snapshots(folder: Path) -> list[Path]:
    """Folders that carry a snapshot's own name, oldest first."""
    if not folder.exists():
        return []
    return sorted(path for path in folder.iterdir() if ID_FORMAT.fullmatch(path.name))


def _pointed_at(folder: Path) -> str | None:
    try:
        return (folder / POINTER).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None
