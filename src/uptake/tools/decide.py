"""A decision on a host or a tool, written into the district's catalogue: a CSV that people edit too.

Lines that the decision does not concern stay as they are. The new file is held to the catalogue's rules before it
takes the place of the old one.
"""

from __future__ import annotations

import csv
import re
import tempfile
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from uptake.catalogue import COLUMNS, Address, Catalogue, Tool, load_catalogue
from uptake.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Decision:
    """subject: a tool's id, or an address (`host` or `host/path`) that is given to the tool `tool_id`, or to a new one
    called `name`. status: what the tool is from now on; None leaves a tool's as it is, and makes a new one approved."""

    subject: str
    status: str | None = None
    tool_id: str | None = None
    name: str | None = None
    vendor: str = ""
    function: str = ""


def decide(path: Path, decision: Decision) -> Tool:
    """Write the decision into the catalogue at `path`. Returns the tool as it is now.

    Raises ConfigError, with the catalogue as it was, for what cannot be meant: an address that is a tool's already, a
    tool that is not there, a new name that is.
    """
    catalogue = load_catalogue(path)
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        header = list(reader.fieldnames or COLUMNS)
        rows = list(reader)
    tool_id = _write(rows, catalogue, decision)
    _replace(path, header, rows)
    return next(tool for tool in load_catalogue(path).tools if tool.tool_id == tool_id)


def _write(rows: list[dict[str, str]], catalogue: Catalogue, decision: Decision) -> str:
    ids = {tool.tool_id for tool in catalogue.tools}
    if decision.subject in ids:
        if decision.tool_id or decision.name or decision.status is None:
            raise ConfigError(
                f"{decision.subject} is a tool of the catalogue already",
                remedy="say --status approved, unapproved or retired, and nothing else.",
            )
        return _edit(rows, decision.subject, status=decision.status)
    address = _address(decision.subject, catalogue)
    if decision.tool_id is not None:
        if decision.tool_id not in ids:
            raise ConfigError(
                f"there is no tool {decision.tool_id!r} in the catalogue", remedy="for a new one, say --name instead."
            )
        return _edit(rows, decision.tool_id, status=decision.status, address=address)
    if not decision.name:
        raise ConfigError(
            f"whose is {decision.subject}?", remedy="say --tool with the id of a tool of the catalogue, or --name."
        )
    tool_id = identifier_of(decision.name)
    if tool_id in ids or decision.name.casefold() in {tool.tool_name.casefold() for tool in catalogue.tools}:
        raise ConfigError(
            f"a tool called {decision.name} is in the catalogue already", remedy=f"say --tool {tool_id} instead."
        )
    row = dict.fromkeys(COLUMNS, "") | {
        "tool_id": tool_id,
        "tool_name": decision.name,
        "vendor_name": decision.vendor,
        "function": decision.function,
        "approval_status": decision.status or "approved",
        "addresses": address,
    }
    rows.append(row)
    return tool_id


def _address(text: str, catalogue: Catalogue) -> str:
    try:
        address = Address.parse(text)
    except ValueError as error:
        raise ConfigError(
            f"{text!r} is neither a tool of the catalogue nor an address",
            remedy="`uptake tools review` lists both; an address is `host` or `host/path`.",
        ) from error
    for tool in catalogue.tools:
        if address in tool.addresses:
            raise ConfigError(
                f"{text} is an address of {tool.tool_id} already", remedy="decide on that tool, or edit the catalogue."
            )
    return f"{address.host}/{address.path_prefix}".rstrip("/")


def _edit(rows: list[dict[str, str]], tool_id: str, *, status: str | None = None, address: str = "") -> str:
    row = next(row for row in rows if row["tool_id"].strip() == tool_id)
    if status:
        row["approval_status"] = status
    if address:
        row["addresses"] = ";".join(part for part in (row["addresses"], address) if part.strip())
    return tool_id


def identifier_of(name: str) -> str:
    """A tool's id, made of its name."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "_", plain).strip("_") or "tool"


def _replace(path: Path, header: list[str], rows: list[dict[str, str]]) -> None:
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", newline="", dir=path.parent, prefix=f".{path.name}.", delete=False
    ) as draft:
        writer = csv.DictWriter(draft, header, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    written = Path(draft.name)
    try:
        load_catalogue(written)
        written.chmod(path.stat().st_mode)
        written.replace(path)
    finally:
        written.unlink(missing_ok=True)
