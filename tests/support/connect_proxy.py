"""A proxy on loopback that leads on by CONNECT and by absolute addresses, and counts."""

import http.client
import select
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from urllib.parse import urlsplit

from tests.support.local_server import LocalServer

CHUNK_BYTES = 1 << 16


@dataclass(frozen=True, kw_only=True)
class Led:
    """A request to lead on: its method, where to, with what authorization, and the answer."""

    method: str
    place: str
    authorization: str | None
    status: int


class ConnectProxy(LocalServer):
    """Leads to the places of `hosts`, `HOST:PORT` each, wherever these names really are.

    To others it answers 403. With `authorization` it asks for that. `led` remembers.
    """

    def __init__(self, hosts: Mapping[str, str], *, authorization: str | None = None) -> None:
        self.hosts = dict(hosts)
        self.authorization = authorization
        self.led: list[Led] = []
        super().__init__(_Handler)


class _Handler(BaseHTTPRequestHandler):
    owner: ConnectProxy
    protocol_version = "HTTP/1.1"
    timeout = 20

    def do_CONNECT(self) -> None:
        if not self._is_let_in(self.path):
            return
        host, _, port = self.owner.hosts[self.path].rpartition(":")
        with socket.create_connection((host, int(port)), timeout=20) as far:
            self.send_response(200)
            self.end_headers()
            self.close_connection = True
            _join(self.connection, far)

    def lead(self) -> None:
        """Pass on a request for `http://PLACE/...`."""
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if not self._is_let_in(parts.netloc):
            return
        asked = http.client.HTTPConnection(self.owner.hosts[parts.netloc], timeout=20)
        headers = {k: v for k, v in self.headers.items() if k != "Proxy-Authorization"}
        query = f"?{parts.query}" if parts.query else ""
        asked.request(self.command, parts.path + query, body=body, headers=headers)
        answer = asked.getresponse()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in {"connection", "transfer-encoding", "date", "server"}:
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.read())
        asked.close()

    def _is_let_in(self, place: str) -> bool:
        given = self.headers.get("Proxy-Authorization")
        status = 200 if place in self.owner.hosts else 403
        if self.owner.authorization and given != self.owner.authorization:
            status = 407
        self.owner.led.append(
            Led(method=self.command, place=place, authorization=given, status=status)
        )
        if status != 200:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()
        return status == 200

    def log_message(self, *_: object) -> None:
        pass

    do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = lead  # noqa: N815


def _join(one: socket.socket, other: socket.socket) -> None:
    """Carry bytes both ways until one side ends."""
    while True:
        readable, _, _ = select.select([one, other], [], [], 20)
        if not readable:
            return
        for side in readable:
            try:
                chunk = side.recv(CHUNK_BYTES)
            except OSError:
                return
            if not chunk:
                return
            (other if side is one else one).sendall(chunk)
