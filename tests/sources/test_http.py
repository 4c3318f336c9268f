"""The shared client: each fault of a vendor has one outcome, and no error says what it must not."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from scripted_vendor import Asked, Reply, Vendor, token_reply

from uptake.credentials import Credential
from uptake.errors import ConfigError, PermanentError, TransientError, UptakeError
from uptake.sources.auth import BearerToken, ClientCredentials
from uptake.sources.http import HttpClient, NotFound

SECRET = "s3cr3t-token"
GOOD = Reply({"ok": True})


class Pause(list[float]):
    """Waits that were asked for; none is spent."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


@pytest.fixture
def pause() -> Pause:
    return Pause()


@pytest.fixture
def client(vendor: Vendor, pause: Pause) -> Iterator[HttpClient]:
    with HttpClient(
        vendor.url, BearerToken(SECRET), connection="demo_lms", timeout_seconds=1, attempts=4, sleep=pause
    ) as made:
        yield made


def test_answers_json_with_its_headers(client: HttpClient, vendor: Vendor) -> None:
    vendor.on("/a", Reply({"id": 10_000_000_000_000_001}, headers={"X-Total-Count": "7"}))
    answer = client.get("a", {"limit": 5})
    assert answer.data == {"id": 10_000_000_000_000_001}
    assert answer.headers["x-total-count"] == "7"
    assert vendor.asked[0].params == {"limit": ["5"]}
    assert vendor.asked[0].headers["authorization"] == f"Bearer {SECRET}"


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply({}, 500), "answered 500"),
        (Reply({}, 503), "answered 503"),
        (Reply({}, 408), "answered 408"),
        (Reply({}, 429), "throttles (429)"),
        (Reply(b"403 Forbidden (Rate Limit Exceeded)", 403), "throttles (403)"),
        (Reply({}, 403, {"X-Rate-Limit-Remaining": "0.0"}), "throttles (403)"),
        (
            Reply(b"<!DOCTYPE html><html>maintenance</html>", 200, {"Content-Type": "text/html"}),
            "HTML in place of JSON",
        ),
        (Reply(b'{"ok": tr', 200), "breaks off"),
        (Reply(b"", 200), "breaks off"),
        (Reply(b'{"ok": true, "more": 1}', 200, cut=8), "broke off"),
    ],
)
def test_what_passes_is_retried_and_then_named(
    client: HttpClient, vendor: Vendor, pause: Pause, reply: Reply, said: str
) -> None:
    vendor.on("/a", GOOD)
    vendor.once("/a", reply, reply)
    assert client.get("a").data == {"ok": True}
    assert vendor.count("/a") == 3 and len(pause) == 2

    vendor.on("/a", reply)
    with pytest.raises(TransientError, match=r"GET http://127\.0\.0\.1") as caught:
        client.get("a")
    assert said in caught.value.message
    assert vendor.count("/a") == 3 + 4


def test_waits_grow_and_are_spread(client: HttpClient, vendor: Vendor, pause: Pause) -> None:
    vendor.on("/a", Reply({}, 500))
    with pytest.raises(TransientError):
        client.get("a")
    assert len(pause) == 3
    for waited, longest in zip(pause, (0.5, 1, 2), strict=True):
        assert longest / 2 <= waited <= longest


def test_the_vendor_s_wait_is_kept_in_seconds_and_as_a_date(client: HttpClient, vendor: Vendor, pause: Pause) -> None:
    vendor.on("/a", GOOD)
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=40), usegmt=True)
    vendor.once("/a", Reply({}, 429, {"Retry-After": "17"}), Reply({}, 503, {"Retry-After": date}))
    client.get("a")
    assert pause[0] == 17
    assert 35 < pause[1] <= 40


def test_a_wait_beyond_the_budget_is_left_to_the_scheduler(client: HttpClient, vendor: Vendor, pause: Pause) -> None:
    vendor.on("/a", Reply({}, 429, {"Retry-After": "900"}))
    with pytest.raises(TransientError) as caught:
        client.get("a")
    assert caught.value.retry_after == 900
    assert pause == [] and vendor.count("/a") == 1


def test_a_slow_vendor_is_not_waited_for(client: HttpClient, vendor: Vendor) -> None:
    import time

    def slow(_: Asked) -> Reply:
        time.sleep(1.5)
        return GOOD

    vendor.on("/a", GOOD)
    vendor.once("/a", slow)
    assert client.get("a").data == {"ok": True}
    assert vendor.count("/a") == 2


def test_an_address_where_nobody_listens(pause: Pause) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with (
        HttpClient(f"http://127.0.0.1:{port}", BearerToken("t"), connection="c", attempts=2, sleep=pause) as client,
        pytest.raises(TransientError, match="broke off") as caught,
    ):
        client.get("a")
    assert "url" in caught.value.remedy


@pytest.mark.parametrize(("status", "remedy"), [(401, "demo_lms"), (403, "demo_lms"), (404, "url"), (400, "vendor")])
def test_what_a_person_must_mend_fails_at_once(client: HttpClient, vendor: Vendor, status: int, remedy: str) -> None:
    vendor.on("/a", Reply({"error": "no"}, status))
    with pytest.raises(PermanentError) as caught:
        client.get("a")
    assert remedy in caught.value.remedy
    assert vendor.count("/a") == 1


def test_errors_and_logs_hold_no_query_no_token_no_body_no_person(
    client: HttpClient, vendor: Vendor, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="uptake")
    caplog.set_level(logging.NOTSET, logger="")
    vendor.on("/api/users/4711/page_views", Reply({"name": "Ada Birch"}, 500))
    vendor.on("/api/users/4712/page_views", Reply({"name": "Ada Birch"}, 404))
    said = []
    for person in (4711, 4712):
        with pytest.raises(UptakeError) as caught:
            client.get(f"api/users/{person}/page_views", {"search": "ada.birch@students.example"})
        said.append(str(caught.value))
    said += [record.getMessage() for record in caplog.records if record.name.startswith(("uptake", "httpx"))]
    assert any("asking again" in text for text in said)
    for text in said:
        assert not any(secret in text for secret in ("4711", "4712", "ada.birch", "Ada", SECRET, "search=")), text


def test_a_redirect_is_followed_at_home_and_refused_abroad(client: HttpClient, vendor: Vendor) -> None:
    vendor.on("/a", Reply(status=302, headers={"Location": "/b?limit=3"}))
    vendor.on("/b", GOOD)
    assert client.get("a").data == {"ok": True}
    assert vendor.asked[-1].headers["authorization"] == f"Bearer {SECRET}"
    vendor.on("/a", Reply(status=302, headers={"Location": "https://elsewhere.example/b"}))
    with pytest.raises(PermanentError, match=r"elsewhere\.example"):
        client.get("a")


def test_a_question_in_the_body_is_asked_again_as_it_was(client: HttpClient, vendor: Vendor) -> None:
    vendor.once("/ask", Reply(status=503), Reply(b"<html>"), Reply({"ok": True}, cut=3))
    vendor.on("/ask", GOOD)
    assert client.post("ask", {"token": "t", "what": "a&b"}).data == {"ok": True}
    assert [asked.body for asked in vendor.asked] == ["token=t&what=a%26b"] * 4
    assert client.post("ask", data=[{"id": 1}]).data == {"ok": True}
    assert vendor.asked[-1].body == '[{"id":1}]' and vendor.asked[-1].params == {}


def test_a_vendors_own_words_come_before_the_status(vendor: Vendor) -> None:
    def said(response: httpx.Response) -> UptakeError | None:
        return TransientError("is being mended") if b"mending" in response.content else None

    vendor.once("/a", Reply({"state": "mending"}, 403))
    vendor.on("/a", Reply({"state": "closed"}, 403))
    slept: list[float] = []
    with (
        HttpClient(vendor.url, BearerToken("t"), connection="c", errors=said, sleep=slept.append) as client,
        pytest.raises(PermanentError, match="refused the credential"),
    ):
        client.get("a")
    assert len(slept) == 1


def test_a_file_by_a_signed_address_is_fetched_whole_and_without_the_credential(
    client: HttpClient, vendor: Vendor, tmp_path: Path
) -> None:
    vendor.once("/bucket/4711.gz", Reply(b"0123456789", cut=4), Reply(status=503))
    vendor.on("/bucket/4711.gz", Reply(b"0123456789"))
    client.save(f"{vendor.url}/bucket/4711.gz?signature=abc", tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b"0123456789"
    assert not any("authorization" in asked.headers for asked in vendor.asked)
    vendor.on("/bucket/4711.gz", Reply(status=403))
    with pytest.raises(NotFound) as caught:
        client.save(f"{vendor.url}/bucket/4711.gz?signature=abc", tmp_path / "file")
    assert "4711" not in str(caught.value) and "abc" not in str(caught.value)
    with pytest.raises(PermanentError, match="without encryption"):
        client.save("http://elsewhere.example/4711.gz", tmp_path / "file")


def test_only_hosts_of_the_trusted_domain_get_the_credential_besides_the_vendor_s_own() -> None:
    with HttpClient(
        "https://api.vendor.example", BearerToken("t"), connection="c", trusted_domain="vendor.example"
    ) as client:
        client.require_own(httpx.URL("https://api.us.vendor.example/x"))
        for foreign in (
            "http://api.us.vendor.example/x",
            "https://evil-vendor.example/x",
            "https://vendor.example.org/",
        ):
            with pytest.raises(PermanentError):
                client.require_own(httpx.URL(foreign))


# --- tokens --------------------------------------------------------------------------------------------------------


def oauth(vendor: Vendor, **options: Any) -> HttpClient:
    auth = ClientCredentials(
        f"{vendor.url}/token", Credential("id", "secret"), connection="demo_sis", scopes=("read", "list"), **options
    )
    return HttpClient(vendor.url, auth, connection="demo_sis", attempts=3, sleep=lambda _: None)


def bearer_of(asked: Asked) -> str:
    return asked.headers["authorization"].removeprefix("Bearer ")


def test_a_token_is_fetched_once_with_basic_and_scopes(vendor: Vendor) -> None:
    vendor.on("/token", token_reply("t1"))
    vendor.on("/a", GOOD)
    with oauth(vendor) as client:
        client.get("a")
        client.get("a")
    assert vendor.count("/token") == 1
    assert vendor.asked[0].headers["authorization"] == "Basic aWQ6c2VjcmV0"
    assert vendor.asked[0].body == "grant_type=client_credentials&scope=read+list"
    assert [bearer_of(asked) for asked in vendor.asked[1:]] == ["t1", "t1"]


def test_id_and_secret_in_the_form_where_the_vendor_wants_them_there(vendor: Vendor) -> None:
    vendor.on("/token", token_reply())
    vendor.on("/a", GOOD)
    with oauth(vendor, style="form") as client:
        client.get("a")
    assert "client_id=id&client_secret=secret" in vendor.asked[0].body
    assert "authorization" not in vendor.asked[0].headers


def test_a_token_is_renewed_before_it_expires(vendor: Vendor) -> None:
    now = [0.0]
    vendor.once("/token", token_reply("t1", 3600), token_reply("t2", 3600))
    vendor.on("/a", GOOD)
    with oauth(vendor, clock=lambda: now[0]) as client:
        client.get("a")
        now[0] = 3539.0
        client.get("a")
        now[0] = 3541.0
        client.get("a")
    assert [bearer_of(asked) for asked in vendor.asked if asked.path == "/a"] == ["t1", "t1", "t2"]


def test_a_token_that_is_refused_in_mid_walk_is_renewed_once(vendor: Vendor) -> None:
    vendor.once("/token", token_reply("t1"), token_reply("t2"))
    vendor.on("/a", lambda asked: GOOD if bearer_of(asked) == "t2" or vendor.count("/a") == 1 else Reply({}, 401))
    with oauth(vendor) as client:
        client.get("a")
        assert client.get("a").data == {"ok": True}
    assert vendor.count("/token") == 2


def test_a_fresh_token_that_is_refused_is_a_matter_for_a_person(vendor: Vendor) -> None:
    vendor.on("/token", token_reply())
    vendor.on("/a", Reply({}, 401))
    with oauth(vendor) as client, pytest.raises(PermanentError) as caught:
        client.get("a")
    assert "demo_sis" in caught.value.remedy
    assert vendor.count("/token") == 2 and vendor.count("/a") == 2


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_wrong_secret_fails_at_once(vendor: Vendor, status: int) -> None:
    vendor.on("/token", Reply({"error": "invalid_client"}, status))
    with oauth(vendor) as client, pytest.raises(PermanentError) as caught:
        client.get("a")
    assert "demo_sis" in caught.value.remedy and "secret" not in vendor.asked[0].body
    assert vendor.count("/token") == 1 and vendor.count("/a") == 0


@pytest.mark.parametrize(
    "reply",
    [Reply({}, 500), Reply({}, 429, {"Retry-After": "1"}), Reply(b"<html>", 200), Reply({"token_type": "Bearer"})],
)
def test_a_token_endpoint_that_stumbles_is_asked_again(vendor: Vendor, reply: Reply) -> None:
    vendor.on("/token", token_reply())
    vendor.once("/token", reply)
    vendor.on("/a", GOOD)
    with oauth(vendor) as client:
        assert client.get("a").data == {"ok": True}


def test_a_connection_without_secret_is_a_matter_of_configuration() -> None:
    with pytest.raises(ConfigError, match="demo_sis"):
        ClientCredentials("https://sis.example/token", Credential("id", ""), connection="demo_sis")


def test_a_vendor_that_is_away_costs_one_budget(client: HttpClient, vendor: Vendor, pause: Pause) -> None:
    vendor.on("/a", Reply(b'{"ok": true, "more": 1}', 200, cut=8))
    for expected in (4, 5, 6):
        with pytest.raises(TransientError, match="broke off"):
            client.get("a")
        assert vendor.count("/a") == expected
    assert len(pause) == 3
    vendor.on("/b", GOOD)
    client.get("b")
    with pytest.raises(TransientError):
        client.get("a")
    assert vendor.count("/a") == 10  # it had answered: patience is back


def test_an_answer_that_refuses_does_not_end_the_patience(client: HttpClient, vendor: Vendor) -> None:
    vendor.on("/a", Reply({}, 500))
    for expected in (4, 8):
        with pytest.raises(TransientError):
            client.get("a")
        assert vendor.count("/a") == expected


def test_a_probe_has_a_small_budget(client: HttpClient, vendor: Vendor, pause: Pause) -> None:
    vendor.on("/a", Reply({}, 503))
    with pytest.raises(TransientError):
        client.get("a", is_probe=True)
    assert (vendor.count("/a"), len(pause)) == (3, 2)
    vendor.on("/a", Reply({}, 503, {"Retry-After": "11"}))
    with pytest.raises(TransientError):
        client.get("a", is_probe=True)
    assert (vendor.count("/a"), len(pause)) == (4, 2)
