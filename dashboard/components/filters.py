"""Choices whose value lives in the address of the page, so that a link opens the page as it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st


def choose(label: str, options: Mapping[str, str], *, key: str, default: str | None = None) -> str:
    """One of `options` (value -> words). The address holds the words; a value it does not know is ignored.

    Pages share keys, so that a choice goes along from page to page where the next page has it too.
    """
    values = list(options)
    if st.session_state.get(key, values[0]) not in options:
        del st.session_state[key]
    start = values.index(default) if default in values else 0
    chosen = st.selectbox(label, values, index=start, format_func=options.__getitem__, key=key, bind="query-params")
    return str(chosen)


def view(label: str, options: Sequence[str], *, key: str) -> str:
    """One of a few ways to look at the same thing."""
    chosen = st.segmented_control(
        label,
        list(options),
        default=options[0],
        required=True,
        key=key,
        bind="query-params",
        label_visibility="collapsed",
    )
    return str(chosen)
