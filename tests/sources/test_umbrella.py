"""The web filter's walk loses no row, and a person's name goes nowhere."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scripted_vendor import Asked, Reply, Vendor, token_reply

from uptake.contracts import Window
from uptake.credentials import Credential
from uptake.errors import ContractError, PermanentError
from uptake.sources.base import Home
from uptake.sources.umbrella import RESOURCES, Identities, Umbrella, UmbrellaSettings, address_in, event_key

START = datetime(2026, 4, 14, 14, 0, tzinfo=UTC)
HOUR = Window.between("interval", START, START + timedelta(hours=1))
FIRST = int(START.timestamp() * 1000)
ACTIVITY = RESOURCES["activity"]
PATH = "/reports/v2/activity"


HOME = Home(Path("unused"), bytes(range(32)))


def source(vendor: Vendor, *, secret: str = "secret", home: Home = HOME, **options: Any) -> Umbrella:
    vendor.on("/auth/v2/token", token_reply())
    values = {"name": "filter", "kind": "umbrella", "connection": "demo_filter", "url": vendor.url}
    made = Umbrella(UmbrellaSettings.model_validate(values | options), Credential("key", secret))
    made.settle(home)
    return made


def event(number: int, moment: int, **more: Any) -> dict[str, Any]:
    return {"timestamp": moment, "domain": f"d{number}.example", "type": "dns", "verdict": "allowed", **more}


class Filter:
    """An Umbrella of known rows. The order within a second is another one at every answer."""

    def __init__(
        self,
        rows: list[dict[str, Any]],
        *,
        order: str = "desc",
        inclusive: bool = False,
        cap: int = 10_000,
        clamp: int = 5000,
    ) -> None:
        self.rows, self.order, self.inclusive, self.cap, self.clamp = rows, order, inclusive, cap, clamp
        self.random = random.Random(1)
        self.answers = 0

    def __call__(self, asked: Asked) -> Reply:
        self.answers += 1
        low, high = asked.number("from"), asked.number("to")
        offset, limit = asked.number("offset"), min(asked.number("limit"), self.clamp)
        if offset > self.cap:
            return Reply({"message": "offset too large"}, 400)
        if self.inclusive:
            found = [row for row in self.rows if low <= row["timestamp"] <= high]
        else:
            found = [row for row in self.rows if low < row["timestamp"] < high]
        if self.order != "none":
            self.random.shuffle(found)
            found.sort(key=lambda row: row["timestamp"] // 1000, reverse=self.order == "desc")
        return Reply({"meta": {}, "data": found[offset : offset + limit]})


def pulled(vendor: Vendor, answer: Any, window: Window = HOUR, **options: Any) -> list[dict[str, Any]]:
    vendor.on(PATH, answer)
    with source(vendor, **options) as umbrella:
        batches = list(umbrella.pull(ACTIVITY, window))
    assert [reject for batch in batches for reject in batch.rejects] == []
    return [row for batch in batches for row in batch.table.to_pylist()]


def domains(rows: list[dict[str, Any]]) -> Counter[str]:
    return Counter(row["domain"] for row in rows)


@given(
    moments=st.lists(st.integers(0, 20_000), max_size=20),
    order=st.sampled_from(["desc", "asc"]),
    inclusive=st.booleans(),
    clamp=st.sampled_from([1, 3, 7, 100]),
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_event_of_a_window_comes_or_a_note_says_that_one_may_not(
    vendor: Vendor, moments: list[int], order: str, inclusive: bool, clamp: int
) -> None:
    rows = [event(n, FIRST + moment) for n, moment in enumerate(moments)]
    edges = [event(900, FIRST - 1), event(901, FIRST), event(902, FIRST + 3_599_999), event(903, FIRST + 3_600_000)]
    vendor.on(PATH, Filter(rows + edges, order=order, inclusive=inclusive, clamp=clamp))
    with source(vendor) as umbrella:
        batches = list(umbrella.pull(ACTIVITY, HOUR))
    found = domains([row for batch in batches for row in batch.table.to_pylist()])
    truth = domains(rows + edges[1:3])
    densest = max(Counter((row["timestamp"]) // 1000 for row in rows + edges).values())
    if clamp >= densest:
        assert found == truth
    else:
        assert found == truth or any(batch.note for batch in batches)


def test_a_quiet_hour_is_one_question(vendor: Vendor) -> None:
    quiet = Filter([])
    assert pulled(vendor, quiet) == []
    assert quiet.answers == 1


def test_a_busy_hour_costs_few_questions_and_no_offset(vendor: Vendor) -> None:
    busy = Filter([event(n, FIRST + n * 360) for n in range(10_000)])
    assert domains(pulled(vendor, busy)) == domains(busy.rows)
    assert busy.answers <= 10_000 / 1000 + 8
    assert {asked.number("offset") for asked in vendor.asked if asked.path == PATH} <= {0, 1, 2, 3}


def test_a_second_that_fills_many_answers_is_read_until_nothing_is_new(vendor: Vendor) -> None:
    dense = [event(n, FIRST + 5000) for n in range(230)] + [event(1000 + n, FIRST + n * 1000) for n in range(20)]
    assert set(domains(pulled(vendor, Filter(dense), page_size=40))) == {row["domain"] for row in dense}


def test_an_order_that_hides_a_row_each_time_is_got_round_by_other_page_ends(vendor: Vendor) -> None:
    rows = [event(n, FIRST + 5000) for n in range(15)]

    def settled(asked: Asked) -> Reply:  # another order at each offset, but always the same one there
        low, high, offset = asked.number("from"), asked.number("to"), asked.number("offset")
        inside = [row for row in rows if low < row["timestamp"] < high]
        random.Random(offset).shuffle(inside)
        return Reply({"data": inside[offset : offset + asked.number("limit")]})

    def asked(offset: int) -> Asked:
        return Asked("", {"from": ["0"], "to": [str(10**13)], "limit": ["8"], "offset": [str(offset)]}, {}, "")

    seen = {row["domain"] for offset in (0, 8) for row in settled(asked(offset)).body["data"]}
    assert len(seen) < 15, "pages of eight hide a row for ever"
    assert set(domains(pulled(vendor, settled, page_size=8))) == {row["domain"] for row in rows}


def test_a_second_beyond_the_offset_cap_is_an_error_and_not_a_short_answer(vendor: Vendor) -> None:
    with pytest.raises(PermanentError, match="400"):
        pulled(vendor, Filter([event(n, FIRST) for n in range(90)], cap=50), page_size=20)


def test_a_second_that_cannot_be_read_for_certain_is_noted(vendor: Vendor) -> None:
    """The filter sends rows twice: nobody can tell that from a row that was pushed out."""
    rows = [event(n, FIRST + 1) for n in range(12)]
    vendor.on(PATH, Filter(rows + rows[:3]))
    with source(vendor, page_size=5) as umbrella:
        batches = list(umbrella.pull(ACTIVITY, HOUR))
    assert {row["domain"] for batch in batches for row in batch.table.to_pylist()} == {row["domain"] for row in rows}
    assert [batch.note for batch in batches][-1].startswith("The second 2026-04-14 14:00:00 UTC fills")  # type: ignore[union-attr]


def test_times_in_another_unit_are_found_out(vendor: Vendor) -> None:
    with pytest.raises(ContractError, match="another time"):
        pulled(vendor, Reply({"data": [event(1, FIRST // 1000)]}))


def test_an_answer_that_is_not_in_the_order_of_time_is_refused(vendor: Vendor) -> None:
    mixed = [event(n, FIRST + moment * 1000) for n, moment in enumerate((5, 9, 2))]
    with pytest.raises(ContractError, match="order of time"):
        pulled(vendor, Filter(mixed, order="none"))


def test_rows_without_a_time_are_rejected_once(vendor: Vendor) -> None:
    good = Filter([event(n, FIRST + n * 1000) for n in range(30)])

    def spoiled(asked: Asked) -> Reply:
        reply = good(asked)
        if asked.number("offset") == 0:
            reply.body["data"] += [event(99, None), "odd"]  # type: ignore[arg-type]
        return reply

    vendor.on(PATH, spoiled)
    with source(vendor, page_size=10) as umbrella:
        batches = list(umbrella.pull(ACTIVITY, HOUR))
    reasons = sorted(reject.reason for batch in batches for reject in batch.rejects)
    assert reasons == ["missing_required", "unreadable"]
    assert sum(batch.table.num_rows for batch in batches) == 30


def test_a_forbidden_answer_renews_the_token_once(vendor: Vendor) -> None:
    vendor.on(PATH, Filter([event(1, FIRST)]))
    vendor.once(PATH, Reply({"message": "Forbidden"}, 403))
    with source(vendor) as umbrella:
        assert sum(batch.table.num_rows for batch in umbrella.pull(ACTIVITY, HOUR)) == 1
    assert vendor.count("/auth/v2/token") == 2


@pytest.mark.parametrize("traffic", ["dns", "proxy"])
def test_one_kind_of_traffic_may_be_asked_for(vendor: Vendor, traffic: str) -> None:
    vendor.on(f"{PATH}/{traffic}", Filter([event(1, FIRST)]))
    with source(vendor, traffic=traffic) as umbrella:
        assert sum(batch.table.num_rows for batch in umbrella.pull(ACTIVITY, HOUR)) == 1


def test_windows_are_days_for_the_past_and_hours_for_today(vendor: Vendor) -> None:
    until = START + timedelta(minutes=30)
    with source(vendor, history_days=3) as umbrella:
        first = umbrella.windows(ACTIVITY, since=None, until=until, full=False)
        later = umbrella.windows(ACTIVITY, since=until - timedelta(hours=2), until=until, full=False)
    lengths = Counter(window.end - window.start for window in first)  # type: ignore[operator]
    assert lengths == {timedelta(days=1): 2, timedelta(hours=1): 10 + 15}
    assert [window.start.hour for window in later] == [12, 13, 14]  # type: ignore[union-attr]
    assert later[-1] in first, "the hour that is not over is asked for again under its own name"


# --- who it was ----------------------------------------------------------------------------------------------------


def identity(kind: str, label: Any) -> dict[str, Any]:
    return {"id": 7, "label": label, "type": {"id": 1, "type": kind, "label": "x"}, "deleted": False}


@pytest.mark.parametrize(
    ("label", "address"),
    [
        ("Ada Birch (ada.birch@students.example)", "ada.birch@students.example"),
        ("Birch, Ada <ada.birch@students.example> ", "ada.birch@students.example"),
        ("ada.birch@students.example", "ada.birch@students.example"),
        ("Ada Birch", None),
        ("Ada Birch (abirch)", None),
        ("Ada Birch (RIVERBEND\\abirch)", None),
        ("Ada (ada@x) Birch", None),
        ("", None),
    ],
)
def test_of_a_person_only_the_address_remains(label: str, address: str | None) -> None:
    assert address_in(label) == address
    assert Identities().of({"identities": [identity("directory_user", label)]}) == (address, None, None, "user")


@pytest.mark.parametrize(
    ("identities", "expected"),
    [
        ([identity("anyconnect", "RB-1"), identity("network", "Alder")], (None, "RB-1", "Alder", "device")),
        ([identity("roaming", "RB-1")], (None, "RB-1", None, "device")),
        ([identity("site", "Alder")], (None, None, "Alder", "network")),
        (
            [identity("network", "Alder"), identity("directory_user", "a@b.example"), identity("roaming", "RB-1")],
            ("a@b.example", "RB-1", "Alder", "user"),
        ),
        ([identity("roaming", "RB-1"), identity("roaming", "RB-2")], (None, "RB-1", None, "device")),
        ([identity("directory_group", "Grade 3 of Ms Birch")], (None, None, None, None)),
        ([], (None, None, None, None)),
        (None, (None, None, None, None)),
        (["odd", {"label": "x"}, identity("roaming", None), identity("roaming", ["x"])], (None, None, None, None)),
    ],
)
def test_identities_are_split_and_never_guessed(identities: Any, expected: tuple[str | None, ...]) -> None:
    assert Identities().of({"identities": identities}) == expected


def test_names_and_addresses_of_machines_are_nowhere_in_what_is_pulled(vendor: Vendor) -> None:
    row = event(
        1,
        FIRST,
        identities=[identity("directory_user", "Ada Birch (ada.birch@students.example)")],
        internalip="10.1.2.3",
        externalip="203.0.113.9",
        categories=[{"id": 1, "label": "Education", "type": "content"}],
    )
    vendor.on(PATH, Filter([row]))
    with source(vendor) as umbrella:
        (batch,) = umbrella.pull(ACTIVITY, HOUR)
    text = str(batch.table.to_pylist())
    assert not any(word in text for word in ("Ada", "Birch", "10.1.2.3", "203.0.113.9"))
    assert batch.table.column("user_label").to_pylist() == ["ada.birch@students.example"]
    assert batch.table.column("categories").to_pylist() == [["Education"]]
    assert batch.unknown == {}


def test_a_renewed_credential_leaves_the_event_keys_as_they_are(vendor: Vendor) -> None:
    rows = [event(n, FIRST + n * 500) for n in range(3)]

    def keys(**options: Any) -> list[str]:
        return sorted(row["event_key"] for row in pulled(vendor, Filter(rows), **options))

    assert keys(secret="old") == keys(secret="renewed")
    assert keys(home=Home(Path("unused"), b"another district's key")) != keys()


def test_rows_without_an_id_are_not_read_without_the_districts_key(vendor: Vendor) -> None:
    settings = UmbrellaSettings.model_validate({"name": "f", "kind": "umbrella", "connection": "c", "url": vendor.url})
    vendor.on("/auth/v2/token", token_reply())
    vendor.on(PATH, Reply({"data": [event(1, FIRST)]}))
    with Umbrella(settings, Credential("key", "secret")) as filter_, pytest.raises(RuntimeError, match="settle"):
        list(filter_.pull(ACTIVITY, HOUR))


def test_the_event_key_follows_the_row_and_the_districts_key() -> None:
    row = event(1, FIRST, identities=[identity("roaming", "RB-1")])
    again = dict(reversed(row.items()))
    assert event_key(row, b"k") == event_key(again, b"k")
    assert event_key(row, b"k") != event_key(row | {"domain": "other.example"}, b"k")
    assert event_key(row, b"k") != event_key(row, b"another")


def test_the_same_event_has_the_same_key_in_every_pull(vendor: Vendor) -> None:
    rows = [event(n, FIRST + n * 500, identities=[identity("roaming", f"RB-{n}")]) for n in range(50)]
    once, again = (pulled(vendor, Filter(rows), page_size=size) for size in (7, 1000))
    keys = {row["event_key"] for row in once}
    assert keys == {row["event_key"] for row in again} and len(keys) == 50
