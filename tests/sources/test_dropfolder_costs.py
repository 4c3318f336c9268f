"""The registers of money: what a contract's file may lack, and what an ingredient of a cost must say."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from dropped import drop, opened, take

CONTRACT = "contract_id,tool,vendor,seats,price,currency,price_basis,starts_on,ends_on,renewal_on"
LINE = "C-1,MathGym,Larkfield,100,1000.10,USD,per_seat,2025-07-01,2026-06-30,2026-06-01"


@pytest.mark.parametrize(
    ("more", "values", "notice_days", "auto_renews"),
    [("", "", None, None), (",Notice period,Auto-renewal", ",45,Yes", 45, "yes"), (",notice_days", ",", None, None)],
)
def test_a_list_of_contracts_may_lack_what_older_ones_lack(
    tmp_path: Path, more: str, values: str, notice_days: int | None, auto_renews: str | None
) -> None:
    drop(tmp_path, "contracts.csv", f"{CONTRACT}{more}\n{LINE}{values}\n")
    (batch,) = take(opened(tmp_path, ["registers/contracts"])).values()
    assert not batch.rejects
    (row,) = batch.table.to_pylist()
    assert (row["price"], row["notice_days"], row["auto_renews"]) == (Decimal("1000.10"), notice_days, auto_renews)


def test_a_credit_note_is_no_contract(tmp_path: Path) -> None:
    """Its price would be taken from what other contracts waste; the register of costs has a place for it."""
    credit = LINE.replace("C-1", "C-2").replace("1000.10", "-400.00")
    free = LINE.replace("C-1", "C-3").replace("1000.10", "0")
    drop(tmp_path, "contracts.csv", f"{CONTRACT}\n{LINE}\n{credit}\n{free}\n")
    (batch,) = take(opened(tmp_path, ["registers/contracts"])).values()
    assert [row["contract_id"] for row in batch.table.to_pylist()] == ["C-1", "C-3"]
    assert [(reject.reason, reject.column) for reject in batch.rejects] == [("too_small", "price")]


def test_an_ingredient_may_lack_its_range_and_nothing_else(tmp_path: Path) -> None:
    header = (
        "ingredient_id,tool,ingredient,quantity,quantity_low,quantity_high,unit_price,currency,starts_on,ends_on,recurs"
    )
    drop(
        tmp_path,
        "cost_ingredients-2025-26.csv",
        f"{header}\n"
        "I-1,MathGym,Training,40.5,30,60,45.10,USD,07/01/2025,06/30/2026,once\n"
        "I-2,MathGym,support,12,,,9,USD,2025-07-01,2026-06-30,yearly\n"
        "I-3,MathGym,lunch,12,,,9,USD,2025-07-01,2026-06-30,yearly\n"
        "I-4,MathGym,support,12,,,9,,2025-07-01,2026-06-30,yearly\n"
        "I-5,MathGym,support,many,,,9,USD,2025-07-01,2026-06-30,yearly\n",
    )
    (batch,) = take(opened(tmp_path, ["registers/cost_ingredients"])).values()
    first, second = batch.table.to_pylist()
    assert (first["ingredient"], first["quantity"], first["quantity_high"]) == ("training", Decimal("40.5"), 60)
    assert (first["unit_price"], first["unit_price_low"], first["starts_on"]) == (
        Decimal("45.1"),
        None,
        date(2025, 7, 1),
    )
    assert (second["quantity_low"], second["description"], second["recurs"]) == (None, None, "yearly")
    assert [(reject.reason, reject.column) for reject in batch.rejects] == [
        ("not_allowed", "ingredient"),
        ("missing_required", "currency"),
        ("not_number", "quantity"),
    ]
