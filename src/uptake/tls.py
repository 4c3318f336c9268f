"""Whom our HTTPS clients trust."""

from __future__ import annotations

import ssl
from functools import cache

import httpx


@cache
def trusted_authorities() -> ssl.SSLContext:
    """One for all of this process: to read some hundred certificates takes longer than most requests."""
    return httpx.create_ssl_context()
