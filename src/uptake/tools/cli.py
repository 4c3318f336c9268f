"""`uptake tools`: which hosts and tools nobody has decided on, and a decision."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from uptake.command import ConfigOption, JsonOption, exits

if TYPE_CHECKING:
    from uptake.tools.review import Undecided

tools_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="The tool catalogue: what is used that nobody has decided on, and decisions.\n\n"
    "`uptake tools review DISTRICT`, then `uptake tools decide`, then `uptake run`: past use is told anew.",
)
out = Console()

DistrictArgument = Annotated[str, typer.Argument(help="The district's id.")]
Status = Literal["approved", "unapproved", "retired", "known"]


@tools_app.command("review")
def review(
    district: DistrictArgument,
    config: ConfigOption = None,
    top: Annotated[int, typer.Option("--top", min=1, help="So many, the most spread first.")] = 30,
    as_json: JsonOption = False,
) -> None:
    """Hosts of no tool, and tools that nobody has approved, as of the published snapshot; the most spread first.

    A host that fewer students visited than may be told of is not listed.

    Examples: `uptake tools review lakeside`, `uptake tools review lakeside --json | jq '.[].host'`
    """
    from uptake.project import Project
    from uptake.tools.review import undecided

    with exits():
        project = Project.load(config)
        found = undecided(project, project.district(district))[:top]
        if as_json:
            typer.echo(json.dumps([asdict(each) for each in found], default=str, indent=2))
        elif not found:
            out.print("Nothing is open: every host that enough students use is a tool that somebody has decided on.")
        else:
            _say(found, district)


@tools_app.command("decide")
def decide_command(
    district: DistrictArgument,
    subject: Annotated[str, typer.Argument(help="A tool's id, or an address: `host`, or `host/path`.")],
    tool: Annotated[str | None, typer.Option("--tool", help="The address is of this tool of the catalogue.")] = None,
    name: Annotated[str | None, typer.Option("--name", help="The address is of a new tool of this name.")] = None,
    vendor: Annotated[str, typer.Option("--vendor", help="Of the new tool.")] = "",
    function: Annotated[str, typer.Option("--function", help="Of the new tool, such as `Courseware`.")] = "",
    status: Annotated[
        Status | None, typer.Option("--status", help="What the tool is from now on; a new one is approved.")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Write a decision into the district's catalogue. The next build tells past use under the new name.

    To name a host that nobody had named makes the dates on which it was seen again, and no others.

    Examples: `uptake tools decide lakeside play.mathgym.com --tool mathgym`,
    `uptake tools decide lakeside quizhive.com --name QuizHive --status unapproved`,
    `uptake tools decide lakeside khan_academy --status approved`
    """
    from uptake.errors import ConfigError
    from uptake.project import Project
    from uptake.tools.decide import Decision, decide

    with exits():
        place = Project.load(config).district(district)
        if place.tool_catalogue is None:
            raise ConfigError(
                f"district {district} has no tool catalogue", remedy="set tool_catalogue in uptake.yaml to a CSV file."
            )
        found = decide(place.tool_catalogue, Decision(subject, status, tool, name, vendor, function))
        addresses = ", ".join(f"{each.host}/{each.path_prefix}".rstrip("/") for each in found.addresses)
        out.print(
            f"{escape(found.tool_name)} ({found.tool_id}) is {found.approval_status}, at {addresses}.", highlight=False
        )
        out.print("The next build or `uptake run` counts its past use, too.", highlight=False)


def _say(found: list[Undecided], district: str) -> None:
    table = Table("host", "what", "students", "schools", "requests", "since", box=None)
    for each in found:
        what = {"known": f"{each.name}: nobody decided", "unapproved": f"{each.name}: unapproved"}.get(each.status, "?")
        students = "too few or too many to tell" if each.students is None else f"{each.students:,}"
        table.add_row(
            escape(each.host), escape(what), students, f"{each.schools:,}", f"{each.events:,}", str(each.first_seen_on)
        )
    out.print(table)
    out.print("Students, schools and requests of the last four weeks. To decide:", highlight=False)
    out.print(
        f"  uptake tools decide {district} HOST --name NAME     or --tool ID; --status unapproved", highlight=False
    )
