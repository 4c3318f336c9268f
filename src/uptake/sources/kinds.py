"""What there is to know of each kind of source before one is set up: its settings, its status, an entry to begin with.

All of it is read off the code: settings from the pydantic model, their meaning from the model's docstring, whose
sentences are `key: what it means.` or `key, key: …`.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import yaml
from pydantic import BaseModel, HttpUrl, ValidationError

from uptake.config import SourceSettings
from uptake.sources.dropfolder.mapping import shipped_resources
from uptake.sources.places import FolderSettings
from uptake.sources.pushed import PushedSource
from uptake.sources.registry import KINDS

Status = Literal["documented API", "file", "template", "pushed"]
STATUSES: Mapping[Status, str] = {
    "documented API": "asked over HTTP, by the vendor's public documentation",
    "file": "files of a layout that is known",
    "template": "files or tables of any layout, which a mapping describes",
    "pushed": "the vendor sends, the receiver takes",
}
_TYPES: Mapping[Any, str] = {
    str: "text",
    int: "number",
    float: "number",
    bool: "true | false",
    Path: "path",
    HttpUrl: "address",
}
# What an entry holds that cannot be told from the type of a setting; of a kind by its name first.
_EXAMPLES: Mapping[str, str] = {
    "url": "https://vendor.lakeside.example",
    "folder": "drop/{name}",
    "canvas_data_2.host": "lakeside.instructure.example",
    "mappings": "registers/contracts",
    "database.url": "postgresql+psycopg2://finance.lakeside.example/erp",
    "database.connection": "lakeside_finance",
    "database.mappings": "finance.yaml",
}


@dataclass(frozen=True, slots=True)
class Setting:
    """default: as YAML would show it; None where the setting must be given."""

    name: str
    type: str
    is_required: bool
    default: str | None
    meaning: str


@dataclass(frozen=True, slots=True)
class Kind:
    """status: how its rows come. resources: what it can land, where that does not depend on its settings."""

    name: str
    status: Status
    summary: str
    needs_credential: bool
    resources: tuple[str, ...]
    settings: tuple[Setting, ...]
    example: str


def describe(name: str) -> Kind:
    """Raises KeyError for a kind that does not exist."""
    source = KINDS[name]
    model = source.settings_model
    status = _status(source, model)
    return Kind(
        name=name,
        status=status,
        summary=_first_sentence(source),
        needs_credential=source.needs_credential,
        resources=tuple(getattr(source, "declared", ())),
        settings=_settings(model, needs_connection=source.needs_credential),
        example=yaml.safe_dump([example_entry(name)], sort_keys=False).strip(),
    )


def all_kinds() -> list[Kind]:
    return [describe(name) for name in KINDS]


def example_entry(name: str) -> dict[str, Any]:
    """The shortest entry of `sources:` that is accepted; a `.yaml` that it names is for the reader to write."""
    source = KINDS[name]
    entry: dict[str, Any] = {"name": f"my_{name}", "kind": name}
    if source.needs_credential:
        entry["connection"] = f"lakeside_{name}"
    for key, field in source.settings_model.model_fields.items():
        own = _EXAMPLES.get(f"{name}.{key}")
        if own is not None:
            entry[key] = own
        elif key in _EXAMPLES and (field.is_required() or key == "url"):
            entry[key] = _EXAMPLES[key].format(name=name)
        elif field.is_required() and key not in entry:
            if get_origin(field.annotation) is not Literal:
                raise LookupError(f"no example is known of the setting {key!r} of {name!r}: add one to _EXAMPLES")
            entry[key] = next(
                choice for choice in get_args(field.annotation) if _is_enough(name, entry | {key: choice})
            )
    return entry


def _is_enough(name: str, entry: dict[str, Any]) -> bool:
    """Whether no choice made so far asks for yet another setting."""
    try:
        KINDS[name].settings_model.model_validate(entry)
    except ValidationError as error:
        return all(problem["type"] == "missing" for problem in error.errors())
    return True


def _status(source: Any, model: type[SourceSettings]) -> Status:
    if issubclass(source, PushedSource):
        return "pushed"
    if "mappings" in model.model_fields:
        return "template"
    return "file" if issubclass(model, FolderSettings) else "documented API"


def shipped_mappings() -> list[tuple[str, str]]:
    """(name, what it is) of each mapping that a drop folder may name."""
    return [(f"{space}/{name}", resource.doc) for (space, name), resource in sorted(shipped_resources().items())]


def _first_sentence(source: type) -> str:
    text = " ".join((inspect.getdoc(source) or inspect.getdoc(inspect.getmodule(source)) or "").split())
    return re.split(r"(?<=\.)\s", text, maxsplit=1)[0]


def _settings(model: type[BaseModel], *, needs_connection: bool) -> tuple[Setting, ...]:
    """Those that must be given first."""
    meanings = _meanings(model)
    found = []
    for name, field in model.model_fields.items():
        is_required = field.is_required() or name == "kind" or (name == "connection" and needs_connection)
        default = None if is_required else _shown(field.get_default(call_default_factory=True))
        found.append(Setting(name, _type_name(field.annotation), is_required, default, meanings.get(name, "")))
    return tuple(sorted(found, key=lambda setting: (not setting.is_required, setting.name not in ("name", "kind"))))


def _meanings(model: type[BaseModel]) -> dict[str, str]:
    """Setting -> what the docstring that is nearest to the model says of it."""
    meanings: dict[str, str] = {}
    names = "|".join(map(re.escape, model.model_fields))
    key = re.compile(rf"(?:^|(?<=[.)] ))((?:{names})(?:, (?:{names}))*): ")
    for each in reversed(model.__mro__):
        text = " ".join((each.__dict__.get("__doc__") or "").split())
        parts = key.split(text)
        for keys, meaning in zip(parts[1::2], parts[2::2], strict=True):
            meanings |= dict.fromkeys(keys.split(", "), meaning.strip())
    return meanings


def _type_name(kind: Any) -> str:
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _type_name(parts[0])
    if origin is Literal:
        return " | ".join(map(str, parts))
    if origin is tuple:
        return f"list of {_type_name(parts[0])}"
    if parts:
        return " | ".join(dict.fromkeys(_type_name(part) for part in parts if part is not type(None)))
    return _TYPES.get(kind, kind.__name__)


def _shown(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return "[" + ", ".join(map(str, value)) + "]"
    return str(value)
