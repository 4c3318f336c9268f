"""Zscaler Internet Access web logs, as a Cloud NSS feed of type JSON sends them.

Fields: https://help.zscaler.com/unified/nss-feed-output-format-web-logs. A feed's template is the district's own, so
each value is looked for under the names that the common templates give it: Zscaler's default for Splunk
(`{"sourcetype": "zscalernss-web", "event": {"datetime", "user", "url", "urlcategory", ...}}`) and Elastic's
(`time`, `login`, `eurl`, `urlcat`). Numbers come as text; times are the feed's zone's and do not say which it is;
characters that would break the JSON are written as %HH.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from uptake.contracts import TIMESTAMP, Field, Resource
from uptake.sources.pushed.base import names

_TIME_FORMATS = ("%Y-%m-%d %H:%M:%S", "%a %b %d %H:%M:%S %Y")
_NOTHING = frozenset({"", "None", "NA", "N/A", "-"})
# Of each column: the names that templates give it, the most exact first.
NAMES: dict[str, tuple[str, ...]] = {
    "time": ("epochtime", "time", "datetime"),
    "login": ("login", "user", "elogin"),
    "url": ("url", "eurl"),
    "host": ("host", "ehost", "hostname"),
    "action": ("action",),
    "urlcat": ("urlcat", "urlcategory"),
    "urlsupercat": ("urlsupercat", "urlsupercategory"),
    "device": ("devicehostname", "edevicehostname"),
}

RESOURCES: dict[str, Resource] = {
    "zscaler_web": Resource(
        "zscaler_web",
        (
            Field("event_key", required=True, doc="keyed hash of the whole record"),
            Field("time", TIMESTAMP, required=True),
            Field("login", identifier="email", doc="null where the proxy knew a place and not a person"),
            Field("device", identifier="device"),
            Field("url", url=True),
            Field("host", url=True),
            Field("action"),
            Field("urlcat"),
            Field("urlsupercat"),
        ),
        key=("event_key",),
        kind="event",
        event_time="time",
        full_sync_every=None,
        ignored=names(
            """reason event_id recordid protocol proto transactionsize totalsize responsesize respsize requestsize
            reqsize serverip sip requestmethod reqmethod refererURL ereferer referer useragent ua eua product
            location elocation ClientIP cip cintip clientpublicIP status respcode vendor threatcategory malwarecat
            malwareclass threatname threatseverity filetype filename fileclass filesubtype appname appclass
            app_status pagerisk riskscore department dept edepartment dlpengine dlpdictionaries dlpdict dlpeng
            dlpidentifier dlpmd5 dlprulename urlclass threatclass bwthrottle bwclassname bwrulename contenttype
            unscannabletype deviceowner edeviceowner keyprotectiontype cloudname company ologin tz stime ctime
            clienttranstime servertranstime reqhdrsize reqdatasize resphdrsize respdatasize ruletype rulelabel
            urlfilterrulelabel apprulelabel fwd_type fwd_gw_name ssldecrypted module bamd5 sha256 productversion
            nsssvcip eedone nssversion deviceappversion devicemodel devicename deviceos devicetype recordtype
            sourcetype kind"""
        ),
        doc="One request through the proxy.",
    )
}


def record(raw: dict[str, Any], zone: ZoneInfo) -> dict[str, Any]:
    """A log record under the names of the columns; names that no column reads stay as they are."""
    inner = raw.get("event")
    event = inner if isinstance(inner, dict) else raw
    row = {name: value for name, value in event.items() if name not in _ALL_NAMES}
    for column, candidates in NAMES.items():
        value = next((event[name] for name in candidates if event.get(name) not in (None, *_NOTHING)), None)
        row[column] = unquote(value) if isinstance(value, str) and "%" in value else value
    row["time"] = instant(row["time"], zone)
    # Where nobody has logged in, the proxy writes the name of the place.
    row["login"] = row["login"] if isinstance(row["login"], str) and "@" in row["login"] else None
    return row


@lru_cache(maxsize=100_000)
def instant(value: Any, zone: ZoneInfo) -> Any:
    """Seconds since 1970, or a time of the feed's zone, as ISO 8601; anything else is left for the contract."""
    text = str(value)
    if text.isdigit():
        return datetime.fromtimestamp(int(text), UTC).isoformat()
    for form in _TIME_FORMATS:
        try:
            return datetime.strptime(text, form).replace(tzinfo=zone).isoformat()
        except ValueError:
            continue
    return value


_ALL_NAMES = frozenset(name for candidates in NAMES.values() for name in candidates)
