"""What arrived: is every feed alive, fresh and sound? Warnings only: one broken feed must not hide the others.

What a feed lost or doubled is not a warning; see `reconciliation`.
"""

from __future__ import annotations

from expectations.wording import no_rows
from uptake.quality.suite import Facts, Suite

MAX_QUARANTINED_SHARE = 0.02
MIN_MATCHED_SHARE = 0.5


def suites(facts: Facts) -> list[Suite]:
    checks = {"mart_source_health": _health(facts), "mart_match_rate": _match_rate(), "mart_unknown_word": _words()}
    return [
        Suite("landing", "leaders", table, expectations)
        for table, expectations in checks.items()
        if facts.has("leaders", table)
    ]


def _health(facts: Facts) -> list[object]:
    expectations = [
        no_rows(
            "landing.mart_source_health.fresh",
            "SELECT source, resource, last_good_pull_at FROM {batch} WHERE is_stale",
            "Every resource was pulled well within the hours that the district allows (stale_after_hours).",
            "Look at the ingest DAG of that source, or run `uptake doctor`, then `uptake pull --source`.",
            "warning",
        ),
        no_rows(
            "landing.mart_source_health.last_pull_good",
            "SELECT source, resource, status FROM {batch} WHERE status = 'failed'",
            "The last pull of every resource worked.",
            "The quality page and `uptake status` show the message and what to do about it.",
            "warning",
        ),
        no_rows(
            "landing.mart_source_health.few_quarantined",
            "SELECT source, resource, rows_quarantined, rows_landed FROM {batch} "
            f"WHERE rows_quarantined > {MAX_QUARANTINED_SHARE} * (rows_landed + rows_quarantined)",
            f"At most {MAX_QUARANTINED_SHARE:.0%} of a resource's rows broke their contract.",
            "Run `uptake quarantine list` for the reasons; mend the source or the contract, then replay.",
            "warning",
        ),
    ]
    if facts.sources:
        listed = ", ".join(f"'{name}'" for name in facts.sources)
        expectations.append(
            no_rows(
                "landing.mart_source_health.every_source_seen",
                f"SELECT name AS source FROM (SELECT unnest([{listed}]) AS name) AS configured "
                "WHERE name NOT IN (SELECT source FROM {batch} WHERE last_good_pull_at IS NOT NULL)",
                "Every source in uptake.yaml has had one good pull.",
                "Run `uptake doctor`, then `uptake pull --source` with the name of the source.",
                "warning",
            )
        )
    return expectations


def _words() -> list[object]:
    return [
        no_rows(
            "landing.mart_unknown_word.every_word_known",
            "SELECT source, vocabulary, word FROM {batch}",
            "Every word that rosters have for grades and subgroups is known.",
            "Name the word in macros/roster_words.sql, or mend it in the roster; until then it says nothing.",
            "warning",
        )
    ]


def _match_rate() -> list[object]:
    return [
        no_rows(
            f"landing.mart_match_rate.{what}_matched",
            f"SELECT source, events, events_matched_{what} FROM {{batch}} "
            f"WHERE events > 0 AND events_matched_{what} < {MIN_MATCHED_SHARE} * events",
            f"At least {MIN_MATCHED_SHARE:.0%} of each source's events belong to a known {what}.",
            remedy,
            "warning",
        )
        for what, remedy in (
            ("person", "Compare the identifiers that the source sends with the roster's (e-mail, SIS id)."),
            ("tool", "Add the hosts that mart_unknown_tool lists to the tool catalogue."),
        )
    ]
