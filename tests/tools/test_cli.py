"""`uptake tools`. What it lists of a published district is shown in tests/e2e/test_whole_way.py."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from uptake import cli

runner = CliRunner()


def uptake(*arguments: str) -> Result:
    return runner.invoke(cli.app, [*arguments], env={"COLUMNS": "300", "NO_COLOR": "1", "TERM": "dumb"})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    assert uptake("init").exit_code == 0
    return tmp_path


@pytest.mark.parametrize("command", ["review", "decide"])
def test_every_command_teaches_by_an_example(command: str) -> None:
    assert re.search(rf"Examples:.*uptake tools {command}", uptake("tools", command, "--help").output, re.DOTALL)


def test_a_decision_is_written_into_the_catalogue_that_init_began(folder: Path) -> None:
    done = uptake("tools", "decide", "lakeside", "play.quiz.example", "--name", "Quiz", "--status", "unapproved")
    assert done.exit_code == 0 and "Quiz (quiz) is unapproved, at play.quiz.example." in done.output
    assert "quiz,Quiz,,,,unapproved,,play.quiz.example" in (folder / "tools.csv").read_text()
    wrong = uptake("tools", "decide", "lakeside", "play.quiz.example", "--tool", "khan_academy")
    assert wrong.exit_code == 1 and "an address of quiz already" in wrong.output


def test_before_anything_is_published_there_is_nothing_to_review(folder: Path) -> None:
    found = uptake("tools", "review", "lakeside")
    assert found.exit_code == 1 and "no published snapshot" in found.output and "uptake run" in found.output
