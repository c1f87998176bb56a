"""Passwords for PostgreSQL's own programs: in a file, never in their arguments or environment."""

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


@contextmanager
def passfile(dsn: Secret) -> Iterator[Path]:
    """Have a password file in a folder of its own, for as long as the block runs."""
    with tempfile.TemporaryDirectory(prefix="s1ctl-") as folder:
        path = Path(folder) / "pgpass"
        path.touch(mode=0o600)
        path.write_text(make_passfile(dsn).reveal(), "utf-8")
        yield path


def quote(value: str) -> str:
    """Quote a value of a connection string."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
