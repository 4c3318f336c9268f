from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from uptake.contracts import Field, Resource
from uptake.sources.windows import DAY, HOUR, WEEK, entity_windows, next_start, tiles

NOW = datetime(2026, 4, 14, 12, 30, tzinfo=UTC)  # a Tuesday
moments = st.datetimes(datetime(2025, 1, 1), datetime(2026, 12, 31)).map(lambda moment: moment.replace(tzinfo=UTC))


@given(
    moments,
    st.timedeltas(timedelta(seconds=1), timedelta(days=40)),
    st.sampled_from([(HOUR,), (DAY, HOUR), (WEEK, DAY)]),
)
def test_tiles_cover_the_span_without_gap_or_overlap(
    since: datetime, length: timedelta, steps: tuple[timedelta, ...]
) -> None:
    until = since + length
    found = tiles(since, until, steps)
    assert found[0].start is not None and found[0].start <= since < found[0].start + steps[-1]
    assert found[-1].end is not None and until <= found[-1].end < until + steps[-1]
    for one, other in itertools.pairwise(found):
        assert one.end == other.start
    assert len({window.token for window in found}) == len(found)


@given(moments, moments)
def test_the_same_hour_has_the_same_token_whenever_it_is_asked_for(one: datetime, other: datetime) -> None:
    later = max(one, other)
    assert tiles(later - HOUR, later, (HOUR,))[-1] == tiles(later - 5 * HOUR, later, (HOUR,))[-1]


def test_a_long_span_is_few_windows() -> None:
    found = tiles(NOW - timedelta(days=30), NOW, (DAY, HOUR))
    # 12 ragged hours, 29 whole days, 13 hours of today
    assert len(found) == 12 + 29 + 13
    assert found[-1].start == datetime(2026, 4, 14, 12, tzinfo=UTC) and found[-1].end == datetime(
        2026, 4, 14, 13, tzinfo=UTC
    )


def test_weeks_begin_on_monday() -> None:
    found = tiles(NOW - timedelta(days=15), NOW, (WEEK, DAY))
    weeks = [window for window in found if window.end - window.start == WEEK]  # type: ignore[operator]
    assert weeks and all(window.start.weekday() == 0 for window in weeks)  # type: ignore[union-attr]


def test_an_entity_is_one_window() -> None:
    with_cursor = Resource("r", (Field("id"),), key=("id",), cursor=True)
    without = Resource("r", (Field("id"),), key=("id",))
    since = NOW - HOUR
    assert [w.mode for w in entity_windows(with_cursor, since, NOW, full=False)] == ["incremental"]
    assert entity_windows(with_cursor, since, NOW, full=False)[0].start == since
    for windows in (
        entity_windows(with_cursor, since, NOW, full=True),
        entity_windows(with_cursor, None, NOW, full=False),
        entity_windows(without, since, NOW, full=False),
    ):
        assert [w.mode for w in windows] == ["full"]


@given(moments, st.sampled_from([HOUR, DAY, WEEK]))
def test_the_next_start_is_where_a_tile_begins(moment: datetime, step: timedelta) -> None:
    start = next_start(moment, step)
    assert moment <= start < moment + step
    assert tiles(start, start + step, (step,))[0].start == start
