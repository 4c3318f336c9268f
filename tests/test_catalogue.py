from __future__ import annotations

from pathlib import Path

import pytest

from uptake.catalogue import Address, Catalogue, load_catalogue
from uptake.errors import ConfigError

HEADER = "tool_id,tool_name,vendor_name,function,sector,approval_status,licensed_grades,addresses\n"


def load(tmp_path: Path, text: str) -> Catalogue:
    path = tmp_path / "tools.csv"
    path.write_text(text, encoding="utf-8")
    return load_catalogue(path)


def test_a_catalogue(tmp_path: Path) -> None:
    found = load(
        tmp_path,
        "\ufeff" + HEADER + "docs,Docs,Google,Writing,PreK-12,approved,03; 04,Docs.google.com/document/;www.x.example\n"
        "games,Games,,,,unapproved,,\n",
    )
    docs, games = found.tools
    assert docs.licensed_grades == ("03", "04")
    assert docs.addresses == (Address("docs.google.com", "document"), Address("www.x.example", ""))
    assert (games.licensed_grades, games.addresses) == ((), ())


def test_longer_prefixes_come_first(tmp_path: Path) -> None:
    found = load(
        tmp_path, HEADER + "a,A,,,,approved,,x.example/a;x.example/a/b/c;x.example\nb,B,,,,approved,,y.example\n"
    )
    assert found.prefixes == {"x.example": ("a/b/c", "a")}
    assert found.depth == 3


def test_no_catalogue_knows_nothing() -> None:
    found = load_catalogue(None)
    assert (found.tools, found.prefixes, found.depth) == ((), {}, 0)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (",Docs,,,,approved,,", "tools.csv line 2: tool_id is blank"),
        ("docs,,,,,approved,,", "tools.csv line 2: tool_name is blank"),
        ("docs,Docs,,,,maybe,,", "line 2: approval_status 'maybe' is not one of approved, unapproved, retired, known"),
        ("docs,Docs,,,,approved,,https://x.example", "line 2: 'https://x.example' is not `host` or `host/path`"),
        ("docs,Docs,,,,approved,,x.example/a?b", "line 2: 'x.example/a?b' has a query"),
        ("docs,Docs,,,,approved,,localhost", "line 2: 'localhost' is not `host`"),
        ("docs,Docs,,,,approved", "line 2: this line has not as many columns as the header"),
        ("docs,Docs,,,,approved,,,more", "line 2: this line has not as many columns as the header"),
        ("a,A,,,,approved,,\na,B,,,,approved,,", "line 3: tool_id a stands on line 2 already"),
        ("a,A,,,,approved,,x.example/a\nb,B,,,,approved,,X.example/a/", "line 3: address x.example/a stands on line 2"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, line: str, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, HEADER + line + "\n")
    assert expected in str(caught.value)


def test_every_wrong_line_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, HEADER + ",A,,,,approved,,\nb,,,,,approved,,\n")
    assert str(caught.value).splitlines() == [
        "tools.csv line 2: tool_id is blank",
        "tools.csv line 3: tool_name is blank",
    ]


@pytest.mark.parametrize("text", ["tool_id,tool_name\n", "", "tool_id;tool_name;vendor_name\n"])
def test_a_missing_column(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match="line 1: missing column"):
        load(tmp_path, text)


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no tool catalogue"):
        load_catalogue(tmp_path / "none.csv")


def test_another_encoding(tmp_path: Path) -> None:
    path = tmp_path / "tools.csv"
    path.write_bytes(HEADER.encode() + b"a,Caf\xe9,,,,approved,,\n")
    with pytest.raises(ConfigError, match="UTF-8"):
        load_catalogue(path)
