"""Airflow reads its settings when it is first imported, so they are set here, before any test imports it."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

_HOME = tempfile.mkdtemp(prefix="uptake-airflow-")
os.environ.setdefault("AIRFLOW_HOME", _HOME)
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
os.environ["AIRFLOW__CORE__DAGS_FOLDER"] = str(ROOT / "dags")
os.environ["AIRFLOW__CORE__UNIT_TEST_MODE"] = "False"
sys.path.insert(0, str(ROOT / "dags"))


def pytest_unconfigure() -> None:
    shutil.rmtree(_HOME, ignore_errors=True)
