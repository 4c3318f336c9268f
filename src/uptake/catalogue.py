"""The district's tool catalogue: which tools there are, whether they are approved, and at which addresses they live.

A CSV with the columns tool_id, tool_name, vendor_name, function, sector, approval_status
(approved | unapproved | retired | known), licensed_grades (`;` between OneRoster grades, blank: every grade) and
addresses (`;` between `host` or `host/path`). The addresses decide how much of a URL may pass the door.

A tool that is only `known` is a name for its addresses: the district has decided nothing about it. Its use is counted
and shown for review, and it stands on no page of adoption before somebody decides (`uptake tools`). The catalogue that
`uptake init` begins with is all of this kind.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from uptake.errors import ConfigError

COLUMNS = (
    "tool_id",
    "tool_name",
    "vendor_name",
    "function",
    "sector",
    "approval_status",
    "licensed_grades",
    "addresses",
)
APPROVAL_STATUSES = ("approved", "unapproved", "retired", "known")


@dataclass(frozen=True, slots=True)
class Address:
    """`host` in lower case; `path_prefix` without slashes at its ends, empty for the whole host."""

    host: str
    path_prefix: str

    @classmethod
    def parse(cls, text: str) -> Address:
        """Raises ValueError when the text is not `host` or `host/path`."""
        host, _, path = text.strip().partition("/")
        host, path = host.lower(), path.strip("/")
        if "." not in host or not set(host) <= set("abcdefghijklmnopqrstuvwxyz0123456789.-_"):
            raise ValueError(f"{text.strip()!r} is not `host` or `host/path` (no scheme, no port)")
        if any(sign in path for sign in "?#"):
            raise ValueError(f"{text.strip()!r} has a query: an address ends at its path")
        return cls(host, path)


@dataclass(frozen=True, slots=True)
class Tool:
    tool_id: str
    tool_name: str
    vendor_name: str
    function: str
    sector: str
    approval_status: str
    licensed_grades: tuple[str, ...]
    addresses: tuple[Address, ...]


@dataclass(frozen=True)
class Catalogue:
    tools: tuple[Tool, ...] = ()

    @cached_property
    def prefixes(self) -> Mapping[str, tuple[str, ...]]:
        """Known path prefixes by host, longest first. A host that is known as a whole has no entry."""
        found: dict[str, set[str]] = {}
        for tool in self.tools:
            for address in tool.addresses:
                if address.path_prefix:
                    found.setdefault(address.host, set()).add(address.path_prefix)
        return {host: tuple(sorted(paths, key=lambda path: (-len(path), path))) for host, paths in found.items()}

    @cached_property
    def depth(self) -> int:
        """Path segments of the deepest known prefix: no more of a URL's path is ever looked at."""
        return max((path.count("/") + 1 for paths in self.prefixes.values() for path in paths), default=0)


def load_catalogue(path: Path | None) -> Catalogue:
    """An empty catalogue for None. Raises ConfigError: one line for each wrong row, with its line number."""
    if path is None:
        return Catalogue()
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, restkey="(more)")
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise ConfigError(f"{path.name} line 1: missing column {', '.join(missing)}")
            rows = [(reader.line_num, row) for row in reader]
    except FileNotFoundError as error:
        raise ConfigError(f"no tool catalogue at {path}", remedy="mend tool_catalogue in uptake.yaml.") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path.name} is not UTF-8 text", remedy="save it as CSV UTF-8.") from error
    problems = [f"{path.name} line {line}: {problem}" for line, row in rows for problem in _problems(row)]
    problems += [f"{path.name} line {line}: {problem}" for line, problem in _clashes(rows)]
    if problems:
        raise ConfigError("\n".join(problems))
    return Catalogue(tuple(_tool(row) for _, row in rows))


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(";") if part.strip()]


def _tool(row: Mapping[str, str]) -> Tool:
    return Tool(
        tool_id=row["tool_id"].strip(),
        tool_name=row["tool_name"].strip(),
        vendor_name=row["vendor_name"].strip(),
        function=row["function"].strip(),
        sector=row["sector"].strip(),
        approval_status=row["approval_status"].strip(),
        licensed_grades=tuple(_parts(row["licensed_grades"])),
        addresses=tuple(Address.parse(part) for part in _parts(row["addresses"])),
    )


def _problems(row: Mapping[str, str | None]) -> Iterator[str]:
    if "(more)" in row or any(row[name] is None for name in COLUMNS):
        yield "this line has not as many columns as the header"
        return
    values = {name: row[name] or "" for name in COLUMNS}
    for name in ("tool_id", "tool_name"):
        if not values[name].strip():
            yield f"{name} is blank"
    if values["approval_status"].strip() not in APPROVAL_STATUSES:
        yield f"approval_status {values['approval_status']!r} is not one of {', '.join(APPROVAL_STATUSES)}"
    for part in _parts(values["addresses"]):
        try:
            Address.parse(part)
        except ValueError as error:
            yield str(error)


def _clashes(rows: list[tuple[int, dict[str, str]]]) -> Iterator[tuple[int, str]]:
    """A tool id or an address that stands on two lines."""
    seen: dict[str, int] = {}
    for line, row in rows:
        claims = [f"tool_id {(row['tool_id'] or '').strip()}"]
        claims += [f"address {part.lower().strip('/')}" for part in _parts(row["addresses"] or "")]
        for claim in dict.fromkeys(claims):
            if claim in seen:
                yield line, f"{claim} stands on line {seen[claim]} already"
            seen.setdefault(claim, line)
