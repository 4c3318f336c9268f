"""What the receiver answers when it takes nothing. A reason names a rule, never a value: senders log their answers."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Refused(Exception):
    """`code` is stable, for logs and for people; `retry_after` in seconds, where trying again is worth it."""

    status: int
    code: str
    reason: str
    retry_after: int | None = None
    headers: dict[str, str] = field(default_factory=dict)


def bad(code: str, reason: str) -> Refused:
    return Refused(400, code, reason)


def unavailable(code: str, reason: str, retry_after: int = 30) -> Refused:
    """The sender keeps what it has and tries again."""
    return Refused(503, code, reason, retry_after)
