"""A table and its download: one frame of words, shown and saved alike, so that neither can tell more than the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from components import words
from components.frame import Context
from viewer import Page

Say = Callable[[Any, Mapping[str, Any]], str]
TALLEST_ROWS = 18
ROW_PIXELS = 35


@dataclass(frozen=True)
class Column:
    """`say` puts the value of column `name` into words; it may look at the rest of the row (why something is hidden).

    `only_if_any`: the column is left out where every cell of it is empty.
    """

    name: str
    label: str
    say: Say
    is_number: bool = False
    help: str | None = None
    width: int | str | None = None
    only_if_any: bool = False


def text(value: Any, row: Mapping[str, Any]) -> str:
    return words.NOT_KNOWN if words.is_missing(value) else str(value)


def shown(frame: pd.DataFrame, columns: Sequence[Column]) -> pd.DataFrame:
    """The words of the table, one string a cell."""
    rows = frame.to_dict("records")
    said = {column.label: [column.say(row[column.name], row) for row in rows] for column in columns}
    empty = {column.label for column in columns if column.only_if_any and not any(said[column.label])}
    return pd.DataFrame({label: cells for label, cells in said.items() if label not in empty}, dtype="object")


def as_csv(said: pd.DataFrame) -> bytes:
    """UTF-8 with a mark that spreadsheets know. A cell that a spreadsheet would run as a formula is made text."""
    plain = said.map(lambda cell: f"'{cell}" if cell[:1] in ("=", "+", "@", "\t", "\r") else cell)
    return plain.to_csv(index=False).encode("utf-8-sig")


def table(
    context: Context, page: Page, name: str, frame: pd.DataFrame, columns: Sequence[Column], *, is_prose: bool = False
) -> None:
    """Show the frame in words, with a download of exactly that. `name` goes into the file's name.

    is_prose: the first two columns hold sentences, which are shown whole on as many lines as they need; such a table
    cannot be sorted.
    """
    if frame.empty:
        st.caption("Nothing to list here.")
        return
    said = shown(frame, columns)
    columns = [column for column in columns if column.label in said]
    if is_prose:
        _prose(said, name)
    else:
        _grid(said, columns, name)
    simulated = "simulated-" if context.reader.is_simulated else ""
    through = context.reader.data_through
    st.download_button(
        f"Download this table ({words.plural(len(said), 'row')}, CSV)",
        as_csv(said),
        file_name=f"{simulated}{context.reader.district_id}-{name}-through-{through or 'unknown'}.csv",
        mime="text/csv",
        key=f"download-{name}",
        icon=":material/download:",
        on_click=lambda: context.record(page, "download", {"table": name, "rows": len(said)}),
    )


def _grid(said: pd.DataFrame, columns: Sequence[Column], name: str) -> None:
    st.dataframe(
        _sortable(said, columns),
        hide_index=True,
        height=ROW_PIXELS * (min(len(said), TALLEST_ROWS) + 1) + 3,
        column_config={
            column.label: st.column_config.TextColumn(
                column.label,
                help=column.help,
                width=column.width,  # type: ignore[arg-type]
                alignment="right" if column.is_number else "left",
            )
            for column in columns
        },
        key=f"table-{name}",
    )


def _prose(said: pd.DataFrame, name: str) -> None:
    """Streamlit's grid cuts what does not fit into one line."""
    height = "content" if len(said) <= TALLEST_ROWS else ROW_PIXELS * TALLEST_ROWS
    with st.container(key=f"prose-{name}"):
        st.table(said.map(words.safe), border="horizontal", height=height, hide_index=True)


def _sortable(said: pd.DataFrame, columns: Sequence[Column]) -> pd.DataFrame:
    """Number columns padded on the left to one width: sorting them as text then sorts them as numbers."""
    padded = said.copy()
    for column in columns:
        if column.is_number:
            widest = max(map(len, said[column.label]), default=0)
            padded[column.label] = [cell.rjust(widest) for cell in said[column.label]]
    return padded
