"""OneRoster over REST: rostering and gradebook, versions 1.2 and 1.1.

Protocols: https://www.imsglobal.org/sites/default/files/spec/oneroster/v1p2/rostering-restbinding/OneRosterv1p2RosteringService_RESTBindv1p0.html
with the gradebook service beside it, and https://www.imsglobal.org/oneroster-v11-final-specification, where both are
one service. Alike in both: `limit`/`offset` paging, `filter=dateLastModified>='…'`, records in an envelope named after
the collection. 1.2 knows OAuth 2 only; 1.1 began with OAuth 1.0a signatures, and its servers still ask for them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal

import httpx
import orjson
from pydantic import BeforeValidator, HttpUrl, model_validator
from pydantic import Field as Key

from uptake.contracts import Batch, Resource, Window
from uptake.credentials import Credential
from uptake.parsing import parse_records
from uptake.rows import RowReader, Rows
from uptake.sources.api import BATCH_ROWS, ApiSettings, ApiSource, utc_text
from uptake.sources.auth import ClientCredentials, OAuth1Signature
from uptake.sources.oneroster.model import NAMESPACE, RESOURCES, RosterSettings, resources_of
from uptake.sources.oneroster.v1p1 import UPGRADES
from uptake.sources.paging import ahead, gathered, offset_pages, rows_in
from uptake.sources.windows import entity_windows

_GRADEBOOK_NAMES = frozenset({"categories", "lineItems", "results"})
_SCOPES = ("roster", "roster-core", "roster-demographics", "gradebook")


@dataclass(frozen=True, slots=True)
class _Version:
    """upgrades: by resource, how a record becomes one of 1.2; none for most of them."""

    rostering: str
    gradebook: str
    scopes: tuple[str, ...]
    upgrades: Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]]


def _scopes(version: str, *names: str) -> tuple[str, ...]:
    return tuple(f"https://purl.imsglobal.org/spec/or/{version}/scope/{name}.readonly" for name in (*_SCOPES, *names))


VERSIONS = {
    "1.2": _Version(
        rostering="/ims/oneroster/rostering/v1p2",
        gradebook="/ims/oneroster/gradebook/v1p2",
        scopes=_scopes("v1p2", "gradebook-core"),
        upgrades={},
    ),
    "1.1": _Version(
        rostering="/ims/oneroster/v1p1", gradebook="/ims/oneroster/v1p1", scopes=_scopes("v1p1"), upgrades=UPGRADES
    ),
}

_SIGNATURES: Mapping[str, Literal["HMAC-SHA256", "HMAC-SHA1"]] = {
    "oauth1_hmac_sha256": "HMAC-SHA256",
    "oauth1_hmac_sha1": "HMAC-SHA1",
}


class OneRosterSettings(ApiSettings, RosterSettings):
    """url: the server, without `/ims/…`. version: of OneRoster, that the server speaks. auth: `oauth2` asks for tokens
    with client id and secret; the other two sign each request with them (OAuth 1.0a, version 1.1 only). token_url:
    default `<url>/token`. scopes: default all that is read here; `[]` for a server that refuses any. page_size: rows
    asked for at once."""

    kind: Literal["oneroster"] = "oneroster"
    # 1.1 without quotation marks is a number in YAML.
    version: Annotated[Literal["1.1", "1.2"], BeforeValidator(str)] = "1.2"
    auth: Literal["oauth2", "oauth1_hmac_sha256", "oauth1_hmac_sha1"] = "oauth2"
    token_url: HttpUrl | None = None
    scopes: tuple[str, ...] | None = None
    page_size: Annotated[int, Key(ge=1, le=10_000)] = 1000

    @model_validator(mode="after")
    def _consistent(self) -> OneRosterSettings:
        if self.auth != "oauth2" and self.version != "1.1":
            raise ValueError(f"OneRoster {self.version} has no signatures: leave `auth` out, or set `version: 1.1`")
        if self.auth != "oauth2" and (self.token_url or self.scopes):
            raise ValueError("token_url and scopes are for `auth: oauth2`")
        return self


class OneRoster(ApiSource):
    """Rostering and gradebook of one OneRoster server."""

    kind: ClassVar[str] = "oneroster"
    namespace: ClassVar[str] = NAMESPACE
    settings_model: ClassVar[type[OneRosterSettings]] = OneRosterSettings
    declared = RESOURCES

    def __init__(self, settings: OneRosterSettings, credential: Credential | None) -> None:
        super().__init__(settings, credential)
        self._settings = settings
        self._version = VERSIONS[settings.version]

    def _auth(self, settings: OneRosterSettings, credential: Credential) -> httpx.Auth:
        if settings.auth != "oauth2":
            return OAuth1Signature(credential, connection=self._connection, method=_SIGNATURES[settings.auth])
        scopes = VERSIONS[settings.version].scopes if settings.scopes is None else settings.scopes
        return ClientCredentials(
            str(settings.token_url or f"{self._base}/token"), credential, connection=self._connection, scopes=scopes
        )

    @cached_property
    def resources(self) -> Mapping[str, Resource]:
        return resources_of(self._settings, self._settings.name)

    def windows(self, resource: Resource, *, since: datetime | None, until: datetime, full: bool) -> list[Window]:
        return entity_windows(resource, since, until, full)

    def pull(self, resource: Resource, window: Window) -> Iterator[Batch]:
        # Sorted by what never changes, so that a row that is changed in mid-walk does not shift the pages.
        params = {"sort": "sourcedId", "orderBy": "asc"}
        if window.mode == "incremental" and window.start is not None:
            params["filter"] = f"dateLastModified>='{utc_text(window.start)}'"
        upgrade = self._version.upgrades.get(resource.name)
        pages = offset_pages(
            self.client,
            self._path(resource.name),
            params,
            page_size=self._settings.page_size,
            rows_of=rows_in(resource.name),
            key="sourcedId",
            read=orjson.loads if upgrade else RowReader(resource.name),
        )
        for page in gathered(ahead(pages), BATCH_ROWS):
            batch = parse_records(resource, _upgraded(page.rows, upgrade) if upgrade else page.rows)
            batch.source_total = page.total
            yield batch

    def probe(self) -> str:
        answer = self.client.get(self._path("orgs"), {"limit": 1, "offset": 0}, is_probe=True)
        rows_in("orgs")(answer)
        return f"OneRoster {self._settings.version} at {answer.url.host} answers and takes the credential."

    def _path(self, name: str) -> str:
        root = self._version.gradebook if name in _GRADEBOOK_NAMES else self._version.rostering
        return f"{root}/{name}"


def _upgraded(rows: list[Any] | Rows, upgrade: Callable[[dict[str, Any]], dict[str, Any]]) -> list[Any]:
    return [upgrade(row) if isinstance(row, dict) else row for row in rows]
