"""Caliper, each version as its senders write it: what is answered, what lands, what goes to quarantine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pushing import CALIPER_DATA, envelope, event, key, landed, make_project, post, uuid_of

from uptake import pipeline

FIXTURES = sorted(CALIPER_DATA.glob("v1p[12]/caliperEnvelope*.json"))
needs_fixtures = pytest.mark.skipif(not FIXTURES, reason="the Caliper fixtures in ../shared/data are not here")


def test_an_envelope_lands_without_a_name(tmp_path: Path) -> None:
    project = make_project(tmp_path)
    answer = post(project, "/caliper/lakeside", envelope(event(1), event(2, "sis-2")), authorization=key(project).token)
    assert (answer.status_code, answer.content) == (200, b"")
    pipeline.pull(project, "lakeside", "events")
    rows = landed(project)
    assert [row["event_key"] for row in rows] == [uuid_of(1), uuid_of(2)]
    assert {row["ed_app"] for row in rows} == {"docs.google.com/forms"}
    assert {row["action"] for row in rows} == {"NavigatedTo"}
    assert all(row["actor_sis_id"] and len(row["actor_sis_id"]) == 32 for row in rows)
    assert "sis-1" not in json.dumps(rows, default=str) and "secret" not in json.dumps(rows, default=str)
