"""`python -m uptake.quality.worker <request.json> <answer.json>`: run the suites in a process of their own.

Great Expectations takes seconds to import, holds hundreds of megabytes, and leaves noise behind when it ends with
DuckDB loaded. Nothing else in Uptake imports it.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from uptake.quality import gx
from uptake.quality.suite import Facts, Suite


def load_suites(folder: Path) -> Callable[[Facts], list[Suite]]:
    """`suites` of the package in `folder` (expectations/): code that lies beside the library, not in it."""
    sys.path.append(str(folder.parent))
    function: Callable[[Facts], list[Suite]] = importlib.import_module(folder.name).suites
    return function


def main(request_file: str, answer_file: str) -> None:
    request = json.loads(Path(request_file).read_text(encoding="utf-8"))
    suites = load_suites(Path(request["expectations"]))(Facts(**request["facts"]))
    try:
        results = gx.validate(
            {audience: Path(file) for audience, file in request["files"].items()},
            suites,
            stores=Path(request["stores"]),
            site=Path(request["site"]),
            run_name=request["run_name"],
        )
        answer: dict[str, Any] = {"results": [asdict(result) for result in results]}
    except gx.CheckerBroken as error:
        answer = {"broken": error.message, "remedy": error.remedy}
    Path(answer_file).write_text(json.dumps(answer), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
