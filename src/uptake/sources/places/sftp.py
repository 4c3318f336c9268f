"""A folder on an SFTP server.

The server is held to the host key that the settings name, before a credential is shown to it
(https://docs.paramiko.org/en/stable/api/client.html, "missing host key policy"); an unknown key is never accepted.
Secrets are those of Airflow's SSH connection: login, password, and in the extra `private_key` or `key_file` with
`private_key_passphrase` (https://airflow.apache.org/docs/apache-airflow-providers-ssh/stable/connections/ssh.html).
"""

from __future__ import annotations

import io
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import paramiko

from uptake.credentials import Credential
from uptake.errors import ConfigError, PermanentError, TransientError
from uptake.sources.places.base import CHUNK, Listed, RemotePlace, Settling, is_hidden

_SECONDS = 30  # for a connection, and for each answer
_REQUESTS_AT_ONCE = 64
_KEYS: tuple[type[paramiko.PKey], ...] = (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey)


class SftpPlace(RemotePlace):
    """`folder` is absolute. One of `host_key` (`SHA256:...`) and `known_hosts` is given."""

    settling: Settling = "seen_twice"

    def __init__(
        self,
        host: str,
        port: int,
        folder: str,
        credential: Credential,
        *,
        host_key: str | None,
        known_hosts: Path | None,
    ) -> None:
        super().__init__()
        self._host, self._port, self._folder = host, port, folder.rstrip("/") or "/"
        self._credential = credential
        self._host_key, self._known_hosts = host_key, known_hosts
        self._ssh: paramiko.SSHClient | None = None
        self._sftp: paramiko.SFTPClient | None = None

    def __str__(self) -> str:
        return f"sftp://{self._host}:{self._port}{self._folder}"

    def files(self, is_wanted: Callable[[str], bool]) -> Iterator[Listed]:
        with self._asking() as sftp:
            try:
                sftp.listdir(self._folder)
            except FileNotFoundError as error:
                raise PermanentError(
                    f"there is no folder {self}", remedy="correct `folder` in uptake.yaml, or have it made."
                ) from error
            except PermissionError as error:
                raise PermanentError(
                    f"{self} may not be listed by {self._credential.login!r}", remedy="have the server allow it."
                ) from error
            yield from self._below(sftp, "", is_wanted)

    def _below(self, sftp: paramiko.SFTPClient, inside: str, is_wanted: Callable[[str], bool]) -> Iterator[Listed]:
        for found in sftp.listdir_attr(f"{self._folder}/{inside}"):
            name = f"{inside}{found.filename}"
            try:
                is_link = stat.S_ISLNK(found.st_mode or 0)
                target = sftp.stat(f"{self._folder}/{name}") if is_link else found
                if stat.S_ISDIR(target.st_mode or 0) and not is_hidden(found.filename):
                    yield from self._below(sftp, f"{name}/", is_wanted)
                elif stat.S_ISREG(target.st_mode or 0) and is_wanted(name):
                    yield self._listed(name, target)
            except FileNotFoundError:
                continue  # it has just gone

    def look(self, name: str) -> Listed:
        with self._asking() as sftp:
            return self._listed(name, sftp.stat(f"{self._folder}/{name}"))

    @staticmethod
    def _listed(name: str, found: paramiko.SFTPAttributes) -> Listed:
        return Listed(name, found.st_size or 0, (found.st_mtime or 0) * 1_000_000_000)

    def _pieces(self, file: Listed) -> Iterator[bytes]:
        with self._asking() as sftp, sftp.open(f"{self._folder}/{file.name}", "rb") as remote:
            remote.prefetch(file.size, _REQUESTS_AT_ONCE)
            while piece := remote.read(CHUNK):
                yield piece

    def close(self) -> None:
        super().close()
        if self._ssh is not None:
            self._ssh.close()
        self._ssh = self._sftp = None

    # --- the connection ------------------------------------------------------------------------------------------

    @contextmanager
    def _asking(self) -> Iterator[paramiko.SFTPClient]:
        try:
            yield self._connected()
        except (FileNotFoundError, PermissionError):
            raise  # of one file
        except (paramiko.SSHException, EOFError, OSError) as error:
            if self._ssh is not None:
                self._ssh.close()
            self._ssh = self._sftp = None
            raise TransientError(
                f"the SFTP server {self._host}:{self._port} does not answer, or broke off ({type(error).__name__})",
                remedy="nothing, unless it lasts: then ask the server's operator.",
            ) from error

    def _connected(self) -> paramiko.SFTPClient:
        transport = self._ssh.get_transport() if self._ssh is not None else None
        if self._sftp is not None and transport is not None and transport.is_active():
            return self._sftp
        ssh = paramiko.SSHClient()
        ssh.set_missing_host_key_policy(_OnlyNamed(f"{self._host}:{self._port}", self._host_key))
        if self._known_hosts is not None:
            ssh.load_host_keys(str(self._known_hosts))
        key = _private_key(self._credential)
        try:
            ssh.connect(
                self._host,
                self._port,
                username=self._credential.login,
                password=self._credential.password or None,
                pkey=key,
                allow_agent=False,
                look_for_keys=False,
                timeout=_SECONDS,
                banner_timeout=_SECONDS,
                auth_timeout=_SECONDS,
                channel_timeout=_SECONDS,
            )
            sftp = ssh.open_sftp()
        except paramiko.BadHostKeyException as error:
            ssh.close()
            raise _other_key(f"{self._host}:{self._port}", error.key) from error
        except paramiko.AuthenticationException as error:
            ssh.close()
            raise PermanentError(
                f"the SFTP server {self._host}:{self._port} refused the credential of {self._credential.login!r}",
                remedy="correct the login, the password or the private key of the connection.",
            ) from error
        except BaseException:
            ssh.close()
            raise
        if (channel := sftp.get_channel()) is not None:
            channel.settimeout(_SECONDS)
        if (active := ssh.get_transport()) is not None:
            active.set_keepalive(_SECONDS)
        self._ssh, self._sftp = ssh, sftp
        return sftp


class _OnlyNamed(paramiko.MissingHostKeyPolicy):
    """A key that known_hosts does not hold is taken only if it has the fingerprint that the settings name."""

    def __init__(self, server: str, fingerprint: str | None) -> None:
        self._server = server
        self._fingerprint = fingerprint

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        if self._fingerprint is None or key.fingerprint != self._fingerprint.rstrip("="):
            raise _other_key(self._server, key)


def _other_key(server: str, key: paramiko.PKey) -> PermanentError:
    return PermanentError(
        f"the SFTP server {server} shows a host key that is not the one in uptake.yaml: {key.get_name()} "
        f"{key.fingerprint}",
        remedy="ask the server's operator whether this key is theirs; if it is, name it as `host_key`.",
    )


def _private_key(credential: Credential) -> paramiko.PKey | None:
    """Raises ConfigError where there is one that cannot be read."""
    text, path = credential.extra.get("private_key"), credential.extra.get("key_file")
    if not text and not path:
        return None
    passphrase = credential.extra.get("private_key_passphrase")
    try:
        text = text or Path(str(path)).expanduser().read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"the private key of the connection cannot be read ({error.strerror})", remedy="correct its `key_file`."
        ) from error
    for kind in _KEYS:
        try:
            return kind.from_private_key(io.StringIO(text), passphrase)
        except (paramiko.SSHException, ValueError):
            continue
    raise ConfigError(
        "the private key of the connection is none, or its passphrase is wrong",
        remedy="give an Ed25519, ECDSA or RSA key as OpenSSH writes it, and `private_key_passphrase` if it has one.",
    )
