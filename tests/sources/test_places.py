"""Drop folders on an SFTP server and in a bucket: a real sshd, and moto's S3, with their faults."""

from __future__ import annotations

import gzip
import json
import os
import random
import stat
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest
import sftp_server
from cut_line import Line, line_to
from dropped import NOW, set_age, take, write_mapping
from moto.server import ThreadedMotoServer
from pydantic import ValidationError

from uptake.credentials import Credential
from uptake.errors import ConfigError, PermanentError, TransientError
from uptake.sources.base import Home
from uptake.sources.dropfolder import DropFolder, DropFolderSettings
from uptake.sources.places import Folder
from uptake.sources.places.base import Listed, RemotePlace

ROW = b"Id,Who,Minutes\n1,a,2\n"
BUCKET = "district-exports"


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sftp_server.Server]:
    with sftp_server.server(tmp_path_factory.mktemp("sshd")) as running:
        yield running


@pytest.fixture(scope="module")
def s3_port() -> Iterator[int]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    yield port
    server.stop()


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that the folder would have waited between two looks."""
    slept: list[float] = []
    monkeypatch.setattr(Folder, "sleep", slept.append)
    return slept


class Remote:
    """A drop folder that is not on this machine, reached through a line that counts and can break."""

    def __init__(self, tmp_path: Path, line: Line, entry: dict[str, Any], credential: Credential) -> None:
        self.tmp_path = tmp_path
        self.line = line
        self.entry = {"name": "far", "kind": "dropfolder", "connection": "far"} | entry
        self.credential = credential

    def put(self, name: str, content: bytes) -> None:
        raise NotImplementedError

    def remove(self, name: str) -> None:
        raise NotImplementedError

    def source(self, *, credential: Credential | None = None, has_home: bool = True, **changes: Any) -> DropFolder:
        mapping = write_mapping(self.tmp_path, **changes.pop("mapping", {}))
        settings = DropFolderSettings.model_validate(self.entry | {"mappings": [str(mapping)]} | changes)
        source = DropFolder(settings, credential or self.credential)
        if has_home:
            notes = self.tmp_path / "notes"
            notes.mkdir(exist_ok=True)
            source.settle(Home(notes, bytes(32)))
        return source

    def left(self) -> list[Path]:
        """What lies on this machine beside the notes."""
        return [path for path in (self.tmp_path / "notes").rglob("*") if path.name != "visits.json"]


class OverSftp(Remote):
    def put(self, name: str, content: bytes) -> None:
        path = self.tmp_path / "far" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        set_age(path, 3600)

    def remove(self, name: str) -> None:
        (self.tmp_path / "far" / name).unlink()


class InBucket(Remote):
    s3: Any

    def put(self, name: str, content: bytes) -> None:
        self.s3.put_object(Bucket=BUCKET, Key=f"exports/{self.tmp_path.name}/{name}", Body=content)

    def remove(self, name: str) -> None:
        self.s3.delete_object(Bucket=BUCKET, Key=f"exports/{self.tmp_path.name}/{name}")


@pytest.fixture
def sftp(tmp_path: Path, sshd: sftp_server.Server, waits: list[float]) -> Iterator[OverSftp]:
    (tmp_path / "far").mkdir()
    with line_to(sshd.port) as line:
        entry = {"folder": f"sftp://127.0.0.1:{line.port}{tmp_path / 'far'}", "host_key": sshd.host_key}
        yield OverSftp(tmp_path, line, entry, Credential(sshd.user, extra={"private_key": sshd.private_key}))


@pytest.fixture
def bucket(tmp_path: Path, s3_port: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[InBucket]:
    s3 = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{s3_port}",
        region_name="us-east-1",
        aws_access_key_id="key",
        aws_secret_access_key="secret",
    )
    s3.create_bucket(Bucket=BUCKET)
    with line_to(s3_port) as line:
        entry = {"folder": f"s3://{BUCKET}/exports/{tmp_path.name}", "endpoint": f"http://127.0.0.1:{line.port}"}
        far = InBucket(tmp_path, line, entry, Credential("key", "secret"))
        far.s3 = s3
        # moto gives an object the second in which it was put, which is too young to be remembered.
        monkeypatch.setattr("uptake.sources.places.folder.YOUNGEST_SECONDS", -2.0)
        yield far


@pytest.fixture(params=["sftp", "bucket"])
def far(request: pytest.FixtureRequest) -> Remote:
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Remote)
    return found


def tokens(source: DropFolder) -> list[str]:
    (resource,) = source.resources.values()
    return [window.token for window in source.windows(resource, since=None, until=NOW, full=False)]


# ---- what holds wherever the files lie ------------------------------------------------------------------------------


def test_files_land_and_nothing_of_them_stays_here(far: Remote) -> None:
    far.put("a.csv", ROW)
    far.put("in/deep/b.csv.gz", gzip.compress(ROW + b"2,b,3\n", mtime=0))
    far.put(".hidden/c.csv", ROW + b"9,z,9\n")
    far.put("d.csv.part", ROW + b"8,y,8\n")
    with far.source(mapping={"files": "**/*.csv*"}) as source:
        taken = take(source)
        assert [path for path in far.left() if path.is_file()] == []
        assert {name: batch.table["id"].to_pylist() for name, batch in taken.items()} == {
            "a.csv": ["1"],
            "in/deep/b.csv.gz": ["1", "2"],
        }
        assert source.probe().endswith("2 files of visits")
    assert far.left() == []


def test_a_file_has_the_token_that_it_has_on_this_machine(far: Remote) -> None:
    far.put("a.csv", ROW)
    here = far.tmp_path / "here"
    here.mkdir()
    (here / "a.csv").write_bytes(ROW)
    set_age(here / "a.csv", 3600)
    mapping = str(write_mapping(far.tmp_path))
    local = DropFolderSettings.model_validate(
        {"name": "near", "kind": "dropfolder", "folder": here, "mappings": [mapping]}
    )
    with far.source() as source:
        assert tokens(source) == tokens(DropFolder(local, None))


def test_an_unchanged_file_is_not_fetched_again(far: Remote) -> None:
    body = ROW + b"".join(b"%d,%d,1\n" % (row, random.Random(row).getrandbits(60)) for row in range(2, 20_000))
    far.put("a.csv", body)
    with far.source() as source:
        first = tokens(source)
    assert far.line.passed > len(body)
    before = far.line.passed
    with far.source() as source:
        assert tokens(source) == first
    assert far.line.passed - before < len(body) / 10
    far.put("a.csv", body + b"x,y,1\n")
    with far.source() as source:
        assert tokens(source) != first


def test_a_new_file_is_fetched_once_for_its_look_and_its_reading(far: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched: list[str] = []
    fetch = RemotePlace._fetched

    def counted(place: RemotePlace, file: Listed) -> Path:
        fetched.append(file.name)
        return fetch(place, file)

    monkeypatch.setattr(RemotePlace, "_fetched", counted)
    far.put("a.csv", ROW)
    with far.source() as source:
        take(source)
    assert fetched == ["a.csv"]


def test_an_empty_file_is_refused_and_not_waited_for(far: Remote) -> None:
    far.put("a.csv", b"")
    with far.source() as source:
        (batch,) = take(source).values()
    assert [reject.reason for reject in batch.rejects] == ["empty"]


def test_what_was_fetched_is_private(far: Remote) -> None:
    far.put("a.csv", ROW)
    with far.source() as source:
        tokens(source)
        (folder, copy) = sorted(far.left())
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert stat.S_IMODE(copy.stat().st_mode) == 0o600


def test_what_a_killed_pull_left_is_removed_by_the_next(far: Remote) -> None:
    far.put("a.csv", ROW)
    tokens(far.source())  # never closed
    assert far.left()
    far.source()
    assert far.left() == []


def test_a_file_that_goes_between_the_list_and_its_opening_is_left_to_the_next_pull(
    far: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    far.put("a.csv", ROW)
    far.put("b.csv", ROW + b"2,b,3\n")
    with far.source() as source:
        place = source._folder._place
        found = list(place.files(lambda name: True))
        assert [file.name for file in found] == ["a.csv", "b.csv"]
        monkeypatch.setattr(place, "files", lambda is_wanted: iter(found))
        far.remove("a.csv")
        assert len(tokens(source)) == 1


def test_a_file_that_goes_before_it_is_read_is_left_to_the_next_pull(far: Remote) -> None:
    far.put("a.csv", ROW)
    with far.source() as source:
        (resource,) = source.resources.values()
        (window,) = source.windows(resource, since=None, until=NOW, full=False)
        far.remove("a.csv")
        with pytest.raises(TransientError, match=r"a\.csv was changed or taken away"):
            list(source.pull(resource, window))
    assert far.left() == []


def test_a_line_that_breaks_in_mid_file_is_worth_another_try_and_leaves_nothing(far: Remote) -> None:
    body = ROW + os.urandom(400_000).hex().encode()
    far.put("a.csv", body)
    with far.source() as source:
        source.probe()
        far.line.allow = 300_000
        with pytest.raises(TransientError, match="broke off"):
            tokens(source)
        assert [path for path in far.left() if path.is_file()] == []
        far.line.allow = None
        assert len(tokens(source)) == 1


def test_a_server_that_is_not_there_is_worth_another_try(far: Remote) -> None:
    far.line.close()
    with far.source() as source, pytest.raises(TransientError, match="does not answer"):
        tokens(source)


# ---- SFTP -----------------------------------------------------------------------------------------------------------


def test_a_file_that_grows_between_two_looks_is_left(sftp: OverSftp, monkeypatch: pytest.MonkeyPatch) -> None:
    sftp.put("a.csv", ROW)

    def written_meanwhile(seconds: float) -> None:
        assert seconds == 10
        sftp.put("a.csv", ROW + b"2,b,3\n")

    monkeypatch.setattr(Folder, "sleep", written_meanwhile)
    with sftp.source() as source:
        assert tokens(source) == []


def test_only_new_files_are_waited_for(sftp: OverSftp, waits: list[float]) -> None:
    sftp.put("a.csv", ROW)
    for _ in range(2):
        with sftp.source() as source:
            assert len(tokens(source)) == 1
    assert waits == [10]


def test_another_host_key_is_refused_before_a_credential_is_shown(sftp: OverSftp, sshd: sftp_server.Server) -> None:
    secret = Credential(sshd.user, "never shown")
    with (
        sftp.source(host_key="SHA256:" + "A" * 43, credential=secret) as source,
        pytest.raises(PermanentError, match="shows a host key that is not the one") as caught,
    ):
        tokens(source)
    assert sshd.host_key in str(caught.value) and "host_key" in caught.value.remedy
    assert "never shown" not in str(caught.value)


def test_known_hosts_name_the_server_by_its_port(sftp: OverSftp, sshd: sftp_server.Server, tmp_path: Path) -> None:
    sftp.put("a.csv", ROW)
    known = tmp_path / "known_hosts"
    known.write_text(sshd.known_hosts.read_text().replace(str(sshd.port), str(sftp.line.port)))
    del sftp.entry["host_key"]
    with sftp.source(known_hosts=known) as source:
        assert len(tokens(source)) == 1
    with (
        sftp.source(known_hosts=sshd.known_hosts) as source,
        pytest.raises(PermanentError, match="shows a host key that is not the one"),
    ):
        tokens(source)
    kind, _, _ = known.read_text().partition(" ")
    other = "AAAAC3NzaC1lZDI1NTE5AAAAIA" + "A" * 42
    known.write_text(f"{kind} ssh-ed25519 {other}\n")
    with (
        sftp.source(known_hosts=known) as source,
        pytest.raises(PermanentError, match="shows a host key that is not the one"),
    ):
        tokens(source)


def test_a_key_that_the_server_does_not_know_is_refused(sftp: OverSftp, sshd: sftp_server.Server) -> None:
    stranger = Credential(sshd.user, extra={"private_key": sshd.other_private_key})
    with sftp.source(credential=stranger) as source, pytest.raises(PermanentError, match="refused the credential"):
        tokens(source)
    none = Credential(sshd.user, extra={"private_key": "-----BEGIN nonsense"})
    with sftp.source(credential=none) as source, pytest.raises(ConfigError, match="private key"):
        tokens(source)


def test_a_password_is_shown_to_the_right_server_only(sftp: OverSftp, monkeypatch: pytest.MonkeyPatch) -> None:
    """sshd takes no password here, since the machine's accounts have none; that it is offered is what counts."""
    asked: list[str] = []
    original = __import__("paramiko").Transport.auth_password

    def offered(self: Any, username: str, password: str, *args: Any) -> Any:
        asked.append(password)
        return original(self, username, password, *args)

    monkeypatch.setattr("paramiko.Transport.auth_password", offered)
    with (
        sftp.source(credential=Credential("someone", "hush")) as source,
        pytest.raises(PermanentError, match="refused the credential of 'someone'") as caught,
    ):
        tokens(source)
    assert asked == ["hush"] and "hush" not in str(caught.value)


def test_a_folder_that_is_not_there_is_an_error(sftp: OverSftp) -> None:
    with (
        sftp.source(folder=f"{sftp.entry['folder']}/nowhere") as source,
        pytest.raises(PermanentError, match="there is no folder sftp://"),
    ):
        tokens(source)


def test_a_file_that_may_not_be_read_is_an_error(sftp: OverSftp, monkeypatch: pytest.MonkeyPatch) -> None:
    sftp.put("a.csv", ROW)
    with sftp.source() as source:
        source.probe()
        client = source._folder._place._sftp  # type: ignore[attr-defined]
        opened = client.open

        def refuse(*arguments: Any) -> Any:
            """As the server does for an ordinary user; the tests may run as root, who may read everything."""
            client._convert_status(_Status(3, "Permission denied"))
            return opened(*arguments)

        monkeypatch.setattr(client, "open", refuse)
        with pytest.raises(PermanentError, match=r"a\.csv cannot be read \(Permission denied\)"):
            tokens(source)


class _Status:
    """A server's answer (SSH_FXP_STATUS)."""

    def __init__(self, code: int, text: str) -> None:
        self.get_int = lambda: code
        self.get_text = lambda: text


# ---- S3 -------------------------------------------------------------------------------------------------------------


def test_a_young_object_is_taken_at_once_but_not_remembered(bucket: InBucket, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket.put("a.csv", ROW)
    monkeypatch.setattr("uptake.sources.places.folder.YOUNGEST_SECONDS", 3600)
    with bucket.source() as source:
        assert len(tokens(source)) == 1
    assert not (bucket.tmp_path / "notes" / "visits.json").exists()


def test_an_empty_prefix_is_an_empty_folder_and_a_missing_bucket_an_error(bucket: InBucket) -> None:
    with bucket.source() as source:
        assert tokens(source) == []
    with (
        bucket.source(folder="s3://no-such-bucket/exports") as source,
        pytest.raises(PermanentError, match="there is no bucket 'no-such-bucket'"),
    ):
        tokens(source)


def test_an_object_that_a_policy_forbids_is_an_error(bucket: InBucket) -> None:
    bucket.put("a.csv", ROW)
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": [f"arn:aws:s3:::{BUCKET}/*"]}
    bucket.s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps({"Version": "2012-10-17", "Statement": [deny]}))
    try:
        with bucket.source() as source, pytest.raises(PermanentError, match=r"a\.csv cannot be read"):
            tokens(source)
    finally:
        bucket.s3.delete_bucket_policy(Bucket=BUCKET)


class _Refusing(BaseHTTPRequestHandler):
    """S3's answer to a list that is not allowed, which moto does not give."""

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.end_headers()

    def do_GET(self) -> None:
        body = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
        self.send_response(403)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


def test_a_bucket_that_may_not_be_listed_is_an_error(bucket: InBucket) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Refusing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        endpoint = f"http://127.0.0.1:{server.server_port}"
        with bucket.source(endpoint=endpoint) as source, pytest.raises(PermanentError, match="may not be listed"):
            tokens(source)
        server.shutdown()


# ---- settings -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"folder": "ftp://host/x"}, "is a path, sftp://host:port/path or s3://bucket/prefix"),
        ({"folder": "sftp:///x", "connection": "c"}, "names no server and path"),
        ({"folder": "sftp://host:many/x", "connection": "c"}, "has a port that is none"),
        ({"folder": "sftp://who@host/x", "connection": "c"}, "the login belongs to the connection"),
        ({"folder": "sftp://host/x"}, "an SFTP folder needs a `connection`"),
        ({"folder": "sftp://host/x", "connection": "c"}, "an SFTP folder needs `host_key` or `known_hosts`"),
        ({"folder": "sftp://host/x", "connection": "c", "host_key": "12:34"}, "is a fingerprint as `ssh-keygen"),
        ({"folder": "s3://Bucket/x"}, "a bucket's name has small letters"),
        ({"folder": "s3://bucket/x", "endpoint": "s3.example.org"}, "is an address such as https://"),
        ({"folder": "s3://bucket/x", "known_hosts": "h"}, "known_hosts: not for this folder, which is s3"),
        ({"folder": "drop", "region": "eu-west-1"}, "region: not for this folder, which is a local one"),
        ({"folder": "drop", "connection": "c"}, "a folder on this machine needs no `connection`"),
    ],
)
def test_a_wrong_folder_is_one_clear_line(tmp_path: Path, entry: dict[str, str], message: str) -> None:
    base = {"name": "far", "kind": "dropfolder", "mappings": [str(write_mapping(tmp_path))]}
    with pytest.raises(ValidationError) as caught:
        DropFolderSettings.model_validate(base | entry)
    (problem,) = caught.value.errors()
    assert message in problem["msg"]


def test_a_remote_folder_without_its_credential(tmp_path: Path) -> None:
    settings = DropFolderSettings.model_validate(
        {
            "name": "far",
            "kind": "dropfolder",
            "mappings": [str(write_mapping(tmp_path))],
            "folder": "s3://bucket/prefix",
            "connection": "far",
        }
    )
    with pytest.raises(ConfigError, match="'far' has no credential"):
        DropFolder(settings, None)


def test_a_windows_end_is_when_the_file_was_changed(far: Remote) -> None:
    far.put("a.csv", ROW)
    with far.source() as source:
        (resource,) = source.resources.values()
        (window,) = source.windows(resource, since=None, until=NOW, full=False)
    assert window.end is not None
    assert abs((datetime.now(UTC) - window.end).total_seconds()) < 2 * 3600
