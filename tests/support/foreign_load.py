"""Users of `ledgerly`: they write and read all the time, and count what failed."""

import http.client
import json
import threading
import time
from types import TracebackType

PERIOD_S = 0.05


class Users:
    """Writers and readers side by side, from entering the block to its end."""

    def __init__(self, port: int, *, writers: int = 2, readers: int = 2) -> None:
        self.written: list[int] = []
        self.requests = 0
        self.faults: list[str] = []
        self._port = port
        self._ended = threading.Event()
        self._mutex = threading.Lock()
        works = [self._write] * writers + [self._read] * readers
        self._threads = [
            threading.Thread(target=self._run, args=(work,), daemon=True) for work in works
        ]

    def __enter__(self) -> "Users":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._ended.set()
        for thread in self._threads:
            thread.join(30)

    def _run(self, work) -> None:
        due = time.monotonic()
        while not self._ended.is_set():
            fault = None
            try:
                fault = work()
            except (OSError, http.client.HTTPException, ValueError) as error:
                fault = f"{work.__name__}: {type(error).__name__}: {error}"
            with self._mutex:
                self.requests += 1
                self.faults += [fault] if fault else []
            due = max(due + PERIOD_S, time.monotonic())
            time.sleep(max(0.0, due - time.monotonic()))

    def _write(self) -> str | None:
        status, found = ask(self._port, "POST", "/entries", {"account": "load", "amount": 1})
        if status != 201:
            return f"POST: {status}"
        with self._mutex:
            self.written.append(found["id"])
        return None

    def _read(self) -> str | None:
        status, _ = ask(self._port, "GET", "/entries?last=3")
        return None if status == 200 else f"GET: {status}"


def write_entry(port: int, account: str, amount: int) -> int:
    """Write one entry, and answer its number."""
    status, found = ask(port, "POST", "/entries", {"account": account, "amount": amount})
    if status != 201:
        raise RuntimeError(f"the platform answered {status}")
    return int(found["id"])


def count(port: int) -> int:
    """Say how many entries there are."""
    return int(ask(port, "GET", "/")[1]["entries"])


def ask(port: int, method: str, path: str, value: object = None) -> tuple[int, dict]:
    """Ask the platform once, on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=15)
    try:
        connection.request(method, path, None if value is None else json.dumps(value))
        answer = connection.getresponse()
        text = answer.read()
        return answer.status, json.loads(text) if answer.status < 500 else {}
    finally:
        connection.close()
