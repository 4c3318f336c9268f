"""`python -m uptake.warehouse.dbt_process <arguments of dbt>`: dbt in a process of its own, as its own command.

dbt writes its manifest, megabytes of JSON, twice in every run, which takes a third of its start. Here it is written
only where the project is another than the one that the manifest in the target folder is of. What the run found is
always written.
"""

from __future__ import annotations

import gc
import sys
from pathlib import Path

from dbt.artifacts.schemas.run import RunExecutionResult
from dbt.cli.exceptions import DbtUsageException
from dbt.cli.main import dbtRunner
from dbt.version import __version__ as dbt_version

from uptake.warehouse import dbt_thrift
from uptake.warehouse.dbt_project import project_digest

MANIFEST = "manifest.json"
MANIFEST_OF = "manifest.of"  # what the manifest is of: dbt's version and the project's digest
RESULTS = "run_results.json"


def main(arguments: list[str]) -> int:
    """dbt's exit code. The arguments say --project-dir and --target-path, each with its value after it."""
    # Collection walks through the whole manifest again and again: a fifth of dbt's seconds. A build of every model
    # holds 60 MB more without it, until it ends.
    gc.disable()
    dbt_thrift.use()
    project, target = (Path(arguments[arguments.index(name) + 1]) for name in ("--project-dir", "--target-path"))
    manifest_of = target / MANIFEST_OF
    now = f"{dbt_version} {project_digest(project)}"
    is_written = (target / MANIFEST).exists() and manifest_of.exists() and manifest_of.read_text() == now
    if not is_written:
        manifest_of.unlink(missing_ok=True)
    done = dbtRunner().invoke(["--no-write-json", *arguments] if is_written else arguments)
    if isinstance(done.result, RunExecutionResult):
        if is_written:
            done.result.write(str(target / RESULTS))
        else:
            manifest_of.write_text(now)
    if isinstance(done.exception, DbtUsageException):  # the one kind of error that dbt leaves to its caller to tell
        print(done.exception, file=sys.stderr)
    if done.success:
        return 0
    return 1 if done.exception is None else 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
