"""What the district's people do on the web: habits per tool, and the noise that a web filter sees besides."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict

from uptake.sandbox.truths import Truths

LMS_HOST = "riverbend.canvas.example"
LTI_PATH = "/accounts/1/external_tools/52"
PAGES_OF_A_KIND = 160
DNS_SHARE = 0.12


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Habit(_Part):
    """Rates are {"03-08": probability of a session on one of the weekdays}; steadiness is the spread between people."""

    tool: str
    pages: tuple[str, ...]
    in_school: dict[str, float]
    out_of_school: dict[str, float] = {}
    minutes: float
    weekdays: tuple[int, ...] = (0, 1, 2, 3, 4)
    staff: float = 0.0
    steadiness: float = 0.35
    categories: tuple[str, ...] = ("Education",)


class Noise(_Part):
    """Single requests. mean: a present student's number in a school day, below grade 6 and above."""

    kind: str
    pages: tuple[str, ...]
    mean: tuple[float, float]
    categories: tuple[str, ...]
    verdict: str = "allowed"


class Habits(_Part):
    """Habits and noise, in a fixed order: the columns of every rate matrix."""

    habits: tuple[Habit, ...]
    noise: tuple[Noise, ...]
    words: str


@cache
def load_habits() -> Habits:
    text = (files("uptake.sandbox") / "data" / "habits.yaml").read_text(encoding="utf-8")
    return Habits.model_validate(yaml.safe_load(text))


def grade_span(text: str) -> slice:
    """`KG-02` -> the places of those grades, KG being 0."""
    first, last = (0 if grade == "KG" else int(grade) for grade in text.split("-"))
    return slice(first, last + 1)


@dataclass(frozen=True)
class Page:
    url: str
    domain: str
    is_dns: bool
    verdict: str
    categories: tuple[str, ...]


class PagePool:
    """Every page that the filter can see: `start[k]`, `size[k]` give the pages of habit or noise k."""

    def __init__(self, truths: Truths) -> None:
        rng = np.random.default_rng([truths.seed, 4])
        self.pages: list[Page] = []
        starts: list[int] = []
        known = load_habits()
        sources: list[tuple[Any, str]] = [(habit, "allowed") for habit in known.habits]
        sources += [(noise, noise.verdict) for noise in known.noise]
        for source, verdict in sources:
            starts.append(len(self.pages))
            for number in range(PAGES_OF_A_KIND):
                url = _fill(source.pages[number % len(source.pages)], known.words.split(), rng)
                is_dns = bool(rng.random() < DNS_SHARE)
                self.pages.append(Page(url, url.split("/")[2], is_dns, verdict, source.categories))
        sizes = [PAGES_OF_A_KIND] * len(starts)
        self.start, self.size = np.array(starts), np.array(sizes)


def _fill(template: str, words: list[str], rng: np.random.Generator) -> str:
    while "{" in template:
        name = template[template.index("{") + 1 : template.index("}")]
        if name == "id":
            value = str(rng.integers(100, 10_000_000))
        elif name == "token":
            value = rng.bytes(12).hex()
        else:
            value = words[int(rng.integers(len(words)))]
        template = template.replace("{" + name + "}", value, 1)
    return template
