"""dbt and the checker, started by fork from a process that has imported them already.

Each start of either imports for three to four seconds, and the suite starts them hundreds of times. What runs is the
same code in a process of its own, with the environment, output and exit code that the product gives and reads. Tests
that kill a build or a run start the real commands themselves; those that kill a pull of their own making start it here
(`forked`).

dbt's parse of the project depends on where the warehouse lies, as every setting of a profile could be read by a model.
None reads that, so that here the parse of one district, and its manifest, serve all of the same name.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any

import pytest

EXECUTABLE = sys.executable  # a test that names another means the real start
IMPORTED = ["warm_dbt", "uptake.pipeline", "uptake.quality.worker", "uptake.warehouse.dbt_process"]
PARSED = ("partial_parse.msgpack", "manifest.json", "manifest.of")  # the last says that all are there

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(IMPORTED)


def use(patch: pytest.MonkeyPatch, parses: Path) -> None:
    """Let the product start both so, in this process. parses: folder for what dbt parsed, by project and district."""
    import uptake.quality.run
    import uptake.warehouse.dbt

    def run(command: Sequence[Any], *, env: Mapping[str, str], stdout: IO[bytes], **others: Any) -> Any:
        if command[0] != EXECUTABLE:
            return subprocess.run(command, env=env, stdout=stdout, **others)
        arguments = [str(part) for part in command[command.index("-m") + 2 :]]
        process = _context.Process(target=_dbt, args=(arguments, dict(env), stdout.name, parses))
        process.start()
        process.join()
        return subprocess.CompletedProcess(list(command), process.exitcode or 0)

    def start(command: Sequence[Any], **others: Any) -> Any:
        return _Worker(command, **others) if command[0] == EXECUTABLE else subprocess.Popen(command, **others)

    with pytest.MonkeyPatch.context() as begun:
        begun.setenv("PYTHONPATH", str(Path(__file__).parent))  # it imports before it is told of our sys.path
        forkserver.ensure_running()
    patch.setattr(uptake.warehouse.dbt, "subprocess", SimpleNamespace(run=run, **_constants()))
    patch.setattr(uptake.quality.run, "subprocess", SimpleNamespace(Popen=start, **_constants()))


def forked(function: Callable[..., None], *arguments: object) -> tuple[BaseProcess, Connection]:
    """A process that runs `function(say, *arguments)`, to be killed at any instant; and where to hear what it says."""
    heard, say = _context.Pipe(duplex=False)
    process = _context.Process(target=_begin, args=(dict(os.environ), function, say, arguments))
    process.start()
    say.close()
    return process, heard


def _begin(
    environment: dict[str, str], function: Callable[..., None], say: Connection, arguments: tuple[object, ...]
) -> None:
    os.environ.clear()
    os.environ.update(environment)
    function(say, *arguments)


def _constants() -> dict[str, Any]:
    return {name: getattr(subprocess, name) for name in ("PIPE", "STDOUT", "CompletedProcess")}


def _dbt(arguments: list[str], environment: dict[str, str], log: str, parses: Path) -> None:
    os.environ.clear()
    os.environ.update(environment)
    with Path(log).open("wb") as out:
        os.dup2(out.fileno(), 1)
        os.dup2(out.fileno(), 2)
    from dbt.adapters.duckdb import DuckDBCredentials

    from uptake.warehouse import dbt_process

    keys = DuckDBCredentials._connection_keys
    DuckDBCredentials._connection_keys = lambda self: tuple(key for key in keys(self) if key != "path")
    target = Path(arguments[arguments.index("--target-path") + 1])
    shared = parses / Path(environment["UPTAKE_WAREHOUSE"]).stem
    if shared.exists() and not (target / PARSED[-1]).exists():
        shutil.copytree(shared, target, dirs_exist_ok=True)
    code = dbt_process.main(arguments)
    if (target / PARSED[-1]).exists() and not shared.exists():
        draft = Path(tempfile.mkdtemp(dir=parses))
        for name in PARSED:
            shutil.copyfile(target / name, draft / name)
        with suppress(OSError):  # another was first
            draft.rename(shared)
    sys.stdout.flush()
    sys.exit(code)


class _Worker:
    """What the product uses of the checker's Popen."""

    def __init__(self, command: Sequence[str], *, env: Mapping[str, str], stderr: IO[str], **_: object) -> None:
        assert list(command[1:]) == ["-m", "uptake.quality.worker"], command
        asked_by, asks = _context.Pipe(duplex=False)
        answered_by, answers = _context.Pipe(duplex=False)
        said = f"/proc/{os.getpid()}/fd/{stderr.fileno()}"
        self._process = _context.Process(target=_checker, args=(dict(env), asked_by, answers, said))
        self._process.start()
        asked_by.close()
        answers.close()
        self.stdin = os.fdopen(os.dup(asks.fileno()), "w", encoding="utf-8")
        self.stdout = os.fdopen(os.dup(answered_by.fileno()), "r", encoding="utf-8")
        asks.close()
        answered_by.close()

    def kill(self) -> None:
        self._process.kill()

    def wait(self) -> int:
        self._process.join()
        return self._process.exitcode or 0


def _checker(environment: dict[str, str], asked_by: Connection, answers: Connection, said: str) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.dup2(asked_by.fileno(), 0)
    os.dup2(answers.fileno(), 1)
    asked_by.close()
    answers.close()
    with Path(said).open("ab") as errors:
        os.dup2(errors.fileno(), 2)
    sys.stdin, sys.stdout = os.fdopen(0, encoding="utf-8"), os.fdopen(1, "w", encoding="utf-8")
    from uptake.quality import worker

    worker.main()
