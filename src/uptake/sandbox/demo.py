"""The demo district's own files, which come with the package: its configuration, its tool catalogue, its studies."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

CONFIG, CATALOGUE = "uptake.yaml", "tools.csv"
STUDIES = ("study_mathspring.yaml", "study_readwell.yaml")


def demo_file(name: str) -> bytes:
    return (files("uptake.sandbox") / "data" / name).read_bytes()


def write_demo(folder: Path, *, force: bool = False) -> list[str]:
    """Write `uptake.yaml` and `tools.csv` into a folder.

    Returns the names of files that are there with another content; then nothing is written, unless `force`.
    """
    wanted = {name: demo_file(name) for name in (CONFIG, CATALOGUE)}
    changed = [
        name for name, text in wanted.items() if (folder / name).exists() and (folder / name).read_bytes() != text
    ]
    if changed and not force:
        return changed
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in wanted.items():
        (folder / name).write_bytes(text)
    return []
