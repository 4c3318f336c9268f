"""`uptake sources`: which kinds there are, what one of a district would land, and a first mapping for a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from uptake.command import EXIT_PERMANENT, EXIT_TRANSIENT, ConfigOption, JsonOption, exits

if TYPE_CHECKING:
    from uptake.sources.kinds import Kind
    from uptake.trial import Trial

EXIT_NOT_CLEAN = 3

sources_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="For whoever adds a source: the kinds, a trial of one, a first mapping for a file.\n\n"
    "`uptake sources list`, write the entry, `uptake doctor`, `uptake sources test`, then `uptake pull`.",
)
out = Console()


@sources_app.command("list")
def list_command(
    kind: Annotated[str | None, typer.Argument(help="Of this kind alone, every setting.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Kinds of source, how their rows come, and which settings each must have; of one kind all settings and an entry.

    Examples: `uptake sources list`, `uptake sources list oneroster`, `uptake sources list --json | jq '.[].kind'`
    """
    from uptake.errors import ConfigError
    from uptake.sources import kinds

    with exits():
        known = kinds.all_kinds()
        found = [each for each in known if kind in (None, each.name)]
        if not found:
            raise ConfigError(
                f"there is no kind {kind!r}", remedy=f"name one of: {', '.join(each.name for each in known)}."
            )
        if as_json:
            typer.echo(json.dumps([_as_json(each) for each in found], indent=2))
        elif kind is None:
            _say_kinds(found)
        else:
            _say_kind(found[0])


@sources_app.command("test")
def test_command(
    district: Annotated[str, typer.Argument(help="The district in uptake.yaml.")],
    source: Annotated[str, typer.Argument(help="The source in uptake.yaml.")],
    config: ConfigOption = None,
    resource: Annotated[
        list[str] | None, typer.Option("--resource", "-r", help="Only this resource; may be given several times.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000, help="Rows of each resource.")] = 100,
    rows: Annotated[int, typer.Option("--rows", min=0, max=50, help="Landed rows to show.")] = 2,
    as_json: JsonOption = False,
) -> None:
    """Read the first rows of each resource and say what would land. Nothing is written: no lake, ledger or vault.

    People are shown as the beginning of a pseudonym that is made for this look. Exit codes: 0 all of it would land ·
    1 a person must act · 3 rows would go to quarantine, or a column is unknown · 75 try again later.

    Examples: `uptake sources test riverbend sis`, `uptake sources test riverbend sis --resource users --limit 20`
    """
    from uptake.errors import TransientError
    from uptake.project import Project
    from uptake.trial import try_source

    with exits():
        project = Project.load(config)
        place = project.district(district)
        trials = []
        for trial in try_source(
            project, place, place.source(source), resources=resource or (), limit=limit, shown=rows
        ):
            trials.append(trial)
            if not as_json:
                _say_trial(trial)
        if as_json:
            typer.echo(json.dumps([_trial_as_json(trial) for trial in trials], indent=2, default=str))
        errors = [trial.error for trial in trials if trial.error is not None]
        if any(not isinstance(error, TransientError) for error in errors):
            raise typer.Exit(EXIT_PERMANENT)
        if errors:
            raise typer.Exit(EXIT_TRANSIENT)
        if not all(trial.is_good for trial in trials):
            raise typer.Exit(EXIT_NOT_CLEAN)


@sources_app.command("profile")
def profile_command(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV, XLSX, NDJSON or Parquet.")],
    namespace: Annotated[str, typer.Option(help="First part of the names of its landing views.")] = "own",
    resource: Annotated[str | None, typer.Option(help="What one row is; after the file's name if left out.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write the mapping here.")] = None,
) -> None:
    """Propose a mapping for a file: format, types, date formats, a key, and what looks personal. No value is shown.

    Read every line of it before it is used: a column without a rule lands as it is.

    Examples: `uptake sources profile export.csv`, `uptake sources profile export.xlsx -o mappings/export.yaml`
    """
    from uptake.errors import ConfigError
    from uptake.sources.dropfolder.profile import propose

    with exits():
        text = propose(file, namespace=namespace, resource=resource)
        if output is None:
            typer.echo(text, nl=False)
            return
        if output.exists():
            raise ConfigError(f"{output} is there already", remedy="name another file, or remove it.")
        output.write_text(text, encoding="utf-8")
        out.print(f"{output} is written. Look at every line, then name it in a source's `mappings`.", soft_wrap=True)


# ---- telling --------------------------------------------------------------------------------------------------------


def _as_json(kind: Kind) -> dict[str, Any]:
    return {
        "kind": kind.name,
        "status": kind.status,
        "summary": kind.summary,
        "needs_credential": kind.needs_credential,
        "resources": list(kind.resources),
        "settings": [
            {
                "name": setting.name,
                "type": setting.type,
                "required": setting.is_required,
                "default": setting.default,
                "meaning": setting.meaning,
            }
            for setting in kind.settings
        ],
        "example": kind.example,
    }


def _say_kinds(kinds: list[Kind]) -> None:
    from uptake.sources.kinds import STATUSES, shipped_mappings

    table = Table("kind", "status", "must have", "reads", box=None)
    for kind in kinds:
        needed = [setting.name for setting in kind.settings if setting.is_required and setting.name != "kind"]
        table.add_row(kind.name, kind.status, ", ".join(needed), escape(kind.summary))
    out.print(table)
    out.print()
    for status, meaning in STATUSES.items():
        out.print(f"{status}: {meaning}", highlight=False)
    out.print(f"Mappings that come with Uptake: {', '.join(name for name, _ in shipped_mappings())}", highlight=False)
    out.print("All settings of one, and an entry to begin with: uptake sources list KIND", highlight=False)


def _say_kind(kind: Kind) -> None:
    out.print(f"[bold]{kind.name}[/] ({kind.status}): {escape(kind.summary)}", highlight=False)
    if kind.resources:
        out.print(f"Resources: {', '.join(kind.resources)}", highlight=False, soft_wrap=True)
    table = Table("setting", "default", "meaning", box=None)
    for setting in kind.settings:
        default = "[bold]must be given[/]" if setting.is_required else escape(setting.default or "")
        table.add_row(setting.name, default, escape(f"{setting.meaning} ({setting.type})"))
    out.print(table)
    out.print("\nUnder `sources:` of a district in uptake.yaml:\n", highlight=False)
    typer.echo(kind.example)


def _trial_as_json(trial: Trial) -> dict[str, Any]:
    error = trial.error
    return {
        "resource": trial.resource,
        "rows": trial.rows,
        "rejects": [
            {"reason": reason, "column": column, "rows": count, "first": first}
            for reason, column, count, first in trial.rejects
        ],
        "unknown_columns": trial.unknown,
        "kept_apart": trial.kept,
        "notes": trial.notes,
        "sample": trial.sample,
        "error": None if error is None else {"message": error.message, "remedy": error.remedy},
    }


def _say_trial(trial: Trial) -> None:
    mark = "[green]ok  [/]" if trial.is_good else "[red]mend[/]"
    refused = sum(count for _, _, count, _ in trial.rejects)
    out.print(f"{mark} {trial.resource}: {trial.rows} rows would land, {refused} would not", highlight=False)
    if trial.error is not None:
        out.print(f"     error: {escape(trial.error.message)}", soft_wrap=True, highlight=False)
        out.print(f"     to mend it: {escape(trial.error.remedy)}", soft_wrap=True, highlight=False)
    for reason, column, count, first in trial.rejects:
        place = f" in {column}" if column else ""
        out.print(f"     {count} rows: {reason}{place}; the first: {escape(first)}", soft_wrap=True, highlight=False)
    if trial.unknown:
        out.print(f"     unknown columns: {escape(', '.join(trial.unknown))}", soft_wrap=True, highlight=False)
    for note in trial.notes:
        out.print(f"     {escape(note)}", soft_wrap=True, highlight=False)
    for name, columns in trial.kept.items():
        if columns and trial.rows:
            what = "to the vault" if name == "vault" else "dropped"
            out.print(f"     {what}: {', '.join(columns)}", soft_wrap=True, highlight=False)
    for row in trial.sample:
        out.print(f"     {escape(json.dumps(row, default=str, ensure_ascii=False))}", soft_wrap=True, highlight=False)
