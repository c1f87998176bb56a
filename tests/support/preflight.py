"""Preflight without the command line: collectors and judges, and an engine that only pretends."""

import json
import socketserver
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from s1ctl.preflight.catalogue import select
from s1ctl.preflight.check import evaluate
from s1ctl.preflight.collect import Collector, collect
from s1ctl.preflight.finding import Finding
from s1ctl.preflight.needs import Needs
from s1ctl.shape import parse_value
from s1ctl.site.config import Site

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def make_site(**changes: Any) -> Site:
    """Make a site from a few words; `changes` replace keys of the site file."""
    return parse_value(
        {
            "version": 1,
            "name": "acme",
            "target": {"kind": "docker", "network": "10.97.0.0/24"},
            "registry": {"url": "http://127.0.0.1:1/shop"},
            "trust": {"product": "shop", "channel": "stable"},
            **changes,
        },
        Site,
    )


def make_needs(site: Site | None = None, **changes: Any) -> Needs:
    """Make what release 1.0.0 needs of a site."""
    return Needs(
        **{"phase": "install", "site": site or make_site(), "source": "release 1.0.0", **changes}
    )


def findings_of(
    collectors: Mapping[str, Collector], needs: Needs, *only: str, deadline_s: float = 30
) -> dict[str, Finding]:
    """Collect for real and judge; the findings by id."""
    facts = collect(collectors, taken_at=AT, deadline_s=deadline_s)
    return {finding.id: finding for finding in evaluate(select(None, only), facts, needs)}


def outcomes(findings: Mapping[str, Finding]) -> dict[str, str]:
    """Say each finding in one word."""
    return {name: finding.outcome for name, finding in findings.items()}


class PretendedEngine:
    """Answers like an engine of another kind or age; remembers what it was asked."""

    def __init__(self, answers: Mapping[str, object], *, least_api: str = "1.12") -> None:
        self.answers = answers
        self.least = tuple(map(int, least_api.split(".")))
        self.asked: list[tuple[str, str]] = []

    @contextmanager
    def listening(self, path: Path) -> Iterator[Path]:
        """Listen at a socket until the block ends."""
        with _Server(str(path), _handler(self)) as server:
            thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
            thread.start()
            try:
                yield path
            finally:
                server.shutdown()
                thread.join(10)

    def answer(self, path: str) -> tuple[int, object]:
        """Find the answer to a path, with or without `/vNUMBER` before it."""
        path = path.partition("?")[0]
        number, _, rest = path.removeprefix("/v").partition("/")
        if path.startswith("/v1.") and tuple(map(int, number.split("."))) < self.least:
            return 400, {"message": f"client version {number} is too old"}
        wanted = "/" + rest if path.startswith("/v1.") else path
        return (200, self.answers[wanted]) if wanted in self.answers else (404, {"message": "no"})


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, *_: object) -> None:
        """Say nothing of guests that leave early."""


def _handler(engine: PretendedEngine) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            engine.asked.append(("GET", self.path))
            status, data = engine.answer(self.path)
            raw = data if isinstance(data, bytes) else json.dumps(data).encode()
            self.send_response(status)
            if status == 200 and self.path == "/_ping" and raw == b"OK":
                self.send_header("Api-Version", "1.44")
            kind = "text/plain" if isinstance(data, bytes) else "application/json"
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: object) -> None:
            pass

    return Handler
