"""A web server on loopback that answers what a test tells it to, and remembers what was asked."""

import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Self

from tests.support.local_server import LocalServer


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request as it came; header names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, kw_only=True)
class Told:
    """An answer; `raw` is sent as it is, without a status line, and then the connection ends.

    A body that is an iterator is sent without a length, chunk by chunk, as long as it goes.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | Iterator[bytes] = b""
    raw: bytes | None = None


class AnswerServer(LocalServer):
    """Answers each request with what `answer` makes of it."""

    def __init__(self, answer: Callable[[Asked], Told]) -> None:
        self.asked: list[Asked] = []
        self._answer = answer
        super().__init__(_Handler)

    def told(self, asked: Asked) -> Told:
        """Remember a request and say what to answer."""
        self.asked.append(asked)
        return self._answer(asked)

    def heard(self, method: str) -> list[Asked]:
        """List the requests with one method."""
        return [asked for asked in self.asked if asked.method == method]


class _Handler(BaseHTTPRequestHandler):
    owner: AnswerServer
    protocol_version = "HTTP/1.1"
    timeout = 20

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        told = self.owner.told(
            Asked(method=self.command, path=self.path, headers=headers, body=body)
        )
        if told.raw is not None:
            self.wfile.write(told.raw)
            self.close_connection = True
            return
        self.send_response(told.status)
        for name, value in told.headers.items():
            self.send_header(name, value)
        self._send_body(told.body)

    def _send_body(self, body: bytes | Iterator[bytes]) -> None:
        if isinstance(body, bytes):
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body if self.command != "HEAD" else b"")
            return
        self.send_header("Connection", "close")
        self.end_headers()
        for chunk in body:
            self.wfile.write(chunk)

    def log_message(self, *_: object) -> None:
        pass

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = handle_any  # noqa: N815


class SilentServer:
    """Takes connections and never says anything; with `greeting`, says that and nothing more."""

    def __init__(self, greeting: bytes = b"") -> None:
        self._greeting = greeting
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.host = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)
        for connection in self._open:
            connection.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(connection)
            connection.sendall(self._greeting)
