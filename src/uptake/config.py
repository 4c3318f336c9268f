"""uptake.yaml -> typed settings. A wrong key is one line that names the key and the line it stands on.

Nothing secret is read from the file: a source names a `connection`, which `uptake.credentials` resolves.
`${NAME}` and `${NAME:-default}` in any value are taken from the environment, so that a path need not be written down.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, time, timedelta
from decimal import Decimal
from functools import cache, cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from zoneinfo import ZoneInfo, available_timezones

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from uptake.errors import ConfigError

Identifier = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]


class Settings(BaseModel):
    """Base of every settings model: immutable, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@cache
def time_zones() -> frozenset[str]:
    """Names of the IANA zones that are known here. Kept, since each look walks the system's zone files (15 ms)."""
    return frozenset(available_timezones())


class SourceSettings(Settings):
    """What every source entry has. Each kind adds its own keys (see `uptake.sources.registry`).

    name: of the source in its district, in small letters. kind: which of the kinds it is. connection: name of the
    credential, an Airflow connection or AIRFLOW_CONN_<NAME> in the environment. pull_every_minutes: how often it is
    pulled. published_within_seconds: the goal from a row's coming in to the page that shows it; None is the kind's own.
    """

    name: Identifier
    kind: str
    connection: str | None = None
    pull_every_minutes: Annotated[int, Field(ge=1)] = 60
    published_within_seconds: Annotated[int, Field(ge=1)] | None = None

    @property
    def numbering(self) -> str | None:
        """Which of several systems of this kind numbers the accounts that land under bare numbers; None where no other
        one could be meant. A district has one of them for each kind of source."""
        return None

    @property
    def namespace(self) -> str:
        """First part of the names of the source's landing views, <namespace>__<resource>."""
        return self.kind


def _number_alike(one: SourceSettings, other: SourceSettings) -> bool:
    """Two systems of one kind, the accounts of both under bare numbers."""
    numberings = {one.numbering, other.numbering}
    return one.kind == other.kind and None not in numberings and len(numberings) == 2


def _typed_source(entry: Any) -> Any:
    """A source entry as the settings of its kind, whose own errors keep their place in the file."""
    from uptake.sources.registry import settings_model  # noqa: PLC0415 - the registry imports SourceSettings

    if not isinstance(entry, dict) or "kind" not in entry:
        return entry
    try:
        model = settings_model(entry["kind"])
    except ValueError as error:
        raise _wrong(str(error), "kind") from error
    return model.model_validate(entry)


TypedSource = Annotated[SourceSettings, BeforeValidator(_typed_source)]


def _wrong(message: str, *where: str | int) -> ValidationError:
    """An error at a place below the model that raises it."""
    # The message is an argument, not the template: it may hold braces of its own.
    problem = PydanticCustomError("wrong", "{message}", {"message": message})
    return ValidationError.from_exception_data("settings", [InitErrorDetails(type=problem, loc=where, input=None)])


class Span(Settings):
    name: str
    starts_on: date
    ends_on: date

    @model_validator(mode="after")
    def _in_order(self) -> Span:
        if self.ends_on < self.starts_on:
            raise ValueError("ends_on is before starts_on")
        return self


# A day, or a span with a name. Told apart by their shape, so that an error speaks of one of them and not of both.
DayOff = Annotated[
    Annotated[Span, Tag("span")] | Annotated[date, Tag("day")],
    Discriminator(lambda value: "span" if isinstance(value, dict | Span) else "day"),
]


class SchoolHours(Settings):
    start: time = time(8, 0)
    end: time = time(15, 30)

    @model_validator(mode="after")
    def _in_order(self) -> SchoolHours:
        if self.end <= self.start:
            raise ValueError("end is not after start")
        return self


class Calendar(Settings):
    """Instructional days are the weekdays of a school year that are not listed as off."""

    school_years: Annotated[tuple[Span, ...], Field(min_length=1)]
    terms: tuple[Span, ...] = ()
    days_off: tuple[DayOff, ...] = ()
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


class Retention(Settings):
    """What `uptake prune` leaves. snapshots: published ones, the one that is up included. superseded_days: files of the
    lake that no longer count. outcome_days, check_days: records of runs and of checks; longer than a school year, so
    that an auditor can look at the last one whole. freshness_days: how long each landed file took to a page."""

    snapshots: Annotated[int, Field(ge=1)] = 5
    superseded_days: Annotated[int, Field(ge=1)] = 30
    outcome_days: Annotated[int, Field(ge=30)] = 400
    check_days: Annotated[int, Field(ge=30)] = 400
    freshness_days: Annotated[int, Field(ge=1)] = 30


class Privacy(Settings):
    """minimum_n: smallest group of people that a leaders' page may show. See docs/privacy.md."""

    minimum_n: Annotated[int, Field(ge=3, le=100)] = 10
    count_out_of_school: bool = False
    retention: Retention = Retention()


class Thresholds(Settings):
    """published_within_seconds: goal for pushed events, from their receipt to the page (see `uptake.freshness`)."""

    consistent_weeks: Annotated[int, Field(ge=1)] = 3
    consistent_window_weeks: Annotated[int, Field(ge=1)] = 4
    unused_weeks: Annotated[int, Field(ge=1)] = 4
    idle_gap_minutes: Annotated[int, Field(ge=1, le=120)] = 10
    renewal_notice_days: Annotated[int, Field(ge=0)] = 90
    stale_after_hours: Annotated[int, Field(ge=1)] = 24
    published_within_seconds: Annotated[int, Field(ge=1)] = 60
    max_vanished_share: Annotated[float, Field(gt=0, le=1)] = 0.25

    @model_validator(mode="after")
    def _weeks_fit(self) -> Thresholds:
        if self.consistent_weeks > self.consistent_window_weeks:
            raise ValueError("consistent_weeks cannot exceed consistent_window_weeks")
        return self


Share = Annotated[Decimal, Field(gt=-1, le=1, max_digits=5, decimal_places=4)]


class PriceRise(Settings):
    """How much more a renewal may cost than the year before, as a share of it: at least, most likely, at most."""

    low: Share = Decimal(0)
    likely: Share = Decimal("0.03")
    high: Share = Decimal("0.07")

    @model_validator(mode="after")
    def _in_order(self) -> PriceRise:
        if not self.low <= self.likely <= self.high:
            raise ValueError("low cannot exceed likely, nor likely high")
        return self


class Finance(Settings):
    """fiscal_year_starts_in: month in which the budget's year begins, 1 to 12. price_rise: what a forecast assumes."""

    fiscal_year_starts_in: Annotated[int, Field(ge=1, le=12)] = 7
    price_rise: PriceRise = PriceRise()


class ReceiverSettings(Settings):
    """The door for pushed events. Times in seconds, sizes in MiB.

    requests_per_second: of one key. reserve_mb: disk that the spool leaves free. segment_seconds, segment_mb: when a
    segment of the spool is handed to the pull. max_wait_hours: when nothing was pulled for so long, senders are asked
    to keep what they have. allowed_origins: addresses of web pages whose scripts may send, such as
    https://lessons.example.
    """

    max_body_mb: Annotated[float, Field(gt=0, le=1024)] = 16
    max_unpacked_mb: Annotated[float, Field(gt=0, le=1024)] = 256
    requests_per_second: Annotated[float, Field(gt=0)] = 1000
    reserve_mb: Annotated[float, Field(ge=0)] = 1024
    segment_mb: Annotated[float, Field(gt=0, le=1024)] = 64
    segment_seconds: Annotated[float, Field(gt=0, le=3600)] = 5
    max_wait_hours: Annotated[float, Field(gt=0)] = 48
    allowed_origins: tuple[str, ...] = ()


class AlertTarget(Settings):
    """Who is told when something breaks and when it is mended (`uptake.alerts`).

    connection: for `email` the SMTP server (login, password; extra: host, port, security), for `webhook` its address as
    the password. districts: of these only; of all, if empty. to, sender: e-mail addresses.
    """

    name: Identifier
    kind: Literal["email", "webhook"]
    connection: str
    districts: tuple[Identifier, ...] = ()
    to: tuple[str, ...] = ()
    sender: str | None = None

    @model_validator(mode="after")
    def _has_addresses(self) -> AlertTarget:
        if (self.kind == "email") != bool(self.to and self.sender):
            raise ValueError("an e-mail needs `to` and `sender`, a webhook neither")
        return self


SubgroupDimension = Literal["economic_disadvantage", "disability", "english_learner", "race_ethnicity", "gender"]


class District(Settings):
    id: Identifier
    name: str
    time_zone: str
    calendar: Calendar
    sources: tuple[TypedSource, ...] = ()
    is_simulated: bool = False
    clock_url: str | None = None
    privacy: Privacy = Privacy()
    thresholds: Thresholds = Thresholds()
    finance: Finance = Finance()
    subgroups: tuple[SubgroupDimension, ...] = ("economic_disadvantage", "disability", "english_learner")
    tool_catalogue: Path | None = None

    @field_validator("time_zone")
    @classmethod
    def _is_zone(cls, value: str) -> str:
        if value not in time_zones():
            raise ValueError(f"{value!r} is not an IANA time zone such as America/Chicago")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> District:
        for index, source in enumerate(self.sources):
            if source.name in {earlier.name for earlier in self.sources[:index]}:
                raise _wrong(f"another source is named {source.name!r} already", "sources", index, "name")
            for earlier in self.sources[:index]:
                if _number_alike(earlier, source):
                    raise _wrong(
                        f"{earlier.name!r} and {source.name!r} number their people alike, so that user 17 of one would "
                        "be user 17 of the other: give the newer one `ids: own`",
                        *("sources", index, "url"),
                    )
        if self.clock_url and not self.is_simulated:
            raise _wrong("only a simulated district has a clock of its own", "clock_url")
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
    receiver: ReceiverSettings = ReceiverSettings()
    alerts: tuple[AlertTarget, ...] = ()

    @model_validator(mode="after")
    def _known(self) -> UptakeConfig:
        known = {district.id for district in self.districts}
        for index, target in enumerate(self.alerts):
            if target.name in {earlier.name for earlier in self.alerts[:index]}:
                raise _wrong(f"another target is named {target.name!r} already", "alerts", index, "name")
            if unknown := sorted(set(target.districts) - known):
                raise _wrong(f"there is no district {unknown[0]!r}", "alerts", index, "districts")
        return self

    @model_validator(mode="after")
    def _unique(self) -> UptakeConfig:
        for index, district in enumerate(self.districts):
            if district.id in {earlier.id for earlier in self.districts[:index]}:
                raise _wrong(f"another district has the id {district.id!r} already", "districts", index, "id")
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
Place = tuple[str | int, ...]


def place_of_source(config: UptakeConfig, settings: SourceSettings) -> Place | None:
    """Where a source of the configuration stands in its file; None for settings that are not of it."""
    for number, district in enumerate(config.districts):
        for index, source in enumerate(district.sources):
            if source is settings:
                return "districts", number, "sources", index
    return None


def told_at(path: Path, place: Place, reason: str) -> str:
    """`reason`, with the line and the key of a place in a configuration file. Raises ConfigError as `load_config`."""
    return _YamlFile.read(path, "name it with --config.").explain(place, reason)[1]


def load_settings(path: Path, model: type[Model], *, missing: str, expand: bool = False) -> Model:
    """Any YAML file of settings. `missing` is the remedy when it is not there.

    `expand` fills in ${NAME}, makes paths absolute, looks whether files that are named exist, and refuses a password.
    Raises ConfigError: one line for each wrong key, with its line number.
    """
    file = _YamlFile.read(path, missing)
    values, problems = file.values, file.repeated_keys()
    if expand:
        values = _Expansion(file, problems).of(values, ())
        values.setdefault("state_dir", str(path.parent.resolve() / UptakeConfig.model_fields["state_dir"].default))
    try:
        settings = model.model_validate(values)
    except ValidationError as error:
        problems += [(_place_of(problem), _reason_of(problem)) for problem in _telling(error.errors())]
    if problems:
        lines = sorted({file.explain(place, reason) for place, reason in problems})
        raise ConfigError("\n".join(text for _, text in lines))
    return settings


@dataclass(frozen=True)
class _YamlFile:
    """A YAML file as values, and as a tree that knows the lines."""

    name: str
    folder: Path
    values: dict[str, Any]
    tree: yaml.Node

    @classmethod
    def read(cls, path: Path, missing: str) -> _YamlFile:
        try:
            text = path.read_text(encoding="utf-8")
            tree = yaml.compose(text, Loader=yaml.CSafeLoader)
        except FileNotFoundError as error:
            raise ConfigError(f"there is no file {path}", remedy=missing) from error
        except UnicodeDecodeError as error:
            raise ConfigError(f"{path.name} is not UTF-8 text", remedy="save it as UTF-8.") from error
        except yaml.MarkedYAMLError as error:
            line = f" line {error.problem_mark.line + 1}" if error.problem_mark else ""
            raise ConfigError(f"{path.name}{line}: not YAML: {error.problem}") from error
        except yaml.YAMLError as error:
            raise ConfigError(f"{path.name} is not YAML: {' '.join(str(error).split())}") from error
        if not isinstance(tree, yaml.MappingNode):
            raise ConfigError(f"{path.name} has no keys", remedy=missing)
        file = cls(path.name, path.parent.resolve(), {}, tree)
        wrong = [file.explain(place, reason)[1] for place, reason in _impossible(tree, ())]
        if wrong:
            raise ConfigError("\n".join(wrong))
        return replace(file, values=yaml.load(text, Loader=yaml.CSafeLoader))

    def explain(self, place: Place, reason: str) -> tuple[int, str]:
        """(line, what a person reads) for a place; the line is that of the nearest key that is there.

        Parts that stand in no file, such as the member of a union, are left out, unless they are the missing key.
        """
        node, line, known = self.tree, self.tree.start_mark.line, []
        for position, part in enumerate(place):
            child = _child(node, part)
            if child is not None:
                key, node = child
                line = key.start_mark.line
                known.append(str(part))
            elif position == len(place) - 1 and reason == _REASONS["missing"]:
                known.append(str(part))
        return line + 1, f"{self.name} line {line + 1}: {'.'.join(known) or '(top level)'}: {reason}"

    def repeated_keys(self) -> list[tuple[Place, str]]:
        """Keys that stand twice in one mapping: YAML would silently take the later one."""
        return list(_repeated(self.tree, ()))


def _repeated(node: yaml.Node, place: Place) -> Iterator[tuple[Place, str]]:
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if key.value in seen and key.value != "<<":
                yield (*place, key.value), f"this key stands on line {line} too"
            seen.setdefault(key.value, line)
            yield from _repeated(value, (*place, key.value))
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield from _repeated(value, (*place, index))


def _impossible(node: yaml.Node, place: Place) -> Iterator[tuple[Place, str]]:
    """Values that look like a date and are none, such as 2026-02-30; YAML itself would not say where."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from _impossible(value, (*place, key.value))
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield from _impossible(value, (*place, index))
    elif isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:timestamp":
        try:
            yaml.constructor.SafeConstructor().construct_yaml_timestamp(node)
        except ValueError as error:
            yield place, f"{node.value} is no date: {error}"


def _child(node: yaml.Node, part: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        return next(((key, value) for key, value in node.value if key.value == str(part)), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part], node.value[part]
    return None


# Keys whose value is a path; they are resolved here so that no other module needs to know where the file lies.
_PATH_KEYS = {"state_dir", "tool_catalogue", "folder", "mappings", "known_hosts"}
_FILE_KEYS = {"tool_catalogue", "mappings", "known_hosts"}  # these must exist; a folder may be mounted or made later
_VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")
_PASSWORD_IN_URL = re.compile(r"://[^/@:\s]*:[^@/\s]+@")


@dataclass(frozen=True)
class _Expansion:
    """Values with ${NAME} filled in and paths made absolute; what is wrong is added to `problems`."""

    file: _YamlFile
    problems: list[tuple[Place, str]]

    def of(self, value: Any, place: Place) -> Any:
        if isinstance(value, dict):
            return {name: self.of(inner, (*place, name)) for name, inner in value.items()}
        if isinstance(value, list):
            return [self.of(inner, (*place, index)) for index, inner in enumerate(value)]
        return self._text(value, place) if isinstance(value, str) else value

    def _text(self, value: str, place: Place) -> str:
        if _PASSWORD_IN_URL.search(_VARIABLE.sub("", value)):
            self.problems.append((place, "a password does not belong in this file: take it from ${A_VARIABLE}"))
        value = _VARIABLE.sub(lambda match: self._variable(match, place), value)
        key = next((part for part in reversed(place) if isinstance(part, str)), "")
        is_shipped_name = key == "mappings" and not value.endswith((".yaml", ".yml"))
        is_address = key == "folder" and "://" in value
        if key not in _PATH_KEYS or is_shipped_name or is_address:
            return value
        path = (self.file.folder / Path(value).expanduser()).resolve()
        if key in _FILE_KEYS and not path.is_file():
            self.problems.append((place, f"there is no file {path}"))
        return str(path)

    def _variable(self, match: re.Match[str], place: Place) -> str:
        name, default = match.groups()
        value = os.environ.get(name, default)
        if value is None:
            self.problems.append((place, f"${{{name}}} is not set: export it, or write ${{{name}:-default}}"))
            return match.group()
        return value


_REASONS = {"extra_forbidden": "unknown key", "missing": "missing key"}


def _telling(problems: list[ErrorDetails]) -> Iterator[ErrorDetails]:
    """Without the complaint that a list is too short because its items were wrong, each of which is told anyway."""
    for problem in problems:
        place = problem["loc"]
        has_wrong_items = any(other["loc"][: len(place)] == place and other["loc"] != place for other in problems)
        if not (problem["type"] == "too_short" and has_wrong_items):
            yield problem


def _place_of(problem: ErrorDetails) -> Place:
    return tuple(problem["loc"])


def _reason_of(problem: ErrorDetails) -> str:
    return _REASONS.get(problem["type"], problem["msg"].removeprefix("Value error, "))
