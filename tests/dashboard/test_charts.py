"""Pictures, as far as their description goes: what stands where."""

from __future__ import annotations

from datetime import date

import pandas as pd
import pytest

from components import charts, contracts


@pytest.mark.parametrize(
    "days", [[date(2026, 2, 1), date(2026, 4, 15), date(2026, 4, 16), date(2026, 12, 31)], [date(2026, 4, 15)]]
)
def test_the_words_of_a_deadline_stand_away_from_today(days: list[date]) -> None:
    today = date(2026, 4, 16)
    frame = pd.DataFrame(
        {
            "contract": [f"Tool {day}" for day in days],
            "decide_by": days,
            "usd": 100.0,
            "use": "In use",
            "state": contracts.IN_USE,
            "words": [f"{day} · $100" for day in days],
        }
    )
    spec = charts.deadlines(frame, today=today, states=contracts.STATES).to_dict()
    found = {}
    for layer in spec["layer"]:
        if layer["mark"]["type"] == "text" and layer["encoding"]["text"]["field"] == "words":
            for row in spec["datasets"][layer["data"]["name"]]:
                found[pd.Timestamp(row["decide_by"]).date()] = layer["mark"]["align"]
    assert found == {day: "right" if day < today else "left" for day in days}
    (domain,) = [
        layer["encoding"]["x"]["scale"]["domain"]
        for layer in spec["layer"]
        if "scale" in layer["encoding"].get("x", {})
    ]
    first, last = (pd.Timestamp(end) for end in domain)
    assert first < pd.Timestamp(min(days)) and max(pd.Timestamp(today), pd.Timestamp(max(days))) < last
