"""The envelope of Caliper at the door.

Rules: Caliper 1.1 and 1.2, "Endpoint HTTP responses" (https://www.imsglobal.org/spec/caliper/v1p2): 200 with an empty
body for what is received, 400 for a malformed envelope, 401 without a good key, 415 for another media type, 422 for a
dataVersion that is not supported. Taken although the rules would let it be refused: an envelope without dataVersion or
sendTime and one without a content type, as sensors of 1.0 send them.
"""

from __future__ import annotations

from typing import Any

import orjson

from uptake.receiver.answers import Refused, bad

MEDIA_TYPES = frozenset({"application/json", "application/ld+json", ""})
_CONTEXT = "http://purl.imsglobal.org/ctx/caliper/"
_VERSIONS = ("v1", "v1p0", "v1p1", "v1p2")


def check_envelope(body: bytes) -> None:
    """Raises Refused for what is no envelope; its events are looked at by the pull, one by one."""
    try:
        envelope = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise bad("not_json", "the body is not JSON") from error
    if not isinstance(envelope, dict):
        raise bad("no_envelope", "an envelope is a JSON object with sensor, sendTime, dataVersion and data")
    if not isinstance(envelope.get("sensor"), str):
        raise bad("no_sensor", "the envelope has no sensor")
    data = envelope.get("data")
    if not isinstance(data, list) or not data:
        raise bad("no_data", "the envelope's data is not a list with at least one event")
    if not _is_supported(envelope.get("dataVersion")):
        raise Refused(422, "data_version", "this dataVersion is not supported: v1, v1p1 and v1p2 are")


def _is_supported(version: Any) -> bool:
    if version is None:
        return True
    if not isinstance(version, str) or not version.startswith(_CONTEXT):
        return False
    # Extensions of a version name themselves after it: .../caliper/v1p1/ToolUseProfile-extension
    return version.removeprefix(_CONTEXT).split("/")[0] in _VERSIONS
