"""Who may send, how much, and what is answered when nothing can be taken."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import os
import stat
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from pushing import Pushed, envelope, event, key, landed, make_project, quarantined, receiving
from typer.testing import CliRunner

from uptake import pipeline
from uptake.errors import ConfigError, TransientError
from uptake.operations.models import ReceiverKey
from uptake.operations.session import reading
from uptake.project import Project
from uptake.receiver import keys
from uptake.receiver.cli import app as cli
from uptake.receiver.limits import Rate
from uptake.receiver.spool import open_lane, signal_file, spool_folder
from uptake.sources.pushed import PushedSource

PATH = "/caliper/lakeside"


@pytest.fixture
def pushed(tmp_path: Path) -> Pushed:
    return Pushed(make_project(tmp_path), "events")


def status(pushed: Pushed, path: str = PATH, body: Any = None) -> tuple[int, str | None]:
    answer = pushed.send("POST", path, envelope(event(1)) if body is None else body)
    return answer.status_code, answer.json()["error"] if answer.content else None


# ---- keys -----------------------------------------------------------------------------------------------------------


def test_only_a_hash_of_the_secret_is_held(pushed: Pushed) -> None:
    made = key(pushed.project)
    assert made.secret not in repr(made) and len(made.secret) >= 43
    with reading(pushed.project.operations) as session:
        row = session.get_one(ReceiverKey, made.id)
    assert made.secret not in json.dumps({name: str(value) for name, value in vars(row).items()})
    held = pushed.project.state_dir / "vault" / keys.HASH_KEY
    assert stat.S_IMODE(held.stat().st_mode) == 0o600 and len(held.read_bytes()) == 32
    database = (pushed.project.state_dir / "operations" / "uptake.db").read_bytes()
    assert made.secret.encode() not in database


@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer", "Bearer x", "Basic !!", "Basic eA==", "{id}.wrong", "Bearer {id}.", "x.{secret}"],
)
def test_without_a_good_key_nothing_is_taken(pushed: Pushed, authorization: str | None) -> None:
    made = key(pushed.project)
    pushed.authorization = authorization and authorization.format(id=made.id, secret=made.secret)
    answer = pushed.send("POST", PATH, envelope(event(1)))
    assert answer.status_code == 401 and "Bearer" in answer.headers["WWW-Authenticate"]
    assert pushed.pull() == []


def test_a_key_is_for_its_own_district_and_kind(pushed: Pushed) -> None:
    assert status(pushed, "/caliper/hillside") == (403, "other_district")
    assert status(pushed, "/caliper/nowhere") == (403, "other_district")
    pushed.version = "1.0.3"
    assert status(pushed, "/xapi/lakeside/statements") == (403, "other_kind")
    pushed.authorization = key(pushed.project, district="hillside").token
    assert status(pushed) == (403, "other_district")


def test_rotation_overlaps_and_revocation_is_at_once(pushed: Pushed) -> None:
    project = pushed.project
    old = key(project)
    new, _ = keys.rotate(project, old.id)
    for made in (old, new):
        pushed.authorization = made.token
        assert status(pushed)[0] == 200
    assert [row.sensor for row in keys.listed(project, "lakeside")] == ["a sensor"] * 3

    newest, _ = keys.rotate(project, new.id, overlap=timedelta(0))
    keys.revoke(project, old.id)
    for made, expected in ((old, 401), (new, 401), (newest, 200)):
        pushed.authorization = made.token
        assert status(pushed)[0] == expected
    with pytest.raises(ConfigError, match="revoked"):
        keys.rotate(project, old.id)
    with pytest.raises(ConfigError, match="no key"):
        keys.revoke(project, "nobody")


def test_a_running_receiver_hears_of_new_and_revoked_keys(pushed: Pushed, monkeypatch: pytest.MonkeyPatch) -> None:
    book = keys.KeyBook(pushed.project, max_age_seconds=0.05, min_age_seconds=0)
    book.read()
    made = key(pushed.project)
    assert book.is_due(made.id) and book.sender(made.id, made.secret) is None
    book.read()
    assert book.sender(made.id, made.secret) is not None and book.sender(made.id, "x") is None
    keys.revoke(pushed.project, made.id)
    asyncio.run(asyncio.sleep(0.06))
    assert book.is_due()
    book.read()
    assert book.sender(made.id, made.secret) is None


def test_keys_are_for_sources_that_take_pushed_events(tmp_path: Path) -> None:
    project = make_project(tmp_path)
    with pytest.raises(ConfigError, match="no source 'sis'"):
        keys.add(project, "lakeside", "sis", "x")
    with pytest.raises(ConfigError, match="printable"):
        keys.add(project, "lakeside", "events", "two\nlines")


def test_the_commands(tmp_path: Path) -> None:
    config = str(make_project(tmp_path).config_path)
    run = CliRunner().invoke
    made = json.loads(
        run(cli, ["keys", "add", "-c", config, "-d", "lakeside", "-s", "events", "--sensor", "canvas", "--json"]).output
    )
    assert set(made) == {"id", "secret", "token"}
    said = run(cli, ["keys", "rotate", made["id"], "-c", config, "--overlap-days", "1"]).output
    assert "good until" in said
    assert run(cli, ["keys", "revoke", made["id"], "-c", config]).exit_code == 0
    listed = json.loads(run(cli, ["keys", "list", "-c", config, "--json"]).output)
    assert [row["state"] for row in listed] == ["revoked", "good"]
    assert made["secret"] not in json.dumps(listed)
    assert run(cli, ["pause", "-d", "lakeside", "-c", config]).exit_code == 0
    pushed = Pushed(make_project(tmp_path), "events")
    assert status(pushed) == (503, "paused")
    assert run(cli, ["resume", "-d", "lakeside", "-c", config]).exit_code == 0
    assert status(pushed)[0] == 200


# ---- how much -------------------------------------------------------------------------------------------------------


def test_a_body_has_a_limit_also_after_gzip(tmp_path: Path) -> None:
    pushed = Pushed(make_project(tmp_path, "max_body_mb: 0.01, max_unpacked_mb: 0.1"), "events")
    big = envelope(*(event(number) for number in range(100)))
    assert status(pushed, body=big) == (413, "body_size")
    packed = gzip.compress(json.dumps(big).encode())
    assert status(pushed, body=packed)[0] == 200
    assert status(pushed, body=gzip.compress(bytes(10**6))) == (413, "unpacked_size")
    assert status(pushed, body=packed[: len(packed) // 2]) == (400, "not_gzip")
    assert status(pushed, body=gzip.compress(b"[" * 50_000) * 3) == (413, "unpacked_size")


def test_a_body_without_a_length_has_the_same_limit(tmp_path: Path) -> None:
    pushed = Pushed(make_project(tmp_path, "max_body_mb: 0.01"), "events")
    sent = 0

    async def endless() -> Any:
        nonlocal sent
        while True:
            sent += 1000
            yield b" " * 1000

    async def work(client: httpx.AsyncClient) -> httpx.Response:
        return await client.post(PATH, content=endless(), headers=pushed.headers("application/json"))

    async def bounded() -> httpx.Response:
        async with receiving(pushed.project) as client:
            return await asyncio.wait_for(work(client), 10)

    assert asyncio.run(bounded()).status_code == 413
    assert sent < 50_000


def test_another_encoding_is_refused(pushed: Pushed) -> None:
    async def work(client: httpx.AsyncClient) -> list[int]:
        return [
            (
                await client.post(
                    PATH, content=b"x", headers=pushed.headers("application/json") | {"Content-Encoding": encoding}
                )
            ).status_code
            for encoding in ("br", "gzip")
        ]

    assert pushed.with_client(work) == [415, 400]


def test_a_rate_for_each_key(tmp_path: Path) -> None:
    pushed = Pushed(make_project(tmp_path, "requests_per_second: 2"), "events")
    other = pushed.headers("application/json") | {"Authorization": key(pushed.project).token}

    async def work(client: httpx.AsyncClient) -> list[httpx.Response]:
        mine = pushed.headers("application/json")
        return [
            await client.post(PATH, json=envelope(event(number)), headers=headers)
            for number, headers in enumerate([mine] * 6 + [other])
        ]

    answers = pushed.with_client(work)
    assert [answer.status_code for answer in answers] == [200] * 4 + [429] * 2 + [200]
    assert 1 <= int(answers[4].headers["Retry-After"]) <= 2


def test_a_bucket_fills_again(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("uptake.receiver.limits.time.monotonic", lambda: now)
    rate = Rate(10, burst_seconds=0.2)
    assert [rate.wait("k") for _ in range(3)] == [0, 0, pytest.approx(0.1)]
    now += 0.11
    assert rate.wait("k") == 0 and rate.wait("k") > 0


# ---- when nothing can be taken --------------------------------------------------------------------------------------


def test_a_disk_without_room_answers_503_and_then_goes_on(tmp_path: Path) -> None:
    pushed = Pushed(make_project(tmp_path), "events")
    full = Pushed(make_project(tmp_path, reserve_mb=999_999_999), "events")
    answer = full.send("POST", PATH, envelope(event(1)))
    assert (answer.status_code, answer.json()["error"]) == (503, "disk_full")
    assert int(answer.headers["Retry-After"]) > 0
    assert full.send("GET", "/health").status_code == 503
    assert pushed.send("GET", "/health").status_code == 200
    assert status(pushed)[0] == 200
    assert len(pushed.pull()) == 1


def test_no_2xx_where_the_disk_refuses(pushed: Pushed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever fails after the bytes were handed over, up to the sync itself, is no yes."""
    real = os.fdatasync

    def broken(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("uptake.receiver.spool.os.fdatasync", broken)
    assert status(pushed) == (503, "spool")
    monkeypatch.setattr("uptake.receiver.spool.os.fdatasync", real)
    assert status(pushed, body=envelope(event(2)))[0] == 200


def test_a_spool_that_nobody_empties_takes_no_more(tmp_path: Path) -> None:
    pushed = Pushed(make_project(tmp_path, "max_wait_hours: 0.000001"), "events")
    assert status(pushed)[0] == 200
    time.sleep(0.05)  # longer than max_wait_hours
    answer = pushed.send("POST", PATH, envelope(event(2)))
    assert (answer.status_code, answer.json()["error"]) == (503, "not_pulled") and answer.headers["Retry-After"]
    assert len(pushed.pull()) == 1
    assert status(pushed, body=envelope(event(2)))[0] == 200


# ---- landed once ----------------------------------------------------------------------------------------------------


def test_a_second_pull_lands_nothing_more_and_the_spool_is_empty(pushed: Pushed) -> None:
    status(pushed)
    first = pushed.pull()
    assert pipeline.pull(pushed.project, "lakeside", "events").resources[0].windows == 0
    assert landed(pushed.project) == first and len(first) == 1
    left = {path for path in spool_folder(pushed.project, "lakeside").rglob("*") if path.is_file()}
    assert left - {signal_file(pushed.project, "lakeside")} == set()


def test_a_pull_that_dies_before_the_ledger_leaves_the_segment(pushed: Pushed, monkeypatch: pytest.MonkeyPatch) -> None:
    status(pushed)

    def die(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(TransientError):
        patch.setattr("uptake.landing.ledger.commit_window", die)
        pipeline.pull(pushed.project, "lakeside", "events")
    assert landed(pushed.project) == []
    assert len(pushed.pull()) == 1


@pytest.mark.parametrize("events", [[event(1)], [event(1, eventTime="never")], [event(1), event(2, eventTime="never")]])
def test_a_pull_that_dies_after_the_ledger_does_not_land_again(
    pushed: Pushed, monkeypatch: pytest.MonkeyPatch, events: list[dict[str, Any]]
) -> None:
    status(pushed, body=envelope(*events))
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(PushedSource, "forget", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
        pipeline.pull(pushed.project, "lakeside", "events")
    before = landed(pushed.project), quarantined(pushed.project)
    lane = open_lane(pushed.project, "lakeside", "events", "event")
    assert len(lane.closed()) == 1
    pushed.pull()
    assert (landed(pushed.project), quarantined(pushed.project)) == before
    assert lane.closed() == []


# ---- nothing personal is told ---------------------------------------------------------------------------------------

PERSONAL = ("sis-1", "secret-path", "search+term", "lms.lakeside", "Ada")


def test_nothing_personal_is_logged_or_lies_about(
    pushed: Pushed, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level(logging.DEBUG)
    sent = event(1, actor={"id": "https://lms.lakeside.k12.example/users/sis-1", "name": "Ada"})
    bad = event(2, eventTime="Ada's birthday", actor={"id": "https://lms.lakeside.k12.example/users/sis-1"})
    secret = pushed.authorization or ""
    assert status(pushed, body=envelope(sent, bad))[0] == 200
    assert status(pushed, body=b'{"Ada": "sis-1"')[0] == 400
    assert status(pushed, f"{PATH}?student=Ada&token={secret}", envelope(sent, version="Ada"))[0] == 422
    pushed.authorization = f"Bearer {secret[7:]}-Ada"
    assert status(pushed)[0] == 401
    said = "\n".join(
        record.getMessage() + str(record.args) for record in caplog.records if record.name.startswith("uptake")
    )
    assert "refused" in said
    assert not any(word in said for word in (*PERSONAL, secret[7:]))

    pushed.pull()
    assert quarantined(pushed.project) == {"not_timestamp": 1}
    state = pushed.project.state_dir
    for path in state.rglob("*"):
        assert not any(word in path.name for word in PERSONAL)
        if path.is_file() and "vault" not in path.relative_to(state).parts:
            content = path.read_bytes()
            assert not any(word.encode() in content for word in PERSONAL), path


def test_a_refusal_quotes_nothing(pushed: Pushed) -> None:
    answer = pushed.send("POST", f"{PATH}?who=Ada", b'{"sensor": "Ada", "data": "sis-1"}')
    assert answer.status_code == 400
    assert not any(word in answer.text for word in PERSONAL)


def test_pull_without_a_receiver_is_quiet(tmp_path: Path) -> None:
    project: Project = make_project(tmp_path)
    assert pipeline.pull(project, "lakeside", "gateway").counts() == {
        "pulled": 0,
        "landed": 0,
        "quarantined": 0,
        "deleted": 0,
    }
