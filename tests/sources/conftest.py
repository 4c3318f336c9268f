from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from scripted_vendor import Vendor, serving

from uptake.sources.api import ApiSource


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    with serving() as running:
        yield running


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that sources would have slept; none of them does."""
    slept: list[float] = []
    monkeypatch.setattr(ApiSource, "sleep", slept.append)
    return slept
