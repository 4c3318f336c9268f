"""A plan is frozen: the same plan has the same hash, whatever the file, and any change is another study."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError
from studies import plan

from uptake.errors import ConfigError
from uptake.evidence.plan import StudyPlan, read_plan


def test_the_hash_is_of_the_canonical_text_and_of_nothing_else(tmp_path: Path):
    one = plan(cluster="school", covariates=["meals"])
    file = tmp_path / "plan.yaml"
    given = one.model_dump(mode="json", exclude_defaults=True)
    file.write_text(yaml.safe_dump(dict(reversed(list(given.items())))))
    assert read_plan(file).hash == one.hash
    assert one.hash == hashlib.sha256(one.canonical.encode()).hexdigest()
    assert json.loads(one.canonical)["prior"] == {"mean": 0.0, "sd": 0.25}, "defaults are written out"
    assert StudyPlan.model_validate_json(one.canonical) == one


def test_any_change_is_another_study():
    changes = [
        {"meaningful_effect": 0.21},
        {"seed": 1},
        {"window": "fall"},
        {"covariates": ["meals"]},
        {"subgroups": ["home"]},
        {"matching": {"caliper": 0.25}},
        {"prior": {"sd": 0.3}},
        {"treatment": {"column": "arm", "treated": 2}},
    ]
    hashes = {plan().hash, *(plan(**change).hash for change in changes)}
    assert len(hashes) == len(changes) + 1


def test_a_plan_cannot_be_changed():
    with pytest.raises(ValidationError):
        plan().seed = 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"design": "matched"}, "to match on"),
        ({"design": "difference_in_differences"}, "period"),
        ({"design": "dose_response"}, "dose"),
        ({"covariates": ["score"]}, "cannot be adjusted for"),
        ({"subgroups": ["score"]}, "cannot be adjusted for"),
        ({"variance": "CR2"}, "cluster"),
        ({"population": [{"column": "grade"}]}, "is_in"),
        ({"meaningful_effect": None}, "number"),
        ({"months_of_learning": True}, "Extra"),
    ],
)
def test_what_does_not_fit_together_is_refused(changes: dict, message: str):
    with pytest.raises(ValidationError, match=message):
        plan(**changes)


def test_a_plan_that_contradicts_itself_is_refused(tmp_path: Path):
    file = tmp_path / "plan.yaml"
    given = plan().model_dump(mode="json")
    file.write_text(json.dumps(given | {"treatment": {"column": "arm", "treated": 1, "comparison": "1"}}))
    with pytest.raises(ConfigError, match="treated and comparison are the same"):
        read_plan(file)
    terms = {"column": "term", "before": ["T1", "T2"], "after": ["T2"]}
    file.write_text(json.dumps(given | {"design": "difference_in_differences", "period": terms}))
    with pytest.raises(ConfigError, match="both before and after"):
        read_plan(file)


def test_a_wrong_file_names_the_key(tmp_path: Path):
    file = tmp_path / "plan.yaml"
    file.write_text("question: Does it help anybody?\ntool: x\ndesign: randomized\n")
    with pytest.raises(ConfigError, match="design") as caught:
        read_plan(file)
    assert "treatment" in str(caught.value)
    file.write_bytes("question: Hilft es den Schülern?".encode("latin-1"))
    with pytest.raises(ConfigError, match="cannot be read"):
        read_plan(file)
    file.write_text("a: [")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_plan(file)
