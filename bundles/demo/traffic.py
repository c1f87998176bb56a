"""The load client beside the platform: an open loop of requests, half of which write."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from places import ATLAS, DEMO
from story import Story, StoryError

RATE = 50
LEAD_S = 3
SHOWN = ("requests", "failed", "worst_ms", "p99_ms", "seconds")


@contextmanager
def traffic(story: Story, url: str, name: str) -> Iterator[dict[str, Any]]:
    """Send requests while the block runs, some seconds longer at both ends; fill in the numbers."""
    out = DEMO / f"load-{name}.json"
    out.unlink(missing_ok=True)
    story.say(
        f"A client now sends {RATE} requests per second to {url}; every second one writes a row."
    )
    numbers: dict[str, Any] = {}
    client = subprocess.Popen(
        [
            sys.executable,
            str(ATLAS / "load.py"),
            "--url",
            url,
            "--rate",
            str(RATE),
            "--out",
            str(out),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    try:
        time.sleep(LEAD_S)
        yield numbers
        time.sleep(LEAD_S)
    finally:
        client.send_signal(signal.SIGTERM)
        client.wait(60)
    numbers |= json.loads(out.read_bytes())
    story.say(
        f"The client: {numbers['requests']} requests, {numbers['failed']} failed,"
        f" worst {numbers['worst_ms']} ms, p99 {numbers['p99_ms']} ms, {numbers['seconds']} s;"
        f" answered by {_versions(numbers)}."
    )
    for error in numbers["first_errors"]:
        story.say(f"  failed at {error['at_s']} s: {error['error']}")


def rows_lost(story: Story, url: str, names: Iterable[str]) -> dict[str, int]:
    """Look for every row that the platform said it had written."""
    rows = {"written": 0, "lost": 0}
    for name in names:
        found = _check(url, DEMO / f"load-{name}.json")
        rows = {key: rows[key] + found[key] for key in rows}
    story.say(f"Of {rows['written']} rows that were acknowledged, {rows['lost']} are lost.")
    return rows


def _check(url: str, results: Path) -> dict[str, int]:
    command = [sys.executable, str(ATLAS / "load.py"), "--url", url, "--check", str(results)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if not done.stdout:
        raise StoryError(f"rows could not be looked for: {done.stderr.strip()}")
    found: dict[str, int] = json.loads(done.stdout)
    return found


def _versions(numbers: dict[str, Any]) -> str:
    return ", ".join(
        f"{version or 'nobody'} ({count})" for version, count in numbers["by_version"].items()
    )
