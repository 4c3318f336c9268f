"""`uptake receive`: serve the door for pushed events, and keep its keys."""

from __future__ import annotations

import gc
import json
import logging
import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from uptake.command import ConfigOption, DistrictOption, JsonOption
from uptake.project import CONFIG_VARIABLE, Project

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from uptake.receiver.keys import NewKey

app = typer.Typer(
    invoke_without_command=True,
    rich_markup_mode="markdown",
    pretty_exceptions_show_locals=False,
    help="Take events that are pushed to us: Caliper, xAPI and log push. Without a command: serve until Ctrl-C.",
)
keys_app = typer.Typer(no_args_is_help=True, help="Keys of those who send: one for each district, source and sensor.")
app.add_typer(keys_app, name="keys")
out = Console()

KeyArgument = Annotated[str, typer.Argument(help="The key's id, as `uptake receive keys list` shows it.")]


@app.callback()
def serve(
    context: typer.Context,
    config: ConfigOption = None,
    host: Annotated[str, typer.Option(help="Address to listen on; put a proxy with TLS before it.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8720,
    workers: Annotated[int, typer.Option(help="Processes that share the port.", min=1)] = 1,
) -> None:
    """Take pushed events. A 2xx is given when they are on disk, and not before."""
    if context.invoked_subcommand is not None:
        return
    import uvicorn  # noqa: PLC0415

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    project = Project.load(config)
    project.operations.dispose()  # migrated before the workers start; each opens its own
    out.print(f"Receiving at http://{host}:{port}; spool in {project.state_dir / 'spool'}.", highlight=False)
    os.environ[CONFIG_VARIABLE] = str(project.config_path)
    uvicorn.run(
        "uptake.receiver.cli:configured_app",
        factory=True,
        host=host,
        port=port,
        workers=workers,
        access_log=False,  # an address may hold a statement's id or, where a sender errs, worse
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=10,
    )


def configured_app() -> Starlette:
    """For uvicorn: each worker process makes its own application."""
    from uptake.receiver.app import make_app  # noqa: PLC0415

    app = make_app(Project.load())
    # What was made at the start lives as long as the process: the collector need not walk through it under load. Parsed
    # bodies hold no cycles, so it may come seldom.
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)
    return app


@keys_app.command("add")
def keys_add(
    district: Annotated[str, typer.Option("--district", "-d", help="The sender's district.")],
    source: Annotated[str, typer.Option("--source", "-s", help="The source in uptake.yaml that its events belong to.")],
    sensor: Annotated[str, typer.Option(help="Who sends, in your own words: `canvas production`.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key and show it, once.

    Example: `uptake receive keys add --district riverbend --source lms_events --sensor "canvas production"`
    """
    from uptake.receiver import keys  # noqa: PLC0415

    _show(keys.add(Project.load(config), district, source, sensor), as_json)


@keys_app.command("list")
def keys_list(config: ConfigOption = None, district: DistrictOption = None, as_json: JsonOption = False) -> None:
    """Every key: whose it is, since when, and whether it is good. Secrets are not held, so none is shown."""
    from uptake.receiver import keys  # noqa: PLC0415

    now = datetime.now(UTC)
    rows = [
        {
            "id": row.id,
            "district": row.district,
            "source": row.source,
            "sensor": row.sensor,
            "since": row.created_at.isoformat(timespec="seconds"),
            "state": keys.state_of(row, now),
        }
        for row in keys.listed(Project.load(config), district)
    ]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    if not rows:
        out.print("There is no key yet: `uptake receive keys add`.")
        return
    table = Table(*rows[0], box=None)
    for entry in rows:
        table.add_row(*entry.values())
    out.print(table)


@keys_app.command("rotate")
def keys_rotate(
    key_id: KeyArgument,
    overlap_days: Annotated[float, typer.Option(help="For how long the old key stays good.", min=0)] = 7,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a new key for the same sensor. The old one stays good for a while, so that the sender can change over."""
    from uptake.receiver import keys  # noqa: PLC0415

    new, until = keys.rotate(Project.load(config), key_id, overlap=timedelta(days=overlap_days))
    _show(new, as_json)
    if not as_json:
        out.print(f"Key {key_id} is good until {until:%Y-%m-%d %H:%M} UTC.", highlight=False)


@keys_app.command("revoke")
def keys_revoke(key_id: KeyArgument, config: ConfigOption = None) -> None:
    """Refuse a key from now on (running receivers read the keys again every ten seconds)."""
    from uptake.receiver import keys  # noqa: PLC0415

    keys.revoke(Project.load(config), key_id)
    out.print(f"Key {key_id} is revoked.", highlight=False)


@app.command("pause")
def pause(
    district: Annotated[str, typer.Option("--district", "-d", help="The district to pause.")],
    config: ConfigOption = None,
) -> None:
    """Answer 503 to a district's senders, who then keep what they have and try again."""
    from uptake.landing.vault import private_folder  # noqa: PLC0415
    from uptake.receiver.service import PAUSED  # noqa: PLC0415
    from uptake.receiver.spool import spool_folder  # noqa: PLC0415

    project = Project.load(config)
    folder = spool_folder(project, project.district(district).id)
    private_folder(folder)
    (folder / PAUSED).touch(mode=0o600)
    out.print(f"{district} is paused: senders are told to come again later.")


@app.command("resume")
def resume(
    district: Annotated[str, typer.Option("--district", "-d", help="The district to resume.")],
    config: ConfigOption = None,
) -> None:
    """Take a district's events again."""
    from uptake.receiver.service import PAUSED  # noqa: PLC0415
    from uptake.receiver.spool import spool_folder  # noqa: PLC0415

    project = Project.load(config)
    (spool_folder(project, project.district(district).id) / PAUSED).unlink(missing_ok=True)
    out.print(f"{district} takes events.")


def _show(new: NewKey, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"id": new.id, "secret": new.secret, "token": new.token}))
        return
    out.print(f"Key:    {new.token}", highlight=False, soft_wrap=True)
    out.print(f"Basic:  user {new.id}, password {new.secret}", highlight=False, soft_wrap=True)
    out.print("It is shown this once. Give it to the sender over a safe channel.")
