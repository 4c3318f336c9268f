"""The district's registers of money: the CSV files that somebody in the office drops in a folder."""

from __future__ import annotations

import csv
from collections.abc import Sequence
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
    "starts_on", "ends_on", "renewal_on", "licensed_grades", "notice_days", "auto_renews",
)  # fmt: skip
INGREDIENT_COLUMNS = (
    "ingredient_id", "tool", "ingredient", "description", "unit", "quantity", "quantity_low", "quantity_high",
    "unit_price", "unit_price_low", "unit_price_high", "currency", "starts_on", "ends_on", "recurs",
)  # fmt: skip
_PLACES = Decimal("0.0001")


class Contract(BaseModel):
    """seats: as a share of all students (None: a site licence). price: of one seat, or of the whole site. notice_days,
    auto_renews: None where the office does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tool: str
    vendor: str
    seats: float | None = None
    price: Decimal
    starts_on: date
    ends_on: date
    renewal_on: date
    notice_days: int | None = None
    auto_renews: bool | None = None
    grades: str


class Range(BaseModel):
    """A figure, and its ends where it is an estimate."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    likely: Decimal
    low: Decimal | None = None
    high: Decimal | None = None

    def times(self, factor: int) -> Range:
        return Range(
            likely=self.likely * factor,
            low=None if self.low is None else self.low * factor,
            high=None if self.high is None else self.high * factor,
        )


class Ingredient(BaseModel):
    """What a tool costs beside its licence. quantity: for each student, unless `is_for_all`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tool: str
    ingredient: str
    description: str
    unit: str
    quantity: Range
    is_for_all: bool = False
    unit_price: Range
    starts_on: date = date(2025, 7, 1)
    ends_on: date = date(2026, 6, 30)
    recurs: str


def load_contracts() -> list[Contract]:
    text = (files("uptake.sandbox") / "data" / "contracts.yaml").read_text(encoding="utf-8")
    return [Contract.model_validate(entry) for entry in yaml.safe_load(text)["contracts"]]


def load_ingredients() -> list[Ingredient]:
    text = (files("uptake.sandbox") / "data" / "cost_ingredients.yaml").read_text(encoding="utf-8")
    return [Ingredient.model_validate(entry) for entry in yaml.safe_load(text)["cost_ingredients"]]


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
                "notice_days": "" if contract.notice_days is None else str(contract.notice_days),
                "auto_renews": {None: "", True: "yes", False: "no"}[contract.auto_renews],
            }
        )
    return found


def ingredient_rows(students: int) -> list[dict[str, str]]:
    """The register of ingredients of a district of that many students, as text."""
    return [
        {
            "ingredient_id": f"RB-{entry.starts_on.year}-I{number:02d}",
            "tool": entry.tool,
            "ingredient": entry.ingredient,
            "description": entry.description,
            "unit": entry.unit,
            **_texts("quantity", entry.quantity if entry.is_for_all else entry.quantity.times(students)),
            **_texts("unit_price", entry.unit_price),
            "currency": "USD",
            "starts_on": entry.starts_on.isoformat(),
            "ends_on": entry.ends_on.isoformat(),
            "recurs": entry.recurs,
        }
        for number, entry in enumerate(load_ingredients(), start=1)
    ]


def _texts(name: str, figure: Range) -> dict[str, str]:
    ends = {name: figure.likely, f"{name}_low": figure.low, f"{name}_high": figure.high}
    return {column: "" if value is None else str(value.quantize(_PLACES)) for column, value in ends.items()}


def drop_register(folder: Path, students: int) -> Path:
    """Write registers/contracts-2025-26.csv below the drop folder, whole or not at all; the same bytes each time."""
    return _drop(folder / "registers" / "contracts-2025-26.csv", COLUMNS, rows(students))


def drop_ingredients(folder: Path, students: int) -> Path:
    """Write registers/cost_ingredients-2025-26.csv in the same way."""
    return _drop(folder / "registers" / "cost_ingredients-2025-26.csv", INGREDIENT_COLUMNS, ingredient_rows(students))


def _drop(target: Path, columns: Sequence[str], lines: list[dict[str, str]]) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_suffix(".tmp")
    with beside.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(lines)
    if target.exists() and target.read_bytes() == beside.read_bytes():
        beside.unlink()
    else:
        beside.replace(target)
    return target
