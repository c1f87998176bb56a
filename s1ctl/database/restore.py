"""Dumps restored: aside, to prove them, and into the live database."""

from collections.abc import Mapping
from pathlib import Path

from s1ctl.database.fingerprint import Description, read_description
from s1ctl.database.inspection import Restored
from s1ctl.database.reach import parse_place, reading
from s1ctl.database.scripts import ADMIN, PROVE, PROVE_INNER, RESTORE
from s1ctl.site.secrets import Secret

PROVE_ARGV = ("sh", "-c", PROVE)
# Parameters of a connection string as libpq takes them by its environment ("Environment
# Variables"); the script makes `PGSSLMODE` of the first, since an image may have its own.
_ASKED = {
    "sslmode": "S1CTL_SSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "sslcrl": "PGSSLCRL",
    "sslcrldir": "PGSSLCRLDIR",
    "sslsni": "PGSSLSNI",
    "ssl_min_protocol_version": "PGSSLMINPROTOCOLVERSION",
    "ssl_max_protocol_version": "PGSSLMAXPROTOCOLVERSION",
    "channel_binding": "PGCHANNELBINDING",
    "gssencmode": "PGGSSENCMODE",
    "hostaddr": "PGHOSTADDR",
}

RESTORE_ARGV = ("sh", "-c", RESTORE)


def prove_environment(dbname: str, role: str, dump: str | None) -> dict[str, str]:
    """Make what the proof's script is told.

    In a container the dump is restored by a superuser, here (`dump` None: it is stdin) by a role
    that may do no more than the database's own.
    """
    told = {"S1CTL_SCRIPT": PROVE_INNER, "S1CTL_DBNAME": dbname, "S1CTL_ROLE": role}
    if dump is None:
        return {**told, "S1CTL_AS": role}
    return {**told, "S1CTL_AS": ADMIN, "S1CTL_DUMP": dump}


def restore_environment(
    dsn: Secret, dump: str, *, operation: str, backup: str, fence: int
) -> dict[str, str]:
    """Make what the restore's script is told; the password comes by `PGPASSFILE`.

    How the server is to be proven goes with it: what a URL asks of TLS holds for `psql` too.
    """
    parts = parse_place(dsn)
    asked = {name: parts[key] for key, name in _ASKED.items() if key in parts}
    return {
        **asked,
        "PGHOST": parts["host"],
        "PGPORT": parts["port"],
        "PGUSER": parts["user"],
        "PGDATABASE": parts["dbname"],
        "S1CTL_DUMP": dump,
        "S1CTL_OPERATION": operation,
        "S1CTL_BACKUP": backup,
        "S1CTL_FENCE": str(fence),
    }


def is_restored(dsn: Secret, *, operation: str, backup: str) -> bool:
    """Say whether the operation has put this backup in place. Raises `InputOutputFailed`."""
    with reading(dsn) as database, database.cursor() as cursor:
        cursor.execute("SELECT to_regclass('s1ctl.restored') IS NOT NULL")
        if cursor.fetchone() != (True,):
            return False
        cursor.execute(
            "SELECT count(*) FROM s1ctl.restored WHERE (operation, backup) = (%s, %s)",
            (operation, backup),
        )
        return cursor.fetchone() == (1,)


def first_difference(
    restored: Restored,
    *,
    fingerprint: str,
    counts: Mapping[str, int],
    revisions: tuple[str, ...],
    described: Description | None,
) -> str | None:
    """Name the first thing that is not as it was dumped; None where all is."""
    found = restored.description
    if found.fingerprint != fingerprint:
        named = described.difference(found) if described else None
        return named or f"the schema's fingerprint is `{found.fingerprint}`, not `{fingerprint}`"
    for table in sorted({*counts, *restored.counts}):
        was, now = counts.get(table), restored.counts.get(table)
        if was != now:
            return f"table `{table}` has {_rows(now)}, and had {_rows(was)}"
    if restored.revisions != revisions:
        return f"{len(restored.revisions)} revisions are applied, and were {len(revisions)}"
    return None


def description_path(dump: Path) -> Path:
    """Say where the description of a dumped schema lies: beside the dump."""
    return dump.with_suffix(".schema")


def find_description(dump: Path) -> Description | None:
    """Read the description that lies beside a dump; None where there is none that can be read."""
    try:
        return read_description(description_path(dump).read_bytes())
    except (OSError, ValueError):
        return None


def _rows(count: int | None) -> str:
    return "none of it" if count is None else f"{count} rows"
