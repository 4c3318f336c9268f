"""What is asked of a OneRoster server, and what is made of its answers."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from pydantic import ValidationError
from scripted_vendor import Asked, Reply, Vendor, token_reply

from uptake.catalogue import Catalogue
from uptake.contracts import Batch, Window
from uptake.credentials import Credential
from uptake.errors import ConfigError, ContractError
from uptake.landing.door import Door
from uptake.landing.vault import Keyring, Vault
from uptake.sources.oneroster import RESOURCES, OneRoster, OneRosterSettings
from uptake.sources.oneroster.rest import VERSIONS

NOW = datetime(2026, 4, 14, 12, 30, tzinfo=UTC)
FULL = Window.between("full", None, NOW)


def source(vendor: Vendor, **options: Any) -> OneRoster:
    vendor.on("/token", token_reply())
    values = {"name": "sis", "kind": "oneroster", "connection": "demo_sis", "url": vendor.url}
    return OneRoster(OneRosterSettings.model_validate(values | options), Credential("id", "secret"))


def serve(vendor: Vendor, name: str, rows: list[Any], service: str = "rostering") -> str:
    path = f"/ims/oneroster/{service}/v1p2/{name}"

    def answer(asked: Asked) -> Reply:
        start = asked.number("offset")
        return Reply({name: rows[start : start + asked.number("limit")]})

    vendor.on(path, answer)
    return path


@pytest.mark.parametrize("name", RESOURCES)
def test_each_resource_is_asked_for_at_its_service(vendor: Vendor, name: str) -> None:
    service = "gradebook" if name in ("categories", "lineItems", "results") else "rostering"
    path = serve(vendor, name, [], service)
    with source(vendor) as roster:
        assert list(roster.pull(RESOURCES[name], FULL)) == []
    assert vendor.asked[-1].path == path
    assert vendor.asked[-1].params == {"sort": ["sourcedId"], "orderBy": ["asc"], "limit": ["1000"], "offset": ["0"]}


def test_the_token_is_for_rostering_demographics_and_gradebook(vendor: Vendor) -> None:
    serve(vendor, "orgs", [])
    with source(vendor) as roster:
        roster.probe()
    assert all(scope.rpartition("/")[2] in vendor.asked[0].body for scope in VERSIONS["1.2"].scopes)


def test_a_token_may_come_from_elsewhere(vendor: Vendor) -> None:
    serve(vendor, "orgs", [])
    vendor.on("/oauth/token", token_reply())
    with source(vendor, token_url=f"{vendor.url}/oauth/token", scopes=["only-this"]) as roster:
        roster.probe()
    assert vendor.asked[0].path == "/oauth/token" and "scope=only-this" in vendor.asked[0].body


def test_what_changed_is_asked_for_from_the_window_s_start_on(vendor: Vendor) -> None:
    serve(vendor, "users", [])
    since = datetime(2026, 4, 13, 7, 5, 3, 250_000, tzinfo=UTC)
    with source(vendor) as roster:
        window = roster.windows(RESOURCES["users"], since=since, until=NOW, full=False)[0]
        list(roster.pull(RESOURCES["users"], window))
    assert vendor.asked[-1].text("filter") == "dateLastModified>='2026-04-13T07:05:03.250Z'"


def test_a_user_is_typed_and_what_is_not_needed_is_not_read(vendor: Vendor) -> None:
    user = {
        "sourcedId": "u-1",
        "status": "active",
        "dateLastModified": "2026-01-05T10:00:00.000Z",
        "metadata": {"locker": "12"},
        "enabledUser": "true",
        "username": "abirch",
        "email": "ada.birch@students.example",
        "identifier": "900001",
        "givenName": "Ada",
        "familyName": "Birch",
        "phone": "555-0100",
        "password": "hunter2",
        "grades": ["03"],
        "primaryOrg": {"href": "/orgs/s1", "sourcedId": "s1", "type": "org"},
        "roles": [
            {"roleType": "primary", "role": "student", "org": {"sourcedId": "s1"}, "beginDate": "2025-08-18"},
            {"roleType": "secondary", "role": "aide", "org": None},
        ],
    }
    serve(vendor, "users", [user])
    with source(vendor) as roster:
        (batch,) = roster.pull(RESOURCES["users"], FULL)
    assert batch.rejects == [] and batch.unknown == {}
    (row,) = batch.table.to_pylist()
    assert row["roles"] == [
        {
            "role": "student",
            "roleType": "primary",
            "org_sourcedId": "s1",
            "beginDate": date(2025, 8, 18),
            "endDate": None,
        },
        {"role": "aide", "roleType": "secondary", "org_sourcedId": None, "beginDate": None, "endDate": None},
    ]
    assert row["primaryOrg_sourcedId"] == "s1" and row["enabledUser"] is True
    assert not {"phone", "password", "locker"} & set(row)
    landed = RESOURCES["users"].landed_schema.names
    assert not {"givenName", "familyName"} & set(landed)


def test_roles_of_another_shape_are_a_reject(vendor: Vendor) -> None:
    serve(vendor, "users", [{"sourcedId": "u-1", "roles": "student"}, {"sourcedId": "u-2", "roles": ["student"]}])
    with source(vendor) as roster:
        (batch,) = roster.pull(RESOURCES["users"], FULL)
    assert [(reject.reason, reject.column) for reject in batch.rejects] == [("not_list", "roles")] * 2


def test_the_district_s_own_flags_and_a_new_one(vendor: Vendor) -> None:
    row = {"sourcedId": "u-1", "birthDate": "2016-02-03", "metadata": {"disability": "false", "homeless": "true"}}
    serve(vendor, "demographics", [row])
    with source(vendor) as roster:
        (batch,) = roster.pull(RESOURCES["demographics"], FULL)
    (typed,) = batch.table.to_pylist()
    assert typed["metadata_disability"] is False and typed["metadata_englishLearner"] is None
    assert dict(batch.unknown) == {"metadata.homeless": ["true"]}
    assert "birthDate" not in RESOURCES["demographics"].landed_schema.names


def test_an_answer_without_its_envelope_is_a_broken_contract(vendor: Vendor) -> None:
    vendor.on("/ims/oneroster/rostering/v1p2/orgs", Reply({"schools": []}))
    with source(vendor) as roster, pytest.raises(ContractError):
        list(roster.pull(RESOURCES["orgs"], FULL))


def test_big_pages_are_a_few_batches(vendor: Vendor) -> None:
    serve(vendor, "orgs", [{"sourcedId": f"o{i:05d}"} for i in range(10_400)])
    with source(vendor) as roster:
        sizes = [batch.table.num_rows for batch in roster.pull(RESOURCES["orgs"], FULL)]
    assert sizes == [10_000, 400]


def test_a_source_without_connection_is_a_matter_of_configuration(vendor: Vendor) -> None:
    settings = OneRosterSettings.model_validate({"name": "sis", "kind": "oneroster", "url": vendor.url})
    with pytest.raises(ConfigError, match="'sis'"):
        OneRoster(settings, None)


# ---- version 1.1 ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RESOURCES)
def test_all_of_1_1_is_one_service(vendor: Vendor, name: str) -> None:
    vendor.on(f"/ims/oneroster/v1p1/{name}", Reply({name: []}))
    with source(vendor, version=1.1) as roster:
        assert list(roster.pull(RESOURCES[name], FULL)) == []
    assert vendor.count(f"/ims/oneroster/v1p1/{name}") == 1
    assert "v1p1/scope/gradebook.readonly" in unquote(vendor.asked[0].body) and "v1p2" not in vendor.asked[0].body


def pulled_1_1(vendor: Vendor, name: str, row: Any) -> Batch:
    vendor.on(f"/ims/oneroster/v1p1/{name}", lambda asked: Reply({name: [] if asked.number("offset") else [row]}))
    with source(vendor, version="1.1") as roster:
        (batch,) = roster.pull(RESOURCES[name], FULL)
    assert batch.unknown == {}
    return batch


def test_a_user_of_1_1_has_roles_as_one_of_1_2(vendor: Vendor) -> None:
    user = {
        "sourcedId": "u-1",
        "enabledUser": "false",
        "userIds": [{"type": "state", "identifier": "77"}],
        "agents": [],
        "role": "teacher",
        "orgs": [{"sourcedId": "s1", "type": "org"}, {"sourcedId": "s2", "type": "org"}],
    }
    (row,) = pulled_1_1(vendor, "users", user).table.to_pylist()
    assert [(role["role"], role["roleType"], role["org_sourcedId"]) for role in row["roles"]] == [
        ("teacher", "primary", "s1"),
        ("teacher", "secondary", "s2"),
    ]
    assert row["primaryOrg_sourcedId"] == "s1" and row["enabledUser"] is False


@pytest.mark.parametrize(
    ("user", "roles"),
    [
        ({"role": "student", "orgs": []}, [("student", "primary", None)]),
        ({"role": "student"}, [("student", "primary", None)]),
        ({}, None),
        ({"roles": [{"role": "aide", "roleType": "primary"}]}, [("aide", "primary", None)]),
    ],
)
def test_a_user_of_1_1_without_orgs_or_with_roles(vendor: Vendor, user: Any, roles: Any) -> None:
    (row,) = pulled_1_1(vendor, "users", {"sourcedId": "u-1"} | user).table.to_pylist()
    found = row["roles"] and [(role["role"], role["roleType"], role["org_sourcedId"]) for role in row["roles"]]
    assert found == roles


@pytest.mark.parametrize("orgs", ["s1", ["s1"], 3, {"sourcedId": "s1"}])
def test_orgs_of_another_shape_are_a_reject(vendor: Vendor, orgs: Any) -> None:
    batch = pulled_1_1(vendor, "users", {"sourcedId": "u-1", "role": "student", "orgs": orgs})
    assert [reject.reason for reject in batch.rejects] == ["not_list" if not isinstance(orgs, list) else "not_string"]


def test_the_gradebook_and_demographics_of_1_1(vendor: Vendor) -> None:
    item = {"sourcedId": "l-1", "class": {"sourcedId": "c-1"}, "assignDate": "2026-01-05", "resultValueMax": "10.0"}
    (row,) = pulled_1_1(vendor, "lineItems", item).table.to_pylist()
    assert row["assignDate"] == datetime(2026, 1, 5, tzinfo=UTC) and row["resultValueMax"] == 10
    result = {"sourcedId": "r-1", "lineitem": {"sourcedId": "l-1"}, "student": {"sourcedId": "u-1"}, "score": "9.5"}
    (row,) = pulled_1_1(vendor, "results", result).table.to_pylist()
    assert row["lineItem_sourcedId"] == "l-1" and row["score"] == 9.5
    person = {"sourcedId": "u-1", "birthdate": "2016-02-03", "asian": "true", "white": "false"}
    (row,) = pulled_1_1(vendor, "demographics", person).table.to_pylist()
    assert row["birthDate"] == date(2016, 2, 3) and row["asian"] is True and row["white"] is False


@pytest.mark.parametrize(
    "options",
    [
        {"auth": "oauth1_hmac_sha256"},
        {"version": "1.1", "auth": "oauth1_hmac_sha1", "token_url": "https://sis.example/token"},
        {"version": "1.0"},
    ],
)
def test_settings_that_contradict_each_other(vendor: Vendor, options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        source(vendor, **options)


def test_a_server_that_refuses_scopes_is_asked_without(vendor: Vendor) -> None:
    vendor.on("/ims/oneroster/v1p1/orgs", Reply({"orgs": []}))
    with source(vendor, version="1.1", scopes=[]) as roster:
        roster.probe()
    assert "scope" not in vendor.asked[0].body


def test_each_try_is_signed_anew(vendor: Vendor, waits: list[float]) -> None:
    vendor.once("/ims/oneroster/v1p1/orgs", Reply(status=500), Reply(status=500))
    vendor.on("/ims/oneroster/v1p1/orgs", Reply({"orgs": []}))
    with source(vendor, version="1.1", auth="oauth1_hmac_sha256") as roster:
        roster.probe()
    sent = [asked.headers["authorization"] for asked in vendor.asked]
    assert len(sent) == 3 and all('oauth_signature_method="HMAC-SHA256"' in header for header in sent)
    for part in ("oauth_nonce", "oauth_signature"):
        assert len({re.search(f'{part}="([^"]+)"', header)[1] for header in sent}) == 3  # type: ignore[index]


# ---- ids of a system's own ------------------------------------------------------------------------------------------


def test_ids_are_qualified_where_they_are_the_system_s_own(vendor: Vendor, tmp_path: Path) -> None:
    user = {
        "sourcedId": 17,
        "primaryOrg": {"sourcedId": "3"},
        "roles": [{"role": "student", "org": {"sourcedId": "3"}}, {"role": "aide"}],
    }
    serve(vendor, "users", [user, {"sourcedId": "18"}])
    serve(vendor, "classes", [{"sourcedId": "3", "terms": [{"sourcedId": "1"}, {"sourcedId": ""}]}])
    keyring = Keyring.open(tmp_path)
    with Vault(tmp_path) as vault, source(vendor, ids="own") as roster:
        door = Door("lakeside", keyring, vault, Catalogue())
        landed = {
            name: [
                row
                for batch in roster.pull(roster.resources[name], FULL)
                for row in door.admit(roster.resources[name], batch.table).to_pylist()
            ]
            for name in ("users", "classes")
        }
    first, second = landed["users"]
    assert first["sourcedId"] == door.pseudonym("sis_user", "sis:17") != door.pseudonym("sis_user", "17")
    assert first["primaryOrg_sourcedId"] == "sis:3" and second["primaryOrg_sourcedId"] is None
    assert [role["org_sourcedId"] for role in first["roles"]] == ["sis:3", None] and second["roles"] is None
    (row,) = landed["classes"]
    assert (row["sourcedId"], row["terms"], row["course_sourcedId"]) == ("sis:3", ["sis:1", ""], None)
