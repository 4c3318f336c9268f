"""Cloudflare Gateway's logs, as Logpush sends them: the datasets gateway_http and gateway_dns.

Fields: https://developers.cloudflare.com/logs/reference/log-fields/account/gateway_http/ and .../gateway_dns/.
A job names the fields that it sends; times are RFC 3339, or seconds or nanoseconds since 1970
(https://developers.cloudflare.com/logs/reference/log-output-options/).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from uptake.contracts import TIMESTAMP, Field, Resource
from uptake.sources.pushed.base import names

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NANOSECONDS_FROM = 10**14  # as seconds this would be three million years ahead


def instant(value: Any) -> Any:
    """A count of seconds or nanoseconds as ISO 8601; text is left for the contract to read."""
    if isinstance(value, bool) or not isinstance(value, int):
        return value
    micros = value // 1000 if value >= _NANOSECONDS_FROM else value * 1_000_000
    return (_EPOCH + timedelta(microseconds=micros)).isoformat()


_WHO = (
    Field("Datetime", TIMESTAMP, convert=instant, required=True),
    Field("Email", identifier="email"),
    Field("DeviceID", identifier="device"),
)
_KEY = Field("event_key", required=True, doc="keyed hash of the whole record: RequestID may be empty")

RESOURCES: dict[str, Resource] = {
    "gateway_http": Resource(
        "gateway_http",
        (
            _KEY,
            *_WHO,
            Field("URL", url=True),
            Field("HTTPHost", url=True),
            Field("Action"),
            Field("CategoryNames", pa.list_(pa.string())),
        ),
        key=("event_key",),
        kind="event",
        event_time="Datetime",
        full_sync_every=None,
        ignored=names(
            """AccountID AppControlInfo ApplicationIDs ApplicationNames ApplicationStatuses BlockedFileHash
            BlockedFileName BlockedFileReason BlockedFileSize BlockedFileType CategoryIDs DestinationIP
            DestinationIPContinentCode DestinationIPCountryCode DestinationPort DeviceName
            DownloadMatchedDlpProfileEntries DownloadMatchedDlpProfiles DownloadedFileNames FileInfo ForensicCopyStatus
            HTTPMethod HTTPStatusCode HTTPVersion IsIsolated PolicyID PolicyName PrivateAppAUD ProxyEndpoint Quarantined
            RedirectTargetURI Referer RegistrationID RequestID SessionID SourceIP SourceIPContinentCode
            SourceIPCountryCode SourceInternalIP SourcePort UntrustedCertificateAction UploadMatchedDlpProfileEntries
            UploadMatchedDlpProfiles UploadedFileNames UserAgent UserID VirtualNetworkID VirtualNetworkName"""
        ),
        doc="One request through the gateway.",
    ),
    "gateway_dns": Resource(
        "gateway_dns",
        (
            _KEY,
            *_WHO,
            Field("QueryName", url=True),
            Field("ResolverDecision"),
            Field("QueryCategoryNames", pa.list_(pa.string())),
        ),
        key=("event_key",),
        kind="event",
        event_time="Datetime",
        full_sync_every=None,
        ignored=names(
            """AccountID ApplicationID ApplicationName AuthoritativeNameServerIPs CNAMECategoryIDs CNAMECategoryNames
            CNAMEs CNAMEsReversed ColoCode ColoID CustomResolveDurationMs CustomResolverAddress CustomResolverPolicyID
            CustomResolverPolicyName CustomResolverResponse DeviceName DoHSubdomain DoTSubdomain DstIP DstPort EDEErrors
            InitialCategoryIDs InitialCategoryNames IsResponseCached Location LocationID MatchedCategoryIDs
            MatchedCategoryNames MatchedIndicatorFeedIDs MatchedIndicatorFeedNames Policy PolicyID PolicyName Protocol
            QueryApplicationIDs QueryApplicationNames QueryCategoryIDs QueryID QueryIndicatorFeedIDs
            QueryIndicatorFeedNames QueryNameReversed QuerySize QueryType QueryTypeName RCode RData RegistrationID
            RequestContextCategoryIDs RequestContextCategoryNames ResolvedIPCategoryIDs ResolvedIPCategoryNames
            ResolvedIPContinentCodes ResolvedIPCountryCodes ResolvedIPs ResourceRecords ResourceRecordsJSON SrcIP
            SrcIPContinentCode SrcIPCountryCode SrcPort TimeZone TimeZoneInferredMethod UserID"""
        ),
        doc="One name lookup.",
    ),
}
