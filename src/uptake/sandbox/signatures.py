"""OAuth 1.0a signatures without a token, checked as a OneRoster 1.1 server does (RFC 5849, section 3)."""

from __future__ import annotations

import secrets
from string import ascii_letters, digits
from typing import Any, ClassVar

from oauthlib.oauth1 import RequestValidator, SignatureOnlyEndpoint
from starlette.requests import Request

from uptake.sandbox.credentials import ONEROSTER_CLIENT


class _Validator(RequestValidator):
    """One client, HMAC only, and each nonce once."""

    enforce_ssl = False
    allowed_signature_methods = ("HMAC-SHA1", "HMAC-SHA256")
    client_key_length = (1, 100)
    nonce_length = (8, 100)
    safe_characters: ClassVar[set[str]] = {*ascii_letters, *digits, *"-_.~"}
    dummy_client = "nobody"

    def __init__(self) -> None:
        super().__init__()
        self._seen: set[tuple[str, str]] = set()

    def validate_client_key(self, client_key: str, request: Any) -> bool:
        return secrets.compare_digest(client_key, ONEROSTER_CLIENT[0])

    def get_client_secret(self, client_key: str, request: Any) -> str:
        return ONEROSTER_CLIENT[1]

    def validate_timestamp_and_nonce(
        self,
        client_key: str,
        timestamp: str,
        nonce: str,
        request: Any,
        request_token: str | None = None,
        access_token: str | None = None,
    ) -> bool:
        """How old a timestamp may be, the endpoint itself says."""
        is_new = (timestamp, nonce) not in self._seen
        self._seen.add((timestamp, nonce))
        return is_new


_ENDPOINT = SignatureOnlyEndpoint(_Validator())


def is_signed(request: Request) -> bool:
    """Whether the request carries a good signature of the simulated client, made for it and used once."""
    if not request.headers.get("authorization", "").startswith("OAuth "):
        return False
    valid, _ = _ENDPOINT.validate_request(str(request.url), request.method, None, dict(request.headers))
    return bool(valid)
