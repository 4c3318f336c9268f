"""`uptake sandbox`: serve the simulated district, move its clock, break its vendors."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
import uvicorn
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from uptake.sandbox.credentials import connection_environment
from uptake.sandbox.demo import write_demo
from uptake.sandbox.district import SIZES, SimulatedDistrict
from uptake.sandbox.faults import MEANING
from uptake.sandbox.large import LargeDay, LogForm, write_log
from uptake.sandbox.register import drop_ingredients, drop_register
from uptake.sandbox.server import make_sandbox
from uptake.sandbox.truths import truths_text

app = typer.Typer(no_args_is_help=True, help="The simulated district: three vendors' protocols on one port.")
fault_app = typer.Typer(no_args_is_help=True, help="Switch faults of the running sandbox on and off.")
clock_app = typer.Typer(no_args_is_help=True, help="Read or move the running sandbox's clock.")
app.add_typer(fault_app, name="fault")
app.add_typer(clock_app, name="clock")

console = Console()
Url = Annotated[str, typer.Option("--url", envvar="UPTAKE_SANDBOX_URL", help="Where the sandbox runs.")]
DEFAULT_URL = "http://127.0.0.1:8710"
FIRST_LARGE_DAY = datetime(2026, 4, 14)
Size = Enum("Size", {name: name for name in SIZES}, type=str)  # type: ignore[misc]


@app.command()
def serve(
    size: Annotated[Size, typer.Option(help="small: 150 students for tests; demo: 1,200.")] = Size.demo,  # type: ignore[attr-defined]
    students: Annotated[int | None, typer.Option(help="Any number of students, in place of a size.", min=39)] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8710,
    state: Annotated[Path, typer.Option(help="Folder in which the clock is kept.")] = Path("var/sandbox"),
    drop: Annotated[
        Path, typer.Option(help="Drop folder; the registers of money are put in registers/ below it.")
    ] = Path("var/sandbox/drop"),
    speed: Annotated[
        float | None, typer.Option(help="Simulated seconds in a second (first start: 60); 0 freezes the clock.", min=0)
    ] = None,
) -> None:
    """Serve OneRoster, Canvas and Umbrella for the simulated district until Ctrl-C. A restart resumes its clock."""
    sandbox = make_sandbox(students or SIZES[size.value], state=state, speed=speed)
    register = drop_register(drop, sandbox.district.people.count)
    ingredients = drop_ingredients(drop, sandbox.district.people.count)
    people = sandbox.district.people
    console.print(
        f"Simulated district: {people.count:,} students in {len(people.schools)} schools at http://{host}:{port}, "
        f"{sandbox.clock.now:%a %Y-%m-%d %H:%M} UTC, {sandbox.clock.speed:g} times life.\n"
        f"Contracts: {register}\nWhat tools cost beside them: {ingredients}"
    )
    uvicorn.run(sandbox.app, host=host, port=port, log_level="warning", access_log=False, timeout_graceful_shutdown=2)


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="Where uptake.yaml and tools.csv go.")] = Path("demo"),
    force: Annotated[bool, typer.Option("--force", help="Write over files that were changed.")] = False,
) -> None:
    """Write the district's configuration and tool catalogue. Its state will lie in var/ beside the folder."""
    changed = write_demo(folder, force=force)
    if changed:
        typer.echo(
            f"{', '.join(changed)} in {folder} are not as they were written: --force writes over them.", err=True
        )
        raise typer.Exit(1)
    console.print(f"Written: {folder / 'uptake.yaml'} and {folder / 'tools.csv'}", soft_wrap=True)


@app.command()
def events(
    folder: Annotated[Path, typer.Argument(help="Where the files go, one folder a day.")],
    students: Annotated[int, typer.Option(help="How many students the district has.", min=39)] = 100_000,
    first: Annotated[datetime, typer.Option("--day", formats=["%Y-%m-%d"], help="The first date.")] = FIRST_LARGE_DAY,
    days: Annotated[int, typer.Option(help="How many dates.", min=1)] = 1,
    per_student: Annotated[int, typer.Option(help="Events of a student on a school day.", min=1)] = 200,
    minutes: Annotated[int, typer.Option(help="A file holds what arrived in so many minutes.", min=1)] = 15,
    form: Annotated[LogForm, typer.Option("--format", help="How the rows are written.")] = LogForm.ndjson,
) -> None:
    """Write school days of web filter logs, with duplicates and late rows. The same options give the same rows."""
    district = SimulatedDistrict(students)
    for number in range(days):
        on = first.date() + timedelta(days=number)
        day = LargeDay(district, on, per_student=per_student)
        target = folder / on.isoformat()
        target.mkdir(parents=True, exist_ok=True)
        with Progress(console=console) as progress:
            bar = progress.add_task(f"{on}", total=len(day))
            for name, rows in day.pieces(minutes):
                write_log(rows, target / f"filter-{name}.{form.ending}", form)
                progress.advance(bar, rows.num_rows)
        console.print(f"{on}: {len(day):,} events in {target}")


@app.command()
def truths() -> None:
    """Print what is planted in the simulated district and must be found in its data."""
    typer.echo(truths_text(), nl=False)


@app.command()
def credentials() -> None:
    """Print the simulated vendors' credentials as shell exports (constants, worth nothing)."""
    for name, value in connection_environment().items():
        typer.echo(f"export {name}='{value}'")


@clock_app.command("show")
def clock_show(url: Url = DEFAULT_URL) -> None:
    """Print the simulated time and its speed."""
    _say_clock(_ask("GET", url, "clock"))


@clock_app.command("set")
def clock_set(
    now: Annotated[str | None, typer.Option(help="Time with offset, such as 2026-04-21T08:00:00-05:00.")] = None,
    speed: Annotated[float | None, typer.Option(help="Simulated seconds in a second; 0 freezes.", min=0)] = None,
    url: Url = DEFAULT_URL,
) -> None:
    """Move the clock, or change how fast it goes."""
    if now is None and speed is None:
        raise typer.BadParameter("give --now, --speed or both")
    body = {name: value for name, value in (("now", now), ("speed", speed)) if value is not None}
    _say_clock(_ask("POST", url, "clock", body))


@fault_app.command("set")
def fault_set(
    fault: Annotated[str, typer.Argument(help="One of: " + ", ".join(MEANING))],
    endpoint: Annotated[
        str | None, typer.Argument(help="Such as oneroster/users, canvas/page_views, umbrella/activity, or a glob.")
    ] = None,
    times: Annotated[int | None, typer.Option(help="On how many requests; without it until cleared.", min=1)] = None,
    after: Annotated[int, typer.Option(help="How many requests pass first.", min=0)] = 0,
    option: Annotated[list[str] | None, typer.Option("--option", "-o", help="name=value, such as share=0.2.")] = None,
    url: Url = DEFAULT_URL,
) -> None:
    """Switch a fault on."""
    if fault not in MEANING:
        raise typer.BadParameter(f"unknown fault {fault!r}; known: {', '.join(MEANING)}")
    if endpoint is None:
        if fault != "roster_feed":
            raise typer.BadParameter("name an endpoint, such as oneroster/users or canvas/*")
        endpoint = "oneroster/enrollments"
    body: dict[str, Any] = {"endpoint": endpoint, "fault": fault, "times": times, "after": after}
    for pair in option or []:
        name, separator, value = pair.partition("=")
        if not separator:
            raise typer.BadParameter(f"{pair!r} is not name=value")
        body[name] = value
    _say_faults(_ask("PUT", url, "faults", body))


@fault_app.command("list")
def fault_list(url: Url = DEFAULT_URL) -> None:
    """Which faults are on, and which there are."""
    _say_faults(_ask("GET", url, "faults"))
    table = Table("fault", "what it does")
    for name, meaning in MEANING.items():
        table.add_row(name, meaning)
    console.print(table)


@fault_app.command("clear")
def fault_clear(
    endpoint: Annotated[str | None, typer.Argument(help="Only of this endpoint, as it was named.")] = None,
    fault: Annotated[str | None, typer.Option(help="Only this fault.")] = None,
    url: Url = DEFAULT_URL,
) -> None:
    """Switch faults off: all of them, or those of an endpoint."""
    query = {name: value for name, value in (("endpoint", endpoint), ("fault", fault)) if value}
    console.print(f"{_ask('DELETE', url, 'faults', query=query)['removed']} removed")


def _ask(method: str, url: str, path: str, body: Any = None, query: dict[str, str] | None = None) -> Any:
    """Answer of the control desk. Exits with one line when there is none or it refuses."""
    try:
        response = httpx.request(
            method,
            f"{url}/_sandbox/{path}",
            content=None if body is None else json.dumps(body),
            params=query,
            timeout=10,
        )
    except httpx.TransportError as error:
        typer.echo(f"no sandbox at {url}: {error}. Start one with `uptake sandbox serve`.", err=True)
        raise typer.Exit(2) from error
    if response.status_code != 200:
        typer.echo(f"the sandbox refused: {response.text}", err=True)
        raise typer.Exit(2)
    return response.json()


def _say_clock(answer: dict[str, Any]) -> None:
    console.print(f"{answer['now']}, {answer['speed']:g} times life")


def _say_faults(rules: list[dict[str, Any]]) -> None:
    if not rules:
        console.print("no faults")
    for rule in rules:
        left = "until cleared" if rule["times"] is None else f"{rule['times']} more times"
        wait = f", after {rule['after']} more requests" if rule["after"] else ""
        console.print(f"{rule['fault']} on {rule['endpoint']}: {left}{wait}")
