"""The data that a restore takes away: as it was announced and accepted, and as it really went."""

from collections.abc import Mapping
from typing import Any

from s1ctl.ledger.operations import Operation
from s1ctl.operation.context import Context
from s1ctl.shape import Value, plain

ANNOUNCED = "announce"
RESTORED = "restore-backup"
Rows = dict[str, dict[str, int]]


class Loss(Value):
    """Rows by database and table; `actual` lacks a database that was not restored.

    Rows that were written between the announcement and the stop of the apps go too.
    """

    announced: dict[str, Any]
    actual: Rows


def record_announced(
    context: Context, operation: Operation, announced: Mapping[str, object]
) -> None:
    """Write into the journal what was accepted, as step 0."""
    context.ledger.operations.append(
        operation=operation.id,
        step={"number": 0, "kind": ANNOUNCED},
        direction="do",
        event="done",
        record=plain(announced),
        at=context.now(),
    )


def read(context: Context, operation: Operation) -> Loss | None:
    """Read from the journal what was announced, and what the steps say they took away."""
    announced: dict[str, Any] | None = None
    actual: Rows = {}
    for entry in context.ledger.operations.entries(operation.id):
        kind, record = entry.step["kind"], entry.record or {}
        if kind == ANNOUNCED:
            announced = record
        elif kind == RESTORED and "lost" in record:
            actual[entry.step["database"]] = record["lost"]
    return None if announced is None else Loss(announced=announced, actual=actual)
