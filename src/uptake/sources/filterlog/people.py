"""Who a line is about, as filters write it: an address, an account with or without its domain, or nobody."""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import unquote

import pyarrow as pa

from uptake.sources.umbrella import address_in

_ACCOUNT = re.compile(r"(?:[^\\\s]+\\)?([A-Za-z0-9._-]{1,64})")


@lru_cache(maxsize=1 << 18)  # a district has so many people, and each of them makes many lines
def who(text: str | None, domain: str | None) -> tuple[str | None, str | None]:
    r"""(address, account). `DOMAIN\name` and `name` are an account, and `name@domain` where the domain is known.

    A name with blanks is a person's own: it is neither, and forgotten.
    """
    if not text:
        return None, None
    text = unquote(text).strip()
    if address := address_in(text):
        return address, None
    account = _ACCOUNT.fullmatch(text)
    if account is None:
        return None, None
    return (f"{account[1]}@{domain}", None) if domain else (None, account[1])


def people(texts: pa.Array, domain: str | None) -> tuple[pa.Array, pa.Array]:
    """(addresses, accounts) of a column."""
    encoded = texts.dictionary_encode()
    found = [who(value, domain) for value in encoded.dictionary.to_pylist()]
    addresses = pa.array([address for address, _ in found], pa.string())
    accounts = pa.array([account for _, account in found], pa.string())
    return addresses.take(encoded.indices), accounts.take(encoded.indices)
