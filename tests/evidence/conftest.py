from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture(scope="session")
def star() -> Path:
    path = SHARED / "star" / "STAR.csv"
    if not path.exists():
        pytest.skip("Project STAR is not beside the project (../shared/data/star)")
    return path
