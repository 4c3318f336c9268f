"""`uptake study`: plan it, run it, show it. The plan is on record before an outcome is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from uptake.command import ConfigOption, JsonOption, exits

if TYPE_CHECKING:
    from uptake.evidence.store import RecordedStudy
    from uptake.project import Project

study_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Does a tool make a difference? Plan a study, run it, read its verdict.\n\n"
    "Write a plan (docs/evidence.md), `uptake study plan plan.yaml`, then `uptake study run` with the id it gives.",
)
TableOption = Annotated[
    Path | None,
    typer.Option("--table", "-t", exists=True, dir_okay=False, help="CSV or Parquet; the district's marts without it."),
]
IdArgument = Annotated[str, typer.Argument(metavar="ID", help="From `uptake study list`; its first characters do.")]


@study_app.command("plan")
def plan_command(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The plan, as YAML.")],
    config: ConfigOption = None,
    table: TableOption = None,
) -> None:
    """Freeze a plan and put it on record. With a table: look whether its columns are there (no value is read).

    Example: `uptake study plan mathspring.yaml`
    """
    from uptake.errors import ContractError
    from uptake.evidence import store
    from uptake.evidence.data import check_columns
    from uptake.evidence.plan import read_plan

    with exits():
        plan = read_plan(file)
        if table is not None:
            check_columns(plan, table)
        project = _project(config)
        if plan.marts is not None:
            least = project.district(plan.marts.district).privacy.minimum_n
            if plan.minimum_n < least:
                raise ContractError(
                    f"the plan shows groups of {plan.minimum_n} students, the district none of fewer than {least}",
                    remedy=f"set minimum_n to {least} or more; the district's is privacy.minimum_n.",
                    district=plan.marts.district,
                )
        study = store.record(project.operations, plan)
        typer.echo(f"{study.short}  planned {study.planned_at:%Y-%m-%d %H:%M} UTC  {plan.question}")
        typer.echo(f"Run it: uptake study run {study.short}")


@study_app.command("run")
def run_command(
    identifier: IdArgument, config: ConfigOption = None, table: TableOption = None, as_json: JsonOption = False
) -> None:
    """Run a plan that is on record, and put the result on record.

    Examples: `uptake study run 3f9a1c`, `uptake study run 3f9a1c --table students.csv`
    """
    from uptake.evidence import store
    from uptake.evidence.data import read_table
    from uptake.evidence.marts import read_marts
    from uptake.evidence.run import run_study

    with exits():
        project = _project(config)
        study = store.find(project.operations, identifier)
        data = read_table(study.plan, table) if table is not None else read_marts(study.plan, project)
        result = run_study(study.plan, data, told=lambda step: typer.echo(step, err=True))
        store.keep(project.operations, study, result)
        _show(store.find(project.operations, study.hash), as_json)


@study_app.command("due")
def due_command(
    config: ConfigOption = None,
    district: Annotated[str | None, typer.Option("--district", "-d", help="One district; all when left out.")] = None,
) -> None:
    """Run every study whose outcome is in and whose rows have changed since it ran, as the nightly job does.

    Example: `uptake study due --district riverbend`
    """
    from uptake.evidence.due import run_due

    with exits():
        project = _project(config)
        places = [project.district(district)] if district else project.config.districts
        for place in places:
            found = run_due(project, place.id, told=lambda step: typer.echo(step, err=True))
            typer.echo(
                f"{place.id}: {len(found.ran)} run, {len(found.unchanged)} unchanged, {len(found.waiting)} waiting for "
                f"their outcome, {len(found.refused)} could not run"
            )
            for short, why in found.refused.items():
                typer.echo(f"  {short}: {why}")


@study_app.command("show")
def show_command(identifier: IdArgument, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """A study's plan and its newest result, every figure.

    Example: `uptake study show 3f9a1c --json | jq .results[-1].outcomes[0].verdict`
    """
    from uptake.evidence import store

    with exits():
        _show(store.find(_project(config).operations, identifier), as_json)


@study_app.command("report")
def report_command(
    identifier: IdArgument,
    output: Annotated[Path, typer.Argument(metavar="FILE", help="Where to; `.html` or `.pdf`.")],
    config: ConfigOption = None,
) -> None:
    """Write the printed report: plan, data, method, code version, every figure.

    Example: `uptake study report 3f9a1c mathspring.pdf`
    """
    from uptake.errors import ConfigError
    from uptake.evidence import store
    from uptake.evidence.report import as_html, as_pdf

    with exits():
        if output.suffix.lower() not in (".html", ".pdf"):
            raise typer.BadParameter("give a file that ends in .html or .pdf")
        study = store.find(_project(config).operations, identifier)
        made = as_pdf(study) if output.suffix.lower() == ".pdf" else as_html(study).encode()
        try:
            output.write_bytes(made)
        except OSError as error:
            raise ConfigError(f"{output} cannot be written: {error.strerror}", remedy="name another place.") from error
        typer.echo(f"Wrote {output}")


@study_app.command("list")
def list_command(
    config: ConfigOption = None,
    district: Annotated[str | None, typer.Option("--district", "-d", help="One district; all when left out.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Every study on record: when it was planned, how often it ran, what came out.

    Example: `uptake study list`
    """
    from uptake.evidence import store

    with exits():
        studies = store.all_studies(_project(config).operations, district)
        rows = [
            {
                "id": study.short,
                "planned_at": study.planned_at.isoformat(timespec="minutes"),
                "tool": study.plan.tool,
                "design": study.plan.design,
                "question": study.plan.question,
                "runs": len(study.results),
                "verdict": study.results[-1].verdict.kind if study.results else None,
            }
            for study in studies
        ]
        if as_json:
            typer.echo(json.dumps(rows, indent=2))
            return
        for row in rows:
            found = row["verdict"] or "not run yet"
            typer.echo(f"{row['id']}  {str(row['planned_at'])[:10]}  {row['tool']}: {row['question']}  [{found}]")
        if not rows:
            typer.echo("No study is on record.")


def _show(study: RecordedStudy, as_json: bool) -> None:
    from uptake.evidence.printed import as_text

    if as_json:
        results = [json.loads(result.model_dump_json()) for result in study.results]
        shown = {"id": study.hash, "planned_at": study.planned_at.isoformat(), "plan": json.loads(study.plan.canonical)}
        typer.echo(json.dumps(shown | {"results": results}, indent=2))
    else:
        typer.echo(as_text(study))


def _project(config: Path | None) -> Project:
    from uptake.project import Project

    return Project.load(config)
