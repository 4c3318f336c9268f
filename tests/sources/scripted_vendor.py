"""A vendor that does as it is told: a real HTTP server on a thread, whose answers a test writes."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    path: str
    params: dict[str, list[str]]
    headers: dict[str, str]
    body: str

    def number(self, name: str) -> int:
        return int(self.params[name][0])

    def text(self, name: str) -> str:
        return self.params[name][0]


@dataclass
class Reply:
    """body: bytes as they are, anything else as JSON. cut: close the connection after that many bytes of the body."""

    body: Any = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None

    def encoded(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


Answerer = Callable[[Asked], Reply]


class Vendor:
    """`on(path, answerer)` sets what a path answers; `once(path, *replies)` puts replies before it, in order."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self._answers: dict[str, Answerer] = {}
        self._first: dict[str, list[Reply | Answerer]] = defaultdict(list)
        self.url = ""

    def on(self, path: str, answer: Answerer | Reply) -> None:
        self._answers[path] = answer if callable(answer) else lambda _: answer

    def once(self, path: str, *replies: Reply | Answerer) -> None:
        self._first[path].extend(replies)

    def count(self, path: str) -> int:
        return sum(asked.path == path for asked in self.asked)

    def reply(self, asked: Asked) -> Reply:
        self.asked.append(asked)
        waiting = self._first[asked.path]
        if waiting:
            reply = waiting.pop(0)
            return reply(asked) if callable(reply) else reply
        answer = self._answers.get(asked.path)
        return answer(asked) if answer else Reply({"error": "no such path"}, 404)


@contextmanager
def serving() -> Iterator[Vendor]:
    vendor = Vendor()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet: a body by itself waits 40 ms for the other side's delayed ACK

        def _answer(self) -> None:
            parts = urlsplit(self.path)
            size = int(self.headers.get("content-length") or 0)
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(parts.path, parse_qs(parts.query), headers, self.rfile.read(size).decode())
            reply = vendor.reply(asked)
            body = reply.encoded()
            self.send_response(reply.status)
            for name, value in ({"Content-Type": "application/json"} | reply.headers).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body if reply.cut is None else body[: reply.cut])
            if reply.cut is not None:
                self.close_connection = True

        do_GET = do_POST = _answer

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    vendor.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield vendor
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def token_reply(name: str = "token-1", expires_in: float = 3600) -> Reply:
    return Reply({"access_token": name, "token_type": "Bearer", "expires_in": expires_in})
