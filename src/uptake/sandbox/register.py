"""The district's register of contracts: the CSV that somebody in the office drops in a folder."""

from __future__ import annotations

import csv
from datetime import date
from decimal import Decimal
from importlib.resources import files
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict

from uptake.sandbox.habits import grade_span
from uptake.sandbox.people import GRADES

COLUMNS = (
    "contract_id", "tool", "vendor", "seats", "price", "currency", "price_basis",
    "starts_on", "ends_on", "renewal_on", "licensed_grades",
)  # fmt: skip


class Contract(BaseModel):
    """seats: as a share of all students (None: a site licence). price: of one seat, or of the whole site."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tool: str
    vendor: str
    seats: float | None = None
    price: Decimal
    starts_on: date
    ends_on: date
    renewal_on: date
    grades: str


def load_contracts() -> list[Contract]:
    text = (files("uptake.sandbox") / "data" / "contracts.yaml").read_text(encoding="utf-8")
    return [Contract.model_validate(entry) for entry in yaml.safe_load(text)["contracts"]]


def rows(students: int) -> list[dict[str, str]]:
    """The register of a district of that many students, as text; `price` is of the whole contract."""
    found = []
    for number, contract in enumerate(load_contracts(), start=1):
        seats = None if contract.seats is None else max(5, round(students * contract.seats / 5) * 5)
        found.append(
            {
                "contract_id": f"RB-{contract.starts_on.year}-{number:03d}",
                "tool": contract.tool,
                "vendor": contract.vendor,
                "seats": "" if seats is None else str(seats),
                "price": str(contract.price if seats is None else contract.price * seats),
                "currency": "USD",
                "price_basis": "site" if seats is None else "per_seat",
                "starts_on": contract.starts_on.isoformat(),
                "ends_on": contract.ends_on.isoformat(),
                "renewal_on": contract.renewal_on.isoformat(),
                "licensed_grades": ";".join(GRADES[grade_span(contract.grades)]),
            }
        )
    return found


def drop_register(folder: Path, students: int) -> Path:
    """Write registers/contracts-2025-26.csv below the drop folder, whole or not at all; the same bytes each time."""
    target = folder / "registers" / "contracts-2025-26.csv"
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_suffix(".tmp")
    with beside.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows(students))
    if target.exists() and target.read_bytes() == beside.read_bytes():
        beside.unlink()
    else:
        beside.replace(target)
    return target
