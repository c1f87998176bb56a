"""Requests of which the whole answer has one deadline, asked of servers that drip."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from s1ctl.targets.asking import NoAnswer, ask_url
from s1ctl.targets.health import ask
from s1ctl.targets.probe import OpenLoop, RequestError, probe_url

HEAD = b"HTTP/1.1 200 OK\r\n\r\n"


@contextmanager
def serving(start: bytes, drip: bytes = b"") -> Iterator[int]:
    """Answer every connection with `start`, then `drip` again and again."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_serve, args=(server, start, drip, over), daemon=True)
        thread.start()
        yield server.getsockname()[1]
        over.set()


def _serve(server: socket.socket, start: bytes, drip: bytes, over: threading.Event) -> None:
    with suppress(OSError):
        while not over.is_set():
            connection, _ = server.accept()
            threading.Thread(
                target=_answer, args=(connection, start, drip, over), daemon=True
            ).start()


def _answer(connection: socket.socket, start: bytes, drip: bytes, over: threading.Event) -> None:
    with suppress(OSError), connection:
        connection.recv(65536)
        connection.sendall(start)
        while drip and not over.wait(0.02):
            connection.sendall(drip)


def test_a_whole_answer_is_read_up_to_the_cap() -> None:
    with serving(HEAD + b"x" * 100) as port:
        assert ask_url(f"http://127.0.0.1:{port}/", timeout_s=5, max_bytes=9) == (200, b"x" * 9)
    with serving(HEAD + b"2.0") as port:
        assert ask("127.0.0.1", port, "/version").text == "2.0"


@pytest.mark.parametrize("start", [HEAD, b"HTTP/1.1 200 OK\r\nX: ", b""])
def test_an_answer_that_drips_for_ever_is_none(start: bytes) -> None:
    with serving(start, b"a") as port:
        answer = ask("127.0.0.1", port, "/ready", timeout_s=0.3)
    assert answer.status is None
    assert "0.3 s" in answer.text


def test_where_nobody_listens_the_reason_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(NoAnswer, match="refused"):
        ask_url(f"http://127.0.0.1:{port}/", timeout_s=5, max_bytes=9)


def test_a_client_whose_server_drips_counts_failures_and_can_be_stopped() -> None:
    with serving(HEAD, b"a") as port:
        client = probe_url(f"http://127.0.0.1:{port}/", rate_per_s=20, timeout_s=0.3)
        client.start()
        numbers = client.stop()
    assert numbers.failed == numbers.requests


def test_a_client_stops_though_no_request_ever_ends() -> None:
    for_ever, begun = threading.Event(), threading.Event()

    def send(_: int) -> None:
        begun.set()
        for_ever.wait(60)
        raise RequestError("hung")

    client = OpenLoop(rate_per_s=1000, send=send, workers=200, patience_s=0.1)
    client.start()
    assert begun.wait(30)
    stopping = threading.Thread(target=client.stop, daemon=True)
    stopping.start()
    stopping.join(15)
    is_stopped = not stopping.is_alive()
    for_ever.set()
    assert is_stopped
