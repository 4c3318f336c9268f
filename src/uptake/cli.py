"""The `uptake` command. Every job that the DAGs do, from a shell or a script, without Airflow.

Exit codes: 0 good · 1 a person must act · 2 wrong usage · 3 checks failed and the last good snapshot stays · 75 try
again later (the number is EX_TEMPFAIL of sysexits.h). Heavy modules are imported by the command that needs them.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from uptake.command import (
    EXIT_CHECKS_FAILED,
    EXIT_PERMANENT,
    EXIT_TRANSIENT,
    ConfigOption,
    DistrictOption,
    JsonOption,
    err,
    exit_code,
    exits,
    say_error,
)
from uptake.errors import ConfigError, UptakeError
from uptake.evidence.cli import study_app
from uptake.sources.cli import sources_app
from uptake.tools.cli import tools_app

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from uptake.config import District
    from uptake.pipeline import PullSummary
    from uptake.project import Project
    from uptake.quality.summary import CheckSummary
    from uptake.warehouse.dbt import BuildSummary

PLAIN_LINE_SECONDS = 10.0

CODES = "Exit codes: 0 good · 1 a person must act · 2 wrong usage · 3 checks failed · 75 try again later."

app = typer.Typer(
    name="uptake",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_show_locals=False,  # a local variable may hold a row or a credential
    add_completion=False,
    help="The record of how a school district's EdTech is taken up, by whom, and what it is worth.\n\n"
    "Start with `uptake init`, look with `uptake doctor`, then `uptake run`.\n\n" + CODES,
)
quarantine_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Rows that broke their contract: list them, look at them, bring them back.\n\n"
    "Nothing is dropped: `uptake quarantine list`, then `show`, then mend the mapping or the source and `replay`.",
)
registers_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Registers that the district keeps by hand: contracts, invoices, training, help desk, devices, privacy.\n\n"
    "`uptake registers list`, then `template`: fill it in, and drop it where a source reads registers.",
)
app.add_typer(quarantine_app, name="quarantine")
app.add_typer(registers_app, name="registers")
app.add_typer(study_app, name="study")
app.add_typer(sources_app, name="sources")
app.add_typer(tools_app, name="tools")
out = Console()

SourceOption = Annotated[str | None, typer.Option("--source", "-s", help="One source; all when left out.")]
SinceOption = Annotated[
    str | None, typer.Option("--since", help="From this date or time, such as `2026-03-01`, in the district's zone.")
]
UntilOption = Annotated[str | None, typer.Option("--until", help="Up to this date or time; now when left out.")]


def main() -> None:
    """Entry point of the `uptake` command."""
    app()


# ---- commands -------------------------------------------------------------------------------------------------------


@app.command()
def init(config: ConfigOption = None) -> None:
    """Make an example `uptake.yaml` (if there is none), the state folders, the keys and the operations database.

    Safe to run again: it adds what is missing and changes nothing else.

    Example: `uptake init && uptake doctor`
    """
    from uptake.landing.vault import Keyring, private_folder
    from uptake.operations.session import open_engine

    with exits():
        path = config or Path("uptake.yaml")
        if not path.exists():
            _write_example(path)
        project = _project(path)
        private = (project.lake, project.quarantine, project.state_dir / "operations", project.state_dir / "warehouse")
        for folder in (*private, project.state_dir / "vault", project.state_dir / "published"):
            private_folder(folder)
        for district in project.config.districts:
            Keyring.open(project.vault(district.id))
        open_engine(project.operations_url).dispose()
        out.print(f"State is in {escape(str(project.state_dir))}; the operations database is up to date.")
        out.print("Keep a backup of [bold]vault/[/]: without its keys nobody is recognised again.")
        out.print(
            "Next: edit uptake.yaml, export the credentials, then [bold]uptake doctor[/] and [bold]uptake run[/]."
        )


@app.command()
def pull(
    config: ConfigOption = None,
    district: DistrictOption = None,
    source: SourceOption = None,
    resource: Annotated[
        list[str] | None, typer.Option("--resource", "-r", help="Only this resource; may be given several times.")
    ] = None,
    since: SinceOption = None,
    until: UntilOption = None,
    full: Annotated[bool, typer.Option("--full", help="Read everything, and look for deleted records.")] = False,
    accept_deletes: Annotated[
        bool,
        typer.Option(
            "--accept-deletes",
            help="Believe a loss that looks like a broken feed. Needs --source, and --full or --since with --until.",
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read, say what would be landed and marked deleted, and change nothing.")
    ] = False,
) -> None:
    """Bring what is new at the sources into the lake.

    Without options: every source, from where its last good pull began. Pulling a span of time again replaces what it
    landed before; nothing is lost and nothing comes twice.

    Examples:

    - `uptake pull`
    - `uptake pull --source filter --since 2026-03-01 --until 2026-03-08`
    - `uptake pull --district riverbend --source sis --full`
    - `uptake pull --source sis --resource enrollments --full --dry-run`, and when a school has really closed the same
      with `--accept-deletes` in place of `--dry-run`
    """
    from uptake import pipeline

    if accept_deletes and not (source and (full or (since and until))):
        raise typer.BadParameter("--accept-deletes needs --source, and --full or --since with --until")
    with exits():
        project = _project(config)
        errors: list[UptakeError] = []
        with _bars() as progress:
            for place, name in _sources(project, district, source):
                try:
                    summary = pipeline.pull(
                        project,
                        place.id,
                        name,
                        resources=resource,
                        since=_time(since, place),
                        until=_time(until, place),
                        full=full,
                        progress=_Bar(progress, name),
                        accept_deletes=accept_deletes,
                        dry_run=dry_run,
                    )
                except UptakeError as error:
                    errors.append(error)
                    say_error(error)
                else:
                    _say_pull(summary, dry_run=dry_run)
        if errors:
            raise typer.Exit(max(map(exit_code, errors), key=lambda code: code == EXIT_PERMANENT))


@app.command()
def sweep(
    config: ConfigOption = None,
    district: DistrictOption = None,
    source: SourceOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count only; remove nothing.")] = False,
) -> None:
    """Remove files that killed pulls wrote and that never counted. A pull after a kill does so by itself.

    What the ledger names is never touched, and a source that is being pulled is left alone (exit code 75).

    Example: `uptake sweep --dry-run`
    """
    from uptake import pipeline

    with exits():
        project = _project(config)
        for place, name in _sources(project, district, source):
            swept = pipeline.sweep_source(project, place.id, name, dry_run=dry_run)
            word = "would be removed" if dry_run else "removed"
            out.print(f"{place.id} {name}: {swept.files} files {word}, {swept.bytes / 1e6:.1f} MB.", soft_wrap=True)


@app.command()
def build(
    config: ConfigOption = None,
    district: DistrictOption = None,
    full_refresh: Annotated[bool, typer.Option("--full-refresh", help="Rebuild every model from the lake.")] = False,
) -> None:
    """Bring the warehouse up to what has landed. Costs what the new rows cost, not what the history costs.

    Example: `uptake build --district riverbend`
    """
    from uptake import pipeline

    with exits():
        project = _project(config)
        for place in _districts(project, district):
            with _bars() as progress:
                bar = _Steps(progress, place.id, "build")
                summary = pipeline.build(project, place.id, full_refresh=full_refresh, progress=bar)
            _say_built(summary)


@app.command()
def check(config: ConfigOption = None, district: DistrictOption = None) -> None:
    """Make a candidate snapshot and hold it to the expectations. Exit code 3 when a critical one fails.

    Example: `uptake check && uptake publish`
    """
    from uptake import pipeline

    with exits():
        project = _project(config)
        is_good = True
        for place in _districts(project, district):
            with _bars() as progress:
                summary = pipeline.check(project, place.id, progress=_Steps(progress, place.id, "check"))
            _say_checked(summary)
            is_good = is_good and not summary.failed_critical
        if not is_good:
            raise typer.Exit(EXIT_CHECKS_FAILED)


@app.command()
def publish(config: ConfigOption = None, district: DistrictOption = None) -> None:
    """Put the newest checked snapshot up for readers. Exit code 3 when it is not fit: the last good one stays.

    Example: `uptake publish --district riverbend`
    """
    from uptake import pipeline

    with exits():
        project = _project(config)
        for place in _districts(project, district):
            snapshot = pipeline.publish(project, place.id)
            _say_published(place, snapshot.id, snapshot.manifest)


@app.command()
def run(config: ConfigOption = None, district: DistrictOption = None) -> None:
    """Pull, build, check and publish: all of it, for every district or for one.

    What could be pulled is published even when one source failed; the exit code then tells of the failure.

    Example: `uptake run --district riverbend`
    """
    from uptake import pipeline

    with exits():
        project = _project(config)
        for place in _districts(project, district):
            with _bars() as progress:
                snapshot = pipeline.run(
                    project,
                    place.id,
                    progress=_Bar(progress, place.id),
                    steps=partial(_Steps, progress, place.id),
                    told=_say_step,
                )
            _say_published(place, snapshot.id, snapshot.manifest)


@app.command()
def prune(
    config: ConfigOption = None,
    district: DistrictOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
) -> None:
    """Remove what is past its retention: old snapshots, superseded files of the lake, old records of runs and checks.

    Example: `uptake prune --dry-run`
    """
    from uptake import pipeline

    with exits():
        project = _project(config)
        for place in _districts(project, district):
            done = pipeline.prune(project, place.id, dry_run=dry_run)
            out.print(
                f"{place.id}: {'would remove' if dry_run else 'removed'} {done.snapshots} snapshots, "
                f"{done.lake_files} superseded files ({done.lake_bytes / 2**20:.1f} MiB), "
                f"{done.outcomes} outcomes, {done.check_results} check results, "
                f"{done.freshness} records of freshness, {done.ledger_rows} ledger rows of compacted files"
            )


@app.command()
def compact(
    config: ConfigOption = None,
    district: DistrictOption = None,
    source: Annotated[str | None, typer.Option("--source", "-s", help="One source; all when left out.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be put together.")] = False,
) -> None:
    """Put small landed files together: the same rows in fewer files. Runs each night too.

    Example: `uptake compact --dry-run`
    """
    from uptake import pipeline

    with exits():
        project = _project(config)
        for place, name in _sources(project, district, source):
            done = pipeline.compact(project, place.id, name, dry_run=dry_run)
            sizes = f"{done.bytes_before / 2**20:.1f} MiB"
            if not dry_run:
                sizes += f" became {done.bytes_after / 2**20:.1f} MiB"
            out.print(
                f"{place.id} {name}: {'would put' if dry_run else 'put'} {done.files} files of {done.rows:,} rows into "
                f"{done.into}; {sizes}"
            )


@app.command()
def alerts(
    config: ConfigOption = None,
    district: DistrictOption = None,
    test: Annotated[
        bool, typer.Option("--test", help="Send each target a message that says that it is a test.")
    ] = False,
) -> None:
    """Tell the targets of `alerts:` in uptake.yaml what has changed since they were last told.

    Runs do this at their end; by cron it also tells that no run comes to its end. Example: `uptake alerts --test`
    """
    from uptake.alerts.tell import tell, test_message
    from uptake.pipeline import new_run_id

    with exits():
        project = _project(config)
        if test:
            for target in project.config.alerts:
                test_message(project, target)
                out.print(f"{target.name} took a test message.")
            return
        for place in _districts(project, district):
            out.print(f"{place.id}: {tell(project, place, {}, run_id=new_run_id())} messages sent.")


@app.command()
def status(config: ConfigOption = None, district: DistrictOption = None, as_json: JsonOption = False) -> None:
    """What is published, how fresh each source is, which check fails since when, and what to do.

    Examples: `uptake status`, `uptake status --json | jq '.[0].data_complete_through'`
    """
    from uptake.status import district_status

    with exits():
        project = _project(config)
        found = [district_status(project, place) for place in _districts(project, district)]
        if as_json:
            typer.echo(json.dumps(found, indent=2, default=str))
        else:
            for entry in found:
                _say_status(entry)


@app.command()
def doctor(
    config: ConfigOption = None,
    district: DistrictOption = None,
    source: SourceOption = None,
    offline: Annotated[bool, typer.Option("--offline", help="Ask no source and no clock.")] = False,
) -> None:
    """Look at configuration, versions, disk, database, keys, credentials and sources, and say what to mend.

    Exit code 1 when a person must mend something, 75 when only a source does not answer just now.

    Examples: `uptake doctor`, `uptake doctor --district riverbend --source sis`
    """
    from uptake.doctor import examine

    with exits():
        project = _project(config)
        districts = _districts(project, district)
        ill = []
        for finding in examine(project, districts, source_name=source, reach=not offline):
            mark = "[green]ok  [/]" if finding.is_ok else "[red]mend[/]"
            out.print(f"{mark} {escape(finding.subject)}: {escape(finding.message)}", soft_wrap=True)
            if not finding.is_ok:
                ill.append(finding)
                out.print(f"     to mend it: {escape(finding.remedy)}", soft_wrap=True)
        if ill:
            raise typer.Exit(EXIT_TRANSIENT if all(finding.is_transient for finding in ill) else EXIT_PERMANENT)


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
    add_help_option=False,
)
def sandbox(context: typer.Context) -> None:
    """A simulated district behind the vendors' own protocols, for demos, tests and faults.

    Example: `uptake sandbox --help`
    """
    from uptake.sandbox.cli import app as sandbox_app

    with exits():
        typer.main.get_command(sandbox_app)(args=context.args, prog_name="uptake sandbox")


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
    add_help_option=False,
)
def receive(context: typer.Context) -> None:
    """Take events that are pushed to us (Caliper, xAPI, log push), and keep the senders' keys.

    Example: `uptake receive --help`
    """
    from uptake.receiver.cli import app as receive_app

    with exits():
        typer.main.get_command(receive_app)(args=context.args, prog_name="uptake receive")


# ---- registers ------------------------------------------------------------------------------------------------------


@registers_app.command("list")
def registers_list() -> None:
    """The registers, and what one row of each is.

    Example: `uptake registers list`
    """
    from uptake.registers import registers

    with exits():
        table = Table("register", "files", "what it holds")
        for name, mapping in registers().items():
            table.add_row(name, ", ".join(glob.removeprefix("**/") for glob in mapping.globs), escape(mapping.doc))
        out.print(table)


@registers_app.command("template")
def registers_template(
    name: Annotated[str, typer.Argument(help="The register, as `uptake registers list` names it.")],
    xlsx: Annotated[bool, typer.Option("--xlsx", help="A workbook, with the guide on its second sheet.")] = False,
    folder: Annotated[Path, typer.Option(help="Where to write it.", exists=True, file_okay=False)] = Path(),
) -> None:
    """Write a register's template: its columns, one example row, and a guide to each column.

    Example: `uptake registers template training_sessions --xlsx`
    """
    from uptake.registers import register, write_template

    with exits():
        paths = write_template(name, folder, as_workbook=xlsx)
        for path in paths:
            out.print(f"Wrote {escape(str(path))}.", soft_wrap=True)
        pattern = register(name).globs[0].removeprefix("**/").removesuffix(".csv")
        out.print(
            f"Replace the example row, name the file {escape(pattern)}{paths[0].suffix}, and drop it where a source of "
            f"kind dropfolder reads registers/{name}.",
            soft_wrap=True,
        )


# ---- quarantine -----------------------------------------------------------------------------------------------------


@quarantine_app.command("list")
def quarantine_list(
    config: ConfigOption = None,
    district: DistrictOption = None,
    source: SourceOption = None,
    every: Annotated[bool, typer.Option("--all", help="Also what was replayed or pulled again.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Files of rejected rows, with the reason and how many.

    Example: `uptake quarantine list --source sis`
    """
    from uptake.landing import ledger

    with exits():
        project = _project(config)
        rows = [
            {
                "id": row.id,
                "district": row.district,
                "source": row.source,
                "resource": row.resource,
                "reason": row.reason,
                "column": row.column_name,
                "rows": row.row_count,
                "since": row.quarantined_at.isoformat(timespec="seconds"),
                "state": "replayed" if row.replayed_at else "pulled again" if row.superseded_at else "open",
            }
            for place in _districts(project, district)
            for row in ledger.quarantine_files(project.operations, place.id, source, is_open=not every)
        ]
        if as_json:
            typer.echo(json.dumps(rows, indent=2))
        elif not rows:
            out.print("Nothing is in quarantine.")
        else:
            _print_table(rows)


@quarantine_app.command("show")
def quarantine_show(
    identifier: Annotated[int, typer.Argument(metavar="ID", help="From `uptake quarantine list`.")],
    config: ConfigOption = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="Rows to show.")] = 20,
) -> None:
    """Rejected rows, without names: people as pseudonyms, the offending value as its shape.

    Example: `uptake quarantine show 12 --limit 5`
    """
    from uptake.landing.quarantine import read_redacted

    with exits():
        project = _project(config)
        held = _held(project, identifier)
        out.print(f"{held.row_count} rows of {held.source} {held.resource}: {held.reason} {held.column_name or ''}")
        for number, redacted in read_redacted(project.quarantine, held.path, limit=limit):
            out.print(f"{number:>6}  {escape(redacted)}", soft_wrap=True, highlight=False)


@quarantine_app.command("replay")
def quarantine_replay(
    identifiers: Annotated[list[int], typer.Argument(metavar="ID...", help="From `uptake quarantine list`.")],
    config: ConfigOption = None,
) -> None:
    """Read rejected rows with the present contract, and land those that fit now.

    Example: `uptake quarantine replay 12 13`
    """
    from uptake import pipeline

    with exits():
        project = _project(config)
        for identifier in identifiers:
            result = pipeline.replay(project, _held(project, identifier))
            rest = f"{result.still_rejected} still do not fit"
            out.print(f"{identifier}: {result.replayed} of {result.rows} rows landed, {rest}.")


# ---- what the commands share ----------------------------------------------------------------------------------------


def _project(config: Path | None) -> Project:
    from uptake.project import Project

    return Project.load(config)


def _districts(project: Project, district: str | None) -> list[District]:
    return [project.district(district)] if district else list(project.config.districts)


def _sources(project: Project, district: str | None, source: str | None) -> Sequence[tuple[District, str]]:
    found = [
        (place, settings.name)
        for place in _districts(project, district)
        for settings in place.sources
        if source in (None, settings.name)
    ]
    if source and not found:
        names = {settings.name for place in _districts(project, district) for settings in place.sources}
        raise ConfigError(f"no source {source!r}", remedy=f"name one of: {', '.join(sorted(names)) or 'none'}.")
    return found


def _time(text: str | None, district: District) -> datetime | None:
    """A date (its midnight) or a time, in the district's zone unless it names one."""
    if text is None:
        return None
    try:
        value = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is not a date or time such as 2026-03-01 or 2026-03-01T08:00") from error
    return (value if value.tzinfo else value.replace(tzinfo=district.zone)).astimezone(UTC)


def _write_example(path: Path) -> None:
    starter = Path(__file__).parent / "starter"
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(starter / "uptake.yaml", path)
    catalogue = path.parent / "tools.csv"
    if not catalogue.exists():
        shutil.copyfile(starter / "tools.csv", catalogue)
    (path.parent / "drop" / "registers").mkdir(parents=True, exist_ok=True)
    out.print(f"Wrote an example: {escape(str(path))} and its tool catalogue.")


def _held(project: Project, identifier: int) -> Any:
    from uptake.landing import ledger

    held = ledger.quarantine_file(project.operations, identifier)
    if held is None:
        raise ConfigError(f"no quarantine file {identifier}", remedy="list them with `uptake quarantine list`.")
    return held


class _Bar:
    """One progress line that follows a pull from resource to resource."""

    def __init__(self, progress: Progress, title: str) -> None:
        self._progress = progress
        self._title = title
        self._task: TaskID | None = None

    def __call__(self, resource: str, window: int, windows: int, rows: int, total: int | None) -> None:
        step = f" {window}/{windows}" if windows > 1 else ""
        title = f"{self._title}: {resource}{step}"
        if self._task is None:
            self._task = self._progress.add_task(title, total=None, count="")
        done, of = (window, windows) if windows > 1 else (rows, total)
        self._progress.update(self._task, description=title, completed=done, total=of, count=f"{rows:,} rows")


class _Steps:
    """One progress line that follows a build's models and tests, or a check's checks; where nobody watches a terminal,
    a plain line now and then."""

    WORDS = MappingProxyType({"build": "building", "check": "checking"})

    def __init__(self, progress: Progress, district: str, step: str) -> None:
        self._progress = progress
        self._title = f"{district}: {self.WORDS[step]}"
        # From the start on: the first of many steps may be long in coming.
        self._task = progress.add_task(self._title, total=None, count="")
        self._said_at = time.monotonic()

    def __call__(self, done: int, total: int, now: str) -> None:
        count = f"{done} of {total}"
        self._progress.update(self._task, description=f"{self._title} {now}", completed=done, total=total, count=count)
        if not err.is_terminal and time.monotonic() - self._said_at >= PLAIN_LINE_SECONDS:
            self._said_at = time.monotonic()
            err.print(f"{self._title}: {count} done, now {now}", highlight=False, soft_wrap=True)


@contextmanager
def _bars() -> Iterator[Progress]:
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[count]}"))
    with Progress(*columns, TimeElapsedColumn(), console=err, transient=True) as progress:
        yield progress


def _say_pull(summary: PullSummary, *, dry_run: bool = False) -> None:
    counts = summary.counts()
    out.print(
        ("Nothing was changed. It would be: " if dry_run else "")
        + f"{summary.district} {summary.source}: {counts['pulled']:,} rows pulled, {counts['landed']:,} landed, "
        f"{counts['quarantined']:,} in quarantine, {counts['deleted']:,} marked deleted, {summary.seconds:.1f} s.",
        soft_wrap=True,
    )
    for resource in summary.resources:
        for warning in dict.fromkeys(resource.warnings):
            out.print(f"  [yellow]{escape(resource.resource)}[/]: {escape(warning)}", soft_wrap=True)
        for doubted in resource.doubted if dry_run else ():
            names = ", ".join(f"{name}: {rows:,}" for name, rows in doubted.parents)
            rest = doubted.parent_count - len(doubted.parents)
            out.print(
                f"  [yellow]{escape(resource.resource)}[/]: {doubted.rows:,} held rows did not come, which looks like "
                f"a broken feed. {escape(names)}{f', and {rest} more' if rest else ''}. They stay without "
                "--accept-deletes.",
                soft_wrap=True,
            )


def _say_built(summary: BuildSummary) -> None:
    out.print(
        f"Built {summary.models} models, left {summary.unchanged} as they are and ran {summary.tests} tests; "
        f"{summary.touched_dates} days touched, "
        f"{summary.seconds:.1f} s."
    )


def _say_checked(summary: CheckSummary) -> None:
    failed = [(failure, "red") for failure in summary.failed_critical]
    failed += [(failure, "yellow") for failure in summary.failed_warning]
    out.print(f"{summary.passed} checks passed, {len(failed)} failed.")
    for failure, colour in failed:
        out.print(f"  [{colour}]{escape(failure.check_id)}[/]: {escape(failure.observed)}", soft_wrap=True)
        out.print(f"    to mend it: {escape(failure.remedy)}", soft_wrap=True)


def _say_step(done: object) -> None:
    """One step of a whole run."""
    from uptake.pipeline import PullSummary
    from uptake.quality.summary import CheckSummary

    if isinstance(done, UptakeError):
        say_error(done)
    elif isinstance(done, PullSummary):
        _say_pull(done)
    elif isinstance(done, CheckSummary):
        _say_checked(done)
    else:
        _say_built(cast("BuildSummary", done))


def _say_published(district: District, snapshot_id: str, manifest: dict[str, Any]) -> None:
    through = manifest.get("data_complete_through") or "unknown"
    out.print(f"{district.id}: published {snapshot_id}, data complete through {through}.")


def _say_status(entry: dict[str, Any]) -> None:
    title = f"[bold]{escape(entry['name'])}[/] ({entry['district']})"
    out.print(f"{title}{' · simulated district' if entry['is_simulated'] and 'simulated' not in entry['name'] else ''}")
    if entry["snapshot_id"]:
        out.print(
            f"  published {entry['snapshot_id']} at {entry['published_at']}, "
            f"data complete through {entry['data_complete_through']}"
        )
    else:
        out.print("  nothing is published yet: `uptake run`")
    for failing in entry["failing_checks"]:
        out.print(f"  [red]check fails since {failing['since']}[/]: {escape(failing['check_id'])}", soft_wrap=True)
        _say_found(failing)
    for warning in entry["warnings"]:
        out.print(f"  [yellow]warning[/]: {escape(warning['check_id'])}", soft_wrap=True)
        _say_found(warning)
    for step, told in entry["steps"].items():
        if told["status"] == "failed" and step != "publish":
            _say_failed(f"{step} failed[/] at {told['at']}", told)
    for source in entry["sources"]:
        if source["failed"]:
            _say_failed(f"{source['source']} could not be pulled[/]", source["failed"])
        for resource in source["resources"]:
            if resource["status"] == "failed":
                _say_failed(f"{source['source']} {resource['resource']} failed[/]", resource)
    if entry["quarantined_rows"]:
        out.print(f"  [yellow]{entry['quarantined_rows']:,} rows in quarantine[/]: `uptake quarantine list`")
    rows = [
        {
            "source": source["source"],
            "resource": resource["resource"],
            "last good pull": resource["last_good_pull_at"] or "never",
            "status": resource["status"],
            "message": resource["message"] or "",
        }
        for source in entry["sources"]
        for resource in source["resources"] or [_never_pulled()]
    ]
    if rows:
        _print_table(rows)


def _say_found(check: dict[str, Any]) -> None:
    """What should hold, what was found instead, and what to do."""
    found = f"{check['description']} Found: {check['observed'].rstrip('.')}. To mend it: {check['remedy']}"
    out.print(f"    {escape(found)}", soft_wrap=True)


def _say_failed(what: str, told: dict[str, Any]) -> None:
    out.print(f"  [red]{what}: {escape(told['message'] or '')}", soft_wrap=True)
    if told["remedy"]:
        out.print(f"    To mend it: {escape(told['remedy'])}", soft_wrap=True)


def _never_pulled() -> dict[str, Any]:
    return {"resource": "*", "last_good_pull_at": None, "status": "never pulled", "message": None}


def _print_table(rows: Sequence[dict[str, Any]]) -> None:
    table = Table(*rows[0], box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(escape(str(value if value is not None else "")) for value in row.values()))
    out.print(table)
