"""`python -m uptake.quality.worker`: the checker, in a process of its own.

Great Expectations takes seconds to import, holds hundreds of megabytes, and leaves noise behind when it ends with
DuckDB loaded. Nothing else in Uptake imports it. The process is started early, reads one request (a line of JSON) when
there is something to check, writes lines of JSON (how far it is, and last its answer, which has `suites` or `broken`)
until it has a verdict, and then the pages.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from uptake.quality import gx
from uptake.quality.suite import Facts, Result, Suite, from_plain, to_plain
from uptake.quality.unchanged import Fingerprints, Kept, code_digest


def load_suites(folder: Path) -> Callable[[Facts], list[Suite]]:
    """`suites` of the package in `folder` (expectations/): code that lies beside the library, not in it."""
    sys.path.append(str(folder.parent))
    function: Callable[[Facts], list[Suite]] = importlib.import_module(folder.name).suites
    return function


def check(request: dict[str, Any], answer: Callable[[dict[str, Any]], None]) -> None:
    """Run what has to run, answer, and write the pages. Raises CheckerBroken."""
    folder = Path(request["expectations"])
    suites = load_suites(folder)(Facts(**request["facts"]))
    gx.insist_on_ids(suites)
    files = {audience: Path(file) for audience, file in request["files"].items()}
    code = code_digest([folder, Path(__file__).parent])
    known = Fingerprints(files, request["digests"], code, request["read"])
    fingerprints = known.of(suites)
    kept = {
        one["suite"]: Kept(one["suite"], one["fingerprint"], [from_plain(result) for result in one["results"]])
        for one in request["kept"]
    }
    now = datetime.now(UTC)
    carried = {
        suite.name: kept[suite.name].results
        for suite in suites
        if suite.name in kept and kept[suite.name].stands(fingerprints[suite.name], now)
    }

    def tell(results: list[Result]) -> None:
        found = {check.check_id: check for check in results}
        answer(
            {
                "suites": [
                    {
                        "suite": suite.name,
                        "fingerprint": fingerprints[suite.name],
                        "results": [
                            to_plain(result)
                            for result in carried.get(suite.name)
                            or [found[gx.check_id(expectation)] for expectation in suite.expectations]
                        ],
                    }
                    for suite in suites
                ],
                "read": known.read,
            }
        )

    def advance(done: int, total: int, now: str) -> None:
        answer({"done": done, "total": total, "now": now})

    gx.validate(
        files,
        [suite for suite in suites if suite.name not in carried],
        stores=Path(request["stores"]),
        site=Path(request["site"]),
        run_name=request["run_name"],
        carried=carried,
        progress=advance,
        answer=tell,
    )


def main() -> None:
    # What libraries print must not be taken for an answer.
    with os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8") as channel:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

        def answer(said: dict[str, Any]) -> None:
            channel.write(json.dumps(said) + "\n")
            channel.flush()

        gc.disable()  # One check and the process ends: to look for cycles all the while takes a sixth of its time.
        line = sys.stdin.readline()
        if not line:  # nobody asks: the build failed, or whoever started this is gone
            return
        try:
            check(json.loads(line), answer)
        except gx.CheckerBroken as error:
            answer({"broken": error.message, "remedy": error.remedy})


if __name__ == "__main__":
    main()
