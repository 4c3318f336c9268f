"""A prefix of an S3-compatible bucket.

Through Arrow's own client (https://arrow.apache.org/docs/python/generated/pyarrow.fs.S3FileSystem.html). An object is
replaced as a whole, so that one which is listed is finished. An empty prefix is an empty folder: S3 has no other kind.
Secrets are those of Airflow's AWS connection: login is the access key, password the secret key, `aws_session_token`
may stand in the extra.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from pyarrow import fs

from uptake.credentials import Credential
from uptake.errors import PermanentError, TransientError
from uptake.sources.places.base import CHUNK, Listed, RemotePlace, Settling, is_hidden

_REQUEST_SECONDS, _CONNECT_SECONDS = 60, 10
_ATTEMPTS = 3
# Names of Arrow's S3 errors (`AWS Error <NAME> during ... operation`) that another try does not mend.
_REFUSED = re.compile(
    r"AWS Error (ACCESS_DENIED|INVALID_ACCESS_KEY_ID|SIGNATURE_DOES_NOT_MATCH|INVALID_CLIENT_TOKEN_ID"
    r"|UNRECOGNIZED_CLIENT|MISSING_AUTHENTICATION_TOKEN)"
)
_HTTP_DENIED = re.compile(r"HTTP status (401|403)\b|HTTP response code:? 40[13]\b")
_NO_BUCKET = re.compile(r"NO_SUCH_BUCKET|Bucket '.*' not found")


class BucketPlace(RemotePlace):
    """`credential` None: the machine's own, as Amazon's tools find it. `endpoint`: address of a server other than
    Amazon's."""

    settling: Settling = "whole"

    def __init__(
        self, bucket: str, prefix: str, credential: Credential | None, *, endpoint: str | None, region: str
    ) -> None:
        super().__init__()
        self._bucket = bucket
        self._folder = f"{bucket}/{prefix.strip('/')}".rstrip("/")
        address = urlsplit(endpoint or "")
        self._client = fs.S3FileSystem(
            access_key=credential.login if credential else None,
            secret_key=credential.password if credential else None,
            session_token=credential.extra.get("aws_session_token") if credential else None,
            region=region,
            scheme=address.scheme or "https",
            endpoint_override=address.netloc or None,
            request_timeout=_REQUEST_SECONDS,
            connect_timeout=_CONNECT_SECONDS,
            retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=_ATTEMPTS),
        )

    def __str__(self) -> str:
        return f"s3://{self._folder}"

    def files(self, is_wanted: Callable[[str], bool]) -> Iterator[Listed]:
        selector = fs.FileSelector(self._folder, recursive=True, allow_not_found=True)
        with self._asking():
            if self._client.get_file_info(self._bucket).type == fs.FileType.NotFound:
                raise PermanentError(f"there is no bucket {self._bucket!r}", remedy="correct `folder` in uptake.yaml.")
            found = self._client.get_file_info(selector)
        for info in found:
            name = info.path.removeprefix(f"{self._folder}/")
            is_visible = not any(map(is_hidden, name.split("/")[:-1]))
            if info.type == fs.FileType.File and is_visible and is_wanted(name):
                yield Listed(name, info.size, info.mtime_ns)

    def look(self, name: str) -> Listed:
        with self._asking(name):
            info = self._client.get_file_info(f"{self._folder}/{name}")
        if info.type != fs.FileType.File:
            raise FileNotFoundError(errno.ENOENT, "it is not there")
        return Listed(name, info.size, info.mtime_ns)

    def _pieces(self, file: Listed) -> Iterator[bytes]:
        path = f"{self._folder}/{file.name}"
        with self._asking(file.name), self._client.open_input_stream(path, compression=None) as remote:
            while piece := remote.read(CHUNK):
                yield piece

    @contextmanager
    def _asking(self, name: str | None = None) -> Iterator[None]:
        """`name`: the one file that is asked for."""
        try:
            yield
        except FileNotFoundError:
            raise
        except OSError as error:
            told = str(error)
            if _NO_BUCKET.search(told):
                raise PermanentError(
                    f"there is no bucket {self._bucket!r}", remedy="correct `folder` in uptake.yaml."
                ) from error
            if _REFUSED.search(told) or _HTTP_DENIED.search(told):
                if name is not None:
                    raise PermissionError(errno.EACCES, "Permission denied") from error
                raise PermanentError(
                    f"{self} may not be listed with this credential",
                    remedy="correct the connection's keys, or have them allowed s3:ListBucket and s3:GetObject.",
                ) from error
            raise TransientError(
                f"the bucket {self._bucket!r} does not answer, or broke off",
                remedy="nothing, unless it lasts: then look at `endpoint` and `region` in uptake.yaml.",
            ) from error
