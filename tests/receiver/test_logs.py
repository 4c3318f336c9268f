"""Log push, as Cloudflare Logpush and Zscaler Cloud NSS send it."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pushing import Pushed, make_project, quarantined

HTTP = "/logs/lakeside/cloudflare-gateway-http"
ZSCALER = "/logs/lakeside/zscaler-web"


@pytest.fixture
def cloudflare(tmp_path: Path) -> Pushed:
    return Pushed(make_project(tmp_path), "gateway")


@pytest.fixture
def zscaler(tmp_path: Path) -> Pushed:
    return Pushed(make_project(tmp_path), "zscaler")


def request(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "Datetime": f"2026-04-14T15:00:{number % 60:02d}Z",
        "Email": f"kid{number}@lakeside.k12.example",
        "DeviceID": "dad71818-0429-11ec-a0dc-000000000000",
        "DeviceName": "Ada's laptop",
        "URL": "https://docs.google.com/forms/d/secret-path?q=search+term",
        "HTTPHost": "docs.google.com",
        "Action": "allow",
        "CategoryNames": ["Education"],
        "RequestID": "",
        "SourceIP": "192.0.2.7",
        "UserAgent": "secret-agent",
    } | changes


def ndjson(*rows: Any) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def zscaler_record(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "sourcetype": "zscalernss-web",
        "event": {
            "datetime": f"2026-04-14 10:00:{number:02d}",
            "action": "Allowed",
            "urlcategory": "Education",
            "urlsupercategory": "Education",
            "user": f"kid{number}%40lakeside.k12.example",
            "url": "docs.google.com/forms/d/secret?q=a%2Cb",
            "hostname": "docs.google.com",
            "devicehostname": "ada-laptop",
            "responsesize": "14061",
        }
        | changes,
    }


@pytest.mark.parametrize("is_gzip", [True, False])
def test_cloudflares_lines_land_cut_and_without_names(cloudflare: Pushed, is_gzip: bool) -> None:
    body = ndjson(request(1), request(2, Action="block"))
    answer = cloudflare.send("POST", HTTP, gzip.compress(body) if is_gzip else body)
    assert answer.status_code == 200
    rows = cloudflare.pull()
    assert [row["Action"] for row in rows] == ["allow", "block"]
    assert {row["URL"] for row in rows} == {"docs.google.com/forms"} and {row["HTTPHost"] for row in rows} == {
        "docs.google.com"
    }
    text = json.dumps(rows, default=str)
    assert not any(word in text for word in ("kid1", "Ada", "secret", "192.0.2", "dad71818"))


@pytest.mark.parametrize(
    "when", ["2026-04-14T15:00:01Z", 1776178801, 1776178801000000000], ids=["rfc3339", "unix", "unixnano"]
)
def test_cloudflares_times_in_each_of_its_formats(cloudflare: Pushed, when: Any) -> None:
    cloudflare.send("POST", HTTP, ndjson(request(1, Datetime=when)))
    assert [row["Datetime"] for row in cloudflare.pull()] == [datetime(2026, 4, 14, 15, 0, 1, tzinfo=UTC)]


@pytest.mark.parametrize("trial", [{"content": "tests"}, {"content": "test", "filename": "test.txt"}])
def test_cloudflares_trial_is_answered_and_not_kept(cloudflare: Pushed, trial: dict[str, str]) -> None:
    assert cloudflare.send("POST", HTTP, gzip.compress(json.dumps(trial).encode())).status_code == 200
    assert cloudflare.pull() == [] and quarantined(cloudflare.project, "gateway") == {}


def test_one_bad_line_goes_to_quarantine_and_the_others_land(cloudflare: Pushed) -> None:
    body = ndjson(request(1)) + b'{"Datetime": \n"text"\n' + ndjson(request(2, Datetime="noon"), request(3))
    assert cloudflare.send("POST", HTTP, body).status_code == 200
    assert len(cloudflare.pull()) == 2
    assert quarantined(cloudflare.project, "gateway") == {"unreadable": 2, "not_timestamp": 1}


def test_the_same_batch_twice_has_the_same_keys(cloudflare: Pushed) -> None:
    for _ in range(2):
        cloudflare.send("POST", HTTP, ndjson(request(1), request(2)))
    rows = cloudflare.pull()
    assert len(rows) == 4 and len({row["event_key"] for row in rows}) == 2


@pytest.mark.parametrize("body", [b"", b"not json", b"[]", b'"text"', b"1\n2", b"[1]"])
def test_what_is_no_log_is_refused(cloudflare: Pushed, body: bytes) -> None:
    answer = cloudflare.send("POST", HTTP, body)
    assert answer.status_code == 400 and answer.json()["reason"]


def test_name_lookups(tmp_path: Path) -> None:
    pushed = Pushed(make_project(tmp_path), "lookups")
    row = {"Datetime": "2026-04-14T15:00:00Z", "QueryName": "docs.google.com", "ResolverDecision": "allowedByQueryName"}
    assert pushed.send("POST", "/logs/lakeside/cloudflare-gateway-dns", ndjson(row)).status_code == 200
    assert [(row["QueryName"], row["Email"]) for row in pushed.pull()] == [("docs.google.com", None)]


@pytest.mark.parametrize("as_array", [True, False], ids=["array", "lines"])
def test_zscalers_records_in_the_feeds_time_zone(zscaler: Pushed, as_array: bool) -> None:
    records = [zscaler_record(1), zscaler_record(2, user="new-gre", action="Blocked")]
    answer = zscaler.send("POST", ZSCALER, json.dumps(records).encode() if as_array else ndjson(*records))
    assert answer.status_code == 200
    first, second = zscaler.pull()
    assert first["time"] == datetime(2026, 4, 14, 15, 0, 1, tzinfo=UTC)
    assert first["url"] == "docs.google.com/forms" and first["login"] and second["login"] is None
    assert (first["action"], second["action"]) == ("Allowed", "Blocked")


def test_zscalers_other_template_and_times(zscaler: Pushed) -> None:
    elastic = {"time": "Tue Apr 14 10:00:05 2026", "login": "kid@lakeside.k12.example", "eurl": "docs.google.com/x"}
    epoch = {"epochtime": "1776178806", "time": "ignored", "ehost": "docs.google.com", "login": "None"}
    zscaler.send("POST", ZSCALER, ndjson({"event": elastic}, epoch))
    first, second = zscaler.pull()
    assert [row["time"].second for row in (first, second)] == [5, 6]
    assert first["time"].hour == second["time"].hour == 15
    assert (second["login"], second["host"], second["url"]) == (None, "docs.google.com", None)


def test_a_key_is_for_one_format(cloudflare: Pushed) -> None:
    answer = cloudflare.send("POST", ZSCALER, ndjson(zscaler_record(1)))
    assert (answer.status_code, answer.json()["error"]) == (403, "other_format")
