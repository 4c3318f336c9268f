from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from types import ModuleType

import pytest
from fake_source import migrated

from uptake.project import Project


@pytest.fixture(scope="session")
def small_district() -> ModuleType:
    path = Path(__file__).parent / "small_district.py"
    spec = importlib.util.spec_from_file_location("small_district", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def project(small_district: ModuleType, tmp_path: Path) -> Project:
    operations = tmp_path / "var" / "operations"
    operations.mkdir(parents=True)
    shutil.copyfile(migrated(), operations / "uptake.db")
    made: Project = small_district.make_project(tmp_path)
    small_district.write_warehouse(made)
    return made
