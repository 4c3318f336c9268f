"""Decisions in the catalogue: what they write, and that nothing else changes."""

from __future__ import annotations

from pathlib import Path

import pytest
from publicsuffixlist import PublicSuffixList

import uptake
from uptake.catalogue import load_catalogue
from uptake.errors import ConfigError
from uptake.tools.decide import Decision, decide

CATALOGUE = """tool_id,tool_name,vendor_name,function,sector,approval_status,licensed_grades,addresses,note
mathgym,MathGym,"Larkfield, Inc",Courseware,PreK-12,approved,03;04,mathgym.example;app.mathgym.example,kept
famous,Famous,,,,known,,famous.example/part,
bare,Bare,,,,approved,,,
"""
STARTER = Path(uptake.__file__).parent / "starter" / "tools.csv"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "tools.csv"
    path.write_text(CATALOGUE)
    return path


def changed(path: Path) -> list[str]:
    """Lines that were not there before."""
    assert sorted(path.parent.iterdir()) == [path], "no draft is left"
    return [line for line in path.read_text().splitlines() if line not in CATALOGUE.splitlines()]


def test_an_address_is_given_to_a_tool(path: Path) -> None:
    tool = decide(path, Decision("Play.MathGym.example/Now/", tool_id="mathgym"))
    assert [address.host for address in tool.addresses][-1] == "play.mathgym.example"
    assert changed(path) == [
        'mathgym,MathGym,"Larkfield, Inc",Courseware,PreK-12,approved,03;04,'
        "mathgym.example;app.mathgym.example;play.mathgym.example/Now,kept"
    ]
    decide(path, Decision("bare.example", tool_id="bare", status="retired"))
    assert "bare,Bare,,,,retired,,bare.example," in changed(path)


def test_an_address_is_given_to_a_new_tool(path: Path) -> None:
    decide(path, Decision("quiz.example", name="Quiz: Ärger, Inc.", vendor="Q", function="Games"))
    decide(path, Decision("bad.example", name="Bad", status="unapproved"))
    assert changed(path) == [
        'quiz_arger_inc,"Quiz: Ärger, Inc.",Q,Games,,approved,,quiz.example,',
        "bad,Bad,,,,unapproved,,bad.example,",
    ]


def test_a_tool_is_decided_on(path: Path) -> None:
    assert decide(path, Decision("famous", status="approved")).approval_status == "approved"
    assert changed(path) == ["famous,Famous,,,,approved,,famous.example/part,"]


@pytest.mark.parametrize(
    ("decision", "says"),
    [
        (Decision("mathgym.example", name="Other"), "an address of mathgym already"),
        (Decision("new.example"), "whose is new.example"),
        (Decision("new.example", tool_id="nobody"), "no tool 'nobody'"),
        (Decision("new.example", name="mathgym"), "is in the catalogue already.*--tool mathgym"),
        (Decision("famous"), "is a tool of the catalogue already"),
        (Decision("famous", status="approved", name="X"), "is a tool of the catalogue already"),
        (Decision("https://new.example/x?y", name="X"), "neither a tool of the catalogue nor an address"),
        (Decision("nodot", name="X"), "neither a tool of the catalogue nor an address"),
    ],
)
def test_what_cannot_be_meant_changes_nothing(path: Path, decision: Decision, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        decide(path, decision)
    assert path.read_text() == CATALOGUE


def test_the_catalogue_to_begin_with_has_the_products_and_decides_nothing() -> None:
    catalogue = load_catalogue(STARTER)
    assert len(catalogue.tools) == 372
    assert {tool.approval_status for tool in catalogue.tools} == {"known"}
    known = PublicSuffixList(only_icann=True)
    domains = [{known.privatesuffix(address.host) for address in tool.addresses} for tool in catalogue.tools]
    google = [tool.tool_id for tool, held in zip(catalogue.tools, domains, strict=True) if "google.com" in held]
    assert len(google) == 25 and {"google_docs", "google_forms", "jamboard"} <= set(google)
