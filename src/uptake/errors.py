"""Errors that say what happened, where, and what a person must do next.

Two classes decide what a scheduler does: a `TransientError` is worth a retry (after `retry_after` seconds
where the vendor named a time), a `PermanentError` is not, because only a person can mend its cause.
"""

from __future__ import annotations


class UptakeError(Exception):
    """Base of every error that Uptake raises on purpose.

    `context` holds where it happened (district, source, resource, window); `remedy` is one sentence to a person.
    """

    def __init__(self, message: str, *, remedy: str = "", **context: str | None) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.context = {name: value for name, value in context.items() if value}

    def at(self, **context: str | None) -> UptakeError:
        """Add where it happened; what is already known, nearer to the cause, is kept."""
        self.context = {name: value for name, value in context.items() if value} | self.context
        return self

    def __str__(self) -> str:
        where = ", ".join(f"{name} {value}" for name, value in self.context.items())
        text = f"{self.message} [{where}]" if where else self.message
        return f"{text} To mend it: {self.remedy}" if self.remedy else text


class PermanentError(UptakeError):
    """A retry would fail again: a wrong credential, a 404, a broken contract."""


class TransientError(UptakeError):
    """A retry may succeed: throttling, a 5xx, a timeout, HTML in place of JSON."""

    def __init__(
        self, message: str, *, retry_after: float | None = None, remedy: str = "", **context: str | None
    ) -> None:
        super().__init__(message, remedy=remedy, **context)
        self.retry_after = retry_after


class ConfigError(PermanentError):
    """uptake.yaml, a mapping file or a credential is wrong; the message names the key and the line."""


class ContractError(PermanentError):
    """A whole file or answer does not have the layout that its contract declares."""


class CheckError(PermanentError):
    """A critical expectation failed: the candidate is not published and the last good snapshot stays."""
