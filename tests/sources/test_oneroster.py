"""What is asked of a OneRoster server, and what is made of its answers."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from scripted_vendor import Asked, Reply, Vendor, token_reply

from uptake.contracts import Window
from uptake.credentials import Credential
from uptake.errors import ConfigError, ContractError
from uptake.sources.oneroster import RESOURCES, SCOPES, OneRoster, OneRosterSettings

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
    assert all(scope.rpartition("/")[2] in vendor.asked[0].body for scope in SCOPES)


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
