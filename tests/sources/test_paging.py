"""Walks: the end is where the vendor says it is, and no row is skipped on the way."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from scripted_vendor import Answerer, Asked, Reply, Vendor

from uptake.errors import ContractError, PermanentError, TransientError
from uptake.sources.auth import BearerToken
from uptake.sources.http import HttpClient
from uptake.sources.paging import (
    Page,
    ahead,
    body_token_pages,
    few_rows,
    gathered,
    link_pages,
    offset_pages,
    rows_at_top,
    rows_in,
    side_by_side,
)

ROWS = [{"id": f"r{i:03d}"} for i in range(23)]


@pytest.fixture
def client(vendor: Vendor) -> Iterator[HttpClient]:
    with HttpClient(vendor.url, BearerToken("t"), connection="c", attempts=3, sleep=lambda _: None) as made:
        yield made


def doubled(rows: list[Any]) -> list[Any]:
    return [copy for place, row in enumerate(rows) for copy in ([row, row] if place % 3 == 0 else [row])]


def by_offset(rows: list[Any], *, clamp: int = 1000, total: bool = False, doubles: bool = False) -> Answerer:
    def answer(asked: Asked) -> Reply:
        start = asked.number("offset")
        page = rows[start : start + min(asked.number("limit"), clamp)]
        if doubles:
            page = doubled(page)
        return Reply({"rows": page}, headers={"X-Total-Count": str(len(rows))} if total else {})

    return answer


def walked(client: HttpClient, size: int = 10) -> list[Page]:
    return list(offset_pages(client, "a", {}, page_size=size, rows_of=rows_in("rows"), key="id"))


def ids(pages: list[Page]) -> list[str]:
    return [row["id"] for page in pages for row in page.rows]


@pytest.mark.parametrize("clamp", [1, 4, 10, 1000])
@pytest.mark.parametrize("total", [True, False])
def test_an_offset_walk_brings_every_row_once_whatever_the_page_size(
    client: HttpClient, vendor: Vendor, clamp: int, total: bool
) -> None:
    vendor.on("/a", by_offset(ROWS, clamp=clamp, total=total))
    pages = walked(client)
    assert ids(pages) == [row["id"] for row in ROWS]
    assert {page.total for page in pages} == {23 if total else None}


def test_an_offset_walk_ends_at_an_empty_page_and_nowhere_else(client: HttpClient, vendor: Vendor) -> None:
    vendor.on("/a", by_offset(ROWS, total=True))
    walked(client)
    assert [asked.number("offset") for asked in vendor.asked] == [0, 10, 20, 23]


def test_a_total_that_is_too_small_does_not_end_the_walk(client: HttpClient, vendor: Vendor) -> None:
    answer = by_offset(ROWS)
    vendor.on("/a", lambda asked: Reply(answer(asked).body, headers={"X-Total-Count": "5"}))
    assert len(ids(walked(client))) == 23


@pytest.mark.parametrize("clamp", [4, 1000])
def test_rows_that_a_page_has_twice_push_no_other_row_out(client: HttpClient, vendor: Vendor, clamp: int) -> None:
    vendor.on("/a", by_offset(ROWS, doubles=True, clamp=clamp))
    assert set(ids(walked(client))) == {row["id"] for row in ROWS}


@pytest.mark.parametrize("clamp", [1, 2, 4, 1000])
def test_rows_that_the_list_has_twice_come_twice_and_not_more(client: HttpClient, vendor: Vendor, clamp: int) -> None:
    vendor.on("/a", by_offset(doubled(ROWS), clamp=clamp, total=True))
    pages = walked(client)
    if clamp > 1:  # of a page of one row nobody can tell whether it is there twice
        assert ids(pages) == [row["id"] for row in doubled(ROWS)]
    assert set(ids(pages)) == {row["id"] for row in ROWS}


def test_rows_without_an_id_do_not_stop_the_walk(client: HttpClient, vendor: Vendor) -> None:
    vendor.on("/a", by_offset([{"id": None, "n": i} for i in range(7)] + ["odd", {"id": ["x"]}]))
    assert sum(len(page.rows) for page in walked(client, 4)) == 9


def test_a_server_that_does_not_heed_offset_is_found_out(client: HttpClient, vendor: Vendor) -> None:
    vendor.on("/a", Reply({"rows": ROWS[:10]}))
    with pytest.raises(PermanentError, match="offset is not heeded"):
        walked(client)


def test_a_fault_in_mid_walk_costs_no_row(client: HttpClient, vendor: Vendor) -> None:
    good = by_offset(ROWS)
    vendor.on("/a", good)
    vendor.once("/a", good, Reply({}, 500), good, Reply(b"<html>"), Reply({}, 429, {"Retry-After": "3"}), good)
    assert ids(walked(client)) == [row["id"] for row in ROWS]


def test_an_answer_of_another_kind_is_a_broken_contract(client: HttpClient, vendor: Vendor) -> None:
    vendor.on("/a", Reply({"message": "welcome"}))
    with pytest.raises(ContractError, match="no list 'rows'"):
        walked(client)
    with pytest.raises(ContractError, match="not a list"):
        list(link_pages(client, "a", [], page_size=10, rows_of=rows_at_top))


def by_link(pages: list[list[Any]], header: str = "Link", form: str = '<{url}>; rel="next"') -> Answerer:
    def answer(asked: Asked) -> Reply:
        number = int(asked.params.get("page", ["bookmark:0"])[0].removeprefix("bookmark:"))
        links = [f'<http://{asked.headers["host"]}/a?page=bookmark:{number}>; rel="current"']
        if number + 1 < len(pages):
            url = f"http://{asked.headers['host']}/a?page=bookmark:{number + 1}&per_page=2"
            links.insert(0, form.format(url=url))
        return Reply(pages[number], headers={header: ",".join(links)})

    return answer


@pytest.mark.parametrize("header", ["Link", "link", "LINK"])
@pytest.mark.parametrize("form", ['<{url}>; rel="next"', '<{url}>;rel="next"', '<{url}>; rel="NEXT"'])
def test_a_link_walk_follows_what_it_is_given(client: HttpClient, vendor: Vendor, header: str, form: str) -> None:
    vendor.on("/a", by_link([ROWS[:2], [], ROWS[2:3]], header, form))
    assert ids(list(link_pages(client, "a", [], page_size=2, rows_of=rows_at_top))) == ["r000", "r001", "r002"]
    assert vendor.asked[1].params == {"page": ["bookmark:1"], "per_page": ["2"]}


def test_a_link_to_another_host_is_not_followed(client: HttpClient, vendor: Vendor) -> None:
    vendor.on("/a", Reply(ROWS[:2], headers={"Link": '<https://elsewhere.example/a?page=2>; rel="next"'}))
    with pytest.raises(PermanentError, match=r"elsewhere\.example"):
        list(link_pages(client, "a", [], page_size=10, rows_of=rows_at_top))


def test_links_that_go_in_a_circle_are_found_out(client: HttpClient, vendor: Vendor) -> None:
    vendor.on("/a", Reply(ROWS[:2], headers={"Link": '</a?page=2>; rel="next"'}))
    with pytest.raises(PermanentError, match="circle"):
        list(link_pages(client, "a", [], page_size=10, rows_of=rows_at_top))


def test_a_short_page_without_any_link_is_the_last(client: HttpClient, vendor: Vendor) -> None:
    vendor.on("/a", Reply(ROWS[:9]))
    assert len(ids(list(link_pages(client, "a", [], page_size=10, rows_of=rows_at_top)))) == 9
    assert vendor.count("/a") == 1


def test_without_any_link_pages_are_asked_for_by_number(client: HttpClient, vendor: Vendor) -> None:
    def answer(asked: Asked) -> Reply:
        page = int(asked.params.get("page", ["1"])[0])
        return Reply(ROWS[(page - 1) * 10 : page * 10])

    vendor.on("/a", answer)
    assert ids(list(link_pages(client, "a", [], page_size=10, rows_of=rows_at_top))) == [row["id"] for row in ROWS]
    vendor.on("/a", Reply(ROWS))  # a list that is not paged at all
    assert ids(list(link_pages(client, "a", [], page_size=10, rows_of=rows_at_top))) == [row["id"] for row in ROWS]


def test_pages_are_gathered_to_batches_with_the_last_total() -> None:
    pages = [Page([1, 2], 9), Page([3]), Page([4, 5, 6], 8), Page([7])]
    assert list(gathered(pages, 3)) == [Page([1, 2, 3], 9), Page([4, 5, 6], 8), Page([7], 8)]


def test_ahead_runs_ahead_keeps_the_order_and_hands_on_the_error() -> None:
    fetched: list[int] = []

    def numbers() -> Iterator[int]:
        for number in range(5):
            fetched.append(number)
            yield number
        raise TransientError("the vendor is gone")

    walk = ahead(numbers(), depth=2)
    got = [next(walk)]
    for _ in range(100):
        if len(fetched) >= 3:
            break
        time.sleep(0.01)
    assert len(fetched) >= 3, "the next pages are fetched while the first is worked on"
    with pytest.raises(TransientError, match="gone"):
        for number in walk:
            got.append(number)
    assert got == [0, 1, 2, 3, 4]


def test_leaving_early_stops_the_thread() -> None:
    def endless() -> Iterator[int]:
        number = 0
        while True:
            yield number
            number += 1

    walk = ahead(endless())
    assert next(walk) == 0
    walk.close()  # type: ignore[attr-defined]
    for _ in range(100):
        if not any(thread.name == "pages-ahead" for thread in threading.enumerate()):
            return
        time.sleep(0.02)
    pytest.fail("the thread goes on")


# ---- tokens in the answer -------------------------------------------------------------------------------------------


def test_a_token_walk_goes_on_through_pages_without_rows(client: HttpClient, vendor: Vendor) -> None:
    vendor.once("/a", Reply({"rows": [1], "nextPageToken": "x"}), Reply({"nextPageToken": "y"}), Reply({"rows": [2]}))
    assert [answer.data.get("rows") for answer in body_token_pages(client, "a", {"of": 7})] == [[1], None, [2]]
    assert [asked.params.get("pageToken") for asked in vendor.asked] == [None, ["x"], ["y"]]
    assert all(asked.number("of") == 7 for asked in vendor.asked)


def test_tokens_that_go_in_a_circle_are_found_out(client: HttpClient, vendor: Vendor) -> None:
    vendor.on("/a", Reply({"rows": [], "nextPageToken": "x"}))
    with pytest.raises(PermanentError, match="in a circle"):
        list(body_token_pages(client, "a", {}))
    assert vendor.count("/a") == 2


def test_a_token_walk_wants_an_object(client: HttpClient, vendor: Vendor) -> None:
    vendor.on("/a", Reply([1, 2]))
    with pytest.raises(ContractError, match="not an object"):
        list(body_token_pages(client, "a", {}))


# ---- side by side ---------------------------------------------------------------------------------------------------


def test_walks_side_by_side_keep_their_order_and_an_error_begins_no_other() -> None:
    begun: list[int] = []
    under_way, most = threading.Semaphore(3), threading.Lock()

    def walk(number: int) -> Iterator[Page]:
        assert under_way.acquire(blocking=False), "more walks at once than were asked for"
        with most:
            begun.append(number)
        time.sleep(0.002 * (3 - number % 3))
        under_way.release()
        if number == 14:
            raise TransientError("away")
        yield Page([{"id": number}])

    assert [page.rows[0]["id"] for page in side_by_side(walk, range(14), 3)] == list(range(14))
    begun.clear()
    came: list[int] = []
    with pytest.raises(TransientError, match="away"):
        came.extend(page.rows[0]["id"] for page in side_by_side(walk, range(100), 3))
    assert max(begun) < 24  # the block of twelve in which it happened


def test_a_look_at_the_first_rows_begins_one_walk() -> None:
    begun: list[int] = []

    def walk(number: int) -> Iterator[Page]:
        begun.append(number)
        yield Page([{"id": number}])

    with few_rows(1):
        next(side_by_side(walk, range(10), 4))
    assert begun == [0]
