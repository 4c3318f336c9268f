"""xAPI at the door: `statements` and `about`, for versions 1.0.3 and 2.0.

Rules: https://github.com/adlnet/xAPI-Spec/blob/master/xAPI-Communication.md (below: C) and xAPI-Data.md (D); IEEE
9274.1.1 for 2.0. What stores statements and nothing else "is not considered to be an LRS" (C 2.0): statements are given
back to nobody here, and the resources for state, activities and agents are not served.

One rule is kept in another way, on purpose: an LRS refuses a batch of which one statement is not valid (D 2.2). A
statement without actor, verb or object that comes in a batch goes to quarantine here, and the others land.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from email.errors import MessageError
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any

import orjson

from uptake.receiver.answers import Refused, bad
from uptake.sources.pushed.base import uuid_in
from uptake.sources.pushed.xapi import voids

VERSION_HEADER = "X-Experience-API-Version"
VERSIONS = ("1.0.0", "1.0.1", "1.0.2", "1.0.3", "2.0.0")
_REMEMBERED = 200_000
# Of these the store, not the sender, has the last word: they do not make two statements differ (D 2.3.1.1).
_STORES_OWN = frozenset({"id", "stored", "authority", "version"})


def answered_version(asked: str | None) -> str:
    """The version header of an answer: the newest patch of what was asked for (C 3.3)."""
    return "1.0.3" if asked is not None and re.fullmatch(r"1\.0(\.\d+)?", asked.strip()) else "2.0.0"


def insist_on_version(asked: str | None) -> None:
    """C 3.3: a request without the header, or for a version that is not served, is refused. Raises Refused."""
    if asked is None:
        raise bad("no_version", f"the header {VERSION_HEADER} is missing")
    if not re.fullmatch(r"(1\.0|2\.0)(\.\d+)?", asked.strip()):
        raise bad("version", f"{VERSION_HEADER} may be 1.0.x or 2.0.x")


def statements_in(content: bytes, content_type: str) -> tuple[list[dict[str, Any]], bool]:
    """(statements, whether they came as one object). Raises Refused for a body that is neither one nor a list.

    Of multipart/mixed the first part is read; attachments are nobody's use and are forgotten (C 1.5.2).
    """
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type == "multipart/mixed":
        content = _first_part(content, content_type)
    elif media_type != "application/json":
        raise bad("media_type", "send application/json, or multipart/mixed with attachments")
    try:
        body = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise bad("not_json", "the body is not JSON") from error
    is_single = isinstance(body, dict)
    statements = [body] if is_single else body
    if not isinstance(statements, list) or not all(isinstance(each, dict) for each in statements):
        raise bad("no_statement", "the body is neither a statement nor a list of statements")
    if is_single and not all(isinstance(body.get(name), dict) for name in ("actor", "verb", "object")):
        raise bad("no_statement", "a statement has an actor, a verb and an object")
    return statements, is_single


def give_ids(statements: list[dict[str, Any]], made_key: bytes, *, statement_id: str | None = None) -> list[str]:
    """Ids of the statements, in order; those without one get it, in place.

    A statement that says when it happened gets an id made from its content (keyed), so that one which is sent again
    because no answer came is the same statement; any other gets a random one.
    Raises Refused for an id that is no UUID, one that is not `statement_id`, and one that comes twice (C 2.1.2).
    """
    ids = []
    for statement in statements:
        given = statement.get("id", statement_id)
        if given is None:
            given = _made_id(statement, made_key) if statement.get("timestamp") else str(uuid.uuid4())
        if uuid_in(given) is None:
            raise bad("id", "a statement's id is a UUID")
        if statement_id is not None and uuid_in(given) != uuid_in(statement_id):
            raise bad("id", "the statement's id is not the one in statementId")
        statement["id"] = given
        ids.append(given)
    named = [uuid_in(each) for each in ids]
    if len(set(named)) < len(named) and len(_distinct(statements)) > len(set(named)):
        raise bad("id_twice", "two statements of the batch have the same id")
    return ids


def parted(statements: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Statements by the resource that they wait for: those that void another one wait apart."""
    found: dict[str, list[dict[str, Any]]] = {}
    for statement in statements:
        found.setdefault("voided" if voids(statement) else "statement", []).append(statement)
    return found


@dataclass(slots=True)
class KnownIds:
    """Ids of statements kept of late, by source, and a hash of what they said: for 409 where it can be known."""

    _seen: OrderedDict[str, bytes]

    @classmethod
    def empty(cls) -> KnownIds:
        return cls(OrderedDict())

    def unkept(self, place: tuple[str, str], statements: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Statements that are not kept yet. Raises Refused (409) where another one is kept under the same id."""
        new = []
        for statement in statements:
            known = self._seen.get(_name(place, statement))
            if known is None:
                new.append(statement)
            elif known != _digest(statement):
                raise Refused(409, "conflict", "another statement has this id")
        return new

    def remember(self, place: tuple[str, str], statements: list[dict[str, Any]]) -> None:
        for statement in statements:
            self._seen[_name(place, statement)] = _digest(statement)
        while len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)


def _name(place: tuple[str, str], statement: Mapping[str, Any]) -> str:
    # One text, not a tuple: the garbage collector would walk through two hundred thousand of them.
    return "/".join((*place, uuid_in(statement["id"]) or ""))


def _first_part(content: bytes, content_type: str) -> bytes:
    try:
        message = BytesParser(policy=HTTP).parsebytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + content)
        part = next(message.iter_parts(), None)
    except (MessageError, ValueError, TypeError) as error:
        raise bad("multipart", "the multipart body cannot be read") from error
    if part is None or part.get_content_type() != "application/json":
        raise bad("multipart", "the first part of a multipart body holds the statements, as application/json")
    decoded = part.get_payload(decode=True)
    return decoded if isinstance(decoded, bytes) else b""


def _made_id(statement: Mapping[str, Any], key: bytes) -> str:
    digest = hashlib.blake2b(_canonical(statement), digest_size=16, key=key).digest()
    return str(uuid.UUID(bytes=digest, version=5))


def _digest(statement: Mapping[str, Any]) -> bytes:
    return hashlib.blake2b(_canonical(statement), digest_size=16).digest()


def _canonical(statement: Mapping[str, Any]) -> bytes:
    kept = {name: value for name, value in statement.items() if name not in _STORES_OWN}
    return orjson.dumps(kept, option=orjson.OPT_SORT_KEYS)


def _distinct(statements: list[dict[str, Any]]) -> set[tuple[str | None, bytes]]:
    return {(uuid_in(statement["id"]), _digest(statement)) for statement in statements}
