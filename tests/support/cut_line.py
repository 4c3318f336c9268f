"""A line between a client and a server that breaks after so many bytes of the server's answers."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Line:
    """`port`: where the client connects. `allow`: bytes that still come through, in all connections; None for all."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._door.getsockname()[1]
        self.allow: int | None = None
        self.passed = 0
        self._lock = threading.Lock()

    def run(self) -> None:
        while True:
            try:
                client, _ = self._door.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._server_port))
            for source, target, is_answer in ((client, server, False), (server, client, True)):
                threading.Thread(target=self._carry, args=(source, target, is_answer), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket, is_answer: bool) -> None:
        try:
            while data := source.recv(1 << 14):
                if is_answer and not self._may_pass(len(data)):
                    break
                target.sendall(data)
        except OSError:
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def _may_pass(self, count: int) -> bool:
        with self._lock:
            self.passed += count
            if self.allow is None:
                return True
            self.allow -= count
            return self.allow >= 0

    def close(self) -> None:
        with contextlib.suppress(OSError):  # a second close
            self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()


@contextmanager
def line_to(server_port: int) -> Iterator[Line]:
    line = Line(server_port)
    threading.Thread(target=line.run, daemon=True).start()
    try:
        yield line
    finally:
        line.close()
