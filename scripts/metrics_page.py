"""Writes docs/metrics.md from the registry of metric definitions, dbt_project/seeds/metric_definition.csv.

Run `python scripts/metrics_page.py` after a change of the registry.
"""

from __future__ import annotations

import csv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REGISTRY = ROOT / "dbt_project" / "seeds" / "metric_definition.csv"
PAGE = ROOT / "docs" / "metrics.md"

HEAD = """# Metrics

What each number means. The pages show the same text beside a number ("About"), from the table `metric_definition` of
the snapshot that the number stands in. This page is made from `dbt_project/seeds/metric_definition.csv` by
`python scripts/metrics_page.py`; change the registry, not this page. When a meaning changes, its version goes up.

Counts of fewer people than the district's minimum (10 unless set otherwise) are hidden, and so is what would give them
away: see [privacy](privacy.md). A hidden or unknown number is never a zero.
"""


def metrics_page(registry: Path = REGISTRY) -> str:
    """The whole page as Markdown: a section for each metric, by name. Raises KeyError when a column is missing."""
    with registry.open(encoding="utf-8", newline="") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: row["name"])
    return "\n".join([HEAD, *(_section(row) for row in rows)])


def _section(row: dict[str, str]) -> str:
    return f"""## {row["name"]}

`{row["metric"]}`, version {row["version"]}

{row["definition"]}

- **Counted:** {row["numerator"]}
- **Out of:** {row["denominator"]}
- **Take care:** {row["caution"]}
"""


if __name__ == "__main__":
    PAGE.write_text(metrics_page(), encoding="utf-8")
