"""An app that obeys the contract: /ready, /live, /version, work of 200 ms, drains on SIGTERM.

WHAT says how it is wrong: `broken` is never ready and answers every request with 500. With PEER
it is ready only while that service takes connections.
Only what a small Python has is imported.
"""

import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path

VERSION = os.environ["VERSION"]
WHAT = os.environ.get("WHAT", "good")
PEER = os.environ.get("PEER")
WORK_S = 0.2
busy = set()


def main():
    listener = socket.create_server(("", 8080), backlog=512)
    stopping = []
    signal.signal(signal.SIGTERM, lambda *_: (stopping.append(1), listener.close()))
    sys.stdout.write(f"version {VERSION} listens\n")
    sys.stdout.flush()
    while not stopping:
        try:
            connection, _ = listener.accept()
        except OSError:
            break
        busy.add(connection)
        threading.Thread(target=serve, args=(connection,), daemon=True).start()
    until = time.monotonic() + 8
    while busy and time.monotonic() < until:
        time.sleep(0.02)


def serve(connection):
    try:
        with connection:
            connection.settimeout(10)
            request = b""
            while b"\r\n\r\n" not in request:
                part = connection.recv(4096)
                if not part:
                    return
                request += part
            status, text = answer(request.split(b" ")[1].decode())
            body = text.encode()
            connection.sendall(
                f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n"
                f"Connection: close\r\n\r\n".encode()
                + body
            )
    except OSError:
        pass
    finally:
        busy.discard(connection)


def is_answering(peer):
    try:
        socket.create_connection((peer, 8080), timeout=2).close()
    except OSError:
        return False
    return True


def answer(path):
    if path == "/live":
        return 200, "live"
    if path == "/version":
        return 200, VERSION
    if path == "/secret":
        return 200, Path("/run/secrets/token").read_text()
    if WHAT == "broken":
        return 500, "broken"
    if path == "/ready":
        return (200, "ready") if not PEER or is_answering(PEER) else (503, "no peer")
    time.sleep(WORK_S)
    return 200, VERSION


main()
