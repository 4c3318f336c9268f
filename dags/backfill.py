"""Read a span of one source again, beside the live ingest: its own DAG, so that a long backfill delays no live pull.

Trigger it with a source, `since` and `until`. Windows that were landed before are replaced, so it is safe to repeat.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param, get_current_context, get_parsing_context, task
from dag_support import DEFAULT_ARGS, PULL_PARAMS, backfill_asset, load_project, pull_as_asked

from uptake.config import District


def backfill_dag(district: District) -> DAG:
    sources = [source.name for source in district.sources]
    with DAG(
        dag_id=f"backfill__{district.id}",
        description=f"Read a span of one source of {district.name} again",
        schedule=None,
        max_active_runs=1,
        is_paused_upon_creation=False,
        default_args=DEFAULT_ARGS,
        tags=["backfill", district.id],
        params={"source": Param(sources[0], enum=sources, description="which source")} | PULL_PARAMS,
        doc_md=__doc__,
    ) as dag:

        @task(outlets=[backfill_asset(district)])
        def pull() -> dict[str, int]:
            return pull_as_asked(district, get_current_context()["params"]["source"])

        pull()
    return dag


wanted = get_parsing_context().dag_id
for _district in load_project().config.districts:
    if _district.sources and wanted in (None, f"backfill__{_district.id}"):
        backfill_dag(_district)
