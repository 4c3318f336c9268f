"""Every page: one question, one answer, at most five numbers, the table and its download, for who may see it."""

from __future__ import annotations

import functools
import io
import json
import re
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import make_snapshot
import pandas as pd
import pytest
from conftest import FIRST, PAGES, SECOND, TITLES, said, tables
from streamlit.testing.v1 import AppTest

Visit = Callable[..., AppTest]
DISTRICTS = ("Testville Schools", "Open data")
MADE_OF_DIGITS = re.compile(r"^[\s$<>]*[\d.,]+%?\s*$")


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("district", DISTRICTS)
def test_every_page_has_the_anatomy(look: Visit, page: str, district: str) -> None:
    app = look(page, district=district)
    assert not app.exception
    assert [title.value for title in app.title] == [TITLES[page]]
    assert app.title[0].value.endswith("?")
    if (page, district) == ("value", "Open data"):
        assert "No contracts have been loaded" in said(app)
        return
    if (page, district) == ("impact", "Open data"):
        assert "No study has been planned here" in said(app)
        return
    assert 1 <= len(app.metric) <= 5
    assert len(tables(app)) >= 1
    assert len(app.get("vega_lite_chart")) == (3 if page == "impact" else 1)  # the answer, balance, use
    assert "What to do next" in said(app)
    assert said(app).count("**Data through**") >= len(app.metric)  # each number opens its own


@pytest.mark.parametrize("page", PAGES)
def test_simulated_data_is_labelled_and_real_data_is_not(look: Visit, page: str) -> None:
    assert "**Simulated district.**" in said(look(page))
    assert "Simulated" not in said(look(page, district="Open data"))


@pytest.mark.parametrize("page", PAGES)
def test_an_empty_snapshot_is_said_not_broken(installation: Path, visit: Visit, page: str, monkeypatch: Any) -> None:
    for rows in ("adoption_rows", "equity_rows", "value_rows"):
        monkeypatch.setattr(make_snapshot, rows, lambda through: [])
    monkeypatch.setattr(make_snapshot, "quality_rows", lambda through, failing: {})
    monkeypatch.setattr(make_snapshot, "study_rows", lambda through: {})
    make_snapshot.publish(installation, FIRST)
    app = visit(page)
    assert not app.exception
    assert [title.value for title in app.title] == [TITLES[page]]


@pytest.mark.parametrize("page", PAGES)
def test_before_the_first_publication_a_page_waits(installation: Path, visit: Visit, page: str) -> None:
    app = visit(page)
    assert not app.exception
    assert [title.value for title in app.title] == ["The first data is on its way"]
    assert not app.metric and not app.dataframe


def test_a_new_snapshot_moves_the_page(published: Path, visit: Visit) -> None:
    app = visit()
    assert "**Apr 10, 2026**" in said(app)
    make_snapshot.publish(published, SECOND, through=date(2026, 4, 17))
    app.run()
    assert "**Apr 17, 2026**" in said(app) and "**Apr 10, 2026**" not in said(app)


# --- suppression -----------------------------------------------------------------------------------------------


def test_a_small_count_is_words_and_never_a_number(look: Visit) -> None:
    app = look("adoption", where="Lincoln Elementary")
    row = app.dataframe[0].value.set_index("Tool").loc["ScienceLab"]
    assert row["Used it"].strip() == "fewer than 10"
    assert row["Share who used it"].strip() == "at most 2%"
    assert row["Share who kept it up"].strip() == "very few"
    assert "fewer than 10 students used it" in row["Why something is hidden"]


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("address", [{}, {"where": "Lincoln Elementary", "tool": "ScienceLab"}, {"look": "By grade"}])
def test_a_hidden_cell_shows_no_number_anywhere(look: Visit, page: str, address: dict[str, str]) -> None:
    app = look(page, **address)
    hidden_rows = 0
    for element in app.dataframe:
        if "Why something is hidden" not in element.value:
            continue
        for row in element.value[element.value["Why something is hidden"] != ""].to_dict("records"):
            hidden_rows += 1
            rates = [str(cell) for label, cell in row.items() if label.startswith(("Used", "Share", "Its", "Cost per"))]
            assert rates and not [cell for cell in rates if MADE_OF_DIGITS.match(cell)]
    if page == "equity" or (page == "adoption" and "tool" in address):
        assert hidden_rows


def test_a_hidden_cell_is_not_in_the_data_of_the_picture(look: Visit) -> None:
    charts = look("adoption").get("vega_lite_chart")
    spec = json.loads(charts[0].proto.spec)
    rows = [row for data in spec.get("datasets", {}).values() for row in data] or _arrow_rows(charts[0].proto)
    cell = next(row for row in rows if row["Tool"] == "ScienceLab" and row["Place"] == "Lincoln Elementary")
    assert pd.isna(cell["share"])
    assert cell["words"] == "≤2%"
    assert next(row for row in rows if row["Tool"] == "MathPath" and row["Place"].startswith("Oak"))["share"] > 0.5


def _arrow_rows(proto: Any) -> list[dict[str, Any]]:
    import pyarrow as pa

    rows: list[dict[str, Any]] = []
    for dataset in proto.datasets:
        rows += pa.ipc.open_stream(dataset.data.data).read_all().to_pylist()
    return rows


def test_no_part_of_a_licence_that_nobody_uses_is_drawn_as_used(look: Visit) -> None:
    (chart,) = look("value").get("vega_lite_chart")
    parts = [row["part"] for row in _arrow_rows(chart.proto) if row["contract"] == "PhonicsPath"]
    assert parts == ["Paid and not used"]


def test_each_run_of_the_checks_is_a_bar_of_its_own(look: Visit) -> None:
    (chart,) = look("quality").get("vega_lite_chart")
    runs = [row["run"] for row in _arrow_rows(chart.proto) if row["result"] == "holds"]
    assert len(runs) == len(set(runs)) > 1


# --- state in the address ----------------------------------------------------------------------------------------


def test_minutes_from_pauses_are_told_for_other_pauses_too(look: Visit) -> None:
    rows = look("adoption").dataframe[0].value.set_index("Tool")
    assert rows.loc["MathPath", "Minutes per user"].strip() == "55"
    assert rows.loc["MathPath", "With other pauses"].strip() == "44 to 72"
    assert rows.loc["Canvas", "With other pauses"].strip() == "", "its minutes are its own"


def test_the_address_restores_the_filters(look: Visit) -> None:
    app = look("adoption", where="Oak Street Elementary", tool="MathPath", week="Mar 30, 2026", look="Over time")
    values = {box.label: box.value for box in app.selectbox}
    assert values["Where"] == "school/sch-2"
    assert values["Tool"] == "mathpath"
    assert values["Week of"] == "2026-03-30"
    assert "week by week, Oak Street Elementary" in said(app)
    assert app.dataframe[0].value["Tool"].tolist() == ["MathPath"]
    assert "Classes of Oak Street Elementary, week of Mar 30, 2026" in said(app)


def test_an_address_that_names_nothing_known_is_ignored(look: Visit) -> None:
    app = look("adoption", where="Atlantis High", tool="'; drop table mart_adoption; --", week="never")
    assert not app.exception
    assert {box.label: box.value for box in app.selectbox}["Where"] == "district/"


def test_a_choice_that_the_next_page_does_not_know_is_dropped_there(published: Path, visit: Visit) -> None:
    app = visit("adoption", where="Grade 5", group="English learners")
    assert app.selectbox(key="where").value == "grade/05"
    app.switch_page("questions/equity.py").run()
    app.run()
    assert not app.exception
    assert app.selectbox(key="where").value == "district/testville"
    app.selectbox(key="where").set_value("school/sch-1").run()
    app.switch_page("questions/adoption.py").run()
    assert app.selectbox(key="where").value == "school/sch-1"


def test_group_and_district_come_from_the_address(look: Visit) -> None:
    app = look("adoption", group="English learners")
    assert app.dataframe[0].value["Students it is for"].str.strip().iloc[0] == "310"
    assert "Google Classroom" in said(look("adoption", district="Open data"))


# --- downloads ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES)
def test_the_download_is_the_table(published: Path, visit: Visit, page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from components import table

    saved: list[bytes] = []
    as_csv = table.as_csv

    def keep(frame: pd.DataFrame) -> bytes:
        saved.append(as_csv(frame))
        return saved[-1]

    app = visit(page)
    monkeypatch.setattr(table, "as_csv", keep)
    app.run()
    assert len(saved) == len(tables(app)) >= 1
    for table_shown, csv in zip(tables(app), saved, strict=True):
        loaded = pd.read_csv(io.BytesIO(csv), dtype="string", keep_default_na=False, encoding="utf-8-sig")
        shown = table_shown.map(str.strip)
        assert loaded.columns.tolist() == shown.columns.tolist()
        assert loaded.to_numpy().tolist() == shown.to_numpy().tolist()


def test_the_sentences_of_a_decision_are_not_cut_to_one_line(look: Visit) -> None:
    """Streamlit's grid shows a row on one line; its plain table takes as many as the words need."""
    app = look()
    assert not app.dataframe
    assert [table.value.columns.tolist()[:2] for table in app.table] == [["Decision", "What the data says"]]


# --- who may see what -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("mode", ["", "proxy", "login", "anything"])
def test_an_unresolved_viewer_sees_nothing(
    published: Path, visit: Visit, monkeypatch: pytest.MonkeyPatch, page: str, mode: str
) -> None:
    app = visit(page)
    monkeypatch.setenv("UPTAKE_DASHBOARD_MODE", mode)
    app.run()
    assert not app.exception
    assert [title.value for title in app.title] == ["There is nothing here for you to see"]
    assert not (app.metric or app.dataframe or app.selectbox or app.download_button or app.get("vega_lite_chart"))
    assert "Testville" not in said(app)


def test_demo_mode_is_refused_off_this_machine(published: Path, visit: Visit) -> None:
    from streamlit import config

    config.set_option("server.address", "0.0.0.0")
    assert [title.value for title in visit().title] == ["There is nothing here for you to see"]


def test_a_role_without_a_page_cannot_open_it(published: Path, visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UPTAKE_VIEWER_ROLE", "finance")
    assert not visit("value").exception
    with pytest.raises(ValueError, match="Could not find a navigation page"):
        visit("equity")
    home = visit()
    assert "Widest clear gap" not in said(home)
    monkeypatch.setenv("UPTAKE_VIEWER_ROLE", "principal")
    assert "$" not in said(visit())


# --- a candidate that was held back ------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES)
def test_a_rejected_candidate_is_told_on_every_page(published: Path, visit: Visit, page: str) -> None:
    make_snapshot.reject(published)
    words = "\n".join(error.value for error in visit(page).error).replace("\\", "")
    assert "You are looking at the last good data, through Apr 10, 2026" in words
    assert "Held back since Apr 11, 2026, 9:10 PM" in words
    assert "Cost by month adds up to the contract price" in words
    assert "Compare the contract file with the invoice" in words


def test_a_late_source_and_a_warning_are_in_the_answer(installation: Path, visit: Visit) -> None:
    folder = make_snapshot.publish(installation, FIRST, failing=True)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["checks"]["failed_warning"] = [
        {"check_id": "mart_value.9", "table": "mart_value", "description": "Every contract names a known tool",
         "observed": "1 contract", "remedy": "Add the tool to the catalogue."}
    ]  # fmt: skip
    (folder / "manifest.json").write_text(json.dumps(manifest))
    quality = said(visit("quality"))
    late = (
        "With care: Filter is late or cannot be read, SIS took longer than promised, 1 count does not agree and 1 more"
    )
    assert late in quality
    assert "renew the API key of the web filter" in quality
    assert "SIS took 125 min to the page, the goal is 60 min" in quality
    value = said(visit("value"))
    assert "Every contract names a known tool: 1 contract" in value  # opened from the number that it touches


def test_how_people_were_found_is_told_and_what_is_too_small_is_not(look: Visit) -> None:
    app = look("quality", show="People we can place")
    assert not app.exception
    found, unknown = (table.value for table in app.dataframe)
    assert [*found["Found"]][:2] == ["by the SIS id", "not found: the address leads to several people"]
    assert [said.strip() for said in found["So many"]] == ["3,950", "fewer than 10", "hidden", "31"]
    assert [said.strip() for said in found["Of"]] == ["4,012", "4,012", "4,012", "5,200"]
    assert [*unknown["Word"]] == ["Year 9", "rare words"]
    assert [said.strip() for said in unknown["Said of"]] == ["40", "fewer than 10"]


def test_the_full_report_is_linked_where_it_is_served(
    published: Path, visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "UPTAKE_DATA_DOCS_URL is not set" in said(visit("quality"))
    monkeypatch.setenv("UPTAKE_DATA_DOCS_URL", "http://127.0.0.1:8502/")
    link = visit("quality").get("link_button")[0]
    assert link.proto.url == "http://127.0.0.1:8502/testville/index.html"


# --- the access log -----------------------------------------------------------------------------------------------


def test_a_page_view_is_recorded_once_for_each_snapshot(published: Path, visit: Visit) -> None:
    from sqlalchemy import select
    from sqlalchemy.orm import Session

    from access_log import first_broken_row
    from uptake.operations.models import AccessLog
    from uptake.project import Project

    app = visit("adoption")
    app.run()
    app.selectbox(key="tool").set_value("mathpath").run()
    make_snapshot.publish(published, SECOND, through=date(2026, 4, 17))
    app.run()
    operations = Project.load().operations
    with Session(operations) as session:
        rows = [(row.page, row.action, row.details) for row in session.scalars(select(AccessLog))]
    assert rows == [
        ("home", "view", {"snapshot": FIRST}),
        ("adoption", "view", {"snapshot": FIRST}),
        ("adoption", "view", {"snapshot": SECOND}),
    ]
    assert first_broken_row(operations) is None


def test_a_look_that_cannot_be_recorded_is_said(
    published: Path, visit: Visit, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    blocked = tmp_path / "a-file"
    blocked.write_text("")
    monkeypatch.setenv("UPTAKE_OPERATIONS_URL", f"sqlite:///{blocked}/operations.db")
    app = visit("adoption")
    assert not app.exception
    assert "could not be recorded in the access log" in said(app)
    assert app.metric


# --- what the pages say ---------------------------------------------------------------------------------------------


def test_the_answers_come_from_the_data(look: Visit) -> None:
    assert "English learners are furthest behind: 41% kept using any tool in the last 4 school weeks" in said(
        look("equity")
    )
    value = said(look("value"))
    assert "At least $41,389 of the $119,250 spent so far in 2025-26 (35%)" in value
    assert "the largest part is PhonicsPath, $13,500" in value
    assert "MathPath ($42,000): decide now: the notice date was Mar 30, 2026" in value
    home = said(look())
    assert "3 contracts worth $90,000 need a decision within 90 days, 1 of them already past" in home
    assert "renew, cut or end MathPath" in home
    adoption = said(look("adoption"))
    assert "Canvas has the highest adoption" in adoption
    assert "95% of the recorded use could be tied to a student" in adoption
    assert "that no tool in the catalog explains, 1 tool that nobody has decided on, data through" in adoption


def test_the_furthest_group_stands_first_and_the_hidden_one_last(look: Visit) -> None:
    app = look("equity")
    groups = app.dataframe[0].value["Group"].tolist()
    assert groups[0] == "English learners"
    assert groups[-1] == "Students with disabilities"
    assert "the group has fewer than 10 students" in said(app)


def test_coverage_of_the_bands_is_said(look: Visit) -> None:
    words = said(look("equity", district="Open data"))
    assert "115 of 188 districts say what share of their students is on free or reduced-price meals" in words
    assert "45 of 233 listed districts report nothing" in words
    assert "The largest districts are missing." in words
    assert "Districts with 40% to 60% of students on free or reduced-price meals are furthest behind" in words


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("district", DISTRICTS)
def test_no_page_speaks_of_columns_or_nothing(look: Visit, page: str, district: str) -> None:
    app = look(page, district=district)
    words = "\n".join([said(app), *(shown.to_csv() for shown in tables(app))])
    assert not re.findall(r"\b(?:NULL|None|NaN|NaT|nan|mart_\w+|dim_\w+|\w+_key|\w+_usd|\w+_rate)\b", words)


# --- speed -------------------------------------------------------------------------------------------------------


def test_a_picture_of_the_same_rows_is_drawn_once_and_shown_each_time(
    published: Path, visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    from components import charts

    drawn = []
    heat_map = charts.heat_map

    @functools.wraps(heat_map)
    def counted(frame: pd.DataFrame, **options: Any) -> Any:
        drawn.append(frame)
        return heat_map(frame, **options)

    monkeypatch.setattr(charts, "heat_map", counted)
    charts.draw.clear()
    first, second = (visit("adoption").get("vega_lite_chart") for _ in range(2))
    assert [chart.proto.spec for chart in first] == [chart.proto.spec for chart in second]
    assert len(first) == 1 and len(drawn) == 1
    (earlier,) = visit("adoption", week="Mar 30, 2026").get("vega_lite_chart")
    assert len(drawn) == 2
    assert earlier.proto.datasets[0].data != first[0].proto.datasets[0].data


@pytest.mark.parametrize("page", PAGES)
def test_a_page_answers_within_a_second(published: Path, visit: Visit, page: str) -> None:
    """Seconds of processor time, which a busy machine does not stretch; the limit is that of the demo district."""
    app = visit(page)
    started = time.process_time()
    app.run()
    assert time.process_time() - started < 1.0
