"""Can the numbers be trusted: reads the marts of health, reconciliation, checks, quarantine and matching."""

from __future__ import annotations

import pandas as pd

from queries.reader import Reader


def health(reader: Reader) -> pd.DataFrame:
    """One row a source and resource, the worst first. Open to every page: it says how fresh a number is."""
    return reader.frame(
        """
        select source, kind, resource, last_pull_at, last_good_pull_at, status, rows_landed, rows_quarantined,
               data_complete_through, is_stale, message, remedy
        from mart_source_health
        order by status in ('good', 'warning'), not is_stale, status = 'good', source, resource
        """
    )


def sources(reader: Reader) -> pd.DataFrame:
    """One row a source: its worst state, when it was last read, and how far its data goes."""
    return reader.frame(
        """
        select source, any_value(kind) as kind, bool_or(is_stale) as is_stale,
               bool_or(status in ('failed', 'never_pulled')) as is_failed,
               min(last_good_pull_at) as last_good_pull_at, max(data_complete_through) as data_complete_through,
               sum(rows_landed) as rows_landed, sum(rows_quarantined) as rows_quarantined
        from mart_source_health
        group by source
        order by source
        """
    )


def freshness(reader: Reader) -> pd.DataFrame:
    """One row a source: how long its rows took to a page over the last day of publications; those too late first."""
    reader.require("quality")
    return reader.frame(
        """
        select source, basis, goal_seconds, publications, row_count, p50_seconds, p95_seconds, longest_seconds,
               last_published_at, is_within_goal
        from mart_freshness
        order by is_within_goal nulls last, source
        """
    )


def reconciliation(reader: Reader) -> pd.DataFrame:
    """One row a count that must agree with another; those that do not come first."""
    reader.require("quality")
    return reader.frame(
        """
        select source, resource, measure, expected, actual, difference, is_reconciled, note
        from mart_reconciliation
        order by is_reconciled, source, resource, measure
        """
    )


def check_history(reader: Reader) -> pd.DataFrame:
    """One row a check and run, newest first."""
    reader.require("quality")
    return reader.frame(
        """
        select snapshot_id, suite, check_id, table_name, column_name, severity, is_success, observed,
               unexpected_rows, description, remedy, checked_at
        from mart_check_history
        order by checked_at desc, is_success, severity, check_id
        """
    )


def latest_failures(reader: Reader) -> pd.DataFrame:
    """Checks whose newest result is a failure: table_name, description, severity, observed, remedy."""
    return reader.frame(
        """
        select check_id, table_name, severity, observed, description, remedy, checked_at
        from mart_check_history
        qualify row_number() over (partition by check_id order by checked_at desc) = 1 and not is_success
        order by severity, check_id
        """
    )


def quarantine(reader: Reader) -> pd.DataFrame:
    """Rows still set aside and rows read again since, by place and reason; the most rows first."""
    reader.require("quality")
    return reader.frame(
        """
        select source, resource, reason, column_name, rows, first_at, last_at, replayed_rows
        from mart_quarantine
        order by rows desc, source, resource
        """
    )


def match_rates(reader: Reader) -> pd.DataFrame:
    """One row a usage source: events, and how many found their student and their tool."""
    return reader.frame(
        """
        select source, events, events_matched_person, events_matched_tool
        from mart_match_rate
        order by source
        """
    )


def identity_matches(reader: Reader) -> pd.DataFrame:
    """How each source's people or accounts were found: `people` of `people_in_all`; NULL where hidden."""
    reader.require("quality")
    return reader.frame(
        """
        select source, who, linked_by, people, people_in_all, suppression_reason
        from mart_identity_match
        order by source, who, people desc nulls last, linked_by
        """
    )


def unknown_words(reader: Reader) -> pd.DataFrame:
    """Words of rosters that nobody knows; `word` is NULL for those of few people together."""
    reader.require("quality")
    return reader.frame(
        """
        select source, vocabulary, word, people
        from mart_unknown_word
        order by people desc nulls last, source, vocabulary, word
        """
    )


def definitions(reader: Reader) -> pd.DataFrame:
    """The registry of metric definitions, as published with this snapshot."""
    return reader.frame(
        """
        select metric, name, definition, numerator, denominator, caution, version
        from metric_definition
        order by metric
        """
    )
