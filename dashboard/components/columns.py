"""Columns that several tables share, each with the words for what is hidden."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components import words
from components.frame import Context
from components.table import Column, Say, text


def name(column: str, label: str) -> Column:
    return Column(column, label, text)


def students(column: str, label: str, context: Context, *, about: str | None = None) -> Column:
    def say(value: Any, row: Mapping[str, Any]) -> str:
        return words.count_or_reason(value, row, context.minimum_n)

    return Column(column, label, say, is_number=True, help=about)


def rate(column: str, label: str, *, about: str | None = None) -> Column:
    return Column(column, label, words.rate_or_reason, is_number=True, help=about)


def kept_up(context: Context) -> Column:
    about = "Students active in most of the last school weeks, of those it is for."
    return Column("consistent_rate", "Share who kept it up", words.kept_up_or_reason, is_number=True, help=about)


def of(column: str, label: str, say: Any, *, about: str | None = None) -> Column:
    """A plain value put into words by a function of the value alone."""
    return Column(column, label, lambda value, row: say(value), is_number=True, help=about)


def money(column: str, label: str) -> Column:
    """An amount in the currency of its row."""
    return Column(column, label, lambda value, row: words.money(value, row["currency"]), is_number=True)


def words_of(column: str, label: str, say: Any) -> Column:
    return Column(column, label, lambda value, row: say(value))


def remark(column: str, label: str) -> Column:
    """Text that is only there when there is something to say."""
    return Column(column, label, lambda value, row: "" if words.is_missing(value) else str(value), only_if_any=True)


def why(context: Context) -> Column:
    """Why something in the row is hidden."""
    return Column(
        "suppression_reason",
        "Why something is hidden",
        lambda value, row: words.why_hidden(value, context.minimum_n),
        width="large",
        only_if_any=True,
    )


__all__ = ["Column", "Say", "kept_up", "money", "name", "of", "rate", "students", "why", "words_of"]
