"""One ingest DAG for each (district, source) of uptake.yaml: pull what is new, land it, renew the source's asset.

Run it by hand with `since`, `until` or `full` to read a span of time again; whatever was landed for it is replaced.
"""

from __future__ import annotations

from airflow.sdk import DAG, get_parsing_context, task
from dag_support import DEFAULT_ARGS, PULL_PARAMS, load_project, pull_as_asked, pull_times, source_asset

from uptake.config import District, SourceSettings


def ingest_dag(district: District, source: SourceSettings) -> DAG:
    with DAG(
        dag_id=f"ingest__{district.id}__{source.name}",
        description=f"Pull {source.name} ({source.kind}) of {district.name}",
        schedule=pull_times(district, source),
        catchup=False,
        max_active_runs=1,
        is_paused_upon_creation=False,
        default_args=DEFAULT_ARGS,
        tags=["ingest", district.id, source.kind],
        params=PULL_PARAMS,
        doc_md=__doc__,
    ) as dag:

        @task(outlets=[source_asset(district, source.name)])
        def pull() -> dict[str, int]:
            return pull_as_asked(district, source.name)

        pull()
    return dag


wanted = get_parsing_context().dag_id
for _district in load_project().config.districts:
    for _source in _district.sources:
        if wanted in (None, f"ingest__{_district.id}__{_source.name}"):
            ingest_dag(_district, _source)
