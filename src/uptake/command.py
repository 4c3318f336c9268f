"""What the commands have in common: options, exit codes, and how an error is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from uptake.errors import CheckError, TransientError, UptakeError

EXIT_PERMANENT = 1
EXIT_CHECKS_FAILED = 3
EXIT_TRANSIENT = 75

err = Console(stderr=True)

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", "-c", envvar="UPTAKE_CONFIG", help="Configuration; `./uptake.yaml` when left out."),
]
DistrictOption = Annotated[str | None, typer.Option("--district", "-d", help="One district; all when left out.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


@contextmanager
def exits() -> Iterator[None]:
    """Errors as one message and an exit code."""
    try:
        yield
    except UptakeError as error:
        say_error(error)
        raise typer.Exit(exit_code(error)) from error


def exit_code(error: UptakeError) -> int:
    if isinstance(error, CheckError):
        return EXIT_CHECKS_FAILED
    return EXIT_TRANSIENT if isinstance(error, TransientError) else EXIT_PERMANENT


def say_error(error: UptakeError) -> None:
    where = ", ".join(f"{name} {value}" for name, value in error.context.items())
    err.print(f"[red]error:[/] {escape(error.message)}{f' ({escape(where)})' if where else ''}", soft_wrap=True)
    if error.remedy:
        err.print(f"  to mend it: {escape(error.remedy)}", soft_wrap=True)
    for note in dict.fromkeys(getattr(error, "__notes__", ())):
        err.print(f"  also: {escape(note)}", soft_wrap=True)
