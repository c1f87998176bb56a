"""A real registry that misbehaves when told to: a proxy with faults stands before it."""

import http.client
import os
import socket
import struct
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, urlsplit

from tests.support.local_server import LocalServer
from tests.support.registry import RegistryServer

CHUNK_BYTES = 1 << 14
_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "date", "server"})


@dataclass(kw_only=True)
class Exchange:
    """A request as it came, how much of its body arrived, and the status it was answered."""

    method: str
    path: str
    headers: Mapping[str, str]
    received: int = 0
    status: int | None = None

    @property
    def is_blob_put(self) -> bool:
        """Say whether it sends or ends a blob."""
        return self.method == "PUT" and "/blobs/uploads/" in self.path

    @property
    def is_mount(self) -> bool:
        """Say whether it asks for a blob of another repository."""
        return self.method == "POST" and "mount=" in self.path

    @property
    def writes(self) -> bool:
        """Say whether it could change anything."""
        return self.method not in {"GET", "HEAD"}

    @property
    def upload(self) -> str:
        """Name the upload that it is a part of."""
        return urlsplit(self.path).path.rpartition("/")[2]

    @property
    def digest(self) -> str | None:
        """Name the blob that it ends."""
        return parse_qs(urlsplit(self.path).query).get("digest", [None])[0]


@dataclass(kw_only=True)
class Reply:
    """What the registry answered, to be changed."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Answers in the registry's place; an iterator is sent chunk by chunk, as long as it goes."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | Iterator[bytes] = b""


@dataclass(frozen=True, kw_only=True)
class Cut:
    """Resets the connection after so many bytes of the body, which the registry has got."""

    after: int
    then: Callable[[], object] = bool


@dataclass(frozen=True, kw_only=True)
class Change:
    """Lets the registry answer, and changes what it said."""

    by: Callable[[Reply], object]


Fault = Answer | Cut | Change
Choose = Callable[[Exchange], Fault | None]


def no_fault(_: Exchange) -> None:
    """Let everything pass."""


def times(number: int, when: Callable[[Exchange], bool], fault: Fault) -> Choose:
    """Do `fault` to the first `number` requests that `when` picks."""
    left = [number]

    def choose(exchange: Exchange) -> Fault | None:
        if not when(exchange) or not left[0]:
            return None
        left[0] -= 1
        return fault

    return choose


def always(when: Callable[[Exchange], bool], fault: Fault) -> Choose:
    """Do `fault` to every request that `when` picks."""
    return lambda exchange: fault if when(exchange) else None


class FaultyRegistry(LocalServer):
    """Hands requests on to the registry `behind`, but for those that `fault` picks.

    Everything else is the registry's own. `exchanges` remembers every request. What it `lends` are
    headers that the registry gets in addition, as an object store needs no password.
    """

    def __init__(self, behind: RegistryServer) -> None:
        self.behind = behind
        self.fault: Choose = no_fault
        self.lends: Mapping[str, str] = {}
        self.exchanges: list[Exchange] = []
        super().__init__(_Handler)

    def sent(self) -> dict[str, list[int]]:
        """List how many bytes of each blob came, one number for each try that was ended.

        The parts of one upload are added up.
        """
        parts: dict[str, int] = defaultdict(int)
        named: dict[str, list[str]] = defaultdict(list)
        for exchange in self.exchanges:
            if exchange.method in {"PUT", "PATCH"} and "/blobs/uploads/" in exchange.path:
                parts[exchange.upload] += exchange.received
                if exchange.digest and exchange.upload not in named[exchange.digest]:
                    named[exchange.digest].append(exchange.upload)
        return {digest: [parts[one] for one in uploads] for digest, uploads in named.items()}

    def writes(self) -> list[Exchange]:
        """List the requests that could have changed something."""
        return [exchange for exchange in self.exchanges if exchange.writes]


class _Handler(BaseHTTPRequestHandler):
    owner: FaultyRegistry
    protocol_version = "HTTP/1.1"
    timeout = 20

    def handle_any(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        exchange = Exchange(method=self.command, path=self.path, headers=headers)
        self.owner.exchanges.append(exchange)
        fault = self.owner.fault(exchange)
        if isinstance(fault, Answer):
            for _ in self._body(exchange):
                pass
            self._answer(exchange, fault.status, fault.headers, fault.body)
        elif isinstance(fault, Cut):
            self._hand_on(exchange, until=fault.after)
            fault.then()
            self._reset()
        else:
            reply = self._hand_on(exchange)
            if reply is None:
                self._reset()
                return
            if isinstance(fault, Change):
                fault.by(reply)
            self._answer(exchange, reply.status, reply.headers, reply.body)

    def _body(self, exchange: Exchange, until: int | None = None) -> Iterator[bytes]:
        length = int(self.headers.get("Content-Length") or 0)
        left = length if until is None else min(until, length)
        while left and (chunk := self.rfile.read1(min(left, CHUNK_BYTES))):
            left -= len(chunk)
            exchange.received += len(chunk)
            yield chunk

    def _hand_on(self, exchange: Exchange, until: int | None = None) -> Reply | None:
        """Ask the registry; None where it does not answer, or is not to."""
        asked = http.client.HTTPConnection(self.owner.behind.host, timeout=20)
        try:
            asked.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in _HOP_BY_HOP:
                    asked.putheader(name, value)
            for name, value in self.owner.lends.items():
                asked.putheader(name, value)
            asked.endheaders()
            for chunk in self._body(exchange, until):
                asked.send(chunk)
            if until is not None:
                return None
            answer = asked.getresponse()
            kept = {k: v for k, v in answer.getheaders() if k.lower() not in _HOP_BY_HOP}
            return Reply(status=answer.status, headers=kept, body=answer.read())
        except OSError:
            return None
        finally:
            asked.close()

    def _answer(
        self,
        exchange: Exchange,
        status: int,
        headers: Mapping[str, str],
        body: bytes | Iterator[bytes],
    ) -> None:
        exchange.status = status
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if not isinstance(body, bytes):
            self.send_header("Connection", "close")
            self.end_headers()
            for chunk in body:
                self.wfile.write(chunk)
            return
        if "content-length" not in {name.lower() for name in headers}:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if self.command != "HEAD" else b"")

    def _reset(self) -> None:
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        os.close(self.connection.detach())
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass

    do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = handle_any  # noqa: N815
