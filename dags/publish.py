"""Land what was pushed, build, check, publish: one DAG for each district, started by any renewed source, and within a
second by a closed segment of pushed events.

One task, in the district's one writer slot: the checks' libraries are imported beside the build, and pages are up
before the checks' own reports are written. Each step leaves its outcome record (`uptake status`, the Data quality
page). A failing critical check leaves the last good snapshot up; the failed task says which check, and what to do.
Where nothing is new nothing is checked or published. A run that is not done in time calls the alert targets. The first
publication of a district waits until each of its sources has been pulled once, well or not: without a roster its pages
would show nobody.
"""

from __future__ import annotations

from airflow.sdk import DAG, AssetAny, Param, get_current_context, get_parsing_context, task
from airflow.sdk.exceptions import AirflowSkipException
from dag_support import (
    DEFAULT_ARGS,
    backfill_asset,
    load_project,
    publication_deadline,
    pushed_assets,
    source_asset,
    writer_pool,
)

from uptake import pipeline
from uptake.config import District
from uptake.project import Project


def publish_dag(project: Project, district: District) -> DAG:
    with DAG(
        dag_id=f"publish__{district.id}",
        description=f"Build, check and publish {district.name}",
        schedule=AssetAny(
            *(source_asset(district, source.name) for source in district.sources),
            backfill_asset(district),
            *pushed_assets(project, district),
        ),
        catchup=False,
        max_active_runs=1,
        is_paused_upon_creation=False,
        default_args=DEFAULT_ARGS | {"pool": writer_pool(district)},
        deadline=publication_deadline(district),
        tags=["publish", district.id],
        params={
            "full_refresh": Param(False, type="boolean", description="rebuild every model from the lake"),
        },
        doc_md=__doc__,
    ) as dag:

        @task
        def update() -> str:
            context = get_current_context()
            project = load_project()
            if context["dag_run"].run_type == "asset_triggered":
                ahead = pipeline.first_pulls_ahead(project, district.id)
                if ahead:
                    raise AirflowSkipException(f"the first publication waits for the first pull of {', '.join(ahead)}")
            snapshot = pipeline.update(
                project,
                district.id,
                full_refresh=context["params"]["full_refresh"],
                run_id=context["run_id"],
            )
            if snapshot is None:
                raise AirflowSkipException("nothing is new: what is up shows all that was landed")
            return snapshot.id

        update()
    return dag


wanted = get_parsing_context().dag_id
_project = load_project()
for _district in _project.config.districts:
    if wanted in (None, f"publish__{_district.id}"):
        publish_dag(_project, _district)
