"""Schema `s1ctl` in each service database: the truth about revisions."""

from dataclasses import dataclass, replace

from psycopg2.extensions import connection as Connection  # noqa: N812
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from s1ctl.database.reach import reading
from s1ctl.site.secrets import Secret

SCHEMA = "s1ctl"
VERSION_TABLE = "alembic_version"

# `hold.fence` is its key: a greater fence waits for whoever shares the row, a heartbeat does not.
_TABLES = """
CREATE SCHEMA IF NOT EXISTS s1ctl;
CREATE TABLE IF NOT EXISTS s1ctl.alembic_version (version_num varchar(255) PRIMARY KEY);
CREATE TABLE IF NOT EXISTS s1ctl.applied (
    number bigint GENERATED ALWAYS AS IDENTITY, revision text PRIMARY KEY, release text NOT NULL,
    digest text NOT NULL, operation text NOT NULL, plan text NOT NULL, fence bigint NOT NULL,
    at timestamptz NOT NULL DEFAULT now());
CREATE TABLE IF NOT EXISTS s1ctl.backfill (
    revision text PRIMARY KEY, pass int NOT NULL, cursor jsonb, seen bigint NOT NULL,
    rows bigint NOT NULL, done boolean NOT NULL);
CREATE TABLE IF NOT EXISTS s1ctl.hold (
    fence bigint PRIMARY KEY, operation text NOT NULL, heartbeat timestamptz NOT NULL,
    one boolean NOT NULL DEFAULT true UNIQUE CHECK (one));
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What a database says of itself: Alembic's heads, and revision to digest in order.

    `is_read_only` where a new session may write nothing: a standby, or set so.
    """

    heads: tuple[str, ...]
    applied: dict[str, str]
    is_read_only: bool = False

    @property
    def head(self) -> str | None:
        """The newest revision; None in a database that has none."""
        return self.heads[0] if self.heads else None


def applied_revisions(dsn: Secret) -> tuple[str, ...]:
    """List the applied revisions, oldest first. Raises `InputOutputFailed`."""
    return tuple(read_truth(dsn).applied)


def read_truth(dsn: Secret) -> Truth:
    """Read what is applied; writes nothing. Raises `InputOutputFailed`."""
    with reading(dsn) as database, database.cursor() as cursor:
        cursor.execute("SHOW transaction_read_only")
        is_read_only = cursor.fetchone() == ("on",)
        return replace(fetch_truth(cursor), is_read_only=is_read_only)


def fetch_truth(cursor: Cursor) -> Truth:
    """Read what is applied through an open cursor, in one statement's snapshot."""
    cursor.execute("SELECT to_regclass('s1ctl.applied') IS NOT NULL")
    if cursor.fetchone() != (True,):
        return Truth(heads=(), applied={})
    cursor.execute(
        "SELECT ARRAY(SELECT version_num::text FROM s1ctl.alembic_version),"
        " ARRAY(SELECT revision FROM s1ctl.applied ORDER BY number),"
        " ARRAY(SELECT digest FROM s1ctl.applied ORDER BY number)"
    )
    row = cursor.fetchone()
    assert row is not None
    heads, revisions, digests = row
    return Truth(heads=tuple(heads), applied=dict(zip(revisions, digests, strict=True)))


def is_begun_by(dsn: Secret, operation: str) -> bool:
    """Say whether every applied revision is this operation's, as in a database that held nothing.

    Raises `InputOutputFailed`.
    """
    with reading(dsn) as database, database.cursor() as cursor:
        cursor.execute("SELECT to_regclass('s1ctl.applied') IS NOT NULL")
        if cursor.fetchone() != (True,):
            return True
        cursor.execute("SELECT count(*) FROM s1ctl.applied WHERE operation <> %s", (operation,))
        return cursor.fetchone() == (0,)


def ensure_tables(database: Connection) -> None:
    """Make the schema and its tables where they are missing. One transaction."""
    with database.cursor() as cursor:
        cursor.execute("SELECT to_regclass('s1ctl.hold') IS NOT NULL")
        if cursor.fetchone() != (True,):
            cursor.execute("BEGIN;" + _TABLES + "COMMIT")
