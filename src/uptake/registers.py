"""Templates of the registers that a district keeps by hand: a file to fill in, with an example row and a guide.

A register is a mapping that comes with Uptake in the namespace `registers`; its template is made of that mapping, so
that a file which follows the template is one that the drop folder takes. A template's own name is none that a drop
folder looks for: an example is not to land.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import openpyxl
from openpyxl.styles import Font

from uptake.errors import ConfigError
from uptake.sources.dropfolder.mapping import Column, Mapping, resolve_mappings

GUIDE_TITLES = ("Column", "Must be given", "Type", "Allowed values", "Meaning")
_WIDTH = 22


def registers() -> dict[str, Mapping]:
    """The registers, by name."""
    return {mapping.resource: mapping for mapping in resolve_mappings(["registers"])}


def register(name: str) -> Mapping:
    """Raises ConfigError that lists the registers."""
    known = registers()
    if name not in known:
        raise ConfigError(f"there is no register {name!r}", remedy=f"name one of: {', '.join(known)}.")
    return known[name]


def columns(mapping: Mapping) -> list[Column]:
    """Those that a template asks for: what is forgotten at the door is not asked."""
    return [column for column in mapping.columns if not column.drop]


def guide(mapping: Mapping) -> list[tuple[str, ...]]:
    """One line for each column, under GUIDE_TITLES."""
    return [
        (
            column.headers[0],
            "yes" if column.required else "the column may be left out" if column.may_be_absent else "may be blank",
            _TYPES.get(column.type, "amount, without a currency sign" if "decimal" in column.type else column.type),
            ", ".join(column.values),
            _meaning(column),
        )
        for column in columns(mapping)
    ]


_TYPES = {"string": "text", "integer": "whole number", "date": "date, as 2026-01-31 or 01/31/2026"}


def _meaning(column: Column) -> str:
    privacy = "Lands as a pseudonym." if column.identifier else ""
    return " ".join(text for text in (column.doc, privacy) if text)


def write_template(name: str, folder: Path, *, as_workbook: bool = False) -> list[Path]:
    """Write the template into a folder that is there: a workbook with a sheet for the guide, or two CSV files.

    Raises ConfigError for an unknown register, and where a file of that name is there already.
    """
    mapping = register(name)
    header = [column.headers[0] for column in columns(mapping)]
    example = [column.example for column in columns(mapping)]
    endings = (".xlsx",) if as_workbook else (".csv", "_guide.csv")
    paths = [folder / f"template_{name}{ending}" for ending in endings]
    if there := [path for path in paths if path.exists()]:
        raise ConfigError(
            f"{there[0]} is there already", remedy="move it away: what somebody filled in is not replaced."
        )
    tables: list[list[Sequence[str]]] = [[header, example], [GUIDE_TITLES, *guide(mapping)]]
    if as_workbook:
        _write_workbook(paths[0], {name: tables[0], "guide": tables[1]})
    else:
        for path, rows in zip(paths, tables, strict=True):
            with path.open("x", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows(rows)
    return paths


def _write_workbook(path: Path, sheets: dict[str, list[Sequence[str]]]) -> None:
    workbook = openpyxl.Workbook()
    workbook.remove(workbook.active)
    for title, rows in sheets.items():
        sheet = workbook.create_sheet(title[:31])
        for row in rows:
            sheet.append(list(row))
        for cell in sheet[1]:
            cell.font = Font(bold=True)
            sheet.column_dimensions[cell.column_letter].width = _WIDTH
        sheet.freeze_panes = "A2"
    workbook.save(path)
