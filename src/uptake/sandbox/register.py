"""The district's register of contracts: the CSV that somebody in the office drops in a folder."""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

COLUMNS = (
    "contract_id", "tool", "vendor", "seats", "price", "currency", "price_basis",
    "starts_on", "ends_on", "renewal_on", "licensed_grades",
)  # fmt: skip


@dataclass(frozen=True)
class Contract:
    """seats_share: seats as a share of all students (None: site licence). price: per seat, or of the whole site."""

    tool: str
    vendor: str
    seats_share: float | None
    price: Decimal
    renewal_on: date
    starts_on: date = date(2025, 7, 1)
    ends_on: date = date(2026, 6, 30)
    grades: tuple[int, int] | None = None


CONTRACTS = (
    Contract("MathSpring", "Larkfield Learning", 0.46, Decimal("21.50"), date(2026, 6, 1), grades=(3, 8)),
    Contract("Readwell", "Harbor Literacy", 0.46, Decimal("18.00"), date(2026, 6, 1), grades=(3, 8)),
    Contract("FractionForge", "Tallgrass Games", 0.46, Decimal("12.00"), date(2026, 5, 31), grades=(3, 8)),
    Contract("LexiLoom", "Verba Studio", 0.52, Decimal("29.00"), date(2026, 5, 15), grades=(6, 12)),
    Contract("WriteBridge", "Quillworks", 0.54, Decimal("14.25"), date(2026, 6, 15), grades=(6, 12)),
    Contract("CiteRight", "Quillworks", None, Decimal("3600.00"), date(2026, 6, 15), grades=(6, 12)),
    Contract("LabBench", "Meniscus Labs", 0.54, Decimal("16.00"), date(2027, 3, 31), date(2025, 4, 1), date(2027, 3, 31), (6, 12)),
    Contract("PhonicsFox", "Early Steps", 0.20, Decimal("24.00"), date(2026, 5, 1), date(2025, 8, 1), date(2026, 7, 31), (0, 2)),
    Contract("ScienceSphere", "Meniscus Labs", 0.46, Decimal("11.50"), date(2026, 4, 30), grades=(3, 8)),
    Contract("CodeCrate", "Looplight", 0.30, Decimal("19.00"), date(2026, 7, 1), date(2025, 8, 1), date(2026, 7, 31), (6, 12)),
    Contract("GlobeTrail", "Cartograph House", None, Decimal("4800.00"), date(2026, 4, 24), date(2025, 5, 1), date(2026, 4, 30), (4, 8)),
    Contract("AssessPoint", "Northstar Measures", 0.46, Decimal("9.75"), date(2026, 8, 1), date(2025, 8, 1), date(2026, 7, 31), (3, 8)),
)  # fmt: skip


def rows(students: int) -> list[dict[str, str]]:
    """The register of a district of that many students, as text; `price` is of the whole contract."""
    found = []
    for number, contract in enumerate(CONTRACTS, start=1):
        seats = None if contract.seats_share is None else max(5, round(students * contract.seats_share / 5) * 5)
        grades = [] if contract.grades is None else range(contract.grades[0], contract.grades[1] + 1)
        found.append(
            {
                "contract_id": f"RB-{2025 if contract.starts_on.year == 2025 else 2024}-{number:03d}",
                "tool": contract.tool,
                "vendor": contract.vendor,
                "seats": "" if seats is None else str(seats),
                "price": str(contract.price if seats is None else contract.price * seats),
                "currency": "USD",
                "price_basis": "site" if seats is None else "per_seat",
                "starts_on": contract.starts_on.isoformat(),
                "ends_on": contract.ends_on.isoformat(),
                "renewal_on": contract.renewal_on.isoformat(),
                "licensed_grades": ";".join("KG" if g == 0 else f"{g:02d}" for g in grades),
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
        os.replace(beside, target)
    return target
