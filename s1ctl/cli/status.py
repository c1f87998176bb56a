"""`s1ctl status` and `s1ctl history`: what is, and what was."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from s1ctl.cli import context
from s1ctl.cli.output import table
from s1ctl.errors import InputOutputFailed

if TYPE_CHECKING:
    from s1ctl.ledger.operations import Operation, Operations


def status(line: typer.Context) -> None:
    """Show how the site stands, what is not as it was recorded, and what to do.

    Nothing is changed; engine and databases may be away.
    """
    from s1ctl.cli.status_text import describe, document
    from s1ctl.cli.surroundings import look
    from s1ctl.operation.condition import find_condition

    here = context.of(line)
    condition = find_condition(look(here))
    here.output.result(describe(condition, here.site.name), document(condition, here.site.name))


def history(
    line: typer.Context,
    *,
    limit: Annotated[int, typer.Option(min=1, help="How many operations.")] = 20,
    verify: Annotated[
        bool, typer.Option("--verify", help="Check the journal's chain of hashes.")
    ] = False,
    head: Annotated[
        str | None, typer.Option(metavar="HEX", help="A head kept elsewhere, to be found in it.")
    ] = None,
) -> None:
    """Show the operations of this site.

    That entries are missing at the journal's end is seen only with `--verify --head`.
    """
    here = context.of(line)
    operations = here.ledger.operations
    verified = _verify(operations, head) if verify or head is not None else ""
    found = operations.history(limit)
    rows = [
        (
            one.id,
            f"{one.opened_at:%Y-%m-%d %H:%M:%S}",
            one.verb,
            way_of(one),
            one.state,
            cause_of(one),
        )
        for one in found
    ]
    now = operations.head()
    text = table(rows) if rows else ["nothing was done here yet"]
    text.append(f"journal head {now}{verified}")
    documents = [
        {**operation_document(one), "journal": _journal(operations, one.id)} for one in found
    ]
    here.output.result(text, {"operations": documents, "head": now})


def _journal(operations: "Operations", operation: str) -> list[dict[str, Any]]:
    """List an operation's entries in the order in which they were written."""
    return [
        {
            "entry": entry.number,
            "step": entry.step["number"],
            "kind": entry.step.get("kind"),
            "direction": entry.direction,
            "event": entry.event,
            "at": entry.at.isoformat(),
        }
        for entry in operations.entries(operation)
    ]


def _verify(operations: "Operations", head: str | None) -> str:
    """Check the chain, and that it holds `head`; say how far that goes."""
    broken = operations.verify_chain()
    if broken is not None:
        raise InputOutputFailed(
            f"journal entry {broken} is not as it was written",
            code="S1-I90",
            hint="compare with a copy of `ledger.db`, and with the heads that operations printed",
        )
    if head is None:
        return ", every entry that is there is as it was written (its end: `--head HEX`)"
    if not operations.has_hash(head.lower()):
        raise InputOutputFailed(
            f"the journal does not hold the head `{head}`",
            code="S1-I91",
            hint="compare with a copy of `ledger.db`: entries were removed, or the head is another"
            " site's",
        )
    return ", every entry is as it was written, and the given head is among them"


def operation_document(operation: "Operation") -> dict[str, Any]:
    """Make the plain data of an operation."""
    return {
        "operation": operation.id,
        "verb": operation.verb,
        "state": operation.state,
        "direction": operation.direction,
        "opened_at": operation.opened_at.isoformat(),
        "from": operation.plan.start_version,
        "to": [hop.version for hop in operation.plan.hops],
        "plan": str(operation.plan.digest),
        "cause": operation.cause,
    }


def way_of(operation: "Operation") -> str:
    """Say the way of an operation: from where over what to where."""
    start = operation.plan.start_version or "nothing"
    hops = [hop.version for hop in operation.plan.hops]
    return " -> ".join([start, *hops]) if hops else "stage"


def cause_of(operation: "Operation") -> str:
    """Say why an operation paused or failed; nothing where it did not."""
    if isinstance(operation.cause, dict):
        return f"{operation.cause.get('code')} {operation.cause.get('message')}"
    return operation.cause or ""
