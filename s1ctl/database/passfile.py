"""Passwords for PostgreSQL's own programs: in a file, never in their arguments or environment."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from s1ctl.database.reach import parse_place
from s1ctl.site.secrets import Secret


def make_passfile(dsn: Secret) -> Secret:
    """Make the text of a password file (libpq, "The Password File") for one server and user."""
    parts = parse_place(dsn)
    fields = (parts["host"], parts["port"], "*", parts["user"], parts.get("password", ""))
    return Secret(":".join(f.replace("\\", "\\\\").replace(":", "\\:") for f in fields) + "\n")


PREFIX = "s1ctl-pgpass-"


@contextmanager
def passfile(dsn: Secret, work: Path | None = None) -> Iterator[Path]:
    """Have a password file in a folder of its own under `work`, for as long as the block runs.

    What a killed process left there is removed first.
    """
    if work is not None:
        work.mkdir(mode=0o700, parents=True, exist_ok=True)
        _sweep(work)
    with tempfile.TemporaryDirectory(prefix=f"{PREFIX}{os.getpid()}-", dir=work) as folder:
        path = Path(folder) / "pgpass"
        path.touch(mode=0o600)
        path.write_text(make_passfile(dsn).reveal(), "utf-8")
        yield path


def _sweep(work: Path) -> None:
    for rest in work.glob(f"{PREFIX}*"):
        pid = rest.name.removeprefix(PREFIX).split("-")[0]
        if not (pid.isdecimal() and Path(f"/proc/{pid}").exists()):
            shutil.rmtree(rest, ignore_errors=True)


def quote(value: str) -> str:
    """Quote a value of a connection string."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
