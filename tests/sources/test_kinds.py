"""What is told of each kind of source is what its code says."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from uptake.config import load_config
from uptake.sources.kinds import STATUSES, all_kinds, describe, example_entry
from uptake.sources.registry import KINDS

DOCS = Path(__file__).resolve().parents[2] / "docs"
YEAR = {"name": "2025-26", "starts_on": "2025-08-18", "ends_on": "2026-06-05"}


@pytest.mark.parametrize("kind", KINDS)
def test_the_example_of_a_kind_is_accepted_as_it_is(tmp_path: Path, kind: str) -> None:
    (entry,) = yaml.safe_load(describe(kind).example)
    assert entry == example_entry(kind)
    if entry.get("mappings") == "finance.yaml":
        mapping = {"namespace": "finance", "resource": "invoices", "table": "invoice", "key": ["id"]}
        mapping |= {"columns": [{"header": "id", "required": True}]}
        (tmp_path / "finance.yaml").write_text(yaml.safe_dump(mapping))
    district = {"id": "lakeside", "name": "Lakeside", "time_zone": "America/Chicago"}
    district |= {"calendar": {"school_years": [YEAR]}, "sources": [entry]}
    (tmp_path / "uptake.yaml").write_text(yaml.safe_dump({"districts": [district]}))
    (settings,) = load_config(tmp_path / "uptake.yaml").districts[0].sources
    assert settings.kind == kind


@pytest.mark.parametrize("kind", KINDS)
def test_every_setting_of_a_kind_says_what_it_means(kind: str) -> None:
    told = describe(kind)
    assert {setting.name for setting in told.settings} == set(KINDS[kind].settings_model.model_fields)
    assert [setting.name for setting in told.settings if not setting.meaning] == []
    assert told.summary.endswith(".")


def test_how_the_rows_of_a_kind_come() -> None:
    found = {kind.name: kind.status for kind in all_kinds()}
    assert found["oneroster"] == found["canvas"] == "documented API"
    assert found["oneroster_csv"] == "file" and found["caliper"] == "pushed"
    assert found["dropfolder"] == found["database"] == "template"
    assert set(found.values()) <= set(STATUSES)


def test_what_must_be_given_stands_first() -> None:
    names = [setting.name for setting in describe("oneroster").settings]
    assert names[:2] == ["name", "kind"] and set(names[:4]) == {"name", "kind", "url", "connection"}


def test_the_docs_have_a_line_for_each_kind() -> None:
    table = (DOCS / "add-a-source.md").read_text(encoding="utf-8").split("## Kinds")[1].split("\n## ")[0]
    told = {line.split("`")[1] for line in table.splitlines() if line.startswith("| `")}
    assert told == set(KINDS)
