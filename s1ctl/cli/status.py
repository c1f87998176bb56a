"""`s1ctl status` and `s1ctl history`: what is, and what was."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from s1ctl.cli import context
from s1ctl.cli.output import table
from s1ctl.errors import InputOutputFailed

if TYPE_CHECKING:
    from s1ctl.ledger.operations import Operation
    from s1ctl.targets.docker import Running


def status(line: typer.Context) -> None:
    """Show what is installed, what runs, and what is unfinished."""
    from s1ctl.cli.lock import describe as describe_lock
    from s1ctl.cli.lock import document as lock_document
    from s1ctl.shape import plain

    here = context.of(line)
    ledger = here.ledger
    installed, held = ledger.releases.installed(), ledger.lock.holder()
    unfinished = ledger.operations.unfinished()
    running, fault = _running(here)
    loaded = [str(release.version) for release in ledger.releases.loaded()]
    text = [f"site {here.site.name}"]
    text.append(
        f"installed: {installed.version}, since {installed.at:%Y-%m-%d %H:%M} UTC"
        if installed
        else "installed: nothing"
    )
    text.append(f"loaded: {', '.join(loaded) or 'nothing'}")
    text += [f"  {row}" for row in _table(running)]
    text += [f"what runs is not known: {fault}"] if fault else []
    text += describe_lock(held) if held else []
    text += _describe_unfinished(unfinished) if unfinished else ["nothing is unfinished"]
    data = {
        "site": here.site.name,
        "installed": plain(installed) if installed else None,
        "loaded": loaded,
        "running": [_running_document(one) for one in running],
        "running_fault": fault,
        "lock": lock_document(held)["held"],
        "unfinished": operation_document(unfinished) if unfinished else None,
        "points": [point.id for point in ledger.points.all()],
    }
    here.output.result(text, data)


def history(
    line: typer.Context,
    *,
    limit: Annotated[int, typer.Option(min=1, help="How many operations.")] = 20,
    verify: Annotated[
        bool, typer.Option("--verify", help="Check the journal's chain of hashes.")
    ] = False,
) -> None:
    """Show the operations of this site."""
    here = context.of(line)
    operations = here.ledger.operations
    broken = operations.verify_chain() if verify else None
    if broken is not None:
        raise InputOutputFailed(
            f"journal entry {broken} is not as it was written",
            code="S1-I90",
            hint="compare with a copy of `ledger.db`, and with the heads that operations printed",
        )
    found = operations.history(limit)
    rows = [
        (
            one.id,
            f"{one.opened_at:%Y-%m-%d %H:%M:%S}",
            one.verb,
            _way(one),
            one.state,
            _cause(one),
        )
        for one in found
    ]
    head = operations.head()
    text = table(rows) if rows else ["nothing was done here yet"]
    text.append(f"journal head {head}" + (", every entry is as it was written" if verify else ""))
    data = {"operations": [operation_document(one) for one in found], "head": head}
    here.output.result(text, data)


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


def _running(here: context.Here) -> "tuple[tuple[Running, ...], str | None]":
    """Ask the engine what runs; a status is shown without it too."""
    from s1ctl.targets.docker import DockerTarget
    from s1ctl.targets.docker_engine import connect_engine

    site = here.site
    try:
        engine = connect_engine(site.target.socket)
        return DockerTarget(site=site, client=engine, state=site.state).running(), None
    except InputOutputFailed as error:
        return (), error.message


def _table(running: "tuple[Running, ...]") -> list[str]:
    rows = [
        (one.unit, one.version, f"{one.state}{f', {one.health}' if one.health else ''}",
         one.address or "host's network", one.container)
        for one in running
    ]  # fmt: skip
    return table(rows) if rows else []


def _running_document(running: "Running") -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(running)


def _describe_unfinished(operation: "Operation") -> list[str]:
    cause = f": {_cause(operation)}" if operation.cause else ""
    return [
        f"unfinished: operation {operation.id} ({_way(operation)}), {operation.state}{cause}",
        "next: `s1ctl resume` to go on, or `s1ctl rollback` to take it back",
    ]


def _way(operation: "Operation") -> str:
    start = operation.plan.start_version or "nothing"
    hops = [hop.version for hop in operation.plan.hops]
    return " -> ".join([start, *hops]) if hops else "stage"


def _cause(operation: "Operation") -> str:
    if isinstance(operation.cause, dict):
        return f"{operation.cause.get('code')} {operation.cause.get('message')}"
    return operation.cause or ""
