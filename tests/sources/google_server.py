"""Google as a client sees it: tokens for a signed assertion, Classroom, reports of use, Chromebooks."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from scripted_vendor import Asked, Reply, Vendor

from uptake.credentials import Credential

ACCOUNT, ADMIN = "uptake@project.iam.gserviceaccount.example", "admin@lakeside.example"
_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
_PEM = _KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()
KEY_FILE = json.dumps({"client_email": ACCOUNT, "private_key_id": "k1", "private_key": _PEM})
CREDENTIAL = Credential(ADMIN, KEY_FILE)
REPORTS = "/admin/reports/v1/usage/users/all/dates/"
DEVICES = "/admin/directory/v1/customer/my_customer/devices/chromeos"


def error(status: int, reason: str, message: str = "") -> Reply:
    """An error as Google words it."""
    return Reply({"error": {"code": status, "message": message, "errors": [{"reason": reason}]}}, status)


def warning(code: str, app: str | None) -> dict[str, Any]:
    data = [{"key": "date", "value": "2026-04-10"}] + ([{"key": "application", "value": app}] if app else [])
    return {"code": code, "message": "try again after a few hours", "data": data}


class GoogleServer:
    """clamp: never gives more rows than that, and sends each page's rows after an empty page that leads on.

    tokens: as many are given as were asked for; one that is in `over` is answered with 401.
    """

    def __init__(self, vendor: Vendor, *, clamp: int = 1000) -> None:
        self._vendor, self._clamp = vendor, clamp
        self.claims: list[dict[str, Any]] = []
        self.over: set[str] = set()
        vendor.on("/token", self._token)

    def lists(self, path: str, name: str, rows: list[Any], **beside: Any) -> None:
        """`path` answers with pages of `rows` under `name`, and with what stands beside them."""

        def answer(asked: Asked) -> Reply:
            place, is_empty = json.loads(asked.params.get("pageToken", ["[0, true]"])[0])
            if is_empty and len(rows) > self._clamp:
                return Reply({"nextPageToken": json.dumps([place, False])} | beside)  # no rows, and more to come
            page, following = rows[place : place + self._clamp], place + self._clamp
            body = {name: [_masked(row, asked.text("fields"), name) for row in page]} if page else {}
            if following < len(rows):
                body["nextPageToken"] = json.dumps([following, True])
            return Reply(body | beside)

        self._vendor.on(path, self.guarded(answer))

    def guarded(self, answer: Callable[[Asked], Reply]) -> Callable[[Asked], Reply]:
        def guard(asked: Asked) -> Reply:
            token = asked.headers.get("authorization", "").removeprefix("Bearer ")
            is_good = token in {f"token-{number + 1}" for number in range(len(self.claims))} - self.over
            return answer(asked) if is_good else error(401, "authError")

        return guard

    def _token(self, asked: Asked) -> Reply:
        form = parse_qs(asked.body)
        assert form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
        try:
            told = jwt.decode(
                form["assertion"][0], _KEY.public_key(), algorithms=["RS256"], audience=f"{self._vendor.url}/token"
            )
        except jwt.InvalidTokenError:
            return Reply({"error": "invalid_grant"}, 400)
        self.claims.append(told)
        return Reply({"access_token": f"token-{len(self.claims)}", "expires_in": 3599, "token_type": "Bearer"})


def _masked(row: Any, fields: str, name: str) -> Any:
    """The row's own names that the mask of the list asks for."""
    if not isinstance(row, dict):
        return row
    inner = fields.partition(f"{name}(")[2]
    asked = {part.partition("/")[0].partition("(")[0] for part in inner.replace(")", ",").replace("(", ",").split(",")}
    return {key: value for key, value in row.items() if key in asked}
