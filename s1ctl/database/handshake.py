"""Ask a server why it refuses a connection: the start of its protocol, as far as an SQLSTATE.

libpq tells a refused connection by a translated sentence only; on the wire it carries a code.
"""

import base64
import hashlib
import hmac
import os
import socket
import struct
import unicodedata
from collections.abc import Mapping

from s1ctl.site.secrets import Secret

PROTOCOL = 196608
AUTH_OK, AUTH_SASL, AUTH_CONTINUE, AUTH_FINAL = 0, 10, 11, 12
MAX_MESSAGE = 64 * 1024
PLAIN_MODES = ("disable", "allow", "prefer")
_SCRAM = b"SCRAM-SHA-256"


def ask_sqlstate(parts: Mapping[str, str], password: Secret, timeout_s: float) -> str | None:
    """Say the SQLSTATE with which the server refuses; None where it tells none.

    Raises `OSError` where there is no server. Goes no further than the address where the
    connection string asks for TLS: a proof of the password is never sent where that was asked.
    """
    address = (parts.get("hostaddr") or parts["host"], int(parts["port"]))
    with socket.create_connection(address, timeout=timeout_s) as wire:
        if not is_plain(parts):
            return None
        try:
            return _Dialogue(wire).start(parts["user"], parts["dbname"], password)
        except (EOFError, ValueError, struct.error):
            return None


def is_plain(parts: Mapping[str, str]) -> bool:
    """Say whether the connection string does without TLS if need be."""
    return parts.get("sslmode", "prefer") in PLAIN_MODES


class _Dialogue:
    """Messages of the frontend/backend protocol 3.0 (PostgreSQL manual, "Message Flow")."""

    def __init__(self, wire: socket.socket) -> None:
        self._wire = wire

    def start(self, user: str, database: str, password: Secret) -> str | None:
        pairs = ("user", user, "database", database)
        body = struct.pack("!I", PROTOCOL) + b"".join(p.encode() + b"\0" for p in pairs) + b"\0"
        self._wire.sendall(struct.pack("!I", len(body) + 4) + body)
        scram = _Scram(password)
        while True:
            kind, body = self._read()
            if kind == b"E":
                return _sqlstate(body)
            if kind == b"Z":
                return None
            if kind == b"R" and not self._answer(scram, body):
                return None

    def _answer(self, scram: "_Scram", body: bytes) -> bool:
        """Go on with an authentication that we know; others than SCRAM and none we do not."""
        (method,) = struct.unpack("!I", body[:4])
        if method == AUTH_SASL and _SCRAM in body[4:].split(b"\0"):
            first = scram.first()
            self._send(_SCRAM + b"\0" + struct.pack("!I", len(first)) + first)
        elif method == AUTH_CONTINUE:
            self._send(scram.final(body[4:]))
        return method in (AUTH_OK, AUTH_SASL, AUTH_CONTINUE, AUTH_FINAL)

    def _send(self, body: bytes) -> None:
        self._wire.sendall(b"p" + struct.pack("!I", len(body) + 4) + body)

    def _read(self) -> tuple[bytes, bytes]:
        kind, size = struct.unpack("!cI", self._take(5))
        if not 4 <= size <= MAX_MESSAGE:
            raise ValueError
        return kind, self._take(size - 4)

    def _take(self, count: int) -> bytes:
        taken = b""
        while len(taken) < count:
            part = self._wire.recv(count - len(taken))
            if not part:
                raise EOFError
            taken += part
        return taken


class _Scram:
    """The client's half of SCRAM-SHA-256 (RFC 5802, RFC 7677)."""

    def __init__(self, password: Secret) -> None:
        self._password = unicodedata.normalize("NFKC", password.reveal()).encode()
        self._bare = b"n=,r=" + base64.b64encode(os.urandom(18))

    def first(self) -> bytes:
        return b"n,," + self._bare

    def final(self, challenge: bytes) -> bytes:
        given = dict(part.split(b"=", 1) for part in challenge.split(b","))
        salt, rounds = base64.b64decode(given[b"s"]), min(int(given[b"i"]), 100_000)
        salted = hashlib.pbkdf2_hmac("sha256", self._password, salt, rounds)
        client = hmac.digest(salted, b"Client Key", "sha256")
        bare = b"c=biws,r=" + given[b"r"]
        said = b",".join((self._bare, challenge, bare))
        signature = hmac.digest(hashlib.sha256(client).digest(), said, "sha256")
        proof = bytes(a ^ b for a, b in zip(client, signature, strict=True))
        return bare + b",p=" + base64.b64encode(proof)


def _sqlstate(body: bytes) -> str | None:
    for field in body.split(b"\0"):
        if field[:1] == b"C":
            return field[1:].decode("ascii", "replace")
    return None
