"""What the sources that ask over HTTP have in common."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any, ClassVar, Self

import httpx
from pydantic import Field as Key
from pydantic import HttpUrl

from uptake.config import SourceSettings
from uptake.contracts import Resource
from uptake.credentials import Credential
from uptake.errors import ConfigError, UptakeError
from uptake.sources.http import HttpClient

BATCH_ROWS = 10_000


class ApiSettings(SourceSettings):
    """timeout_seconds: for one answer. retry_seconds: what is waited for one answer before the scheduler takes over."""

    url: HttpUrl
    timeout_seconds: Annotated[float, Key(gt=0, le=600)] = 60
    retry_seconds: Annotated[float, Key(ge=0, le=3600)] = 300


class ApiSource:
    """A source over one HttpClient, which lives as long as its `with` block."""

    kind: ClassVar[str]
    needs_credential: ClassVar[bool] = True
    declared: ClassVar[Mapping[str, Resource]]
    trusted_domain: ClassVar[str | None] = None
    sleep: ClassVar[Callable[[float], None]] = time.sleep

    def __init__(self, settings: ApiSettings, credential: Credential | None) -> None:
        if credential is None or not settings.connection:
            raise ConfigError(
                f"source {settings.name!r} has no connection",
                remedy="name one in uptake.yaml under `connection` and add it to Airflow or to the environment.",
            )
        self._base = str(settings.url).rstrip("/")
        self._connection = settings.connection
        self.client = HttpClient(
            self._base,
            self._auth(settings, credential),
            connection=settings.connection,
            timeout_seconds=settings.timeout_seconds,
            retry_seconds=settings.retry_seconds,
            trusted_domain=self.trusted_domain,
            headers=self._headers(settings),
            errors=self._error,
            sleep=type(self).sleep,
        )

    def _auth(self, settings: Any, credential: Credential) -> httpx.Auth:
        raise NotImplementedError

    def _headers(self, settings: Any) -> Mapping[str, str]:
        """What each request is to say besides."""
        return {}

    def _error(self, response: httpx.Response) -> UptakeError | None:
        """An answer that is not 200, by the vendor's own words; None where its status says enough."""
        return None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.client.close()

    @property
    def resources(self) -> Mapping[str, Resource]:
        return self.declared


def utc_text(moment: datetime) -> str:
    """ISO 8601 with milliseconds and `Z`, as vendors' filters read it. `moment` is UTC."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
