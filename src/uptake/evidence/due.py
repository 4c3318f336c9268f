"""Studies that are due: planned, their outcome in, and not yet run on the rows that the district now has."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from uptake.errors import UptakeError
from uptake.evidence import store
from uptake.evidence.marts import read_marts
from uptake.evidence.run import Told, run_study
from uptake.project import Project
from uptake.warehouse.publish import current_snapshot

_log = logging.getLogger("uptake.evidence")


@dataclass(frozen=True, slots=True)
class DueSummary:
    """Plans on record of a district: run now · unchanged since their last run · waiting for their outcome · not run,
    with what stood in the way, by the start of the plan's hash."""

    ran: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)


def run_due(project: Project, district_id: str, told: Told = _log.info) -> DueSummary:
    """Run every due study of the district on the snapshot that is up, and put the results on record.

    told: hears which study of how many is looked at.

    Due: the last day of the plan's outcome is complete in the snapshot, and no result on just these rows is on record.
    A snapshot is published many times a day and changes few studies, so it is the study's own rows that are compared.
    A study that cannot be run is told and does not keep the others from running.
    """
    snapshot = current_snapshot(project, district_id)
    through = snapshot.manifest.get("data_complete_through") if snapshot else None
    ran, unchanged, waiting, refused = [], [], [], {}
    studies = store.all_studies(project.operations, district_id)
    for number, study in enumerate(studies, start=1):
        told(f"study {number} of {len(studies)}: {study.short} {study.plan.tool}")
        marts = study.plan.marts
        if through is None or marts is None or marts.outcome.ends_on > date.fromisoformat(str(through)[:10]):
            waiting.append(study.short)
            continue
        try:
            table = read_marts(study.plan, project)
            rows = table.version.split()[-1]
            if any(result.data_version.endswith(rows) for result in study.results):
                unchanged.append(study.short)
                continue
            result = run_study(study.plan, table)
        except UptakeError as error:
            _log.warning("study %s could not run: %s", study.short, error)
            refused[study.short] = str(error)
            continue
        store.keep(project.operations, study, result)
        ran.append(study.short)
    return DueSummary(tuple(ran), tuple(unchanged), tuple(waiting), refused)
