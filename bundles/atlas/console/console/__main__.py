"""Start console: `python -m console`."""

# ruff: noqa: E402 - what comes first has to
import signal
import sys

# As PID 1 of a container a process has no default action for SIGTERM.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))

from gevent import monkey

monkey.patch_all()

import os

from console.app import make_app
from console.config import read_config
from console.database import Database
from console.logs import write_json_logs
from console.server import serve


def main() -> None:
    """Serve until SIGTERM."""
    write_json_logs(sys.stdout)
    config = read_config(os.environ)
    serve(make_app(Database(config)), config)


main()
