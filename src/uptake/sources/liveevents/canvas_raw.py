"""Events in Canvas' own form (`{"metadata": {...}, "body": {...}}`) as Caliper events say the same.

Forms and names: https://developerdocs.instructure.com/services/canvas/data-services/live-events/event-format/canvas, a
page for each kind of event, and .../live-events/overview/file.data_service_canvas_event_metadata. What an event is
called in Caliper is Canvas' own mapping, .../live-events/event-format/caliper-ims-1.1. Most kinds tell of records (a
course, an enrolment, a grade) and not of use: they are left out, and so is what no person did, or one in another's
place.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json

from uptake.sources.pushed.base import term
from uptake.sources.pushed.caliper import local_id


class Use(NamedTuple):
    """What Caliper calls an event, and what was acted on; None where the event itself says."""

    type: str
    action: str
    object_type: str | None


USES: Mapping[str, Use] = {
    "asset_accessed": Use("NavigationEvent", "NavigatedTo", None),
    "attachment_created": Use("Event", "Created", "Document"),
    "conversation_message_created": Use("MessageEvent", "Posted", "Message"),
    "discussion_entry_created": Use("MessageEvent", "Posted", "Message"),
    "discussion_topic_created": Use("ThreadEvent", "Created", "Thread"),
    "logged_in": Use("SessionEvent", "LoggedIn", "SoftwareApplication"),
    "logged_out": Use("SessionEvent", "LoggedOut", "SoftwareApplication"),
    "quiz_submitted": Use("AssessmentEvent", "Submitted", "Attempt"),
    "submission_created": Use("Event", "Submitted", "Attempt"),
    "submission_updated": Use("Event", "Modified", "Attempt"),
    "wiki_page_created": Use("Event", "Created", "Page"),
    "wiki_page_updated": Use("Event", "Modified", "Page"),
}
# Columns of the contract that an event fills, each as text.
COLUMNS = (
    "eventTime",
    "type",
    "action",
    "actor_id",
    "actor_sis_id",
    "actor_email",
    "actor_canvas_id",
    "actor_type",
    "ed_app",
    "object_type",
)
_READ = (
    "event_name",
    "event_time",
    "user_id",
    "real_user_id",
    "user_sis_id",
    "user_login",
    "root_account_id",
    "hostname",
)


_SHAPE = pa.schema(
    [
        ("metadata", pa.struct([(name, pa.string()) for name in _READ])),
        ("body", pa.struct([("asset_type", pa.string())])),
    ]
)


def is_raw(item: Mapping[str, Any]) -> bool:
    return isinstance(item.get("metadata"), dict) and "event_name" in item["metadata"]


def record(item: Mapping[str, Any]) -> dict[str, str | None] | None:
    """The event's columns; None where it is no person's use."""
    told = {name: _text(item["metadata"].get(name)) for name in _READ}
    use, user = USES.get(told["event_name"] or ""), told["user_id"]
    if use is None or user is None or told["real_user_id"] not in (None, user):
        return None
    body = item.get("body")
    login = told["user_login"]
    return {
        "eventTime": told["event_time"],
        "type": use.type,
        "action": use.action,
        "actor_id": f"urn:instructure:canvas:user:{user}",
        "actor_sis_id": told["user_sis_id"],
        "actor_email": login if login and "@" in login else None,
        "actor_canvas_id": local_id(user, told["root_account_id"]),
        "actor_type": "Person",
        "ed_app": f"https://{told['hostname']}/" if told["hostname"] else None,
        "object_type": use.object_type or term(body.get("asset_type") if isinstance(body, dict) else None),
    }


def columns(lines: pa.Array) -> tuple[dict[str, pa.Array], pa.Array] | None:
    """The same of many lines that are an event each, read in C: columns, and which lines they are of. None where any of
    the lines needs a closer look."""
    bare = pc.utf8_trim_whitespace(lines)
    # Arrow's reader takes nothing but objects, and dies of a lone null (26.0).
    if not pc.all(pc.and_(pc.starts_with(bare, "{"), pc.ends_with(bare, "}"))).as_py():
        return None
    text = b"\n".join(bare.cast(pa.binary()).to_pylist())
    try:
        table = pa.json.read_json(
            pa.BufferReader(text),
            read_options=pa.json.ReadOptions(use_threads=False, block_size=len(text) + 1),
            parse_options=pa.json.ParseOptions(explicit_schema=_SHAPE, unexpected_field_behavior="ignore"),
        )
    except pa.ArrowInvalid:
        return None
    if table.num_rows != len(lines):
        return None
    metadata, body = (table.column(name).combine_chunks() for name in ("metadata", "body"))
    told = {name: pc.struct_field(metadata, name) for name in _READ}
    if metadata.null_count or told["event_name"].null_count:
        return None
    for name, column in told.items():
        blank = pc.equal(pc.utf8_trim_whitespace(column), "")
        told[name] = pc.if_else(pc.fill_null(blank, False), None, column)
    is_self = pc.or_(
        pc.is_null(told["real_user_id"]), pc.fill_null(pc.equal(told["real_user_id"], told["user_id"]), False)
    )
    is_use = pc.is_in(told["event_name"], pa.array(list(USES)))
    kept = pc.indices_nonzero(pc.and_(pc.and_(is_use, pc.is_valid(told["user_id"])), is_self))
    told = {name: column.take(kept) for name, column in told.items()}
    people = zip(told["user_id"].to_pylist(), told["root_account_id"].to_pylist(), strict=True)
    kinds = pc.index_in(told["event_name"], pa.array(list(USES)))
    types, actions, objects = (pa.array(each, pa.string()).take(kinds) for each in zip(*USES.values(), strict=True))
    count = len(kept)
    return {
        "eventTime": told["event_time"],
        "type": types,
        "action": actions,
        "actor_id": pc.binary_join_element_wise("urn:instructure:canvas:user:", told["user_id"], ""),
        "actor_sis_id": told["user_sis_id"],
        "actor_email": pc.if_else(pc.match_substring(told["user_login"], "@"), told["user_login"], None),
        "actor_canvas_id": pa.array([local_id(*each) for each in people], pa.string()),
        "actor_type": pa.array(["Person"] * count, pa.string()),
        "ed_app": pc.binary_join_element_wise("https://", told["hostname"], "/", ""),
        "object_type": pc.coalesce(objects, _asset_types(body.take(kept))),
    }, kept


def _asset_types(body: pa.StructArray) -> pa.Array:
    encoded = pc.struct_field(body, "asset_type").dictionary_encode()
    return pa.array([term(value) for value in encoded.dictionary.to_pylist()], pa.string()).take(encoded.indices)


def _text(value: Any) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return value if isinstance(value, str) and value.strip() else None
