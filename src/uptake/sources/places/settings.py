"""`folder` of a source in uptake.yaml: a path, sftp://host:port/path or s3://bucket/prefix, and what belongs to it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import Field as Key
from pydantic import field_validator, model_validator

from uptake.config import SourceSettings
from uptake.credentials import Credential
from uptake.errors import ConfigError
from uptake.sources.places.base import Place
from uptake.sources.places.local import LocalPlace

_FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}=?")
_OWN_KEYS = {"sftp": {"host_key", "known_hosts"}, "s3": {"endpoint", "region"}, "": set()}


class FolderSettings(SourceSettings):
    """folder: where the files lie. connection: of an SFTP server or a bucket; a bucket can do without.

    host_key: fingerprint of the SFTP server's key (`SHA256:...`). known_hosts: a file of OpenSSH that holds the key.
    endpoint: address of an S3 server that is not Amazon's. region: of the bucket.
    settle_seconds: a file that was changed since is still being written.
    incomplete_minutes: a file whose end is missing is taken for unfinished for so long, and then for broken.
    """

    folder: Path | str
    host_key: str | None = None
    known_hosts: Path | None = None
    endpoint: str | None = None
    region: str = "us-east-1"
    settle_seconds: Annotated[float, Key(ge=0, le=86_400)] = 10
    incomplete_minutes: Annotated[float, Key(ge=0, le=10_080)] = 60

    @field_validator("folder", mode="before")
    @classmethod
    def _path_or_address(cls, value: Any) -> Any:
        if not isinstance(value, str) or "://" not in value:
            return Path(value) if isinstance(value, str) else value
        address = urlsplit(value)
        if address.scheme not in ("sftp", "s3"):
            raise ValueError("is a path, sftp://host:port/path or s3://bucket/prefix")
        if not address.hostname or address.query or address.fragment:
            raise ValueError(f"{value!r} names no {'server' if address.scheme == 'sftp' else 'bucket'} and path")
        if address.username or address.password:
            raise ValueError("the login belongs to the connection, not to the address")
        if address.scheme == "s3" and address.netloc != address.hostname:
            raise ValueError("a bucket's name has small letters and no port; another server is named by `endpoint`")
        try:
            _ = address.port
        except ValueError as error:
            raise ValueError(f"{value!r} has a port that is none") from error
        return value

    @field_validator("host_key")
    @classmethod
    def _is_fingerprint(cls, value: str | None) -> str | None:
        if value is not None and not _FINGERPRINT.fullmatch(value):
            raise ValueError("is a fingerprint as `ssh-keygen -lf` prints it: SHA256: and 43 characters")
        return value

    @field_validator("endpoint")
    @classmethod
    def _is_address(cls, value: str | None) -> str | None:
        if value is not None and (urlsplit(value).scheme not in ("http", "https") or not urlsplit(value).netloc):
            raise ValueError("is an address such as https://s3.example.org")
        return value

    @model_validator(mode="after")
    def _belongs_together(self) -> FolderSettings:
        kind = self.transport
        foreign = self.model_fields_set & (set().union(*_OWN_KEYS.values()) - _OWN_KEYS[kind])
        if foreign:
            raise ValueError(f"{', '.join(sorted(foreign))}: not for this folder, which is {kind or 'a local one'}")
        if kind == "sftp" and not self.connection:
            raise ValueError("an SFTP folder needs a `connection`: its login, and a password or private key")
        if kind == "sftp" and (self.host_key is None) == (self.known_hosts is None):
            raise ValueError("an SFTP folder needs `host_key` or `known_hosts`: an unknown server is never trusted")
        if not kind and self.connection:
            raise ValueError("a folder on this machine needs no `connection`")
        return self

    @property
    def transport(self) -> str:
        """`sftp`, `s3`, or nothing for a folder of this machine."""
        return "" if isinstance(self.folder, Path) else urlsplit(self.folder).scheme

    def place(self, credential: Credential | None) -> Place:
        """Where the files lie, not yet asked. Raises ConfigError where its credential is missing."""
        if isinstance(self.folder, Path):
            return LocalPlace(self.folder)
        address = urlsplit(self.folder)
        if credential is None and (self.connection or address.scheme == "sftp"):
            raise ConfigError(f"source {self.name!r} has no credential", remedy="add its connection.")
        # Neither library is imported, nor Arrow's S3 client started, by a district that has no such folder.
        if address.scheme == "sftp" and credential is not None:
            from uptake.sources.places.sftp import SftpPlace  # noqa: PLC0415

            return SftpPlace(
                address.hostname or "",
                address.port or 22,
                address.path or "/",
                credential,
                host_key=self.host_key,
                known_hosts=self.known_hosts,
            )
        from uptake.sources.places.bucket import BucketPlace  # noqa: PLC0415

        return BucketPlace(address.netloc, address.path, credential, endpoint=self.endpoint, region=self.region)
