"""Credentials on the wire: OAuth 2.0 client credentials (RFC 6749, section 4.4), service accounts that sign what they
ask a token with (RFC 7523, section 2.1), fixed bearer tokens, and OAuth 1.0a signatures without a token (RFC 5849,
section 3)."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Generator
from typing import Any, Literal, cast

import httpx
import jwt
from oauthlib import oauth1

from uptake.credentials import Credential
from uptake.errors import ConfigError, PermanentError, TransientError
from uptake.sources.http import WAIT, decoded, is_throttle, retry_after

_DEFAULT_LIFE_SECONDS = 3600.0  # RFC 6749 lets `expires_in` be absent
_ASSERTION_SECONDS = 3600  # the longest that Google takes
_ERROR_CODES = frozenset({"invalid_grant", "unauthorized_client", "invalid_scope", "invalid_client", "access_denied"})


class BearerToken(httpx.Auth):
    """A token that a person made and that stays."""

    def __init__(self, token: str) -> None:
        self._header = f"Bearer {token}"

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = self._header
        yield request


class OAuth1Signature(httpx.Auth):
    """Signs each request with a consumer's key and secret. Each try, also each after a redirect, has a nonce, a time
    and thus a signature of its own; the query is part of what is signed."""

    def __init__(self, credential: Credential, *, connection: str, method: Literal["HMAC-SHA256", "HMAC-SHA1"]) -> None:
        _require_pair(credential, connection)
        self._client = oauth1.Client(credential.login, client_secret=credential.password, signature_method=method)
        self._connection = connection

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        _, headers, _ = self._client.sign(str(request.url), cast("Any", request.method))
        request.headers["Authorization"] = headers["Authorization"]
        response = yield request
        if response.status_code == 401:
            raise PermanentError(
                f"{request.url.host} refused the signature (401)",
                remedy=f"mend connection {self._connection!r} (key and secret) or the source's `auth` (the method); if "
                "both are right, set this machine's clock: a signature holds for some minutes only.",
            )


def _require_pair(credential: Credential, connection: str) -> None:
    if not (credential.login and credential.password):
        raise ConfigError(
            f"connection {connection!r} has no client id or no secret", remedy="set its login and its password."
        )


class _Tokens(httpx.Auth):
    """Asks for a token when there is none, when it is about to expire, and once more when the vendor refuses it.

    renew_on: statuses that mean "this token is over". A second refusal of a fresh token goes to the caller.
    """

    requires_response_body = True

    def __init__(
        self,
        token_url: str,
        *,
        connection: str,
        renew_on: Collection[int],
        margin_seconds: float,
        clock: Callable[[], float],
    ) -> None:
        self._url = httpx.URL(token_url)
        self._connection = connection
        self._renew_on = frozenset(renew_on)
        self._margin = margin_seconds
        self._clock = clock
        self._token: str | None = None
        self._renew_at = 0.0

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        if self._token is None or self._clock() >= self._renew_at:
            self._accept((yield self._token_request()))
        request.headers["Authorization"] = f"Bearer {self._token}"
        response = yield request
        if response.status_code in self._renew_on and not is_throttle(response):
            self._accept((yield self._token_request()))
            request.headers["Authorization"] = f"Bearer {self._token}"
            yield request

    def _token_request(self) -> httpx.Request:
        raise NotImplementedError

    def _refused(self, response: httpx.Response, place: str) -> PermanentError:
        """What a person must mend when the endpoint refuses the credential itself."""
        raise NotImplementedError

    def _accept(self, response: httpx.Response) -> None:
        place = f"token endpoint {self._url.host}{self._url.path}"
        if is_throttle(response) or response.status_code >= 500:
            raise TransientError(
                f"{place} answered {response.status_code}", retry_after=retry_after(response), remedy=WAIT
            )
        if response.status_code != 200:
            raise self._refused(response, place)
        answer: Any = decoded(response, place)
        token = answer.get("access_token") if isinstance(answer, dict) else None
        if not isinstance(token, str) or not token:
            raise TransientError(f"{place} answered without an access token", remedy=WAIT)
        life = answer.get("expires_in", _DEFAULT_LIFE_SECONDS)
        try:
            seconds = float(life)
        except (TypeError, ValueError):
            seconds = _DEFAULT_LIFE_SECONDS
        self._token = token
        # A life shorter than twice the margin would have every request ask for a token.
        self._renew_at = self._clock() + max(seconds - self._margin, seconds / 2)


class ClientCredentials(_Tokens):
    """A token for a client's id and secret.

    style: `basic` sends id and secret in the Authorization header, `form` in the body.
    """

    def __init__(
        self,
        token_url: str,
        credential: Credential,
        *,
        connection: str,
        scopes: tuple[str, ...] = (),
        style: Literal["basic", "form"] = "basic",
        renew_on: Collection[int] = (401,),
        margin_seconds: float = 60,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        _require_pair(credential, connection)
        super().__init__(
            token_url, connection=connection, renew_on=renew_on, margin_seconds=margin_seconds, clock=clock
        )
        self._credential = credential
        self._scopes = scopes
        self._style = style

    def _token_request(self) -> httpx.Request:
        form = {"grant_type": "client_credentials"}
        if self._scopes:
            form["scope"] = " ".join(self._scopes)
        if self._style == "form":
            form |= {"client_id": self._credential.login, "client_secret": self._credential.password}
        request = httpx.Request("POST", self._url, data=form, headers={"Accept": "application/json"})
        if self._style == "basic":
            basic = httpx.BasicAuth(self._credential.login, self._credential.password)
            return next(basic.auth_flow(request))
        return request

    def _refused(self, response: httpx.Response, place: str) -> PermanentError:
        return PermanentError(
            f"{place} refused the client id and secret ({response.status_code})",
            remedy=f"mend connection {self._connection!r}: id, secret and the scopes that the vendor granted.",
        )


class ServiceAccount(_Tokens):
    """A token for a service account that acts for a user of its domain (Google's "domain-wide delegation").

    Each token is asked for with an assertion that the account's private key signs, good for an hour:
    https://developers.google.com/identity/protocols/oauth2/service-account#httprest. The credential's password is the
    whole key file that Google gives, JSON; its login is the user for whom the account acts.
    """

    def __init__(
        self,
        token_url: str,
        credential: Credential,
        *,
        connection: str,
        scopes: tuple[str, ...],
        margin_seconds: float = 60,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(token_url, connection=connection, renew_on=(401,), margin_seconds=margin_seconds, clock=clock)
        self._account, self._key_id, self._key = _service_key(credential, connection)
        self._user = credential.login
        self._scopes = scopes

    def _token_request(self) -> httpx.Request:
        now = int(time.time())
        claims = {
            "iss": self._account,
            "sub": self._user,
            "scope": " ".join(self._scopes),
            "aud": str(self._url),
            "iat": now,
            "exp": now + _ASSERTION_SECONDS,
        }
        assertion = jwt.encode(claims, self._key, algorithm="RS256", headers={"kid": self._key_id})
        form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": assertion}
        return httpx.Request("POST", self._url, data=form, headers={"Accept": "application/json"})

    def _refused(self, response: httpx.Response, place: str) -> PermanentError:
        code = _error_code(response)
        said = f"{response.status_code}, {code}" if code else f"{response.status_code}"
        remedy = f"mend connection {self._connection!r}: its key and the user for whom it acts."
        if code in ("unauthorized_client", "access_denied", "invalid_scope"):
            remedy = f"let the account's client id have domain-wide delegation of exactly {', '.join(self._scopes)}."
        elif code == "invalid_grant":
            remedy = (
                f"mend connection {self._connection!r}: its key may have been deleted, or its login may be no user of "
                "the domain; if both are right, set this machine's clock."
            )
        return PermanentError(f"{place} refused the service account ({said})", remedy=remedy)


def _service_key(credential: Credential, connection: str) -> tuple[str, str, Any]:
    """(account, id of the key, private key). Raises ConfigError, which shows nothing of the key."""
    remedy = (
        "set its password to the whole key file of the service account, and its login to the admin for whom it acts."
    )
    try:
        found = json.loads(credential.password)
        account, key_id, text = found["client_email"], found["private_key_id"], found["private_key"]
        key = jwt.get_algorithm_by_name("RS256").prepare_key(text)
    except (ValueError, TypeError, KeyError, jwt.InvalidKeyError) as error:
        raise ConfigError(f"connection {connection!r} holds no key of a service account", remedy=remedy) from error
    if not credential.login:
        raise ConfigError(f"connection {connection!r} does not say for whom the account acts", remedy=remedy)
    return account, key_id, key


def _error_code(response: httpx.Response) -> str:
    """The endpoint's own word (RFC 6749, section 5.2); none where it is not one that the standard knows."""
    try:
        answer = json.loads(response.content)
    except ValueError:
        return ""
    code = answer.get("error") if isinstance(answer, dict) else None
    return code if code in _ERROR_CODES else ""
