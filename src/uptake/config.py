"""uptake.yaml -> typed settings. A wrong key is one line that names the key and the line it stands on.

Nothing secret is read from the file: a source names a `connection`, which `uptake.credentials` resolves.
`${NAME}` and `${NAME:-default}` in any value are taken from the environment, so that a path need not be written down.
"""

from __future__ import annotations

import os
import re
from datetime import date, time, timedelta
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from zoneinfo import ZoneInfo, available_timezones

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from uptake.errors import ConfigError

Identifier = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]


class Settings(BaseModel):
    """Base of every settings model: immutable, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SourceSettings(Settings):
    """What every source entry has. Each kind adds its own keys (see `uptake.sources.registry`)."""

    name: Identifier
    kind: str
    connection: str | None = None
    pull_every_minutes: Annotated[int, Field(ge=1)] = 60


class Span(Settings):
    name: str
    starts_on: date
    ends_on: date

    @model_validator(mode="after")
    def _in_order(self) -> Span:
        if self.ends_on < self.starts_on:
            raise ValueError("ends_on is before starts_on")
        return self


class SchoolHours(Settings):
    start: time = time(8, 0)
    end: time = time(15, 30)


class Calendar(Settings):
    """Instructional days are the weekdays of a school year that are not listed as off."""

    school_years: Annotated[tuple[Span, ...], Field(min_length=1)]
    terms: tuple[Span, ...] = ()
    days_off: tuple[Span | date, ...] = ()
    school_hours: SchoolHours = SchoolHours()

    @cached_property
    def off(self) -> frozenset[date]:
        days: set[date] = set()
        for entry in self.days_off:
            if isinstance(entry, date):
                days.add(entry)
            else:
                days.update(_days(entry))
        return frozenset(days)

    def days(self) -> list[tuple[date, str, bool]]:
        """(date, school year, is instructional) for each day of each school year, in order."""
        return [
            (day, year.name, day.weekday() < 5 and day not in self.off)
            for year in self.school_years
            for day in _days(year)
        ]


def _days(span: Span) -> list[date]:
    return [span.starts_on + timedelta(days=i) for i in range((span.ends_on - span.starts_on).days + 1)]


class Privacy(Settings):
    """minimum_n: smallest group of people that a leaders' page may show. See docs/privacy.md."""

    minimum_n: Annotated[int, Field(ge=3, le=100)] = 10
    count_out_of_school: bool = False


class Thresholds(Settings):
    consistent_weeks: Annotated[int, Field(ge=1)] = 3
    consistent_window_weeks: Annotated[int, Field(ge=1)] = 4
    unused_weeks: Annotated[int, Field(ge=1)] = 4
    idle_gap_minutes: Annotated[int, Field(ge=1, le=120)] = 10
    renewal_notice_days: Annotated[int, Field(ge=0)] = 90
    stale_after_hours: Annotated[int, Field(ge=1)] = 24
    max_vanished_share: Annotated[float, Field(gt=0, le=1)] = 0.25

    @model_validator(mode="after")
    def _weeks_fit(self) -> Thresholds:
        if self.consistent_weeks > self.consistent_window_weeks:
            raise ValueError("consistent_weeks cannot exceed consistent_window_weeks")
        return self


SubgroupDimension = Literal["economic_disadvantage", "disability", "english_learner", "race_ethnicity", "gender"]


class District(Settings):
    id: Identifier
    name: str
    time_zone: str
    calendar: Calendar
    sources: tuple[SourceSettings, ...] = ()
    is_simulated: bool = False
    clock_url: str | None = None
    privacy: Privacy = Privacy()
    thresholds: Thresholds = Thresholds()
    subgroups: tuple[SubgroupDimension, ...] = ("economic_disadvantage", "disability", "english_learner")
    tool_catalogue: Path | None = None

    @field_validator("sources", mode="before")
    @classmethod
    def _typed_sources(cls, entries: Any) -> Any:
        from uptake.sources.registry import settings_model  # the registry imports SourceSettings

        if not isinstance(entries, list | tuple):
            return entries
        return tuple(
            settings_model(entry.get("kind")).model_validate(entry) if isinstance(entry, dict) else entry
            for entry in entries
        )

    @model_validator(mode="after")
    def _consistent(self) -> District:
        if self.time_zone not in available_timezones():
            raise ValueError(f"time_zone {self.time_zone!r} is not an IANA zone such as America/Chicago")
        names = [source.name for source in self.sources]
        if len(names) != len(set(names)):
            raise ValueError("two sources have the same name")
        if self.clock_url and not self.is_simulated:
            raise ValueError("clock_url is for simulated districts: a real district lives by the real clock")
        return self

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    def source(self, name: str) -> SourceSettings:
        for source in self.sources:
            if source.name == name:
                return source
        known = ", ".join(source.name for source in self.sources) or "none"
        raise ConfigError(f"no source {name!r}", district=self.id, remedy=f"name one of: {known}.")


class UptakeConfig(Settings):
    districts: Annotated[tuple[District, ...], Field(min_length=1)]
    state_dir: Path = Path("var")
    operations_url: str | None = None

    @model_validator(mode="after")
    def _unique(self) -> UptakeConfig:
        ids = [district.id for district in self.districts]
        if len(ids) != len(set(ids)):
            raise ValueError("two districts have the same id")
        return self

    def district(self, district_id: str) -> District:
        for district in self.districts:
            if district.id == district_id:
                return district
        known = ", ".join(district.id for district in self.districts)
        raise ConfigError(f"no district {district_id!r} in uptake.yaml", remedy=f"name one of: {known}.")


def load_config(path: Path) -> UptakeConfig:
    """Read and validate a configuration file.

    Relative paths in it (state_dir, tool catalogues, drop folders, mappings) are relative to the file.
    Raises ConfigError: one line for each wrong key, with its line number.
    """
    return load_settings(path, UptakeConfig, missing="run `uptake init`, or name the file with --config.", expand=True)


Model = TypeVar("Model", bound=Settings)


def load_settings(path: Path, model: type[Model], *, missing: str, expand: bool = False) -> Model:
    """Any YAML file of settings. `missing` is the remedy when it is not there; `expand` fills in ${NAME} and paths.

    Raises ConfigError: one line for each wrong key, with its line number.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ConfigError(f"there is no file {path}", remedy=missing) from error
    try:
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
        raw = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{path.name} is not YAML: {' '.join(str(error).split())}") from error
    if tree is None or not isinstance(raw, dict):
        raise ConfigError(f"{path.name} has no keys", remedy=missing)
    values = _expand(raw, path) if expand else raw
    try:
        return model.model_validate(values)
    except ValidationError as error:
        lines = sorted(_explain(path.name, tree, problem) for problem in error.errors())
        raise ConfigError("\n".join(text for _, text in lines)) from error


# Keys whose value is a path; they are resolved here so that no other module needs to know where the file lies.
_PATH_KEYS = {"state_dir", "tool_catalogue", "folder", "mappings"}


def _expand(value: Any, path: Path, key: str | None = None) -> Any:
    if isinstance(value, dict):
        return {name: _expand(inner, path, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [_expand(inner, path, key) for inner in value]
    if isinstance(value, str):
        value = re.sub(r"\$\{(\w+)(?::-([^}]*))?\}", lambda match: _variable(match, path), value)
        is_shipped_name = key == "mappings" and not value.endswith((".yaml", ".yml"))
        if key in _PATH_KEYS and not is_shipped_name:
            return str((path.parent / value).resolve())
    return value


def _variable(match: re.Match[str], path: Path) -> str:
    name, default = match.groups()
    value = os.environ.get(name, default)
    if value is None:
        raise ConfigError(
            f"{path.name} uses ${{{name}}}, which is not set", remedy=f"export {name}, or write ${{{name}:-default}}."
        )
    return value


def _explain(file: str, tree: yaml.Node, problem: Any) -> tuple[int, str]:
    where = [part for part in problem["loc"] if isinstance(part, str | int)]
    node, line, known = tree, tree.start_mark.line, []
    for part in where:
        child = _child(node, part)
        if child is None:
            break
        key, node = child
        line = key.start_mark.line
        known.append(str(part))
    name = ".".join(known + [str(p) for p in where[len(known) : len(known) + 1]]) or "(top level)"
    reason = {
        "extra_forbidden": "unknown key",
        "missing": "missing key",
    }.get(problem["type"], problem["msg"].removeprefix("Value error, "))
    return line + 1, f"{file} line {line + 1}: {name}: {reason}"


def _child(node: yaml.Node, part: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        return next(((key, value) for key, value in node.value if key.value == str(part)), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part], node.value[part]
    return None
