"""A real SFTP server for tests: Debian's own sshd, as an ordinary process on a free port of this machine."""

from __future__ import annotations

import getpass
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SSHD = Path("/usr/sbin/sshd")
INSTALL = "no SFTP server here: apt-get install openssh-server"
_CONFIG = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
Subsystem sftp internal-sftp
"""


@dataclass(frozen=True)
class Server:
    """host_key: its fingerprint. private_key: one that it lets in, as OpenSSH writes it."""

    port: int
    user: str
    host_key: str
    known_hosts: Path
    private_key: str
    other_private_key: str


@contextmanager
def server(folder: Path) -> Iterator[Server]:
    if not SSHD.exists():
        raise FileNotFoundError(INSTALL)
    for name in ("host_key", "client", "stranger"):
        _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name))
    (folder / "authorized_keys").write_bytes((folder / "client.pub").read_bytes())
    port = _free_port()
    (folder / "sshd_config").write_text(_CONFIG.format(port=port, folder=folder))
    kind, key = (folder / "host_key.pub").read_text().split()[:2]
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {kind} {key}\n")
    fingerprint = _run("ssh-keygen", "-lf", str(folder / "host_key.pub")).split()[1]
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # where root's sshd shuts its unprivileged half in
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([SSHD, "-D", "-e", "-f", folder / "sshd_config"], stdout=log, stderr=log)
        try:
            _wait_for(port, process, folder / "log")
            yield Server(
                port,
                getpass.getuser(),
                fingerprint,
                folder / "known_hosts",
                (folder / "client").read_text(),
                (folder / "stranger").read_text(),
            )
        finally:
            process.terminate()
            process.wait()


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 20
    while process.poll() is None and time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"sshd did not start: {log.read_text()}")
