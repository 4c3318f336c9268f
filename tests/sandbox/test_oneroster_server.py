"""The simulated SIS keeps to OneRoster: tokens and scopes, paging, filter, and what a roster does in a year."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import pytest
from oauthlib import oauth1

from uptake.sandbox.credentials import ONEROSTER_CLIENT
from uptake.sandbox.oneroster import CORE, DEMOGRAPHICS, GRADEBOOK, GRADES_CORE, ROSTERING, V1P1
from uptake.sandbox.running import RunningSandbox
from uptake.sandbox.schoolyear import day_date


def walk(sis: httpx.Client, path: str, **params: Any) -> list[dict[str, Any]]:
    name, rows, offset = path.rsplit("/", 1)[1], [], 0
    while page := sis.get(path, params={"limit": 200, "offset": offset, **params}).json()[name]:
        rows += page
        offset += len(page)
    return rows


def token(client: httpx.Client, **form: str) -> httpx.Response:
    return client.post("/token", data={"grant_type": "client_credentials", **form}, auth=ONEROSTER_CLIENT)


def test_a_token_needs_client_scope_and_grant_type(client: httpx.Client) -> None:
    assert client.post("/token", data={"grant_type": "client_credentials", "scope": CORE}).status_code == 401
    assert token(client, scope=CORE, grant_type="password").json()["error"] == "unsupported_grant_type"
    assert token(client).json()["error"] == "invalid_scope"
    assert token(client, scope="everything").json()["error"] == "invalid_scope"
    answer = token(client, scope=CORE).json()
    assert (answer["token_type"], answer["scope"], answer["expires_in"]) == ("Bearer", CORE, 3600)


@pytest.mark.parametrize(
    ("scope", "allowed", "refused"),
    [
        (CORE, f"{ROSTERING}/users", f"{ROSTERING}/demographics"),
        (DEMOGRAPHICS, f"{ROSTERING}/demographics", f"{ROSTERING}/users"),
        (GRADES_CORE, f"{GRADEBOOK}/results", f"{ROSTERING}/users"),
    ],
)
def test_a_scope_opens_its_own_endpoints_only(client: httpx.Client, scope: str, allowed: str, refused: str) -> None:
    client.headers["Authorization"] = f"Bearer {token(client, scope=scope).json()['access_token']}"
    assert client.get(allowed).status_code == 200
    answer = client.get(refused)
    assert answer.status_code == 403
    assert answer.json()["imsx_codeMajor"] == "failure"


def test_without_a_token_the_error_is_an_imsx_payload(client: httpx.Client) -> None:
    answer = client.get(f"{ROSTERING}/orgs")
    assert answer.status_code == 401
    minor = answer.json()["imsx_CodeMinor"]["imsx_codeMinorField"][0]
    assert minor["imsx_codeMinorFieldValue"] == "unauthorisedrequest"


def test_pages_are_100_by_default_and_carry_totals_and_links(sis: httpx.Client) -> None:
    answer = sis.get(f"{ROSTERING}/enrollments")
    assert len(answer.json()["enrollments"]) == 100
    total = int(answer.headers["x-total-count"])
    following = httpx.URL(answer.links["next"]["url"])
    assert following.params["offset"] == "100"
    second = sis.get(following).json()["enrollments"]
    assert second == sis.get(f"{ROSTERING}/enrollments", params={"offset": 100}).json()["enrollments"]
    rows = walk(sis, f"{ROSTERING}/enrollments")
    assert len(rows) == total == len({row["sourcedId"] for row in rows})
    assert [row["sourcedId"] for row in rows] == sorted(row["sourcedId"] for row in rows)
    assert "next" not in sis.get(f"{ROSTERING}/enrollments", params={"offset": total - 1}).links


@pytest.mark.parametrize("query", ["limit=x", "limit=0", "fields=sourcedId", "sort=title", "filter=status='active'"])
def test_what_is_not_understood_is_refused(sis: httpx.Client, query: str) -> None:
    assert sis.get(f"{ROSTERING}/users?{query}").status_code == 400


def test_the_gradebook_is_not_under_rostering(sis: httpx.Client) -> None:
    assert sis.get(f"{ROSTERING}/results").status_code == 404
    assert sis.get(f"{GRADEBOOK}/users").status_code == 404


def test_filter_by_modification_gives_what_changed_since(sis: httpx.Client) -> None:
    rows = walk(sis, f"{ROSTERING}/enrollments")
    since = "2026-01-15T00:00:00.000Z"
    changed = walk(sis, f"{ROSTERING}/enrollments", filter=f"dateLastModified>'{since}'")
    assert changed == [row for row in rows if row["dateLastModified"] > since]
    assert 0 < len(changed) < len(rows)
    exact = changed[0]["dateLastModified"]
    strictly = walk(sis, f"{ROSTERING}/enrollments", filter=f"dateLastModified>'{exact}'")
    inclusive = walk(sis, f"{ROSTERING}/enrollments", filter=f"dateLastModified>='{exact}'")
    assert len(inclusive) > len(strictly)


def test_every_reference_leads_to_a_record(sis: httpx.Client) -> None:
    known = {
        name: {row["sourcedId"] for row in walk(sis, f"{ROSTERING}/{name}")}
        for name in ("orgs", "academicSessions", "courses", "classes", "users")
    }
    for row in walk(sis, f"{ROSTERING}/classes"):
        assert row["course"]["sourcedId"] in known["courses"]
        assert row["school"]["sourcedId"] in known["orgs"]
        assert all(term["sourcedId"] in known["academicSessions"] for term in row["terms"])
    for row in walk(sis, f"{ROSTERING}/enrollments"):
        assert row["class"]["sourcedId"] in known["classes"]
        if row["status"] == "active" and row["endDate"] > "2026-04-14":
            assert row["user"]["sourcedId"] in known["users"]
    items = {row["sourcedId"] for row in walk(sis, f"{GRADEBOOK}/lineItems")}
    assert all(row["lineItem"]["sourcedId"] in items for row in walk(sis, f"{GRADEBOOK}/results"))


def test_an_end_date_is_the_day_after_the_last(sandbox: RunningSandbox, sis: httpx.Client) -> None:
    """OneRoster 1.2, information model: the end of a session and of an enrolment is exclusive."""
    year = sandbox.district.year
    sessions = {row["type"]: row for row in walk(sis, f"{ROSTERING}/academicSessions")}
    assert date.fromisoformat(sessions["schoolYear"]["startDate"]) == day_date(year.first)
    assert date.fromisoformat(sessions["schoolYear"]["endDate"]) == day_date(year.last + 1)
    e = sandbox.district.enrolments
    seen = set()
    for row in walk(sis, f"{ROSTERING}/enrollments"):
        number = int(row["sourcedId"].removeprefix("ENR-")) - 1
        if row["role"] != "student":
            continue
        is_over = e.changed[number] <= sandbox.sandbox.clock.now_ms
        last = e.ended_on[number] if is_over else e.ends_on[number]
        assert date.fromisoformat(row["endDate"]) == day_date(last + 1)
        seen.add((bool(is_over), row["status"]))
    assert seen == {(False, "active"), (True, "active"), (True, "tobedeleted")}


def test_users_of_1_2_have_roles_and_demographics_the_districts_flags(sis: httpx.Client) -> None:
    users = walk(sis, f"{ROSTERING}/users")
    assert {role["role"] for user in users for role in user["roles"]} == {"student", "teacher", "principal"}
    students = {user["sourcedId"] for user in users if user["roles"][0]["role"] == "student"}
    flags = {row["sourcedId"]: row["metadata"] for row in walk(sis, f"{ROSTERING}/demographics")}
    assert flags.keys() <= students
    assert {flag["economicDisadvantage"] for flag in flags.values()} == {"true", "false"}


def test_rows_appear_with_the_clock_and_not_before(sandbox: RunningSandbox, sis: httpx.Client) -> None:
    def results() -> int:
        return int(sis.get(f"{GRADEBOOK}/results").headers["x-total-count"])

    before = results()
    sandbox.set_clock(now=datetime(2025, 10, 1, tzinfo=UTC))
    assert 0 < results() < before
    sandbox.set_clock(now=datetime(2025, 8, 1, tzinfo=UTC))
    assert results() == 0


def test_assessments_of_three_windows_are_line_items_of_their_category(sis: httpx.Client) -> None:
    items = walk(sis, f"{GRADEBOOK}/lineItems")
    tests = [item for item in items if item["category"]["sourcedId"] == "CAT-ASSESSMENT"]
    assert {item["title"].rsplit(", ", 1)[1] for item in tests} == {"fall", "winter", "spring"}
    assert {row["title"] for row in walk(sis, f"{GRADEBOOK}/categories")} >= {"Assessment"}


def test_one_schools_enrolments_vanish_while_the_school_stays(sandbox: RunningSandbox, sis: httpx.Client) -> None:
    school = sandbox.district.people.schools[sandbox.district.broken_school].sourced_id
    breaks_at = sandbox.district.truths.broken_roster_feed.from_at

    def of_school(name: str) -> int:
        rows = walk(sis, f"{ROSTERING}/{name}")
        return sum((row.get("school") or row.get("primaryOrg") or {}).get("sourcedId") == school for row in rows)

    sandbox.set_clock(now=breaks_at - timedelta(minutes=1))
    assert min(of_school(name) for name in ("enrollments", "classes", "users")) > 0
    sandbox.set_clock(now=breaks_at)
    assert of_school("enrollments") == 0
    assert min(of_school(name) for name in ("classes", "users")) > 0
    sandbox.fault("oneroster/enrollments", "roster_feed", state="sound")
    assert of_school("enrollments") > 0


# ---- version 1.1 ----------------------------------------------------------------------------------------------------


def signed(client: httpx.Client, url: str, secret: str = ONEROSTER_CLIENT[1]) -> dict[str, str]:
    signer = oauth1.Client(ONEROSTER_CLIENT[0], client_secret=secret, signature_method=oauth1.SIGNATURE_HMAC_SHA256)
    _, headers, _ = signer.sign(str(client.base_url.join(url)), "GET")
    return headers


def test_a_signature_is_good_for_its_own_request_and_once(client: httpx.Client) -> None:
    url = f"{V1P1}/users?limit=2&offset=0"
    headers = signed(client, url)
    assert len(client.get(url, headers=headers).json()["users"]) == 2
    assert client.get(url, headers=headers).status_code == 401
    assert client.get(f"{V1P1}/users?limit=3&offset=0", headers=signed(client, url)).status_code == 401
    assert client.get(url, headers=signed(client, url, "another secret")).status_code == 401
    assert client.get(f"{ROSTERING}/users", headers=signed(client, f"{ROSTERING}/users")).status_code == 401


def test_1_1_has_its_own_scopes_and_shapes(client: httpx.Client) -> None:
    scope = CORE.replace("v1p2", "v1p1")
    client.headers["Authorization"] = f"Bearer {token(client, scope=scope).json()['access_token']}"
    assert client.get(f"{ROSTERING}/users").status_code == 403
    assert client.get(f"{V1P1}/demographics").status_code == 403
    users = client.get(f"{V1P1}/users").json()["users"]
    assert not {"roles", "primaryOrg"} & {name for user in users for name in user}
    assert {user["role"] for user in users} <= {"student", "teacher", "principal"}
    assert all(user["orgs"][0]["href"].startswith(V1P1) for user in users)
    assert {type(user["enabledUser"]) for user in users} == {str}
