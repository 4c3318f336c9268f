"""OAuth 2 client-credentials tokens (RFC 6749, section 4.4), and the vendors' answers to a wrong one."""

from __future__ import annotations

import base64
import binascii
import secrets
import time
from dataclasses import dataclass
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

LIFETIME_SECONDS = 3600


@dataclass(frozen=True)
class Token:
    scopes: frozenset[str]
    expires_at: float


class TokenDesk:
    """Issues and checks the tokens of one vendor. `scopes`: what a client may ask for (empty: the vendor has none)."""

    def __init__(self, client: tuple[str, str], scopes: frozenset[str] = frozenset()) -> None:
        self._client, self._scopes = client, scopes
        self._issued: dict[str, Token] = {}

    async def issue(self, request: Request) -> Response:
        """POST with grant_type=client_credentials; client by HTTP Basic or in the form."""
        form = {name: values[-1] for name, values in parse_qs((await request.body()).decode()).items()}
        if form.get("grant_type", request.query_params.get("grant_type")) != "client_credentials":
            return _refusal(400, "unsupported_grant_type", "grant_type must be client_credentials")
        sent = _basic(request) or (form.get("client_id", ""), form.get("client_secret", ""))
        if not all(secrets.compare_digest(a.encode(), b.encode()) for a, b in zip(sent, self._client, strict=True)):
            return _refusal(401, "invalid_client", "unknown client or wrong secret")
        scopes = frozenset(form.get("scope", "").split())
        if self._scopes and not scopes:
            return _refusal(400, "invalid_scope", "scope is required")
        if unknown := sorted(scopes - self._scopes):
            return _refusal(400, "invalid_scope", f"unknown scope: {' '.join(unknown)}")
        text = secrets.token_urlsafe(24)
        self._issued[text] = Token(scopes, time.monotonic() + LIFETIME_SECONDS)
        answer = {"access_token": text, "token_type": "Bearer", "expires_in": LIFETIME_SECONDS}
        return JSONResponse(answer | ({"scope": " ".join(sorted(scopes))} if scopes else {}))

    def token(self, request: Request) -> Token | None:
        """The valid token that the request carries, or None."""
        token = self._issued.get(bearer(request))
        return token if token and token.expires_at > time.monotonic() else None

    def revoke(self, request: Request) -> None:
        self._issued.pop(bearer(request), None)


def bearer(request: Request) -> str:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    return value.strip() if scheme.lower() == "bearer" else ""


def _basic(request: Request) -> tuple[str, str] | None:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        login, _, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return login, password


def _refusal(status: int, error: str, description: str) -> Response:
    return JSONResponse({"error": error, "error_description": description}, status)
