"""Which use a changed catalogue gives to another tool. That the facts follow is shown in test_dbt.py."""

from __future__ import annotations

import pytest

from uptake.warehouse.relabelled import domains_named

HELD = {
    ("math", "mathgym.com", ""),
    ("docs", "docs.bigco.com", "document"),
    ("forms", "docs.bigco.com", "forms"),
    ("shelf", "www.shop.com", "books"),
}


@pytest.mark.parametrize(
    ("added", "domains"),
    [
        ((), set()),
        ((("new", "play.new.co.uk", ""),), {"new.co.uk"}),
        ((("new", "a.k12.ca.us", ""), ("new", "b.org", "x")), {"a.k12.ca.us", "b.org"}),
        # the same tool at one more host of its own
        ((("math", "play.mathgym.com", ""),), {"mathgym.com"}),
        # a domain of several tools gave nothing to any of them
        ((("sheets", "docs.bigco.com", "sheets"),), {"bigco.com"}),
        ((("new", "docs.bigco.com", ""),), {"bigco.com"}),
        # nor did a tool that is a part of a host
        ((("shelf", "www.shop.com", ""),), {"shop.com"}),
        ((("shoes", "www.shop.com", "booksandshoes"),), {"shop.com"}),
    ],
)
def test_a_host_that_had_no_tool_is_looked_for_by_its_domain(
    added: tuple[tuple[str, str, str], ...], domains: set[str]
) -> None:
    assert domains_named(HELD, HELD | set(added)) == domains


@pytest.mark.parametrize(
    "now",
    [
        pytest.param(HELD - {("math", "mathgym.com", "")}, id="a tool is gone"),
        pytest.param(HELD | {("other", "play.mathgym.com", "")}, id="a domain was one tool's until now"),
        pytest.param(HELD | {("write", "docs.bigco.com", "document/write")}, id="a longer path is another tool's"),
        pytest.param(HELD | {("other", "docs.bigco.com", "forms")}, id="two tools at one address"),
        pytest.param(HELD | {("other", "mathgym.com", "play")}, id="a part of a host that was one tool's"),
    ],
)
def test_use_may_change_from_one_tool_to_another(now: set[tuple[str, str, str]]) -> None:
    assert domains_named(HELD, now) is None
