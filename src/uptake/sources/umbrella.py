"""Cisco Umbrella Reporting v2: what the web filter saw.

Protocol: https://developer.cisco.com/docs/cloud-security/umbrella-api-reference-reporting-overview
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

import pyarrow as pa
from pydantic import Field as Key
from pydantic import HttpUrl

from uptake.config import SourceSettings
from uptake.contracts import TIMESTAMP, Field, Resource

RESOURCES: dict[str, Resource] = {
    "activity": Resource(
        "activity",
        (
            Field("timestamp", TIMESTAMP, required=True, epoch="ms"),
            Field("user_label", identifier="email", doc="address of the person, where the filter knew one"),
            Field("device_label", identifier="device"),
            Field("network_label"),
            Field("identity_type", doc="user, device or network: the closest that is known; null where none is"),
            Field("verdict"),
            Field("domain"),
            Field("url", url=True),
            Field("type", doc="dns or proxy"),
            Field("categories", pa.list_(pa.string()), path="categories[].label"),
            Field("event_key", doc="keyed hash of the vendor's row, which has no id of its own"),
        ),
        key=("event_key",),
        kind="event",
        event_time="timestamp",
        cursor=True,
        lookback=timedelta(hours=2),
        full_sync_every=None,
        doc="One request of a person, device or network.",
    )
}


class UmbrellaSettings(SourceSettings):
    """url: the API's host. page_size: rows asked for at once. history_days: how far back the first pull reads."""

    kind: Literal["umbrella"] = "umbrella"
    url: HttpUrl = HttpUrl("https://api.umbrella.com")
    page_size: Annotated[int, Key(ge=1, le=5000)] = 1000
    history_days: Annotated[int, Key(ge=1, le=400)] = 30


class Umbrella:
    settings_model = UmbrellaSettings
