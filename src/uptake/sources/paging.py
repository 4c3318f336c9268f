"""Walks over a collection that comes in pages.

The rule of all: only the vendor says where the end is, and it says so in one way. An offset walk ends at the first
empty page, since a server may clamp `limit` without a word (500 given, 1,000 asked), and its total may be absent, or be
counted at another time. It goes on by the distinct rows that came: a row that is sent twice must not push the next one
over the edge. A link walk ends where there is no `next`, a token walk where there is no token.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from uptake.errors import ContractError, PermanentError
from uptake.rows import Rows, joined
from uptake.sources.http import Answer, HttpClient, shown

T = TypeVar("T")

_REPEATS = 3
_few: ContextVar[int | None] = ContextVar("few", default=None)


@contextmanager
def few_rows(rows: int) -> Iterator[None]:
    """Inside, a walk gives out what it has as soon as it has so many rows, and does not run ahead: who looks at the
    first rows only, and then leaves, asks the vendor for no more pages than those."""
    token = _few.set(rows)
    try:
        yield
    finally:
        _few.reset(token)


@dataclass(frozen=True, slots=True)
class Page:
    """Rows as the vendor sent them. total: the vendor's count of the whole collection, where it gave one."""

    rows: list[Any] | Rows
    total: int | None = None


def offset_pages(
    client: HttpClient,
    path: str,
    params: Mapping[str, Any],
    *,
    page_size: int,
    rows_of: Callable[[Answer], list[Any] | Rows],
    key: str,
    read: Callable[[bytes], Any] = orjson.loads,
) -> Iterator[Page]:
    """`limit`/`offset` walk: on by what came back, until an empty page. `key` names a row's id; `read` decodes a body.

    Rows that the next page brings again, because the one before had some of them twice, are left out.
    Raises PermanentError when the same page comes again and again: the server does not heed `offset`.
    """
    offset = repeats = 0
    before: list[Any] | Rows = []
    again: list[Any] | Rows = []
    while True:
        answer = client.get(path, {**params, "limit": page_size, "offset": offset}, read=read)
        rows = rows_of(answer)
        if not rows:
            return
        repeats = repeats + 1 if rows == before else 0
        if repeats == _REPEATS:
            raise PermanentError(
                f"the same page comes again and again from {shown(answer.url)}: offset is not heeded",
                remedy="ask the vendor how to page.",
            )
        fresh = rows[len(again) :] if again and rows[: len(again)] == again else rows
        if fresh:
            yield Page(fresh, total_count(answer))
        different = distinct(fresh, key)
        offset += len(rows) - len(fresh) + different
        again = fresh[different:]
        before = rows


def distinct(rows: list[Any] | Rows, key: str) -> int:
    """How many different rows there are, by `key`; a row without one counts for itself."""
    if isinstance(rows, Rows) and pa.types.is_string(rows.type_of(key)):
        column = rows.table.column(key)
        return int(pc.count_distinct(column).as_py()) + column.null_count
    keys = [row.get(key) if isinstance(row, dict) else None for row in rows]
    named = {value for value in keys if isinstance(value, str | int)}
    return len(named) + sum(not isinstance(value, str | int) for value in keys)


def link_pages(
    client: HttpClient,
    path: str,
    params: Sequence[tuple[str, Any]],
    *,
    page_size: int,
    rows_of: Callable[[Answer], list[Any]],
) -> Iterator[Page]:
    """Follow `Link: <…>; rel="next"` as it is, to the vendor's own origin only (RFC 8288).

    A full first page with no `Link` at all (a proxy may have dropped it) does not say that it is the last: pages are
    then asked for by number, until one is empty or the same again. Raises PermanentError when a link leads to another
    host, or back to where the walk has been.
    """
    params = [*params, ("per_page", page_size)]
    answer = client.get(path, params)
    if "link" not in answer.headers and len(rows_of(answer)) >= page_size:
        yield from _numbered_pages(client, path, params, rows_of, rows_of(answer))
        return
    for linked in _linked(client, answer, lambda given: given.links.get("next")):
        yield Page(rows_of(linked), total_count(linked))


def _linked(client: HttpClient, answer: Answer, following_of: Callable[[Answer], str | None]) -> Iterator[Answer]:
    """The answer and those that it leads to, one by one; `following_of` finds the link, None at the end."""
    seen: set[httpx.URL] = set()
    while True:
        yield answer
        following = following_of(answer)
        if following is None:
            return
        url = answer.url.join(following)
        if url in seen:
            raise PermanentError(
                f"the links of {shown(answer.url)} go in a circle", remedy="ask the vendor how to page."
            )
        seen.add(url)
        answer = client.get(url)


def _numbered_pages(
    client: HttpClient,
    path: str,
    params: Sequence[tuple[str, Any]],
    rows_of: Callable[[Answer], list[Any]],
    rows: list[Any],
) -> Iterator[Page]:
    number, before = 1, None
    while rows and rows != before:
        yield Page(rows)
        number, before = number + 1, rows
        rows = rows_of(client.get(path, [*params, ("page", number)]))


def token_pages(
    client: HttpClient,
    path: str,
    params: Mapping[str, Any],
    *,
    page_size: int,
    rows_of: Callable[[Answer], list[Any]],
) -> Iterator[Page]:
    """`pageSize`/`pageToken` walk: each answer's header `Next-Page-Token` leads to the next; there is none at the end.

    Raises PermanentError when a token leads back to where the walk has been.
    """
    asked: dict[str, Any] = {**params, "pageSize": page_size}
    seen: set[str] = set()
    while True:
        answer = client.get(path, asked)
        yield Page(rows_of(answer), total_count(answer))
        token = answer.headers.get("next-page-token")
        if not token:
            return
        if token in seen:
            raise _circle_of_tokens(answer)
        seen.add(token)
        asked["pageToken"] = token


def body_token_pages(client: HttpClient, path: str, params: Mapping[str, Any]) -> Iterator[Answer]:
    """Google's walk: each answer's own `nextPageToken` is the next question's `pageToken`; there is none at the end.

    A page may have no rows, or no list of them at all, and still lead to the next. Raises ContractError where the
    answer is not an object, PermanentError when a token leads back to where the walk has been.
    """
    asked: dict[str, Any] = dict(params)
    seen: set[str] = set()
    while True:
        answer = client.get(path, asked)
        if not isinstance(answer.data, dict):
            raise ContractError(
                f"the answer of {shown(answer.url)} is not an object",
                remedy="check that the source's url and kind are right.",
            )
        yield answer
        token = answer.data.get("nextPageToken")
        if not token:
            return
        if token in seen:
            raise _circle_of_tokens(answer)
        seen.add(token)
        asked["pageToken"] = token


def _circle_of_tokens(answer: Answer) -> PermanentError:
    return PermanentError(
        f"the page tokens of {shown(answer.url)} go in a circle", remedy="ask the vendor how to page."
    )


def body_link_pages(
    client: HttpClient, path: str, params: Mapping[str, Any], *, rows_of: Callable[[Answer], list[Any]]
) -> Iterator[Page]:
    """Follow the `uri` of the answer's own `links` whose `rel` is `next`, as it is, to the vendor's own origin only.

    Raises ContractError where the answer has no list of links, PermanentError when one leads to another host, or back
    to where the walk has been.
    """

    def following_of(answer: Answer) -> str | None:
        links = rows_in("links")(answer)
        found = (link.get("uri") for link in links if isinstance(link, dict) and link.get("rel") == "next")
        return next(found, None) or None

    for answer in _linked(client, client.get(path, params), following_of):
        yield Page(rows_of(answer))


def total_count(answer: Answer) -> int | None:
    """`X-Total-Count`, or `Total-Count` as Ed-Fi writes it, where it is there and is a number."""
    text = answer.headers.get("x-total-count") or answer.headers.get("total-count") or ""
    return int(text) if text.isdecimal() else None


def rows_in(name: str) -> Callable[[Answer], Any]:
    """Rows under `name` of the answer's object. Raises ContractError when they are not there."""

    def rows_of(answer: Answer) -> list[Any] | Rows:
        rows = answer.data.get(name) if isinstance(answer.data, dict) else None
        if not isinstance(rows, list | Rows):
            raise ContractError(
                f"the answer of {shown(answer.url)} holds no list {name!r}",
                remedy="check that the source's url and kind are right.",
            )
        return rows

    return rows_of


def rows_at_top(answer: Answer) -> list[Any]:
    """The answer itself is the list. Raises ContractError when it is not."""
    if not isinstance(answer.data, list):
        raise ContractError(
            f"the answer of {shown(answer.url)} is not a list", remedy="check that the source's url and kind are right."
        )
    return answer.data


def gathered(pages: Iterable[Page], rows: int) -> Iterator[Page]:
    """Pages put together to at least `rows` rows each (the last may have fewer): Arrow likes few and big batches.

    The total is the last one that was given.
    """
    rows = min(rows, _few.get() or rows)
    held: list[list[Any] | Rows] = []
    count, total = 0, None
    for page in pages:
        held.append(page.rows)
        count += len(page.rows)
        total = page.total if page.total is not None else total
        if count >= rows:
            yield Page(joined(held), total)
            held, count = [], 0
    if count:
        yield Page(joined(held), total)


_END = object()


def ahead(items: Iterable[T], depth: int = 4) -> Iterator[T]:
    """The same items, fetched by a thread that runs up to `depth` ahead: the vendor works while we parse.

    One request is under way at a time, as before. An error comes out where its item would have. Leaving early stops
    the thread before its next item.
    """
    if _few.get() is not None:
        yield from items
        return
    ready: queue.Queue[Any] = queue.Queue(maxsize=depth)
    left = threading.Event()

    def put(item: object) -> None:
        while not left.is_set():
            with suppress(queue.Full):
                ready.put(item, timeout=0.2)
                return

    def fetch() -> None:
        try:
            for item in items:
                put(item)
                if left.is_set():
                    return
        except Exception as error:  # noqa: BLE001  raised again in the thread that asks
            put(_Failure(error))
        else:
            put(_END)

    thread = threading.Thread(target=fetch, name="pages-ahead", daemon=True)
    thread.start()
    try:
        while (item := ready.get()) is not _END:
            if isinstance(item, _Failure):
                raise item.error
            yield item
    finally:
        left.set()


def side_by_side(walk: Callable[[T], Iterator[Page]], things: Sequence[T], workers: int) -> Iterator[Page]:
    """The pages of the walk over each thing, in the things' order; so many walks are under way at once.

    For lists that a vendor gives only parent by parent, where the time goes into waiting. An error comes out where its
    page would have, and no further walk begins.
    """
    if workers == 1 or _few.get() is not None:
        for thing in things:
            yield from walk(thing)
        return
    with ThreadPoolExecutor(workers, thread_name_prefix="pages-beside") as pool:
        # A block at a time: results that wait to be taken are held in memory.
        for place in range(0, len(things), workers * 4):
            for pages in pool.map(lambda thing: list(walk(thing)), things[place : place + workers * 4]):
                yield from pages


@dataclass(frozen=True, slots=True)
class _Failure:
    error: Exception
