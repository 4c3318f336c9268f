"""Invented people need names. Drawn independently, so that a full name says nothing of a real person."""

from __future__ import annotations

from importlib.resources import files

import yaml

_names = yaml.safe_load((files("uptake.sandbox") / "data" / "names.yaml").read_text(encoding="utf-8"))
GIVEN: list[str] = _names["given"].split()
FAMILY: list[str] = _names["family"].split()
SCHOOLS: list[str] = _names["schools"]
