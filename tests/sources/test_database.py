"""A SQL database as a source: a real PostgreSQL, and SQLite."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import postgres
import pyarrow.parquet as pq
import pytest
import yaml
from pydantic import ValidationError
from sqlalchemy import Engine, create_engine, make_url, text

from uptake import pipeline
from uptake.contracts import Batch, Window
from uptake.credentials import Credential
from uptake.errors import ConfigError, ContractError, PermanentError, TransientError, UptakeError
from uptake.landing import ledger
from uptake.project import Project
from uptake.sources.database import Database, DatabaseSettings
from uptake.sources.database import reading as module

NOON = datetime(2026, 2, 3, 12, 0, tzinfo=UTC)
STUDENTS: dict[str, Any] = {
    "namespace": "homegrown",
    "resource": "students",
    "table": "students",
    "key": ["id"],
    "person": "id",
    "cursor": "changed_at",
    "columns": [
        {"header": "Student_No", "name": "id", "identifier": "sis_user", "required": True},
        {"header": "Full_Name", "name": "full_name", "vault": "full_name"},
        {"header": "balance", "type": "decimal(10,2)"},
        {"header": "is_active", "type": "boolean"},
        {"header": "born_on", "type": "date", "drop": True},
        {"header": "changed_at", "type": "timestamp", "time_zone": "UTC", "required": True},
    ],
}
LOGINS: dict[str, Any] = {
    "namespace": "homegrown",
    "resource": "logins",
    "query": "SELECT l.id, l.at_local, l.student FROM logins l WHERE l.kind = 'web';",
    "kind": "event",
    "event_time": "at_local",
    "key": ["id"],
    "cursor": "at_local",
    "time_zone": "America/Chicago",
    "columns": [
        {"header": "id", "type": "integer", "required": True},
        {"header": "at_local", "type": "timestamp", "required": True},
        {"header": "student", "identifier": "sis_user"},
    ],
}


class Server:
    """A database with students and logins, as its owner made it."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.url = make_url(url)
        self.engine: Engine = create_engine(url)
        stamp = "timestamptz" if self.is_postgres else "text"
        naive = "timestamp" if self.is_postgres else "text"
        self.run(
            f'CREATE TABLE students ("Student_No" text, "Full_Name" text, balance numeric(10,2), is_active boolean, '
            f"born_on date, changed_at {stamp})"
        )
        self.run(f"CREATE TABLE logins (id integer, at_local {naive}, student text, kind text)")

    @property
    def is_postgres(self) -> bool:
        return self.url.drivername.startswith("postgresql")

    def run(self, statement: str, **parameters: Any) -> None:
        with self.engine.begin() as connection:
            connection.execute(text(statement), parameters)

    def student(self, number: int, changed: str = "2026-02-03 10:00:00+00:00", **values: Any) -> None:
        row = {"id": f"s{number}", "name": "Zoe Lind", "balance": "12.50", "active": True} | values
        self.run(
            "INSERT INTO students VALUES (:id, :name, :balance, :active, '2012-03-04', :changed)",
            **row,
            changed=changed,
        )

    def login(self, number: int, at: str, kind: str = "web") -> None:
        self.run("INSERT INTO logins VALUES (:id, :at, 's1', :kind)", id=number, at=at, kind=kind)

    def source(self, *mappings: dict[str, Any], url: str | None = None, **options: Any) -> Database:
        paths = []
        for mapping in mappings or (STUDENTS, LOGINS):
            path = self.folder / f"{mapping['resource']}.yaml"
            path.write_text(yaml.safe_dump(mapping, sort_keys=False))
            paths.append(str(path))
        plain = self.url._replace(username=None)
        entry = {"name": "erp", "kind": "database", "mappings": paths, "url": url or plain.render_as_string(False)}
        credential = options.pop("credential", Credential(self.url.username or ""))
        settings = DatabaseSettings.model_validate(entry | {"connection": "erp"} | options)
        return Database(settings, credential)


@pytest.fixture
def database(operations_url: str, tmp_path: Path) -> Iterator[Server]:
    if operations_url.startswith("sqlite"):
        (tmp_path / "operations").mkdir()
    server = Server(tmp_path, operations_url)
    yield server
    server.engine.dispose()


def pulled(source: Database, name: str, **asked: Any) -> list[Batch]:
    resource = source.resources[name]
    asked = {"since": None, "until": NOON, "full": False} | asked
    return [batch for window in source.windows(resource, **asked) for batch in source.pull(resource, window)]


def rows(batches: list[Batch]) -> list[dict[str, Any]]:
    return [row for batch in batches for row in batch.table.to_pylist()]


def test_rows_come_typed_as_the_mapping_says(database: Server) -> None:
    database.student(1)
    database.student(2, active=False, balance=None)
    first, second = rows(pulled(database.source(), "students"))
    assert first == {
        "id": "s1",
        "full_name": "Zoe Lind",
        "balance": Decimal("12.50"),
        "is_active": True,
        "born_on": datetime(2012, 3, 4).date(),
        "changed_at": NOON - timedelta(hours=2),
    }
    assert (second["balance"], second["is_active"]) == (None, False)


def test_a_first_pull_is_whole_and_a_later_one_asks_for_what_changed(database: Server) -> None:
    database.student(1, "2026-02-03 08:00:00+00:00")
    database.student(2, "2026-02-03 10:00:00+00:00")
    source = database.source()
    resource = source.resources["students"]
    (whole,) = source.windows(resource, since=None, until=NOON, full=False)
    (changed,) = source.windows(resource, since=NOON - timedelta(hours=2), until=NOON, full=False)
    assert (whole.mode, changed.mode) == ("full", "incremental")
    assert [row["id"] for row in rows(list(source.pull(resource, whole)))] == ["s1", "s2"]
    assert [row["id"] for row in rows(list(source.pull(resource, changed)))] == ["s2"]
    assert resource.full_sync_every == timedelta(hours=24) and resource.cursor


def test_events_come_by_days_of_a_clock_that_is_not_ours(database: Server) -> None:
    """15:00 in Chicago is 21:00 UTC: the column holds the former."""
    database.login(1, "2026-02-01 15:00:00")
    database.login(2, "2026-02-02 17:59:59")
    database.login(3, "2026-02-02 18:00:00")
    database.login(4, "2026-02-02 18:30:00", kind="app")
    source = database.source()
    resource = source.resources["logins"]
    windows = source.windows(resource, since=None, until=NOON, full=False)
    assert [window.mode for window in windows] == ["interval"] * 3
    taken = [[row["id"] for row in rows(list(source.pull(resource, window)))] for window in windows]
    assert taken == [[1], [2], [3]]
    assert rows(pulled(source, "logins"))[0]["at_local"] == datetime(2026, 2, 1, 21, 0, tzinfo=UTC)


def test_an_empty_table_has_nothing_to_give(database: Server) -> None:
    source = database.source()
    assert pulled(source, "logins") == [] and rows(pulled(source, "students")) == []
    assert rows(pulled(source, "students", since=NOON)) == []


def test_rows_that_do_not_fit_are_rejects(database: Server) -> None:
    database.student(1)
    database.student(2, id=None)
    strict = STUDENTS | {"columns": [*STUDENTS["columns"][:1], {"header": "Full_Name", "name": "n", "values": ["x"]}]}
    strict |= {"person": None, "cursor": None, "allow_extra": True}
    batches = pulled(database.source(strict), "students")
    assert sum(batch.pulled for batch in batches) == 2
    assert sorted(reject.reason for batch in batches for reject in batch.rejects) == ["not_allowed"] * 2


def test_rejected_rows_come_back_once_the_mapping_is_mended(database: Server) -> None:
    source = database.source()
    resource = source.resources["students"]
    raw = '{"id":"s1","full_name":"Z","balance":"1","is_active":"1","born_on":null,"changed_at":"2026-02-03 10:00:00"}'
    batch = source.reparse(resource, [raw, "a line"])
    assert batch.table.num_rows == 1 and [reject.reason for reject in batch.rejects] == ["not_replayable"]


def test_rows_stream_in_batches(database: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(250):
        database.student(number)
    batches = pulled(database.source(batch_rows=100), "students")
    assert [batch.table.num_rows for batch in batches] == [100, 100, 50]


def test_the_server_keeps_the_cursor(postgres_server: str, tmp_path: Path) -> None:
    """Ten million rows are asked for and the first batch is there at once: nothing waits for the last of them."""
    many = {
        "namespace": "x",
        "resource": "many",
        "query": "SELECT n AS id FROM generate_series(1, 10000000) n",
        "key": ["id"],
        "columns": [{"header": "id", "type": "integer", "required": True}],
    }
    server = Server.__new__(Server)
    server.folder, server.url = tmp_path, make_url(postgres_server)
    source = server.source(many, batch_rows=1000)
    (window,) = source.windows(source.resources["many"], since=None, until=NOON, full=True)
    batches = source.pull(source.resources["many"], window)
    assert next(batches).table["id"].to_pylist() == list(range(1, 1001))
    batches.close()


def test_nothing_can_be_written(database: Server) -> None:
    with (
        pytest.raises(UptakeError, match="would write to the database"),
        module.reading(_url(database), Credential(database.url.username or ""), "erp") as connection,
    ):
        connection.execute(text("DELETE FROM students"))


def _url(database: Server) -> Any:
    return database.source()._url


def test_columns_that_are_not_the_mappings_are_an_error_that_names_them(database: Server) -> None:
    database.run('ALTER TABLE students RENAME COLUMN balance TO "Balance due"')
    source = database.source()
    with pytest.raises(ContractError, match=r"missing: balance.*Balance due"):
        pulled(source, "students")
    with pytest.raises(ContractError, match="missing: balance"):
        source.probe()


def test_probe_asks_for_no_row(database: Server) -> None:
    told = database.source().probe()
    assert told.endswith("answers; the columns of students, logins are there.")


def test_a_table_that_is_not_there_is_told_by_its_name(database: Server) -> None:
    with pytest.raises(PermanentError, match=r"refused the query: .*pupils"):
        pulled(database.source(STUDENTS | {"table": "pupils", "cursor": None}), "students")


def test_a_value_that_the_query_stumbles_on_is_in_no_error(postgres_server: str, tmp_path: Path) -> None:
    """PostgreSQL puts the value into its error; SQLite casts whatever it is given."""
    database = Server(tmp_path, postgres.new_database(postgres_server))
    database.student(1)
    columns = [{"header": "id", "type": "integer", "required": True}]
    query = 'SELECT CAST("Full_Name" AS integer) AS id FROM students'
    mapping = {"namespace": "x", "resource": "broken", "query": query, "key": ["id"], "columns": columns}
    with pytest.raises(PermanentError, match="could not answer") as caught:
        pulled(database.source(mapping), "broken")
    assert "Zoe" not in str(caught.value)


def test_a_wrong_credential_and_a_server_that_is_not_there(database: Server, tmp_path: Path) -> None:
    if database.is_postgres:
        with pytest.raises(PermanentError, match="refused the credential"):
            pulled(database.source(credential=Credential("nobody_here", "hush")), "students")
        gone = "postgresql+psycopg2://127.0.0.1:1/erp"
        with pytest.raises(TransientError, match="does not answer") as caught:
            pulled(database.source(url=gone, credential=Credential("who", "hush")), "students")
        assert "hush" not in str(caught.value)
        return
    with pytest.raises(PermanentError, match="unable to open database file"):
        pulled(database.source(url=f"sqlite:///{tmp_path / 'none.db'}"), "students")
    assert not (tmp_path / "none.db").exists()


def test_an_engine_without_its_driver_is_told(database: Server) -> None:
    with pytest.raises(ConfigError, match="there is no driver for 'firebird'"):
        pulled(database.source(url="firebird://host/erp", credential=Credential("a", "b")), "students")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"query": "SELECT 1"}, "one of table and query"),
        ({"table": None}, "one of table and query"),
        ({"table": "students; DROP TABLE x"}, "String should match pattern"),
        ({"files": "*.csv"}, "files: for files, not for a database"),
        ({"cursor": "balance"}, "cursor 'balance' is not a column of type date or timestamp"),
        ({"kind": "event", "event_time": "changed_at", "cursor": None}, "an event needs a cursor"),
    ],
)
def test_a_wrong_mapping_is_told_with_its_line(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = tmp_path / "students.yaml"
    path.write_text(yaml.safe_dump(STUDENTS | changes, sort_keys=False))
    entry = {"name": "erp", "kind": "database", "mappings": [str(path)], "url": f"sqlite:///{tmp_path}/x.db"}
    with pytest.raises(ValidationError) as caught:
        DatabaseSettings.model_validate(entry)
    assert "students.yaml line" in str(caught.value) and message in str(caught.value)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("finance", "is an address such as postgresql"),
        ("postgresql://me:pw@host/x", "login and password belong to the connection"),
        ("sqlite:///x.db", "named by its whole path"),
        ("postgresql://host/x", "needs a `connection`"),
    ],
)
def test_a_wrong_address_is_one_clear_line(tmp_path: Path, url: str, message: str) -> None:
    path = tmp_path / "students.yaml"
    path.write_text(yaml.safe_dump(STUDENTS))
    with pytest.raises(ValidationError) as caught:
        DatabaseSettings.model_validate({"name": "erp", "kind": "database", "mappings": [str(path)], "url": url})
    (problem,) = caught.value.errors()
    assert message in problem["msg"]


def test_two_mappings_of_one_resource_are_refused(database: Server, tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="of the same resource"):
        database.source(STUDENTS, STUDENTS)
    with pytest.raises(ValidationError, match="different namespaces"):
        database.source(STUDENTS, LOGINS | {"namespace": "other"})


def test_a_column_of_many_kinds_is_read_value_by_value() -> None:
    found = module.text_column([1, "a", None, Decimal("2.50"), b"\x01", True, datetime(2026, 1, 2, tzinfo=UTC), 0.1])
    assert found.to_pylist() == ["1", "a", None, "2.5", "01", "true", "2026-01-02", "0.1"]


def test_an_interval_of_a_cursor_that_is_no_time(database: Server) -> None:
    with pytest.raises(PermanentError, match="holds int, not dates or times"):
        module.bound(3, NOON, None)
    with pytest.raises(PermanentError, match="texts that are no time"):
        module.moment_of("soon", None)


def test_a_window_of_another_process_is_read(database: Server) -> None:
    database.student(1)
    source = database.source()
    window = Window.between("incremental", NOON - timedelta(days=1), NOON)
    assert len(rows(list(source.pull(source.resources["students"], window)))) == 1


CONFIG = """
state_dir: state
districts:
  - id: maple
    name: Maple
    time_zone: America/Chicago
    calendar: {school_years: [{name: 2025-26, starts_on: 2025-08-18, ends_on: 2026-06-05}]}
    sources:
      - {name: erp, kind: database, url: "URL", mappings: students.yaml}
"""


def test_a_database_lands_without_names_and_what_vanished_is_marked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = [NOON]  # two pulls within one second would be the same window
    monkeypatch.setattr("uptake.pipeline.clock.now", lambda district: times[-1])
    server = Server(tmp_path, f"sqlite:///{tmp_path / 'erp.db'}")
    server.student(1)
    server.student(2)
    (tmp_path / "students.yaml").write_text(yaml.safe_dump(STUDENTS))
    (tmp_path / "uptake.yaml").write_text(CONFIG.replace("URL", server.url.render_as_string()))
    project = Project.load(tmp_path / "uptake.yaml")
    assert pipeline.pull(project, "maple", "erp").counts()["landed"] == 2
    server.run("""DELETE FROM students WHERE "Student_No" = 's2'""")
    times.append(NOON + timedelta(hours=1))
    assert pipeline.pull(project, "maple", "erp", full=True).counts()["deleted"] == 1
    files = ledger.live_files(project.operations, "maple", "erp", "students")
    landed = [pq.read_table(project.lake / file.path, partitioning=None) for file in files]
    assert {name for table in landed for name in table.column_names} == {
        "id",
        "balance",
        "is_active",
        "changed_at",
        "_deleted",
    }
    content = b"".join((project.lake / file.path).read_bytes() for file in files)
    assert b"Zoe" not in content and b"s2" not in content
