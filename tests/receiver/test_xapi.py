"""xAPI 1.0.3 and 2.0, as Moodle's log store, TinCanJS and the Python client send it."""

from __future__ import annotations

import asyncio
import base64
import json
import uuid
from pathlib import Path
from typing import Any

import httpx
import pytest
from pushing import Pushed, key, landed, make_project, quarantined, receiving, uuid_of

from uptake import pipeline
from uptake.project import Project

VERBS = "http://adlnet.gov/expapi/verbs/"
STATEMENTS = "/xapi/lakeside/statements"


@pytest.fixture
def pushed(tmp_path: Path) -> Pushed:
    return Pushed(make_project(tmp_path), "statements", version="1.0.3")


def statement(number: int | None, who: str = "s-1", **changes: Any) -> dict[str, Any]:
    return (
        ({"id": uuid_of(number)} if number is not None else {})
        | {
            "actor": {"name": "Ada Kid", "account": {"homePage": "https://lms.example", "name": who}},
            "verb": {"id": f"{VERBS}completed", "display": {"en": "completed"}},
            "object": {
                "id": "https://docs.google.com/forms/d/secret-path?q=term",
                "definition": {"name": {"en": "Quiz"}},
            },
            "timestamp": "2026-04-14T15:00:00.123456Z",
        }
        | changes
    )


def void(number: int, target: int) -> dict[str, Any]:
    return statement(
        number, verb={"id": f"{VERBS}voided"}, object={"objectType": "StatementRef", "id": uuid_of(target)}
    )


def test_a_batch_is_answered_with_its_ids_in_order(pushed: Pushed) -> None:
    answer = pushed.send("POST", STATEMENTS, [statement(2), statement(None, "s-2"), statement(1)])
    assert answer.status_code == 200
    first, made, last = answer.json()
    assert (first, last) == (uuid_of(2), uuid_of(1)) and uuid.UUID(made)
    rows = pushed.pull()
    assert {row["id"] for row in rows} == {uuid_of(2), made, uuid_of(1)}
    assert {row["activity"] for row in rows} == {"docs.google.com/forms"}
    assert {row["verb"] for row in rows} == {"completed"}
    assert not any(text in json.dumps(rows, default=str) for text in ("Ada", "s-1", "secret", "Quiz", "term"))


def test_a_single_statement_and_what_it_says_of_its_result(pushed: Pushed) -> None:
    result = {"duration": "PT1H2M3.5S", "success": True, "completion": False, "score": {"scaled": 0.5, "raw": 5}}
    actor = {"mbox": "mailto:Kid@Lakeside.k12.example", "objectType": "Agent"}
    sent = statement(1, actor=actor, result=result)
    sent.pop("timestamp")
    assert pushed.send("POST", STATEMENTS, sent).json() == [uuid_of(1)]
    (row,) = pushed.pull()
    assert (row["duration_seconds"], row["success"], row["completion"], row["score_scaled"]) == (
        3723.5,
        True,
        False,
        0.5,
    )
    assert row["actor_email"] is not None and row["actor_sis_id"] is None
    assert row["timestamp"] == row["stored"], "what does not say when it happened, happened when it came"


def test_put_stores_one_statement_under_the_id_of_its_address(pushed: Pushed) -> None:
    assert pushed.send("PUT", f"{STATEMENTS}?statementId={uuid_of(7)}", statement(None)).status_code == 204
    assert pushed.send("PUT", f"{STATEMENTS}?statementId={uuid_of(8)}", statement(8)).status_code == 204
    for path, body in [
        (STATEMENTS, statement(9)),
        (f"{STATEMENTS}?statementId=nine", statement(None)),
        (f"{STATEMENTS}?statementId={uuid_of(9)}", statement(10)),
        (f"{STATEMENTS}?statementId={uuid_of(9)}", [statement(9)]),
    ]:
        assert pushed.send("PUT", path, body).status_code == 400
    assert [row["id"] for row in pushed.pull()] == [uuid_of(7), uuid_of(8)]


@pytest.mark.parametrize(
    ("asked", "status", "answered"),
    [
        ("1.0.3", 200, "1.0.3"),
        ("1.0.0", 200, "1.0.3"),
        ("1.0", 200, "1.0.3"),
        ("2.0.0", 200, "2.0.0"),
        ("0.95", 400, "2.0.0"),
        ("1.1.0", 400, "2.0.0"),
        (None, 400, "2.0.0"),
    ],
)
def test_the_version_is_asked_for_and_answered(pushed: Pushed, asked: str | None, status: int, answered: str) -> None:
    pushed.version = asked
    answer = pushed.send("POST", STATEMENTS, [statement(1)])
    assert answer.status_code == status
    assert answer.headers["X-Experience-API-Version"] == answered


def test_about_needs_neither_key_nor_version(pushed: Pushed) -> None:
    pushed.version = pushed.authorization = None
    answer = pushed.send("GET", "/xapi/lakeside/about")
    assert answer.status_code == 200 and {"1.0.3", "2.0.0"} <= set(answer.json()["version"])
    assert "X-Experience-API-Version" in answer.headers


@pytest.mark.parametrize(
    "body",
    [
        b"[{",
        b'"text"',
        b"[1]",
        {},
        {"actor": {}, "verb": {}},
        [statement(1) | {"id": "one"}],
        [statement(1), statement(1, "s-2")],
    ],
)
def test_a_bad_document_is_refused_whole(pushed: Pushed, body: Any) -> None:
    answer = pushed.send("POST", STATEMENTS, body)
    assert answer.status_code == 400 and answer.json()["reason"]
    assert pushed.pull() == []


def test_one_bad_statement_of_a_batch_goes_to_quarantine_and_the_others_land(pushed: Pushed) -> None:
    batch = [
        statement(1),
        {name: value for name, value in statement(2).items() if name != "actor"},
        statement(3, timestamp="yesterday"),
        statement(4, result={"duration": "an hour"}),
        statement(5, verb={"id": "mailto:who@knows.example"}),
        statement(6),
    ]
    assert len(pushed.send("POST", STATEMENTS, batch).json()) == 6
    assert [row["id"] for row in pushed.pull()] == [uuid_of(1), uuid_of(6)]
    assert quarantined(pushed.project, "statements") == {
        "missing_required": 2,
        "not_timestamp": 1,
        "not_number": 1,
    }


def test_another_statement_under_the_same_id_is_a_conflict(pushed: Pushed) -> None:
    async def work(client: httpx.AsyncClient) -> list[int]:
        headers = pushed.headers()
        bodies = [statement(1), statement(1), statement(1, "s-2"), [statement(2), statement(1, "s-2")], statement(2)]
        return [(await client.post(STATEMENTS, json=body, headers=headers)).status_code for body in bodies]

    assert pushed.with_client(work) == [200, 200, 409, 409, 200]
    assert [row["id"] for row in pushed.pull()] == [uuid_of(1), uuid_of(2)]


def test_a_statement_without_an_id_that_is_sent_again_is_the_same(pushed: Pushed) -> None:
    """A sender that got no answer sends again; what says when it happened is told from what happened again."""
    first = pushed.send("POST", STATEMENTS, statement(None)).json()
    assert pushed.send("POST", STATEMENTS, statement(None)).json() == first
    assert pushed.send("POST", STATEMENTS, statement(None, timestamp="2026-04-14T15:00:01Z")).json() != first
    timeless = {name: value for name, value in statement(None).items() if name != "timestamp"}
    assert pushed.send("POST", STATEMENTS, timeless).json() != pushed.send("POST", STATEMENTS, timeless).json()
    assert len({row["id"] for row in pushed.pull()}) == 4


def test_voiding_statements_wait_apart(pushed: Pushed) -> None:
    assert pushed.send("POST", STATEMENTS, [statement(1), void(2, 1), statement(3)]).status_code == 200
    assert [row["id"] for row in pushed.pull()] == [uuid_of(1), uuid_of(3)]
    assert [row["statement_id"] for row in landed(pushed.project, "statements", "voided")] == [uuid_of(1)]


def test_attachments_are_forgotten_and_their_statements_kept(pushed: Pushed) -> None:
    boundary = "abcABC0123'()+_,-./:=?"
    body = (
        f"--{boundary}\r\nContent-Type: application/json\r\n\r\n{json.dumps(statement(1))}\r\n"
        f"--{boundary}\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: binary\r\n"
        f"X-Experience-API-Hash: 495395e7\r\n\r\na picture of Ada\r\n--{boundary}--\r\n"
    ).encode()
    answer = pushed.send("POST", STATEMENTS, body, content_type=f'multipart/mixed; boundary="{boundary}"')
    assert answer.json() == [uuid_of(1)]
    assert [row["id"] for row in pushed.pull()] == [uuid_of(1)]


@pytest.mark.parametrize("way", ["basic", "basic with the whole key as password", "bearer", "bare"])
def test_senders_show_their_key_as_they_can(pushed: Pushed, way: str) -> None:
    made = key(pushed.project, "statements")
    pushed.authorization = {
        "basic": "Basic " + base64.b64encode(f"{made.id}:{made.secret}".encode()).decode(),
        "basic with the whole key as password": "Basic " + base64.b64encode(f"any:{made.token}".encode()).decode(),
        "bearer": f"Bearer {made.token}",
        "bare": made.token,
    }[way]
    assert pushed.send("POST", STATEMENTS, statement(1)).status_code == 200


def test_a_page_of_an_allowed_origin_may_send(tmp_path: Path) -> None:
    project = make_project(tmp_path, "allowed_origins: [https://lessons.example]")
    asked = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,x-experience-api-version",
    }

    async def preflight(project: Project, origin: str) -> httpx.Response:
        async with receiving(project) as client:
            return await client.options(STATEMENTS, headers=asked | {"Origin": origin})

    assert asyncio.run(preflight(project, "https://lessons.example")).status_code == 200
    assert asyncio.run(preflight(project, "https://other.example")).status_code == 400


def test_a_pull_of_nothing_is_no_error(pushed: Pushed) -> None:
    assert pipeline.pull(pushed.project, "lakeside", "statements").counts()["landed"] == 0
