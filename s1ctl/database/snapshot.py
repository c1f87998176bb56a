"""One snapshot of a database, in which it is described, counted and dumped."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from s1ctl.database.applied import fetch_truth
from s1ctl.database.fingerprint import (
    COUNTS,
    DESCRIPTION,
    SETTINGS,
    Description,
    make_description,
)
from s1ctl.database.reach import reading
from s1ctl.site.secrets import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A database at one moment. `id` is for `pg_dump --snapshot`, while it is held.

    `counts` are the exact rows by `SCHEMA.TABLE`; schema `s1ctl` is in neither these nor the
    description, but what it says is applied are the `revisions`.
    """

    id: str
    server_version: str
    size_bytes: int
    description: Description
    counts: dict[str, int]
    revisions: tuple[str, ...]


@contextmanager
def holding_snapshot(dsn: Secret) -> Iterator[Snapshot]:
    """Take a snapshot and hold it for as long as the block runs; nobody is made to wait for it.

    Raises `InputOutputFailed` S1-D01 to D09.
    """
    with reading(dsn) as database, database.cursor() as cursor:
        cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield _look(cursor)


def count_rows(dsn: Secret) -> dict[str, int]:
    """Count the rows of every table, in one snapshot. Raises `InputOutputFailed`."""
    with reading(dsn) as database, database.cursor() as cursor:
        cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute(SETTINGS)
        return _count(cursor)


def _look(cursor: Cursor) -> Snapshot:
    snapshot, version, size = _ask(
        cursor,
        "SELECT pg_export_snapshot(), current_setting('server_version'),"
        " pg_database_size(current_database())",
    )[0]
    revisions = tuple(fetch_truth(cursor).applied)
    cursor.execute(SETTINGS)
    rows = [json.loads(str(text)) for (text,) in _ask(cursor, DESCRIPTION)]
    return Snapshot(
        id=str(snapshot),
        server_version=str(version),
        size_bytes=int(str(size)),
        description=make_description(rows),
        counts=_count(cursor),
        revisions=revisions,
    )


def _count(cursor: Cursor) -> dict[str, int]:
    counts = {}
    for name, statement in _ask(cursor, COUNTS):
        _, _, rows = json.loads(str(_ask(cursor, str(statement))[0][0]))
        counts[str(name)] = int(rows)
    return counts


def _ask(cursor: Cursor, statement: str) -> list[tuple[object, ...]]:
    cursor.execute(statement)
    return cursor.fetchall()
