"""Write and read events all the time, and tell what failed, how long the worst took, what is lost.

It speaks version 1 of the API, which every release of atlas answers.

The load is open: request N starts at its scheduled time, however the platform does, and its
latency counts from then. A stall therefore shows in every request that it delayed.

    python load.py --url http://127.0.0.1:8443 --rate 50 --out load.json --stop-file stop
    python load.py --url http://127.0.0.1:8443 --check load.json
"""

import argparse
import http.client
import json
import queue
import random
import signal
import sys
import threading
import time
import urllib.parse
import uuid
from collections import Counter
from pathlib import Path
from typing import Any

WORKERS = 200
TIMEOUT_S = 30
ERRORS_SHOWN = 10
KEYS_AT_ONCE = 500
EVENTS = "/api/v1/events"


class RequestError(Exception):
    """A request that was not answered as it should have been."""


class Client:
    """Asks the platform at `url`, with a connection for each request and no retry."""

    def __init__(self, url: str) -> None:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme != "http" or parts.hostname is None:
            raise SystemExit(f"`{url}` is not an http address")
        self._host, self._port = parts.hostname, parts.port or 80

    def ask(self, method: str, path: str, body: object = None) -> tuple[Any, str]:
        """Return the answer's document and the version that gave it."""
        connection = http.client.HTTPConnection(self._host, self._port, timeout=TIMEOUT_S)
        try:
            payload = None if body is None else json.dumps(body)
            connection.request(method, path, payload, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            raw = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise RequestError(f"{method} {path}: {type(error).__name__} {error}") from error
        finally:
            connection.close()
        if answer.status not in (200, 201):
            raise RequestError(
                f"{method} {path}: {answer.status} {raw[:100].decode(errors='replace')}"
            )
        return json.loads(raw), answer.headers.get("X-Console-Version", "")


class Load:
    """The open load and its results."""

    def __init__(self, client: Client, rate: float) -> None:
        self._client = client
        self._rate = rate
        self._due: queue.SimpleQueue[tuple[int, float] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._latencies: list[float] = []
        self._versions: Counter[str] = Counter()
        self._errors: list[dict[str, Any]] = []
        self._failed = 0
        self._scheduled = 0
        self._started = 0.0
        self.keys: list[str] = []

    def run(self, stop: threading.Event, stop_file: Path | None, max_seconds: float) -> None:
        """Send until told to stop, then wait for what is under way."""
        workers = [threading.Thread(target=self._work, daemon=True) for _ in range(WORKERS)]
        for worker in workers:
            worker.start()
        self._started = time.monotonic()
        while not self._is_over(stop, stop_file, max_seconds):
            due = self._started + self._scheduled / self._rate
            time.sleep(max(0.0, due - time.monotonic()))
            self._due.put((self._scheduled, due))
            self._scheduled += 1
        self._seconds = time.monotonic() - self._started
        for _ in workers:
            self._due.put(None)
        deadline = time.monotonic() + TIMEOUT_S + 5
        for worker in workers:
            worker.join(max(0.0, deadline - time.monotonic()))

    def result(self) -> dict[str, Any]:
        """Return the numbers; a request that was never answered counts as failed."""
        with self._lock:
            latencies = sorted(self._latencies)
            unanswered = self._scheduled - len(latencies)
            return {
                "requests": self._scheduled,
                "failed": self._failed + unanswered,
                "worst_ms": round(latencies[-1] * 1000, 1) if latencies else None,
                "p99_ms": round(_percentile(latencies, 0.99) * 1000, 1) if latencies else None,
                "seconds": round(self._seconds, 1),
                "written": len(self.keys),
                "by_version": dict(sorted(self._versions.items())),
                "first_errors": self._errors,
                "keys": list(self.keys),
            }

    def _is_over(self, stop: threading.Event, stop_file: Path | None, max_seconds: float) -> bool:
        is_told = stop.is_set() or (stop_file is not None and stop_file.exists())
        return is_told or time.monotonic() - self._started > max_seconds

    def _work(self) -> None:
        while (item := self._due.get()) is not None:
            number, due = item
            error = None
            version = ""
            try:
                version = self._send(number)
            except RequestError as failure:
                error = str(failure)
            latency = time.monotonic() - due
            with self._lock:
                self._latencies.append(latency)
                if error is None:
                    self._versions[version] += 1
                else:
                    self._note(error, due)

    def _note(self, error: str, due: float) -> None:
        self._failed += 1
        if len(self._errors) < ERRORS_SHOWN:
            self._errors.append({"at_s": round(due - self._started, 2), "error": error})

    def _send(self, number: int) -> str:
        if number % 2 == 0:
            return self._write(number)
        if number % 4 == 1 or not self.keys:
            return self._client.ask("GET", f"{EVENTS}?limit=20")[1]
        key = random.choice(self.keys)
        document, version = self._client.ask("GET", f"{EVENTS}/by-key/{key}")
        if (document.get("key"), document.get("text")) != (key, text_of(key)):
            raise RequestError(f"the row of {key} is another one: {document}")
        return version

    def _write(self, number: int) -> str:
        key = str(uuid.uuid4())
        body = {"key": key, "level": number // 2 % 8, "text": text_of(key)}
        _, version = self._client.ask("POST", EVENTS, body)
        self.keys.append(key)
        return version


def text_of(key: str) -> str:
    """Return the text of the event that is written under a key: whoever reads it can tell."""
    return f"event {key}"


def _percentile(latencies: list[float], part: float) -> float:
    return latencies[min(len(latencies) - 1, int(len(latencies) * part))]


def check(client: Client, keys: list[str]) -> dict[str, Any]:
    """Ask for every acknowledged key; return how many are not there any more."""
    missing: list[str] = []
    for start in range(0, len(keys), KEYS_AT_ONCE):
        asked = keys[start : start + KEYS_AT_ONCE]
        found = set(client.ask("POST", f"{EVENTS}/lookup", {"keys": asked})[0]["found"])
        missing.extend(key for key in asked if key not in found)
    return {"written": len(keys), "lost": len(missing), "first_lost": missing[:ERRORS_SHOWN]}


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--url", required=True, help="the platform's address")
    parser.add_argument("--rate", type=float, default=50, help="requests a second")
    parser.add_argument("--out", type=Path, help="write the results there")
    parser.add_argument("--stop-file", type=Path, help="stop when this file exists")
    parser.add_argument("--max-seconds", type=float, default=900)
    parser.add_argument("--check", type=Path, help="look for the rows of these results, and end")
    options = parser.parse_args()
    client = Client(options.url)
    if options.check:
        try:
            result = check(client, json.loads(options.check.read_bytes())["keys"])
        except RequestError as failure:
            print(f"error: {failure}", file=sys.stderr)
            return 2
        print(json.dumps(result))
        return 1 if result["lost"] else 0
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    load = Load(client, options.rate)
    load.run(stop, options.stop_file, options.max_seconds)
    result = load.result()
    if options.out:
        _write(options.out, result)
    print(json.dumps({name: value for name, value in result.items() if name != "keys"}))
    return 0


def _write(path: Path, result: dict[str, Any]) -> None:
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(json.dumps(result))
    temporary.replace(path)


if __name__ == "__main__":
    sys.exit(main())
