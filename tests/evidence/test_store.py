"""Plans and results on record, from the library and from the command line, on SQLite and PostgreSQL."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from sqlalchemy import text
from studies import plan, table, world
from typer.testing import CliRunner

from uptake.cli import app
from uptake.errors import ConfigError, PermanentError
from uptake.evidence import store
from uptake.evidence.run import run_study
from uptake.operations.session import open_engine, writing


def test_a_study_and_its_runs_stay_on_record(operations_url: str):
    engine = open_engine(operations_url)
    one, other = plan(cluster="school"), plan(cluster="school", meaningful_effect=0.3)
    first = store.record(engine, one)
    again = store.record(engine, one)
    store.record(engine, other)
    assert again.planned_at == first.planned_at, "the same plan again keeps its first date"
    result = run_study(one, table(world(effect=0.6)))
    store.keep(engine, first, result)
    store.keep(engine, first, result)
    found = store.find(engine, first.short)
    assert found.plan == one
    assert found.results == (result, result)
    assert {study.hash for study in store.all_studies(engine)} == {one.hash, other.hash}
    assert store.all_studies(engine, "riverbend") == []


def test_a_plan_that_somebody_changed_is_not_run(operations_url: str):
    engine = open_engine(operations_url)
    study = store.record(engine, plan())
    with writing(engine) as session:
        session.execute(text("UPDATE study_plan SET canonical = replace(canonical, '0.2', '0.1')"))
    with pytest.raises(PermanentError, match="not the one that was hashed"):
        store.find(engine, study.short)


def test_a_plan_of_an_older_version_keeps_its_hash(tmp_path: Path):
    """A field that is newer than the plan has its default; the hash stays that of the text on record."""
    import hashlib

    engine = open_engine(f"sqlite:///{tmp_path / 'uptake.db'}")
    study = store.record(engine, plan())
    older = json.loads(study.plan.canonical)
    del older["scale_by"]
    canonical = json.dumps(older, sort_keys=True, separators=(",", ":"))
    changed = {"text": canonical, "hash": hashlib.sha256(canonical.encode()).hexdigest()}
    with writing(engine) as session:
        session.execute(text("UPDATE study_plan SET canonical = :text, hash = :hash"), changed)
    found = store.find(engine, changed["hash"])
    store.keep(engine, found, run_study(found.plan, table(world())))
    assert store.find(engine, changed["hash"]).results[0].plan_hash == changed["hash"]


def test_an_unknown_or_unclear_id_is_told(operations_url: str):
    engine = open_engine(operations_url)
    store.record(engine, plan())
    store.record(engine, plan(seed=1))
    with pytest.raises(ConfigError, match="no study"):
        store.find(engine, "zzz")
    with pytest.raises(ConfigError, match="more than one"):
        store.find(engine, "")


def test_from_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    runner = CliRunner()
    assert runner.invoke(app, ["init"]).exit_code == 0
    world(effect=0.6).to_csv("students.csv", index=False)
    given = plan(cluster="school", baseline=["baseline"]).model_dump(mode="json", exclude_defaults=True)
    Path("plan.yaml").write_text(yaml.safe_dump(given))

    planned = runner.invoke(app, ["study", "plan", "plan.yaml", "--table", "students.csv"])
    assert planned.exit_code == 0, planned.output
    identifier = planned.output.split()[0]
    assert "not run yet" in runner.invoke(app, ["study", "list"]).output
    assert "Not run yet" in runner.invoke(app, ["study", "show", identifier]).output

    ran = runner.invoke(app, ["study", "run", identifier, "--table", "students.csv"])
    assert ran.exit_code == 0, ran.output
    assert "Numbers raises the score" in ran.output
    for part in ("gates", "who is in it", "balance", "how the answer moves", "plan SHA-256"):
        assert part in ran.output
    shown = json.loads(runner.invoke(app, ["study", "show", identifier, "--json"]).output)
    assert shown["results"][0]["outcomes"][0]["verdict"]["kind"] == "effect"
    nowhere = runner.invoke(app, ["study", "report", identifier, "nowhere/study.html"])
    assert nowhere.exit_code == 1 and "cannot be written" in nowhere.output
    listed = json.loads(runner.invoke(app, ["study", "list", "--json"]).output)
    assert [(one["runs"], one["verdict"]) for one in listed] == [(1, "effect")]

    district = yaml.safe_load(Path("uptake.yaml").read_text())["districts"][0]["id"]
    term = {"starts_on": "2025-09-01", "ends_on": "2025-09-30"}
    marts = {"district": district, "category": "Assessment", "course": "^Math", "baseline": term}
    marts |= {"outcome": term | {"ends_on": "2026-04-30"}, "use": {"tool": "numbers"} | term}
    Path("small.yaml").write_text(yaml.safe_dump(given | {"marts": marts, "minimum_n": 5}))
    refused = runner.invoke(app, ["study", "plan", "small.yaml"])
    assert refused.exit_code == 1
    assert "groups of 5 students, the district none of fewer than 10" in " ".join(refused.output.split())
    assert len(json.loads(runner.invoke(app, ["study", "list", "--json"]).output)) == 1

    wrong = runner.invoke(app, ["study", "plan", "plan.yaml", "--table", "plan.yaml"])
    assert wrong.exit_code == 1
    assert "no column" in wrong.output
    assert runner.invoke(app, ["study", "run", identifier, "--table", "plan.yaml"]).exit_code == 1
    assert runner.invoke(app, ["study", "run", identifier]).exit_code == 1, "without a table it needs marts"
