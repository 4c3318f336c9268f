"""The dashboard: `streamlit run dashboard/app.py`. Who looks, at which district, then one page with one question.

The pages lie in `questions/`. Streamlit runs the files of a folder named `pages` by themselves when a visit begins at
one of them, before this file has asked who is looking.
"""

from __future__ import annotations

import os
from pathlib import Path

import streamlit as st

from components import frame, words
from queries.reader import Reader, open_reader, pointed_at
from uptake.errors import ConfigError
from uptake.project import Project
from viewer import NotAllowed, Page, Viewer, resolve

PAGES: dict[Page, tuple[str, str, str]] = {
    "home": ("questions/home.py", "Home", ":material/home:"),
    "adoption": ("questions/adoption.py", "Adoption", ":material/groups:"),
    "equity": ("questions/equity.py", "Equity", ":material/balance:"),
    "impact": ("questions/impact.py", "Impact", ":material/school:"),
    "value": ("questions/value.py", "Value", ":material/payments:"),
    "quality": ("questions/quality.py", "Data quality", ":material/verified:"),
}


@st.cache_resource(show_spinner=False)
def _project(config: str | None) -> Project:
    return Project.load()


def _is_logged_in() -> bool:
    """By Streamlit's own login. The attribute is not there where no `[auth]` is configured."""
    return os.environ.get("UPTAKE_DASHBOARD_MODE") == "login" and bool(st.user.get("is_logged_in"))


def _viewer() -> Viewer:
    signed_in = _is_logged_in() and bool(st.user.get("email_verified"))
    return resolve(
        os.environ,
        headers=dict(st.context.headers),
        login_email=str(st.user.get("email") or "") if signed_in else None,
        address=st.get_option("server.address"),
    )


def _district(project: Project, viewer: Viewer) -> str:
    names = {
        district.id: district.name for district in project.config.districts if viewer.may_see_district(district.id)
    }
    if not names:
        raise NotAllowed("You are signed in, but none of the districts here is yours to see.")
    return str(
        st.sidebar.selectbox(
            "District", list(names), format_func=names.__getitem__, key="district", bind="query-params"
        )
    )


@st.fragment(run_every=frame.refresh_seconds())
def _freshness(project: Project, viewer: Viewer, district_id: str, reader: Reader | None) -> None:
    """Looks at the pointer by itself; newer data, or newer trouble, runs the whole page again."""
    snapshot = pointed_at(project, district_id, viewer)
    shown = (reader.snapshot.id, reader.snapshot.rejected) if reader else None
    if (snapshot and (snapshot.id, snapshot.rejected)) != shown:
        st.rerun(scope="app")
    if reader is None:
        st.caption("Waiting for the first data.")
        return
    st.markdown(f"Data through  \n**{words.safe(words.day(reader.data_through))}**")
    published = words.moment(reader.published_at, str(reader.manifest["time_zone"]))
    clock = " by this machine's clock" if reader.is_simulated else ""
    st.caption(words.safe(f"Checked and published {published}{clock}. This page follows new data by itself."))


def main() -> None:
    st.set_page_config(page_title="Uptake", page_icon=":material/school:", layout="wide")
    st.html(frame.STYLE)
    st.logo(Path(__file__).parent / "assets" / "uptake.svg", size="large")
    try:
        viewer = _viewer()
        project = _project(os.environ.get("UPTAKE_CONFIG"))
        district_id = _district(project, viewer)
        allowed = {page: entry for page, entry in PAGES.items() if viewer.may_open(page)}
        chosen = st.navigation(
            [
                st.Page(path, title=title, icon=icon, url_path=page, default=place == 0)
                for place, (page, (path, title, icon)) in enumerate(allowed.items())
            ]
        )
        reader = open_reader(project, district_id, viewer)
        with st.sidebar:
            _freshness(project, viewer, district_id, reader)
            st.caption(f"Viewing as {words.safe(viewer.name)} ({viewer.role})")
        if reader is None:
            st.title("The first data is on its way", anchor=False)
            st.markdown(
                "Nothing has been published for this district yet. The first load reads every source, checks the "
                "figures and then publishes them; this page opens by itself when that is done."
            )
            return
        frame.keep(frame.Context(project, viewer, reader))
        chosen.run()
    except NotAllowed as refusal:
        st.title("There is nothing here for you to see", anchor=False)
        st.markdown(words.safe(str(refusal)))
        if os.environ.get("UPTAKE_DASHBOARD_MODE") == "login" and not _is_logged_in():
            st.button("Sign in", on_click=st.login, type="primary")
    except ConfigError as error:
        st.title("The dashboard cannot start", anchor=False)
        st.markdown(words.safe(str(error)))


main()
