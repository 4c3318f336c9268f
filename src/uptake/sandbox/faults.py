"""Faults that can be switched on, per endpoint: what real vendors do on their bad days.

An endpoint is named `oneroster/users`, `canvas/page_views`, `umbrella/activity`, `umbrella/token`; a rule names one
or several by a glob such as `oneroster/*`.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from threading import Lock
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

FaultName = Literal[
    "throttle", "expire", "error500", "slow", "truncate", "html",
    "duplicate", "late", "vanish", "clamp", "no_totals", "roster_feed",
]  # fmt: skip

MEANING: dict[str, str] = {
    "throttle": "429 with Retry-After (Canvas: 403 Rate Limit Exceeded); options status, retry_after",
    "expire": "the token that was sent is revoked: 401 until a new one is fetched",
    "error500": "500; option status (502, 503, ...)",
    "slow": "answers late; option seconds",
    "truncate": "the body is cut in the middle",
    "html": "200 with an HTML page in place of JSON",
    "duplicate": "some rows of each page come twice; option share",
    "late": "rows of the last 24 hours are held back as long as it is on; option share",
    "vanish": "rows are gone without a tombstone; options share, school (a sourcedId)",
    "clamp": "smaller pages than asked for, silently; option size",
    "no_totals": "neither X-Total-Count nor Link",
    "roster_feed": "one school's enrolments are not served although it exists; option state: broken or sound",
}


class Fault(BaseModel):
    """A rule. times: on how many requests it acts (None: until removed); after: how many it lets pass first."""

    model_config = ConfigDict(extra="forbid")

    endpoint: str
    fault: FaultName
    times: Annotated[int, Field(ge=1)] | None = None
    after: Annotated[int, Field(ge=0)] = 0
    status: Annotated[int, Field(ge=400, le=599)] | None = None
    retry_after: Annotated[float, Field(ge=0)] = 1.0
    seconds: Annotated[float, Field(ge=0, le=600)] = 2.0
    share: Annotated[float, Field(gt=0, le=1)] = 0.1
    size: Annotated[int, Field(ge=1)] = 10
    school: str | None = None
    state: Literal["broken", "sound"] = "broken"


class Active:
    """The faults that act on one request, by name."""

    def __init__(self, faults: dict[str, Fault]) -> None:
        self._faults = faults

    def __contains__(self, name: FaultName) -> bool:
        return name in self._faults

    def get(self, name: FaultName) -> Fault | None:
        return self._faults.get(name)


class Faults:
    def __init__(self) -> None:
        self._rules: list[Fault] = []
        self._lock = Lock()

    @property
    def rules(self) -> list[Fault]:
        with self._lock:
            return [rule.model_copy() for rule in self._rules]

    def add(self, rule: Fault) -> None:
        """A rule for the same endpoint and fault is replaced."""
        with self._lock:
            self._rules = [r for r in self._rules if (r.endpoint, r.fault) != (rule.endpoint, rule.fault)]
            self._rules.append(rule)

    def clear(self, endpoint: str | None = None, fault: str | None = None) -> int:
        """Remove the rules with this endpoint and fault (None: any); how many there were."""
        with self._lock:
            kept = [r for r in self._rules if (endpoint and r.endpoint != endpoint) or (fault and r.fault != fault)]
            removed = len(self._rules) - len(kept)
            self._rules = kept
            return removed

    def take(self, endpoint: str) -> Active:
        """The faults that act on this request; counts it."""
        acting: dict[str, Fault] = {}
        with self._lock:
            for rule in list(self._rules):
                if not fnmatchcase(endpoint, rule.endpoint):
                    continue
                if rule.after:
                    rule.after -= 1
                    continue
                acting[rule.fault] = rule
                if rule.times is not None:
                    rule.times -= 1
                    if rule.times == 0:
                        self._rules.remove(rule)
        return Active(acting)
