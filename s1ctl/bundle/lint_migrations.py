"""Whether a revision does what its phase allows: see docs/migrations.md."""

import ast
from collections.abc import Iterator

from s1ctl.bundle.lint_finding import Finding
from s1ctl.bundle.lint_operations import Kind, Operation, operations_of
from s1ctl.bundle.lint_subject import Subject
from s1ctl.bundle.revisions import Migration
from s1ctl.release.manifest import Phase

ALLOWED: dict[Phase, frozenset[Kind]] = {
    "expand": frozenset({"adds", "constrains", "indexes", "loosens", "unseen"}),
    "backfill": frozenset(),
    "enforce": frozenset({"validates", "restricts", "loosens", "unseen"}),
    "contract": frozenset(
        {"constrains", "validates", "restricts", "retypes", "renames", "removes", "loosens",
         "unseen"}
    ),
}  # fmt: skip
DOES: dict[Kind, str] = {
    "adds": "adds something",
    "constrains": "adds a constraint",
    "indexes": "adds an index",
    "validates": "validates",
    "loosens": "changes the schema",
    "restricts": "restricts a column",
    "retypes": "changes a column's type",
    "renames": "renames",
    "removes": "removes something",
    "rows": "changes rows",
    "unseen": "runs other SQL",
}
BELONGS: dict[Kind, str] = {
    "adds": "additions belong to `expand`",
    "constrains": "constraints are added `NOT VALID` in `expand`, or in `contract`",
    "indexes": "indexes belong to `expand`",
    "validates": "`VALIDATE` belongs to `enforce`, in a transaction of its own",
    "loosens": "changes of the schema belong to `expand`",
    "restricts": "restrictions belong to `enforce` or `contract`",
    "retypes": "the previous release cannot live with it: it belongs to `contract`",
    "renames": "the previous release cannot live with it: it belongs to `contract`",
    "removes": "the previous release cannot live with it: it belongs to `contract`",
    "rows": "write a revision of phase `backfill` with `backfill = Backfill(…)`",
    "unseen": "a backfill is a value, without any function",
}
ONLINE: tuple[Kind, ...] = ("constrains", "indexes")


def check_migrations(subject: Subject) -> Iterator[Finding]:
    """Check the revisions of this release."""
    for name, migration in subject.migrations:
        operations = operations_of(migration.raw)
        yield from _phase(name, migration, operations)
        if migration.revision.phase == "expand":
            yield from _locks(name, operations)
            yield from _columns(name, operations)
        yield from _alone(name, migration, operations)


def unseen_migrations(subject: Subject) -> Iterator[str]:
    """Name the revisions with SQL that is not written out."""
    for name, migration in subject.migrations:
        for operation in operations_of(migration.raw):
            if operation.kind == "unseen":
                yield f"`{name}:{operation.line}` does what its phase allows: {operation.text}"


def _phase(name: str, migration: Migration, operations: tuple[Operation, ...]) -> Iterator[Finding]:
    phase = migration.revision.phase
    for operation in operations:
        if operation.kind not in ALLOWED[phase]:
            yield Finding(
                id="migration.phase",
                where=f"{name}:{operation.line}",
                text=f"revision `{migration.revision.id}` is `{phase}`, and "
                f"{DOES[operation.kind]}: `{operation.text}`",
                advice=BELONGS[operation.kind],
            )


def _locks(name: str, operations: tuple[Operation, ...]) -> Iterator[Finding]:
    """Find what scans a table under a lock; a table of the same revision is still empty."""
    new = {
        one.table
        for one in operations
        if one.kind == "adds" and one.text.lower().startswith(("create_table", "create table"))
    }
    for one in operations:
        if one.kind in ONLINE and "online" not in one.options and one.table not in new:
            yield Finding(
                id="migration.lock",
                where=f"{name}:{one.line}",
                text=f"`{one.text}` reads the whole table while writers wait",
                advice="use `ops.create_index`, `ops.add_check` or `ops.add_foreign_key`",
            )


def _columns(name: str, operations: tuple[Operation, ...]) -> Iterator[Finding]:
    for one in operations:
        if "demanded" in one.options and "has-default" not in one.options:
            yield Finding(
                id="migration.column",
                where=f"{name}:{one.line}",
                text="a new column is `NOT NULL` without a default, so old code cannot write",
                advice="give it a constant `server_default`, or demand it in `contract`",
            )


def _alone(name: str, migration: Migration, operations: tuple[Operation, ...]) -> Iterator[Finding]:
    """Find statements beside those of a revision that runs without a transaction."""
    if _is_transactional(migration.raw):
        return
    for one in operations:
        if one.kind != "indexes" and not one.text.startswith("drop_index"):
            yield Finding(
                id="migration.alone",
                where=f"{name}:{one.line}",
                text=f"`{one.text}` is in a revision without a transaction, and may run twice",
                advice="put it into a revision of its own, and leave only indexes in this one",
            )


def _is_transactional(raw: bytes) -> bool:
    return not any(
        isinstance(statement, ast.Assign)
        and any(isinstance(t, ast.Name) and t.id == "transactional" for t in statement.targets)
        and getattr(statement.value, "value", None) is False
        for statement in ast.parse(raw).body
    )
