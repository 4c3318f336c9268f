from __future__ import annotations

import pytest

from uptake.config import SourceSettings
from uptake.contracts import Resource
from uptake.sources.registry import KINDS, open_source, settings_model, warehouse_resources


def test_every_kind_says_what_it_is() -> None:
    assert {"oneroster", "oneroster_csv", "canvas", "umbrella", "filterlog"} <= set(KINDS)
    assert {"dropfolder", "caliper", "xapi", "logpush"} <= set(KINDS)
    for kind, source in KINDS.items():
        assert source.kind == kind
        assert issubclass(source.settings_model, SourceSettings)
        assert settings_model(kind) is source.settings_model


@pytest.mark.parametrize("kind", ["blackboard", None, 3, ["canvas"]])
def test_an_unknown_kind_is_told_the_known_ones(kind: object) -> None:
    with pytest.raises(ValueError, match=f"known kinds: {', '.join(KINDS)}"):
        settings_model(kind)


def test_the_warehouse_knows_every_resource_that_can_land() -> None:
    found = warehouse_resources()
    assert all(isinstance(resource, Resource) and resource.name == name for (_, name), resource in found.items())
    assert {("oneroster", "enrollments"), ("canvas", "page_views"), ("umbrella", "activity")} <= set(found)
    assert {("registers", "contracts"), ("learnplatform", "engagement")} <= set(found)


def test_open_source_makes_the_kind_that_the_settings_name() -> None:
    from uptake.credentials import Credential

    settings = settings_model("canvas").model_validate(
        {"name": "lms", "kind": "canvas", "connection": "c", "url": "https://canvas.example"}
    )
    with open_source(settings, Credential("", "token")) as source:
        assert source.kind == "canvas" and "courses" in source.resources
