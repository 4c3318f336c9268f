"""Once a night, one DAG for each district: planned studies whose outcome is in, and whose rows have changed, are run.

They read the published snapshot and write to the operations database; the next publication shows what they found.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from airflow.sdk import DAG, get_parsing_context, task
from dag_support import DEFAULT_ARGS, load_project, minute_of

from uptake.config import District


def studies_dag(district: District) -> DAG:
    with DAG(
        dag_id=f"studies__{district.id}",
        description=f"Run the studies of {district.name} that are due",
        schedule=f"{minute_of(district)} 4 * * *",
        catchup=False,
        max_active_runs=1,
        is_paused_upon_creation=False,
        default_args=DEFAULT_ARGS,
        tags=["studies", district.id],
        doc_md=__doc__,
    ) as dag:

        @task
        def run_due() -> dict[str, Any]:
            from uptake.evidence import due  # noqa: PLC0415 - its statistics are not needed to parse this

            return asdict(due.run_due(load_project(), district.id))

        run_due()
    return dag


wanted = get_parsing_context().dag_id
for _district in load_project().config.districts:
    if wanted in (None, f"studies__{_district.id}"):
        studies_dag(_district)
