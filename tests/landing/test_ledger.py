"""The ledger's promises, on SQLite and on PostgreSQL: a window counts whole, once, and a rerun replaces it."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, select

from uptake.contracts import Window
from uptake.errors import PermanentError
from uptake.landing import ledger
from uptake.landing.ledger import At, Committed, NewFile, NewQuarantine, Record
from uptake.operations.models import LandedFile, Outcome, QuarantineFile
from uptake.operations.session import open_engine, reading

AT = At("lakeside", "sis", "people")
NOON = datetime(2026, 4, 14, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
FIRST = Window.between("full", None, NOON)
SECOND = Window.between("incremental", NOON, NOON + timedelta(hours=1))


@pytest.fixture
def engine(operations_url: str) -> Engine:
    return open_engine(operations_url)


def file(content: str, rows: int = 10) -> NewFile:
    return NewFile(f"day=2026-04-14/{content}.parquet", content * 64, rows, 0, 100, None, None)


def quarantine(mark: str, rows: int = 1) -> NewQuarantine:
    return NewQuarantine(f"day=2026-04-14/w.{mark}.parquet", "not_integer", "grade", rows)


def commit(
    engine: Engine,
    window: Window,
    new: NewFile | None,
    *quarantined: NewQuarantine,
    at: At = AT,
    is_entity: bool = True,
    is_whole: bool = False,
) -> Committed:
    rows, bad = (new.row_count if new else 0), sum(item.row_count for item in quarantined)
    return ledger.commit_window(
        engine,
        at,
        window,
        run_id="run",
        namespace="fake",
        file=new,
        quarantined=quarantined,
        record=Record("land", window_token=window.token, rows_in=rows + bad, rows_out=rows, rows_quarantined=bad),
        is_entity=is_entity,
        is_whole=is_whole,
    )


def live(engine: Engine) -> list[str]:
    return [row.content_hash[0] for row in ledger.live_files(engine, "lakeside")]


def test_a_rerun_of_a_window_replaces_what_it_landed(engine: Engine) -> None:
    commit(engine, FIRST, file("a"))
    commit(engine, SECOND, file("b"))
    assert commit(engine, FIRST, file("c")) == Committed(landed=True, superseded=1)
    assert sorted(live(engine)) == ["b", "c"]


def test_the_same_content_again_changes_nothing(engine: Engine) -> None:
    commit(engine, FIRST, file("a"))
    (before,) = ledger.live_files(engine, "lakeside")
    assert commit(engine, FIRST, file("a")) == Committed(landed=False, superseded=0, is_orphan=False)
    (after,) = ledger.live_files(engine, "lakeside")
    assert (after.id, after.landed_at) == (before.id, before.landed_at)


def test_a_copy_that_nothing_names_is_an_orphan(engine: Engine) -> None:
    commit(engine, FIRST, file("a"))
    copy = NewFile("day=2026-04-15/a.parquet", "a" * 64, 10, 0, 100, None, None)
    assert commit(engine, FIRST, copy).is_orphan


def test_a_full_sync_of_an_unchanged_entity_is_a_no_op_and_of_events_is_not(engine: Engine) -> None:
    later = Window.between("full", None, NOON + timedelta(days=7))
    commit(engine, FIRST, file("a"))
    assert not commit(engine, later, file("a")).landed
    assert commit(engine, later, file("a"), is_entity=False).landed


def test_an_older_state_that_comes_back_is_no_no_op(engine: Engine) -> None:
    """a, then b, then a again: the newest must say a, or the middle state would win."""
    windows = [Window.between("full", None, NOON + timedelta(days=day)) for day in range(3)]
    for window, content in zip(windows, "aba", strict=True):
        assert commit(engine, window, file(content)).landed
    assert live(engine) == ["a", "b", "a"]


def test_a_whole_list_that_is_put_back_is_the_newest_again(engine: Engine) -> None:
    for token, landed in (("a", True), ("b", True), ("a", True), ("a", False)):
        window = Window("file", f"file-{token}", end=NOON)
        assert commit(engine, window, file(token), is_whole=True).landed is landed
    assert live(engine) == ["b", "a"]


def test_a_window_that_became_empty_takes_its_rows_away(engine: Engine) -> None:
    commit(engine, SECOND, file("a"), is_entity=False)
    assert commit(engine, SECOND, None, is_entity=False).superseded == 1
    assert live(engine) == []


def test_a_span_that_is_asked_for_again_in_one_piece_replaces_its_pieces(engine: Engine) -> None:
    hours = [Window.between("interval", NOON + hour * HOUR, NOON + (hour + 1) * HOUR) for hour in range(4)]
    for hour, content in zip(hours, "abcd", strict=True):
        commit(engine, hour, file(content), quarantine(content), is_entity=False)
    (held, *_) = [row for row in ledger.quarantine_files(engine, "lakeside") if row.window_token == hours[1].token]
    ledger.commit_replay(
        engine,
        AT,
        Window("file", ledger.replay_token(held.id)),
        held_id=held.id,
        run_id="run",
        namespace="fake",
        file=file("r"),
        quarantined=[],
        record=Record("replay", rows_in=1, rows_out=1, rows_quarantined=0),
    )
    commit(engine, Window.between("interval", NOON, NOON + 3 * HOUR), file("x"), quarantine("x"), is_entity=False)
    assert live(engine) == ["d", "x"]
    waiting = [row.path[-9] for row in ledger.quarantine_files(engine, "lakeside")]
    assert sorted(waiting) == ["d", "x"]
    commit(engine, hours[0], file("e"), is_entity=False)  # a piece does not replace the whole
    assert sorted(live(engine)) == ["d", "e", "x"]


def test_other_sources_and_resources_are_left_alone(engine: Engine) -> None:
    commit(engine, FIRST, file("a"))
    commit(engine, FIRST, file("b"), at=At("lakeside", "sis", "courses"))
    commit(engine, FIRST, file("c"), at=At("lakeside", "other", "people"))
    commit(engine, FIRST, file("d"), at=At("riverbend", "sis", "people"))
    commit(engine, FIRST, None)
    assert sorted(live(engine)) == ["b", "c"]
    assert [row.content_hash[0] for row in ledger.live_files(engine, "lakeside", "other", "people")] == ["c"]


def test_a_window_and_its_outcome_count_together_or_not_at_all(engine: Engine) -> None:
    with pytest.raises(AssertionError, match="5 rows were pulled"):
        ledger.commit_window(
            engine,
            AT,
            FIRST,
            run_id="run",
            namespace="fake",
            file=file("a"),
            quarantined=[],
            record=Record("land", rows_in=5, rows_out=3, rows_quarantined=1),
            is_entity=True,
        )
    assert live(engine) == []
    with reading(engine) as session:
        assert session.scalars(select(Outcome)).all() == []


def test_quarantine_of_a_window_is_replaced_with_it(engine: Engine) -> None:
    commit(engine, SECOND, file("a"), quarantine("1"), quarantine("2"))
    commit(engine, SECOND, file("b"), quarantine("2"))
    (row,) = ledger.quarantine_files(engine, "lakeside")
    assert row.path.endswith("w.2.parquet")
    assert len(ledger.quarantine_files(engine, "lakeside", is_open=False)) == 2  # not written a second time


def test_a_row_that_a_look_back_reads_again_waits_once(engine: Engine) -> None:
    third = Window.between("incremental", NOON, NOON + timedelta(hours=2))
    commit(engine, SECOND, file("a"), quarantine("1"))
    commit(engine, third, file("b"), quarantine("1"))
    (row,) = ledger.quarantine_files(engine, "lakeside")
    assert row.window_token == third.token


def test_a_full_sync_closes_what_waited_before_it(engine: Engine) -> None:
    commit(engine, SECOND, file("a"), quarantine("1"))
    commit(engine, Window.between("full", None, NOON + timedelta(days=1)), file("b"))
    assert ledger.quarantine_files(engine, "lakeside") == []


def test_a_replay_counts_once_and_its_window_takes_it_back(engine: Engine) -> None:
    commit(engine, SECOND, file("a"), quarantine("1", rows=2))
    (held,) = ledger.quarantine_files(engine, "lakeside")

    def replay() -> None:
        ledger.commit_replay(
            engine,
            AT,
            Window("file", ledger.replay_token(held.id)),
            held_id=held.id,
            run_id="run",
            namespace="fake",
            file=file("r", rows=1),
            quarantined=[quarantine("2")],
            record=Record("replay", rows_in=2, rows_out=1, rows_quarantined=1),
        )

    replay()
    assert sorted(live(engine)) == ["a", "r"]
    replayed = next(row for row in ledger.live_files(engine, "lakeside") if row.content_hash[0] == "r")
    assert replayed.landed_at == held.quarantined_at
    (rest,) = ledger.quarantine_files(engine, "lakeside")
    assert (rest.window_token, rest.row_count) == (SECOND.token, 1)
    with pytest.raises(PermanentError, match="meanwhile"):
        replay()
    commit(engine, SECOND, file("b"))
    assert live(engine) == ["b"]
    assert ledger.quarantine_files(engine, "lakeside") == []


def test_the_cursor_is_the_start_of_the_last_good_pull(engine: Engine) -> None:
    def pull(hours: int, mode: str, status: str) -> None:
        started = NOON + timedelta(hours=hours)
        pull_id = ledger.start_pull(engine, AT, run_id="run", mode=mode, since=None, until=started, started_at=started)
        if status != "running":
            ledger.finish_pull(engine, pull_id, status=status, finished_at=started)  # type: ignore[arg-type]

    assert ledger.last_good_pull(engine, AT) is None
    pull(0, "full", "good")
    pull(1, "incremental", "good")
    pull(2, "incremental", "failed")
    pull(3, "incremental", "running")
    pull(4, "backfill", "good")
    newest, full = ledger.last_good_pull(engine, AT), ledger.last_good_pull(engine, AT, full=True)
    assert newest is not None and newest.started_at == NOON + timedelta(hours=1)
    assert full is not None and full.started_at == NOON
    assert ledger.last_good_pull(engine, At("lakeside", "sis", "courses")) is None


def test_taken_windows_are_those_that_landed_whole(engine: Engine) -> None:
    commit(engine, FIRST, None)
    commit(engine, SECOND, file("a"))
    failed = Record("land", status="failed", window_token="file-3")
    ledger.record_outcome(engine, AT, run_id="run", record=failed)
    assert ledger.taken_tokens(engine, AT) == {FIRST.token, SECOND.token}


def test_one_window_landed_by_several_at_once_counts_once(engine: Engine) -> None:
    hours = [Window.between("interval", NOON + hour * HOUR, NOON + (hour + 1) * HOUR) for hour in range(12)]
    together = threading.Barrier(4)

    def lands(content: str) -> None:
        for hour in hours:
            together.wait()
            commit(engine, hour, file(content), quarantine(f"{content}{hours.index(hour)}"), is_entity=False)

    threads = [threading.Thread(target=lands, args=(content,)) for content in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tokens = sorted(hour.token for hour in hours)
    assert sorted(row.window_token for row in ledger.live_files(engine, "lakeside")) == tokens
    assert sorted(row.window_token for row in ledger.quarantine_files(engine, "lakeside")) == tokens


def test_sources_land_at_the_same_time(engine: Engine) -> None:
    failures: list[BaseException] = []

    def lands(source: str) -> None:
        try:
            for hour in range(15):
                window = Window.between("interval", NOON + hour * HOUR, NOON + (hour + 1) * HOUR)
                commit(engine, window, file("a"), at=At("lakeside", source, "visits"), is_entity=False)
        except BaseException as error:  # noqa: BLE001 - shown by the assertion
            failures.append(error)

    threads = [threading.Thread(target=lands, args=(f"source{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with reading(engine) as session:
        assert len(session.scalars(select(LandedFile)).all()) == 60
        assert len(session.scalars(select(QuarantineFile)).all()) == 0
