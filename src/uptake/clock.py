"""A district's clock: the wall clock, or a simulated district's own.

Only `Pull.started_at`, windows and "as of" dates follow it; the operations database's own times are the machine's.
"""

from __future__ import annotations

from datetime import UTC, datetime

import httpx

from uptake.config import District
from uptake.errors import TransientError
from uptake.tls import trusted_authorities

_TIMEOUT_SECONDS = 10.0


def now(district: District) -> datetime:
    """The district's present time, in UTC.

    A simulated district with a `clock_url` is asked: `GET` answers `{"now": "2026-04-14T15:04:05Z"}`.
    Raises TransientError when that clock does not answer, or answers something else.
    """
    if district.clock_url is None:
        return datetime.now(UTC)
    remedy = "start the simulated district (`uptake sandbox serve`), or mend clock_url."
    try:
        answer = httpx.get(district.clock_url, timeout=_TIMEOUT_SECONDS, verify=trusted_authorities())
        answer.raise_for_status()
        value = datetime.fromisoformat(answer.json()["now"])
    except httpx.HTTPError as error:
        raise TransientError(
            f"the clock at {district.clock_url} does not answer ({type(error).__name__})",
            district=district.id,
            remedy=remedy,
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise TransientError(
            f'the clock at {district.clock_url} did not answer {{"now": "<ISO time>"}}',
            district=district.id,
            remedy=remedy,
        ) from error
    if value.tzinfo is None:
        raise TransientError(
            f"the clock at {district.clock_url} answered a time without a zone", district=district.id, remedy=remedy
        )
    return value.astimezone(UTC)
