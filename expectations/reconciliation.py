"""Nothing lost, nothing twice: what was pulled is landed or quarantined, staged or deduplicated; money adds up."""

from __future__ import annotations

from expectations.wording import no_rows
from uptake.quality.suite import Facts, Suite

REMEDY = (
    "Open the data quality page at this source and resource; the note says at which step the rows left. "
    "Pull the window again with `uptake pull --since`, then `uptake build --full-refresh`."
)


def suites(facts: Facts) -> list[Suite]:
    found = []
    if facts.has("leaders", "mart_reconciliation"):
        found.append(Suite("reconciliation", "leaders", "mart_reconciliation", _rows()))
    if facts.has("leaders", "mart_source_health"):
        found.append(Suite("reconciliation", "leaders", "mart_source_health", _covered(facts)))
    for audience in ("leaders", "restricted"):
        if facts.has(audience, "fct_contract_period") and facts.has(audience, "dim_contract"):
            found.append(Suite("reconciliation", audience, "fct_contract_period", _money()))
    return found


def _rows() -> list[object]:
    return [
        no_rows(
            "reconciliation.mart_reconciliation.holds",
            "SELECT source, resource, measure, expected, actual FROM {batch} WHERE is_reconciled IS DISTINCT FROM true",
            "Every count and sum that should agree agrees.",
            REMEDY,
        ),
        no_rows(
            "reconciliation.mart_reconciliation.says_what_it_shows",
            "SELECT source, resource, measure, expected, actual FROM {batch} "
            "WHERE is_reconciled AND (expected IS DISTINCT FROM actual OR coalesce(difference, 0) <> 0)",
            "A row that says it is reconciled shows two equal numbers.",
            "The mart itself is wrong: compare is_reconciled with expected and actual in mart_reconciliation.",
        ),
    ]


def _covered(facts: Facts) -> list[object]:
    if not facts.has("leaders", "mart_reconciliation"):
        return []
    return [
        no_rows(
            "reconciliation.mart_source_health.every_resource_reconciled",
            "SELECT source, resource, rows_landed FROM {batch} WHERE rows_landed > 0 "
            "AND (source, resource) NOT IN (SELECT source, resource FROM mart_reconciliation)",
            "Every resource that landed rows is counted through: none is left out of the reconciliation.",
            "Add the resource to mart_reconciliation: what is not counted cannot be trusted.",
        )
    ]


def _money() -> list[object]:
    return [
        no_rows(
            "reconciliation.fct_contract_period.sums_to_price",
            "WITH paid AS (SELECT contract_key, sum(cost_usd) AS actual FROM {batch} GROUP BY contract_key) "
            "SELECT contract_key, price_usd AS expected, actual FROM paid JOIN dim_contract USING (contract_key) "
            "WHERE actual IS DISTINCT FROM price_usd",
            "The months of a contract sum to its price, to the cent.",
            "Look at the contract's dates and price in dim_contract, then at fct_contract_period.",
        )
    ]
