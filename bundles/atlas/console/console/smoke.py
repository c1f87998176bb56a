"""After the roll: does console answer its peers, as this release? `python -m console.smoke`."""

import http.client
import json
import os
import sys
import time
from typing import Any

from console.release import APIS, VERSION

TIMEOUT_S = 10
PAUSE_S = 0.5


def main() -> int:
    """Ask for the version, and for an event in every version of the API."""
    host, port = os.environ.get("CONSOLE_HOST", "console"), os.environ.get("CONSOLE_PORT", "8080")
    answers = {
        path: ask(host, int(port), path)
        for path in ("/version", *(f"/api/{api.version}/events?limit=1" for api in APIS))
    }
    told = answers["/version"].get("version")
    print(json.dumps({"version": told, "answered": list(answers)}), flush=True)
    if told != VERSION:
        print(f"console is {told}, not {VERSION}", file=sys.stderr)
    return int(told != VERSION)


def ask(host: str, port: int, path: str) -> Any:
    """Return the document at a path; a refused connection is tried once more."""
    try:
        return _ask(host, port, path)
    except ConnectionRefusedError:
        time.sleep(PAUSE_S)
        return _ask(host, port, path)


def _ask(host: str, port: int, path: str) -> Any:
    connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        raw = answer.read()
    finally:
        connection.close()
    if answer.status != 200:
        raise SystemExit(f"{path} answered {answer.status}: {raw[:200].decode(errors='replace')}")
    return json.loads(raw)


if __name__ == "__main__":
    sys.exit(main())
