"""Files of Canvas Live Events as they lie in a bucket, in a dump of a queue or in a folder.

Canvas sends to a queue (SQS) or to an address, in Caliper's form or in its own:
https://developerdocs.instructure.com/services/canvas/data-services/live-events/overview/file.data_service_setup. What
writes them to files decides how they lie there: a line each; several on one line with nothing between, as Amazon's
Firehose writes them; a JSON document of messages, each with the event as text inside (`Messages` of the queue's own
client, `Records` of what is called by the queue, notifications of SNS, `detail` of EventBridge). Each event is known by
its own form.

They land beside the Caliper events that are pushed. An event that came in both forms would count twice: let Canvas
send one of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Literal

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from uptake.config import SourceSettings
from uptake.contracts import Batch
from uptake.parsing import parse_records, parse_table
from uptake.sources.dropfolder.content import FileRefused, Text
from uptake.sources.filterlog.columns import event_keys
from uptake.sources.filterlog.files import LogFiles, LogFileSettings
from uptake.sources.filterlog.formats import LogFormat
from uptake.sources.liveevents import canvas_raw
from uptake.sources.pushed.caliper import RESOURCES, entity_type, event_row, is_event

# A document that is spread over lines is read whole.
_LARGEST_DOCUMENT = 64 << 20
_DEEPEST = 6
_LISTS = ("Messages", "messages", "Records", "records", "data")
_TEXTS = ("Body", "body", "Message")
_DECODER = json.JSONDecoder()


class LiveEventsSettings(LogFileSettings):
    """files: names that count; without it, all in the folder and below it."""

    kind: Literal["live_events"]

    def make_format(self) -> LogFormat:
        return CanvasEvents()

    @property
    def namespace(self) -> str:
        return "caliper"


class LiveEvents(LogFiles):
    """One folder of one Canvas account's events."""

    kind: ClassVar[str] = "live_events"
    settings_model: ClassVar[type[SourceSettings]] = LiveEventsSettings

    def _lines(self, text: Text) -> Iterator[pa.Array]:
        """Where the first line is no JSON by itself, the text is taken for documents that are spread over lines."""
        documents = _documents(text)
        if documents is None:
            yield from super()._lines(text)
        else:
            yield pa.array(documents, pa.string())


class CanvasEvents(LogFormat):
    """Lines of JSON; a line may hold several events, each of which counts for itself."""

    namespace = "caliper"
    resource = RESOURCES["event"]
    skipped_note = "They tell of records, or of what no person did, or of one in another's place: nobody's use."

    def look(self, first: Sequence[str]) -> None:
        if first and not any(line.lstrip().startswith(("{", "[")) for line in first):
            raise FileRefused("unreadable", "no line is JSON")

    def parse(self, lines: pa.Array, key: bytes) -> tuple[Batch, int]:
        if (found := canvas_raw.columns(lines)) is not None:
            columns, kept = found
            texts = pc.utf8_trim_whitespace(lines.take(kept))
            table = pa.table(columns | {"event_key": event_keys(texts, key)})
            batch = parse_table(self.resource, table, raw=lambda row: texts[row].as_py())
            return batch, len(lines) - batch.pulled
        return self._parse_each(lines.to_pylist(), key)

    def _parse_each(self, lines: Sequence[str], key: bytes) -> tuple[Batch, int]:
        caliper: list[Any] = []
        raw: list[dict[str, Any]] = []
        texts: list[str] = []
        left_out = 0
        for line in lines:
            for item, text in _items(line):
                if not isinstance(item, dict):
                    caliper.append(text)
                elif canvas_raw.is_raw(item):
                    if (record := canvas_raw.record(item)) is None:
                        left_out += 1
                    else:
                        raw.append(record)
                        texts.append(text)
                elif is_event(item):
                    own = {name: value for name, value in item.items() if name != "event_key"}
                    caliper.append(event_row(own, key))
                elif entity_type(item) is not None:
                    left_out += 1
                else:
                    caliper.append(text)
        batch = parse_records(self.resource, caliper)
        if raw:
            _add(batch, self._raw_batch(raw, texts, key))
        return batch, left_out

    def _raw_batch(self, records: Sequence[dict[str, Any]], texts: Sequence[str], key: bytes) -> Batch:
        columns = {name: pa.array([each[name] for each in records], pa.string()) for name in canvas_raw.COLUMNS}
        table = pa.table(columns | {"event_key": event_keys(pa.array(texts, pa.string()), key)})
        return parse_table(self.resource, table, raw=lambda row: texts[row])


def _add(batch: Batch, other: Batch) -> None:
    """Put another batch behind one. The other has no column that the contract does not know."""
    filling = [None] * other.table.num_rows
    batch.unknown = {name: [*values, *filling] for name, values in batch.unknown.items()}
    batch.table = pa.concat_tables([batch.table, other.table])
    batch.rejects += other.rejects


def _items(text: str, depth: int = 0) -> Iterator[tuple[Any, str]]:
    """Events of a text, each with its own text; what is none comes as it stands."""
    values = _values(text)
    if values is None:
        yield None, text
        return
    for value, own in values:
        yield from _inside(value, own, depth)


def _inside(value: Any, text: str | None, depth: int) -> Iterator[tuple[Any, str]]:
    """Events in a value, however they are wrapped. text: of the value, where it is known."""
    if depth < _DEEPEST:
        listed = value if isinstance(value, list) else _list_of(value)
        if listed is not None:
            for each in listed:
                yield from _inside(each, None, depth + 1)
            return
        if isinstance(value, dict) and _is_wrapping(value):
            wrapped = next((value[name] for name in _TEXTS if isinstance(value.get(name), str)), None)
            if wrapped is not None:
                yield from _items(wrapped, depth + 1)
                return
            if isinstance(value.get("detail"), dict):
                yield from _inside(value["detail"], None, depth + 1)
                return
    yield value, text if text is not None else orjson.dumps(value).decode()


def _list_of(value: Any) -> list[Any] | None:
    if not isinstance(value, dict) or not _is_wrapping(value):
        return None
    return next((value[name] for name in _LISTS if isinstance(value.get(name), list)), None)


def _is_wrapping(value: dict[str, Any]) -> bool:
    """A Caliper message is an entity, and its `body` is what somebody wrote."""
    return not canvas_raw.is_raw(value) and not is_event(value) and entity_type(value) is None


def _values(text: str) -> list[tuple[Any, str]] | None:
    """The JSON values of a text, each with its own part of it, one after the other, with blanks between or not; None
    where it holds anything else."""
    try:
        return [(orjson.loads(text), text.strip())]
    except orjson.JSONDecodeError:
        pass
    values: list[tuple[Any, str]] = []
    place = 0
    try:
        while place < len(text):
            if text[place].isspace():
                place += 1
                continue
            _, end = _DECODER.raw_decode(text, place)
            values.append((orjson.loads(text[place:end]), text[place:end]))  # stricter: no NaN, no half characters
            place = end
    except (ValueError, RecursionError):
        return None
    return values or None


def _documents(text: Text) -> list[str] | None:
    """The documents of a text whose first line is none by itself; None where it is to be read line by line."""
    first = text.sample().lstrip().split("\n", 1)[0]
    if text.size > _LARGEST_DOCUMENT or _values(first) is not None or not first.startswith(("{", "[")):
        return None
    values = _values(text.utf8().read().decode("utf-8", "replace"))
    return [orjson.dumps(value).decode() for value, _ in values] if values is not None else None
