"""What Google's APIs have in common: a service account that acts for an admin, masks of fields, pages by token.

A mask (https://developers.google.com/workspace/classroom/guides/performance#partial-response) names what is to come, so
that what a contract does not read does not even leave Google.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from pydantic import HttpUrl

from uptake.contracts import Resource
from uptake.credentials import Credential
from uptake.errors import ContractError
from uptake.sources.api import ApiSettings, ApiSource
from uptake.sources.auth import ServiceAccount
from uptake.sources.http import Answer, shown
from uptake.sources.paging import Page, body_token_pages


class GoogleSettings(ApiSettings):
    """token_url: where the service account asks for its tokens."""

    token_url: HttpUrl = HttpUrl("https://oauth2.googleapis.com/token")


class GoogleSource(ApiSource):
    """scopes: what the account's domain-wide delegation must hold."""

    scopes: ClassVar[tuple[str, ...]]

    def _auth(self, settings: GoogleSettings, credential: Credential) -> ServiceAccount:
        return ServiceAccount(
            str(settings.token_url), credential, connection=self._connection, scopes=type(self).scopes
        )

    def _list(self, path: str, name: str, params: Mapping[str, Any]) -> Iterator[Page]:
        for answer in body_token_pages(self.client, path, params):
            yield Page(rows_under(answer, name))


def rows_under(answer: Answer, name: str) -> list[Any]:
    """Rows of a page. Google leaves the name out where there are none. Raises ContractError for anything but a list."""
    rows = answer.data.get(name, [])
    if not isinstance(rows, list):
        raise ContractError(
            f"the answer of {shown(answer.url)} holds no list {name!r}",
            remedy="check that the source's url and kind are right.",
        )
    return rows


def mask(resource: Resource, name: str) -> str:
    """Value of `fields` for a list of `name` whose rows are the resource's."""
    paths = dict.fromkeys((field.path or field.name).replace(".", "/") for field in resource.fields)
    return f"nextPageToken,{name}({','.join(paths)})"
