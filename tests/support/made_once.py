"""What is made by whichever worker of a run needs it first, and used by all of them."""

from __future__ import annotations

import fcntl
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

Said = TypeVar("Said")


def run_folder(factory: pytest.TempPathFactory) -> Path:
    """The folder of the whole run, which its workers share."""
    own = factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], Said]) -> tuple[Path, Said]:
    """A folder of this worker's own with all that `make` wrote into the empty one that it was given, and what it
    returned, which must be something that can be pickled."""
    shared = run_folder(factory) / name
    said = shared.with_suffix(".pickle")
    with shared.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not said.exists():
            shutil.rmtree(shared, ignore_errors=True)
            shared.mkdir()
            said.write_bytes(pickle.dumps(make(shared)))
    own = factory.mktemp(name) / name
    shutil.copytree(shared, own)
    found: Said = pickle.loads(said.read_bytes())
    return own, found
