"""Caliper, each version as its senders write it: what is answered, what lands, what goes to quarantine."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from pushing import CALIPER_DATA, Pushed, envelope, event, make_project, quarantined, uuid_of

from uptake.landing.land import open_door
from uptake.sources.pushed.caliper import is_event

PATH = "/caliper/lakeside"
ENVELOPES = sorted(CALIPER_DATA.glob("v1p[12]/caliperEnvelopeEvent*.json")) + sorted(
    CALIPER_DATA.glob("v1p[12]/caliperEnvelope[MT]*.json")
)
EVENTS = sorted(CALIPER_DATA.glob("v1p[12]/caliperEvent*.json"))
needs_fixtures = pytest.mark.skipif(not EVENTS, reason="the Caliper fixtures of ../shared/data are not here")


@pytest.fixture
def pushed(tmp_path: Path) -> Pushed:
    return Pushed(make_project(tmp_path), "events")


def test_an_envelope_lands_without_a_name(pushed: Pushed) -> None:
    answer = pushed.send("POST", PATH, envelope(event(1), event(2, "sis-2")))
    assert (answer.status_code, answer.content) == (200, b"")
    rows = pushed.pull()
    assert [row["event_key"] for row in rows] == [uuid_of(1), uuid_of(2)]
    assert {row["ed_app"] for row in rows} == {"docs.google.com/forms"}
    assert {row["action"] for row in rows} == {"NavigatedTo"}
    text = json.dumps(rows, default=str)
    assert not any(word in text for word in ("sis-1", "secret", "search", "lms.lakeside"))
    door, vault = open_door(pushed.project, pushed.project.district("lakeside"))
    with vault:  # the district's pattern leads from the sender's address of a person to the roster
        assert [row["actor_sis_id"] for row in rows] == [door.pseudonym("sis_user", f"sis-{n}") for n in (1, 2)]
        assert vault.identifier("sis_user", rows[0]["actor_sis_id"]) == "sis-1"


def test_a_sensor_of_1_0(pushed: Pushed) -> None:
    """No id, no dataVersion, `@id` and `@type`, terms as addresses, the bare key, no content type."""
    old = {
        "@context": "http://purl.imsglobal.org/ctx/caliper/v1/Context",
        "@type": "http://purl.imsglobal.org/caliper/v1/NavigationEvent",
        "actor": {
            "@id": "https://lms.lakeside.k12.example/users/sis-1",
            "@type": "http://purl.imsglobal.org/caliper/v1/lis/Person",
            "name": "Ada Kid",
        },
        "action": "http://purl.imsglobal.org/vocab/caliper/v1/action#NavigatedTo",
        "object": {"@id": "https://docs.google.com/forms/x#epubcfi(/4/3)", "@type": "http://x.example/#volume"},
        "navigatedFrom": {"@id": "https://lms.lakeside.k12.example/p", "@type": "x"},
        "generated": None,
        "federatedSession": None,
        "eventTime": "2026-04-14T15:00:00.000Z",
        "edApp": {"@id": "https://docs.google.com/viewer", "@type": "x"},
    }
    pushed.authorization = (pushed.authorization or "").removeprefix("Bearer ")
    body = {
        "sensor": "https://lms.lakeside.k12.example/sensor",
        "data": [old, old, old | {"eventTime": "2026-04-14T15:00:01Z"}],
    }
    answer = pushed.send("POST", PATH, json.dumps(body).encode(), content_type="")
    assert answer.status_code == 200
    rows = pushed.pull()
    assert quarantined(pushed.project) == {}
    assert [(row["type"], row["action"], row["actor_type"]) for row in rows] == [
        ("NavigationEvent", "NavigatedTo", "Person")
    ] * 3
    assert len({row["event_key"] for row in rows}) == 2, "without an id, content and time tell events apart"
    assert {row["ed_app"] for row in rows} == {"docs.google.com"} and "Ada" not in json.dumps(rows, default=str)


@needs_fixtures
@pytest.mark.parametrize("path", ENVELOPES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_the_specifications_envelopes_are_taken(pushed: Pushed, path: Path) -> None:
    sent = json.loads(path.read_text())
    assert pushed.send("POST", PATH, path.read_bytes(), content_type="application/ld+json").status_code == 200
    rows = pushed.pull()
    assert quarantined(pushed.project) == {}
    assert len(rows) == sum(map(is_event, sent["data"]))


@needs_fixtures
@pytest.mark.parametrize("version", ["v1p1", "v1p2"])
def test_every_event_of_the_specification_lands(pushed: Pushed, version: str) -> None:
    sent = {path.stem: json.loads(path.read_text()) for path in EVENTS if path.parent.name == version}
    assert len(sent) > 35
    assert pushed.send("POST", PATH, envelope(*sent.values(), version=version)).status_code == 200
    rows = pushed.pull()
    assert quarantined(pushed.project) == {}
    assert len(rows) == len(sent)
    assert {row["action"] for row in rows} == {one["action"] for one in sent.values()}
    (used,) = [row for row in rows if row["measures"]]
    assert [(measure["metric"], measure["metricValue"]) for measure in used["measures"]] == [
        ("MinutesOnTask", 873.0),
        ("UnitsCompleted", 12.0),
    ]
    assert not any("/users/" in str(value) for row in rows for value in row.values())


def test_people_by_the_identifiers_that_others_know(pushed: Pushed) -> None:
    def identified(kind: str, value: str) -> dict[str, Any]:
        entry = {"type": "SystemIdentifier", "identifierType": kind, "identifier": value}
        return {"id": "urn:x:1", "type": "Person", "otherIdentifiers": [entry]}

    canvas = {
        "id": "urn:instructure:canvas:user:21070000000000098",
        "type": "Person",
        "extensions": {"com.instructure.canvas": {"user_login": "Kid@Lakeside.k12.example", "user_sis_id": "sis-7"}},
    }
    actors = [identified("OneRosterSourcedId", "sis-7"), identified("EmailAddress", "kid@lakeside.k12.example"), canvas]
    pushed.send("POST", PATH, envelope(*(event(number, actor=actor) for number, actor in enumerate(actors))))
    roster, mail, both = pushed.pull()
    assert roster["actor_sis_id"] == both["actor_sis_id"] and roster["actor_email"] is None
    assert mail["actor_email"] == both["actor_email"] and both["actor_canvas_id"]


def test_one_bad_event_goes_to_quarantine_and_the_others_land(pushed: Pushed) -> None:
    events = [
        event(1),
        event(2, eventTime="2026-04-14 at three"),
        event(3, eventTime="2026-04-14T15:00:00"),
        {name: value for name, value in event(4).items() if name != "actor"},
        event(5, action="mailto:who@knows.example"),
        event(6, generated={"type": "AggregateMeasureCollection"}),
        event(7),
    ]
    body = envelope(*events)
    body["data"].append("https://lms.lakeside.k12.example/users/sis-1")
    assert pushed.send("POST", PATH, body).status_code == 200
    assert [row["event_key"] for row in pushed.pull()] == [uuid_of(1), uuid_of(7)]
    assert quarantined(pushed.project) == {"not_timestamp": 2, "missing_required": 2, "not_list": 1, "unreadable": 1}


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "not_json"),
        (b"{", 400, "not_json"),
        ([event(1)], 400, "no_envelope"),
        (envelope(event(1), sensor=None), 400, "no_sensor"),
        (envelope(), 400, "no_data"),
        (envelope(data=event(1)), 400, "no_data"),
        (envelope(event(1), version="v9"), 422, "data_version"),
        (envelope(event(1), dataVersion=11), 422, "data_version"),
        (gzip.compress(b"{}", mtime=0)[:-4], 400, "not_gzip"),
    ],
)
def test_a_bad_document_is_refused_with_a_reason(pushed: Pushed, body: Any, status: int, code: str) -> None:
    answer = pushed.send("POST", PATH, body)
    assert (answer.status_code, answer.json()["error"]) == (status, code) and answer.json()["reason"]
    assert pushed.pull() == []


def test_another_media_type_is_refused(pushed: Pushed) -> None:
    assert pushed.send("POST", PATH, envelope(event(1)), content_type="text/plain").status_code == 415


def test_a_gzipped_envelope(pushed: Pushed) -> None:
    assert pushed.send("POST", PATH, gzip.compress(json.dumps(envelope(event(1))).encode())).status_code == 200
    assert len(pushed.pull()) == 1
