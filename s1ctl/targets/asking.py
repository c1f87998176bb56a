"""One HTTP request with one deadline for all of it, however slowly its answer drips."""

import socket
import threading
from contextlib import closing, suppress
from http.client import HTTPException

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection


class NoAnswer(Exception):
    """Nobody answered in time, or not wholly; with the reason."""


def ask_url(url: str, *, timeout_s: float, max_bytes: int) -> tuple[int, bytes]:
    """Ask over a connection of its own; answers status and the first bytes of the body.

    `timeout_s` is for the connection, and then for the answer as a whole: a socket's own timeout
    starts anew with every byte. Raises `NoAnswer`.
    """
    parts = urllib3.util.parse_url(url)
    make = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    try:
        with closing(make(str(parts.host), parts.port, timeout=timeout_s)) as connection:
            connection.connect()
            return _ask(connection, parts.request_uri, timeout_s, max_bytes)
    except (urllib3.exceptions.HTTPError, HTTPException, OSError) as error:
        raise NoAnswer(f"{type(error).__name__}: {error}") from None


def _ask(
    connection: HTTPConnection, path: str, timeout_s: float, max_bytes: int
) -> tuple[int, bytes]:
    is_late = threading.Event()
    wire = connection.sock  # which the connection forgets once it has the head of an answer

    def cut() -> None:
        is_late.set()
        with suppress(OSError):
            socket.socket.shutdown(wire, socket.SHUT_RDWR)

    watchdog = threading.Timer(timeout_s, cut)
    watchdog.daemon = True
    watchdog.start()
    try:
        headers = {"Connection": "close"}
        connection.request("GET", path, headers=headers, preload_content=False)
        response = connection.getresponse()
        raw = response.read(max_bytes)
        status = response.status
    except (urllib3.exceptions.HTTPError, HTTPException, OSError):
        if not is_late.is_set():
            raise
    finally:
        watchdog.cancel()
    if is_late.is_set():
        raise NoAnswer(f"no whole answer within {timeout_s:g} s")
    return status, raw
