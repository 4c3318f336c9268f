"""The written pages are true where that can be read off: links, commands and their options, settings, variables."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from uptake.cli import app
from uptake.config import District, Finance, PriceRise, Privacy, Retention, Thresholds
from uptake.receiver.cli import app as receive_app
from uptake.sandbox.cli import app as sandbox_app

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(
    [*ROOT.glob("*.md")]
    + [page for folder in ("docs", "dashboard", "examples", "tests/data") for page in (ROOT / folder).rglob("*.md")]
)
LINK = re.compile(r"\]\(([^)\s]+)\)")
FOREIGN = re.compile(r"^[a-z]+:")
CODE = re.compile(r"^(?:    [^\n]*|\s*```.*?^\s*```)", re.M | re.S)
APART = {"sandbox": sandbox_app, "receive": receive_app}  # commands that are read when they are called
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())


def anchors(page: Path) -> set[str]:
    """What headings can be pointed to by: lower case, words joined by hyphens, as GitHub does."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@each_page
def test_every_link_and_picture_of_a_page_is_there(page: Path) -> None:
    missing = []
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        if FOREIGN.match(target):
            continue
        name, _, anchor = target.partition("#")
        found = (page.parent / name).resolve() if name else page
        if not found.exists() or (anchor and anchor not in anchors(found)):
            missing.append(target)
    assert missing == []


def commands_of(page: Path) -> Iterator[list[str]]:
    """Words of each `uptake ...` that the page shows, in a line of code or between backticks."""
    text = page.read_text(encoding="utf-8")
    blocks = "\n".join(CODE.findall(text))
    inline = re.findall(r"`(uptake [^`]+)`", CODE.sub("", text))
    for line in [*inline, *re.findall(r"^\s*(?:\.venv/bin/)?(uptake .+)$", blocks, re.M)]:
        for part in re.split(r"&&|\||;|#|->", line):
            words = shlex.split(part) if part.strip().startswith("uptake") else []  # a comment may have an apostrophe
            if words[:1] == ["uptake"] and len(words) > 1 and words[1] not in {"...", ""}:
                yield words[1:]


def complaint(words: list[str]) -> str | None:
    """What the command line does not know of these words; None when it knows them all."""
    command: Any = typer.main.get_command(app)
    rest = list(words)
    while hasattr(command, "get_command") and rest and not rest[0].startswith("-"):
        found = command.get_command(None, rest[0])
        if found is None:
            return f"no command {rest[0]}"
        command = typer.main.get_command(APART[rest[0]]) if rest[0] in APART else found
        rest = rest[1:]
    known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    unknown = [word for word in rest if word.startswith("-") and word.split("=")[0] not in known | {"--help"}]
    return f"no option {', '.join(unknown)}" if unknown else None


@each_page
def test_every_command_of_a_page_exists(page: Path) -> None:
    assert {" ".join(words): complaint(words) for words in commands_of(page) if complaint(words)} == {}


def test_commands_are_found_and_wrong_ones_are_told() -> None:
    found = [words for page in PAGES for words in commands_of(page)]
    assert len(found) > 40
    assert complaint(["pull", "--sources", "sis"]) == "no option --sources"
    assert complaint(["sandbox", "fault", "put"]) == "no command put"


def test_every_make_target_of_a_page_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([\w./]+):", makefile, re.M))
    asked = {name for page in PAGES for name in re.findall(r"(?:`|^)make ([\w./]+)", page.read_text("utf-8"), re.M)}
    assert asked and asked <= targets


def test_every_variable_of_a_page_is_read_somewhere() -> None:
    code = "\n".join(
        path.read_text(encoding="utf-8")
        for folder in ("src", "dashboard", "dags", "scripts", "docker", "examples", "dbt_project")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".py", ".yaml", ".yml", ".sh"} and path.is_file()
    )
    asked = {name for page in PAGES for name in re.findall(r"\bUPTAKE_[A-Z_]+\b", page.read_text("utf-8"))}
    assert len(asked) > 5
    assert {name for name in asked if not re.search(rf"\b{name}\b", code)} == set()


def test_the_settings_table_is_what_the_settings_are() -> None:
    table = (ROOT / "docs" / "add-a-district.md").read_text(encoding="utf-8").split("## Settings")[1]
    told = {}
    for names, defaults in re.findall(r"^\| ((?:`[\w.]+`(?: / )?)+) \| ([^|]+) \|", table, re.M):
        keys = [key.split(".")[-1] for key in re.findall(r"`([\w.]+)`", names)]
        told |= dict(zip(keys, [text.strip() for text in defaults.split("/")], strict=False))
    settings = {**Privacy.model_fields, **Retention.model_fields, **Thresholds.model_fields}
    settings |= {**Finance.model_fields, **PriceRise.model_fields}
    for group in ("retention", "price_rise"):
        settings.pop(group)  # its own settings stand for it
    assert set(told) == {*settings, "subgroups"} & set(told) and set(settings) <= set(told)
    for key, field in settings.items():
        assert told[key] == str(field.default).lower(), key
    assert len(District.model_fields["subgroups"].default) == len(told["subgroups"].split(", "))
