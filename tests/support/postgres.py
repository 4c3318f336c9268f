"""A real PostgreSQL server for tests: Debian's own, in a temporary folder, reached by its socket only."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from sqlalchemy import create_engine, text

DEBIAN = Path("/usr/lib/postgresql")
INSTALL = "no PostgreSQL server here: apt-get install postgresql"
_names = count()


def binaries(versions: Path = DEBIAN) -> Path | None:
    """Where the newest server's programs are: Debian has a folder for each version. None where there is no server."""
    found = [path.parent for path in versions.glob("*/bin/initdb")]
    return max(found, key=lambda folder: float(folder.parent.name), default=None)


@contextmanager
def server() -> Iterator[str]:
    """URL of a cluster's `postgres` database; the cluster ends with the block."""
    programs = binaries()
    if programs is None:
        raise FileNotFoundError(INSTALL)
    folder = Path(tempfile.mkdtemp(prefix="uptake-pg-"))  # a socket's path must be short
    as_owner: list[str] = []
    owner = pwd.getpwuid(os.getuid()).pw_name
    if os.getuid() == 0:  # the server refuses to run as root
        owner = "postgres"
        shutil.chown(folder, owner)
        as_owner = ["runuser", "-u", owner, "--"]
    data = folder / "data"
    control = [*as_owner, str(programs / "pg_ctl"), "-D", str(data), "-w"]
    options = f"-c listen_addresses='' -k {folder} -c fsync=off"
    try:
        initdb = [*as_owner, str(programs / "initdb"), "-D", str(data), "-A", "trust", "-E", "UTF8", "--no-sync"]
        subprocess.run(initdb, check=True, capture_output=True, cwd=folder)
        start = [*control, "-o", options, "-l", str(folder / "log"), "start"]
        subprocess.run(start, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder)
        try:
            yield f"postgresql+psycopg2://{owner}@/postgres?host={folder}"
        finally:
            subprocess.run([*control, "-m", "immediate", "stop"], check=True, capture_output=True, cwd=folder)
    finally:
        shutil.rmtree(folder)


def new_database(server_url: str) -> str:
    """URL of an empty database."""
    name = f"test_{next(_names)}"
    engine = create_engine(server_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return server_url.replace("/postgres?", f"/{name}?")
