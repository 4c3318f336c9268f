"""A mail server and a webhook on free ports of this machine, which keep what they are sent."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from email.policy import default
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any


@dataclass
class Inbox:
    """status: what the webhook answers."""

    mails: list[Message] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    posts: list[dict[str, Any]] = field(default_factory=list)
    status: int = 200
    smtp_port: int = 0
    http_port: int = 0


class _Smtp(socketserver.StreamRequestHandler):
    """As much of RFC 5321, and of AUTH PLAIN (RFC 4954), as a client needs."""

    def handle(self) -> None:
        inbox: Inbox = self.server.inbox  # type: ignore[attr-defined]
        self._say("220 test ESMTP")
        while line := self.rfile.readline().decode().strip():
            verb = line.split(":")[0].split(" ")[0].upper()
            if verb == "EHLO":
                self._say("250-test", "250 AUTH PLAIN")
            elif verb == "AUTH":
                inbox.logins.append(line.split(" ")[-1])
                self._say("235 ok")
            elif verb == "RCPT":
                inbox.recipients.append(line.partition("<")[2].rstrip(">"))
                self._say("250 ok")
            elif verb == "DATA":
                self._say("354 go on")
                lines = []
                while (row := self.rfile.readline()) != b".\r\n":
                    lines.append(row)
                inbox.mails.append(message_from_bytes(b"".join(lines), policy=default))
                self._say("250 kept")
            elif verb == "QUIT":
                self._say("221 bye")
                return
            else:
                self._say("250 ok")

    def _say(self, *lines: str) -> None:
        self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())


class _Hook(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        inbox: Inbox = self.server.inbox  # type: ignore[attr-defined]
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if inbox.status == 200:
            inbox.posts.append(json.loads(body))
        self.send_response(inbox.status)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        return


@contextmanager
def serving() -> Iterator[Inbox]:
    inbox = Inbox()
    servers = [socketserver.TCPServer(("127.0.0.1", 0), _Smtp), HTTPServer(("127.0.0.1", 0), _Hook)]
    for server in servers:
        server.inbox = inbox  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    inbox.smtp_port, inbox.http_port = (server.server_address[1] for server in servers)
    try:
        yield inbox
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()
