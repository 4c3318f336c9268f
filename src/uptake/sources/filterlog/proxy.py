"""Requests as the logs of proxies and firewalls have them: one shape for those that have no shape of their own here."""

from __future__ import annotations

import pyarrow as pa

from uptake.contracts import TIMESTAMP, Field, Resource

WEB_REQUEST = Resource(
    "web_request",
    (
        Field("event_key", required=True, doc="keyed hash of the whole line"),
        Field("time", TIMESTAMP, required=True),
        Field("user", identifier="email", doc="null where the log knew no person, or an account without its domain"),
        Field("account", identifier="username", doc="an account whose domain is not known"),
        Field("url", url=True),
        Field("host", url=True, doc="of a tunnel (CONNECT), which shows no address"),
        Field("action", doc="as the log words it: TCP_DENIED/403, block-url, ..."),
        Field("categories", pa.list_(pa.string())),
    ),
    key=("event_key",),
    kind="event",
    event_time="time",
    full_sync_every=None,
    doc="One request that a proxy or firewall logged. How long a tunnel was open is not landed: it is no attention.",
)
RESOURCES: dict[str, Resource] = {WEB_REQUEST.name: WEB_REQUEST}
