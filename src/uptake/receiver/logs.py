"""Logs at the door: NDJSON, or a JSON array where the vendor's feed is set so.

Cloudflare Logpush tries a new destination with a small file, gzipped `{"content":"tests"}`
(https://developers.cloudflare.com/logs/get-started/enable-destinations/http/; HTTP has no ownership challenge).
It sends the headers that the job names (`header_Authorization=...`). Zscaler Cloud NSS posts batches, as lines or as an
array, with the headers of the feed (https://help.zscaler.com/unified/adding-cloud-nss-feeds-web-logs).
"""

from __future__ import annotations

from typing import Any

import orjson

from uptake.receiver.answers import bad


def check_log(content: bytes) -> bool:
    """Whether the body holds records, by its first one; False for a vendor's trial. Raises Refused for anything else.

    The other lines are looked at by the pull, one by one.
    """
    text = content.strip()
    if not text:
        raise bad("empty", "the body is empty")
    first = _first_record(text)
    if not isinstance(first, dict):
        raise bad("not_ndjson", "each line of the body is a JSON object, or the body is a JSON array of objects")
    return not _is_trial(first)


def _first_record(text: bytes) -> Any:
    try:
        if text.startswith(b"["):
            records = orjson.loads(text)
            return records[0] if records else None
        return orjson.loads(text.partition(b"\n")[0])
    except orjson.JSONDecodeError as error:
        raise bad("not_ndjson", "the body is neither NDJSON nor a JSON array") from error


def _is_trial(record: dict[str, Any]) -> bool:
    return "content" in record and set(record) <= {"content", "filename"}
