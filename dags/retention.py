"""Once a night, one DAG for each district: small landed files are put together, then what is past its retention is
removed, and a receipt is written.

It takes the district's writer slot, so nothing is read while it is removed. `dry_run` only says what would be.
"""

from __future__ import annotations

from dataclasses import asdict

from airflow.sdk import DAG, Param, get_current_context, get_parsing_context, task
from dag_support import DEFAULT_ARGS, load_project, minute_of, writer_pool

from uptake import pipeline
from uptake.config import District


def retention_dag(district: District) -> DAG:
    with DAG(
        dag_id=f"retention__{district.id}",
        description=f"Remove what {district.name} keeps no longer",
        schedule=f"{minute_of(district)} 3 * * *",
        catchup=False,
        max_active_runs=1,
        is_paused_upon_creation=False,
        default_args=DEFAULT_ARGS | {"pool": writer_pool(district)},
        tags=["retention", district.id],
        params={"dry_run": Param(False, type="boolean", description="only say what would be removed")},
        doc_md=__doc__,
    ) as dag:

        @task
        def prune() -> dict[str, int]:
            context = get_current_context()
            done = pipeline.prune(
                load_project(), district.id, dry_run=context["params"]["dry_run"], run_id=context["run_id"]
            )
            return asdict(done)

        @task
        def compact(source: str) -> dict[str, int]:
            context = get_current_context()
            done = pipeline.compact(
                load_project(),
                district.id,
                source,
                dry_run=context["params"]["dry_run"],
                run_id=context["run_id"],
            )
            return asdict(done)

        if district.sources:
            compact.expand(source=[source.name for source in district.sources])
        prune()
    return dag


wanted = get_parsing_context().dag_id
for _district in load_project().config.districts:
    if wanted in (None, f"retention__{_district.id}"):
        retention_dag(_district)
