"""Indexes built beside running clients: what a killed build left behind, and what is proof."""

from typing import Any

from psycopg2 import sql
from psycopg2.extensions import connection as Connection  # noqa: N812
from sqlalchemy import Column, Index, event
from sqlalchemy.engine import Connection as Session
from sqlalchemy.schema import CreateIndex, DropIndex

from s1ctl.errors import StepFailed

_FIND = """
SELECT c.oid::regclass::text, i.indisvalid AND i.indisready, i.indrelid = to_regclass(%(table)s),
    i.indisunique, ARRAY(SELECT coalesce(a.attname::text, '')
        FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, n)
        LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
        WHERE k.n <= i.indnkeyatts ORDER BY k.n)
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE c.relname = %(name)s AND c.relnamespace = (
    SELECT relnamespace FROM pg_class WHERE oid = to_regclass(%(table)s))
"""
_INVALID = """
SELECT i.indexrelid::regclass::text FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE NOT (i.indisvalid AND i.indisready) AND n.nspname NOT LIKE 'pg\\_%' AND c.relkind = 'r'
ORDER BY 1
"""


def build_beside(session: Session, database: Connection, max_stall_ms: int) -> None:
    """Prepare each statement outside of a transaction for running beside clients.

    CONCURRENTLY waits without a lock timeout, since nobody queues behind it; whatever else keeps
    it. Before a CREATE INDEX CONCURRENTLY an INVALID index of that name is dropped; a valid one
    must have the definition asked for, else `StepFailed` S1-D33.
    """

    def before(_: Session, clause: Any, *__: Any) -> None:
        index = clause.element if isinstance(clause, CreateIndex | DropIndex) else None
        beside = index is not None and index.dialect_options["postgresql"]["concurrently"]
        with database.cursor() as cursor:
            cursor.execute("SET lock_timeout = %s", ("0" if beside else f"{max_stall_ms}ms",))
        if beside and isinstance(clause, CreateIndex):
            _clear(database, clause.element)

    event.listen(session, "before_execute", before)


def check_indexes(database: Connection) -> None:
    """Refuse to go on where an index is not valid and ready: `IF NOT EXISTS` is no proof.

    Raises `StepFailed` S1-D34.
    """
    with database.cursor() as cursor:
        cursor.execute(_INVALID)
        names = [row[0] for row in cursor.fetchall()]
    if names:
        raise StepFailed(
            f"index `{'`, `'.join(names)}` is not valid: its build was broken off",
            code="S1-D34",
            hint="drop it with `DROP INDEX CONCURRENTLY`, then run `s1ctl resume`",
        )


def _clear(database: Connection, index: Index) -> None:
    assert index.table is not None
    quoted = sql.Identifier(*(part for part in (index.table.schema, index.table.name) if part))
    with database.cursor() as cursor:
        table = quoted.as_string(database)
        cursor.execute(_FIND, {"name": str(index.name), "table": table})
        row = cursor.fetchone()
        if row is None:
            return
        name, is_whole, *found = row
        if not is_whole:
            cursor.execute(f"DROP INDEX CONCURRENTLY {name}")  # quoted by regclass
        elif found != _definition(index):
            raise StepFailed(
                f"index `{name}` is there, {_words(found)}; the revision wants it"
                f" {_words(_definition(index))}",
                code="S1-D33",
                hint=f"if somebody made it by hand, run `DROP INDEX CONCURRENTLY {name}` there,"
                " then repeat; else call the vendor",
            )


def _words(definition: list[Any]) -> str:
    is_here, is_unique, columns = definition
    named = ", ".join(f"`{column}`" if column else "an expression" for column in columns)
    return f"{'unique ' if is_unique else ''}on {named}{'' if is_here else ' of another table'}"


def _definition(index: Index) -> list[Any]:
    """Say table, uniqueness and columns as `_FIND` does; an expression is an empty name."""
    names = [item.name if isinstance(item, Column) else "" for item in index.expressions]
    return [True, bool(index.unique), names]
