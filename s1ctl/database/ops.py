"""What a revision module may use besides alembic and sqlalchemy: backfills and safe verbs."""

from typing import Any

from alembic import op

from s1ctl.database.backfill import Backfill

__all__ = [
    "Backfill",
    "add_check",
    "add_foreign_key",
    "create_index",
    "drop_index",
    "validate",
]


def create_index(name: str, table: str, columns: list[str], **options: Any) -> None:
    """Build an index CONCURRENTLY; in a revision with `transactional = False`.

    An INVALID left-over of the same name is dropped first; a valid one of the same definition is
    kept, so that repeating is harmless. `options` are those of `op.create_index`.
    """
    op.create_index(
        name, table, columns, postgresql_concurrently=True, if_not_exists=True, **options
    )


def drop_index(name: str, table: str, **options: Any) -> None:
    """Drop an index CONCURRENTLY where it is; in a revision with `transactional = False`."""
    op.drop_index(name, table_name=table, postgresql_concurrently=True, if_exists=True, **options)


def add_check(name: str, table: str, condition: str, **options: Any) -> None:
    """Add a CHECK that holds for new rows only; `validate` it in an enforce revision."""
    op.create_check_constraint(name, table, condition, postgresql_not_valid=True, **options)


def add_foreign_key(
    name: str, table: str, columns: list[str], *, to: str, to_columns: list[str], **options: Any
) -> None:
    """Add a foreign key that holds for new rows only; `validate` it in an enforce revision."""
    op.create_foreign_key(
        name, table, to, columns, to_columns, postgresql_not_valid=True, **options
    )


def validate(name: str, table: str) -> None:
    """Validate a constraint that was added NOT VALID: reads the table, blocks no client."""
    quote = op.get_context().dialect.identifier_preparer.quote
    where = ".".join(quote(part) for part in table.split("."))
    op.execute(f"ALTER TABLE {where} VALIDATE CONSTRAINT {quote(name)}")
