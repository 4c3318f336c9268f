"""Records of the simulated SIS as OneRoster 1.1 has them.

https://www.imsglobal.org/oneroster-v11-final-specification, sections 4 and 5: one role and a list of orgs for a user,
booleans as texts, days in the gradebook, and nothing that 1.2 added.
"""

from __future__ import annotations

from typing import Any

import orjson

_NEW_IN_1P2 = {"lineItems": ("school",), "results": ("class",), "categories": ("weight",)}


def downgraded(name: str, row: bytes) -> bytes:
    """A record of a collection of 1.2 -> the record of 1.1, both as JSON."""
    record = orjson.loads(row.replace(b"/rostering/v1p2", b"/v1p1"))
    for field in _NEW_IN_1P2.get(name, ()):
        record.pop(field, None)
    if name == "users":
        record = _user(record)
    if name == "lineItems":
        record |= {field: record[field][:10] for field in ("assignDate", "dueDate")}
    return orjson.dumps({field: _text(value) for field, value in record.items()})


def _user(record: dict[str, Any]) -> dict[str, Any]:
    roles = record.pop("roles")
    record.pop("primaryOrg", None)
    orgs = [role["org"] for role in roles]
    return record | {"role": roles[0]["role"], "orgs": orgs, "userIds": [], "agents": []}


def _text(value: Any) -> Any:
    return ("true" if value else "false") if isinstance(value, bool) else value
