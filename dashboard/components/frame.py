"""What every page is made of: banners, the question, the answer, at most five numbers, and what to do next."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd
import streamlit as st
from sqlalchemy.exc import SQLAlchemyError

from access_log import record_look
from components import words
from queries import quality
from queries.reader import Reader
from uptake.errors import UptakeError
from uptake.project import Project
from viewer import Page, Viewer

MOST_NUMBERS = 5
STYLE = """
<style>
  .block-container { padding-top: 2.5rem; padding-bottom: 4rem; max-width: 1240px; }
  h1 { font-size: 2rem !important; padding-bottom: 0.25rem !important; }
  h3 { font-size: 1.3rem !important; padding-top: 1rem !important; }
  .st-key-answer p { font-size: 1.2rem; line-height: 1.55; }
  .st-key-simulated { background: #FFF4D6; border-left: 5px solid #E69F00; padding: 0.5rem 1rem; }
  .st-key-simulated p { color: #4A3500; }
  [class*="st-key-number-"] { background: #F3F6F9; border-radius: 6px; padding: 0.9rem 1rem 0.5rem; gap: 0.3rem; }
  [data-testid="stMetricValue"], [data-testid="stMetricValue"] * { font-size: 1.65rem; white-space: normal; }
  [data-testid="stMetricLabel"] p { font-size: 0.95rem; font-weight: 600; color: #1B2733; white-space: normal; }
  [data-testid="stCaptionContainer"], [data-testid="stCaptionContainer"] p { color: #3B4A59 !important; opacity: 1; }
  [class*="st-key-prose-"] td:nth-child(n+3) * { white-space: nowrap; }
  [class*="st-key-number-"] [data-testid="stPopover"] button { padding-left: 0; color: #005A8C; }
</style>
"""
_CONTEXT = "context_of_this_run"
_LOOKS = "looks_recorded"
_log = logging.getLogger("uptake.dashboard")


@dataclass(frozen=True)
class Number:
    """One of the figures at the top. `out_of` says denominator and date; `metric` names its published definition."""

    label: str
    value: str
    out_of: str
    metric: str
    tables: tuple[str, ...]


@dataclass(frozen=True)
class Context:
    """What a page needs to know of this run: who looks, at which district, in which snapshot."""

    project: Project
    viewer: Viewer
    reader: Reader

    @cached_property
    def minimum_n(self) -> int:
        return int(self.reader.manifest["minimum_n"])

    @cached_property
    def zone(self) -> str:
        return str(self.reader.manifest["time_zone"])

    @cached_property
    def through(self) -> str:
        return words.day(self.reader.data_through)

    @cached_property
    def definitions(self) -> pd.DataFrame:
        return quality.definitions(self.reader).set_index("metric")

    @cached_property
    def sources(self) -> pd.DataFrame:
        return quality.sources(self.reader)

    @cached_property
    def source_lines(self) -> str:
        """How far each source has come; every number says so."""
        return "\n".join(_source_line(row) for row in self.sources.to_dict("records"))

    def record(self, page: Page, action: str, details: Mapping[str, object]) -> None:
        """Write the look down; these are pages of suppressed totals, so a failure is shown and does not refuse."""
        try:
            record_look(
                self.project.operations,
                self.viewer,
                district=self.reader.district_id,
                page=page,
                action=action,
                details={"snapshot": self.reader.snapshot.id, **details},
            )
        except (SQLAlchemyError, UptakeError, OSError):
            _log.exception("a look at page %s could not be recorded", page)
            st.warning("This look could not be recorded in the access log. Tell your administrator.")


def keep(context: Context) -> None:
    """Hand this run's context from the app to the page that it runs."""
    st.session_state[_CONTEXT] = context


def open_page(page: Page, question: str) -> Context:
    """Banners and title. Raises NotAllowed when the viewer's role does not include the page."""
    context: Context = st.session_state[_CONTEXT]
    context.reader.require(page)
    if context.reader.is_simulated:
        with st.container(key="simulated"):
            st.markdown("**Simulated district.** The students, schools, prices and numbers here are invented.")
    _rejection(context)
    st.title(question, anchor=False)
    _record_once(context, page)
    return context


def _record_once(context: Context, page: Page) -> None:
    """A rerun of a page is not another look; another snapshot or district is."""
    look = (page, context.reader.district_id, context.reader.snapshot.id)
    seen: set[tuple[str, str, str]] = st.session_state.setdefault(_LOOKS, set())
    if look not in seen:
        seen.add(look)
        context.record(page, "view", {})


def _rejection(context: Context) -> None:
    rejected = context.reader.snapshot.rejected
    if not rejected:
        return
    since = words.moment(pd.Timestamp(rejected["since"]), context.zone)
    lines = [
        "**Newer data is held back: it did not pass its checks.** You are looking at the last good data, through "
        f"{words.safe(context.through)}. Held back since {words.safe(since)}."
    ]
    for check in rejected["checks"]:
        what = check.get("description") or check["check_id"]
        found = f" Found: {words.found(check['observed'])}." if check.get("observed") else ""
        mend = f" **To resolve:** {words.safe(check['remedy'])}" if check.get("remedy") else ""
        lines.append(f"- {words.safe(what + '.' if not what.endswith('.') else what)}{words.safe(found)}{mend}")
    st.error("\n".join([lines[0], "", *lines[1:]]), icon=":material/front_hand:")


def answer(sentence: str, doubt: str = "") -> None:
    """The one sentence that answers the page's question, made from the data, and what is uncertain about it."""
    with st.container(key="answer"):
        st.markdown(words.safe(f"{sentence} {doubt}".strip()))


def numbers(context: Context, figures: Sequence[Number]) -> None:
    """At most five figures, each with its denominator and date, and a way to where it comes from."""
    if len(figures) > MOST_NUMBERS:
        raise ValueError(f"{len(figures)} numbers on one page; at most {MOST_NUMBERS}")
    for place, (column, figure) in enumerate(zip(st.columns(len(figures), gap="small"), figures, strict=True)):
        with column, st.container(key=f"number-{place}", height="stretch"):
            st.metric(figure.label, figure.value)
            st.caption(words.safe(figure.out_of))
            with st.popover("About", type="tertiary", icon=":material/info:", wrap=False):
                _about(context, figure)


def _about(context: Context, figure: Number) -> None:
    lines = [f"**{words.safe(figure.label)}: {words.safe(figure.value)}**", words.safe(figure.out_of)]
    if figure.metric in context.definitions.index:
        entry = context.definitions.loc[figure.metric]
        lines.append(f"**What it means.** {words.safe(entry['definition'])}")
        lines.append(f"**Counted:** {words.safe(entry['numerator'])}. **Out of:** {words.safe(entry['denominator'])}.")
        if not words.is_missing(entry["caution"]):
            lines.append(f"**Take care.** {words.safe(entry['caution'])}")
        lines.append(f"Definition version {words.safe(str(entry['version']))}.")
    else:
        lines.append("**What it means.** This snapshot holds no written definition of this number.")
    lines.append(f"**Data through** {words.safe(context.through)}.")
    st.markdown("\n\n".join(lines))
    st.markdown(f"**Sources**\n\n{context.source_lines}")
    failing = [check for check in _failed(context) if check.get("table") in figure.tables]
    if failing:
        found = [f"- {words.safe(check_line(check))}" for check in failing]
        st.markdown("**Checks that do not hold**\n\n" + "\n".join(found))
    else:
        st.markdown("**Checks:** none fails for the figures behind this number.")


def caution(context: Context, metric: str) -> str:
    """What the definition registry says to take care of; nothing where it says nothing."""
    if metric not in context.definitions.index or words.is_missing(context.definitions.loc[metric, "caution"]):
        return ""
    return str(context.definitions.loc[metric, "caution"])


def check_line(check: Mapping[str, Any]) -> str:
    """What a check expects, and what it found instead."""
    what = str(check.get("description") or check["check_id"]).rstrip(".")
    return f"{what}: {words.found(str(check.get('observed') or 'does not hold')).rstrip('.')}."


def _failed(context: Context) -> list[dict[str, Any]]:
    checks = context.reader.manifest.get("checks") or {}
    return list(checks.get("failed_warning") or [])


def _source_line(row: dict[Any, Any]) -> str:
    state = "could not be read" if row["is_failed"] else "late" if row["is_stale"] else "up to date"
    if words.is_missing(row["data_complete_through"]):
        return f"- {words.safe(words.source(row['source']))}: {state}"
    through = words.day(row["data_complete_through"])
    return f"- {words.safe(words.source(row['source']))}: data through {words.safe(through)}, {state}"


def next_steps(steps: Sequence[str]) -> None:
    """What a leader can do with the answer. Steps are plain sentences."""
    st.subheader("What to do next", anchor=False)
    with st.container(key="next"):
        st.markdown("\n".join(f"- {words.safe(step)}" for step in steps))


def refresh_seconds() -> float:
    """How often an open page looks for newer data; $UPTAKE_DASHBOARD_REFRESH_SECONDS, else 30."""
    return float(os.environ.get("UPTAKE_DASHBOARD_REFRESH_SECONDS", "30"))
