"""Records of OneRoster 1.1 in the shapes of 1.2.

What differs: https://www.imsglobal.org/oneroster-v11-final-specification (sections 4 and 5). A user has one `role` and
a list of `orgs` in place of `roles` and `primaryOrg`; the first of the orgs is taken for the primary one. A line item
is due on a day, not at a moment. Booleans are texts, which the parser reads as they are. What is not of the shape that
1.1 has is passed on as it is, and rejected by the contract.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

Record = dict[str, Any]

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def user(row: Record) -> Record:
    """`role` and `orgs` -> `roles` and `primaryOrg`. Servers that send `roles` already are left alone."""
    if "roles" in row:
        return row
    kept = {name: value for name, value in row.items() if name not in ("role", "orgs")}
    role, orgs = row.get("role"), row.get("orgs")
    if not isinstance(orgs, list | None):
        return kept | {"roles": orgs}
    kinds = ("primary", *["secondary"] * len(orgs or ()))
    roles = [{"role": role, "roleType": kind, "org": org} for kind, org in zip(kinds, orgs or [None], strict=False)]
    return kept | {"roles": roles if role else None, "primaryOrg": orgs[0] if orgs else None}


def line_item(row: Record) -> Record:
    """Days of `assignDate` and `dueDate` as their first moment in UTC."""
    days = {name: row[name] for name in ("assignDate", "dueDate") if _is_day(row.get(name))}
    return row | {name: f"{day}T00:00:00Z" for name, day in days.items()}


def result(row: Record) -> Record:
    """The specification spells the reference both ways."""
    return _renamed(row, "lineitem", "lineItem")


def demographics(row: Record) -> Record:
    """1.0's spelling is still met."""
    return _renamed(row, "birthdate", "birthDate")


def _is_day(value: Any) -> bool:
    return isinstance(value, str) and _DAY.fullmatch(value) is not None


def _renamed(row: Record, old: str, new: str) -> Record:
    if old not in row or new in row:
        return row
    return {new if name == old else name: value for name, value in row.items()}


UPGRADES: Mapping[str, Callable[[Record], Record]] = {
    "users": user,
    "lineItems": line_item,
    "results": result,
    "demographics": demographics,
}
