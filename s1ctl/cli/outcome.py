"""How an operation ended, in words, as plain data, and as the exit code."""

from pathlib import Path
from typing import Any

from s1ctl.cli.context import Here
from s1ctl.cli.exit_codes import INTERRUPTED, exit_code
from s1ctl.cli.output import error_document, unheard
from s1ctl.cli.progress import duration
from s1ctl.operation.loss import Loss
from s1ctl.operation.outcome import Outcome
from s1ctl.operation.run import log_file
from s1ctl.shape import plain

TAKEN_BACK, PAUSED = 30, 31


def report(here: Here, outcome: Outcome) -> int:
    """Write the outcome as the result; say the exit code."""
    code = code_of(outcome)
    with unheard():
        here.close()
    log = log_file(here.site, outcome.operation)
    with unheard():
        here.output.result(describe(outcome, code, log=log), document(outcome, code, log=log))
    return code


def code_of(outcome: Outcome) -> int:
    """Say the exit code: once an operation is open only 0, 30, 31 and 130 leave the process."""
    if outcome.state == "paused":
        return INTERRUPTED if outcome.is_interrupted else PAUSED
    return TAKEN_BACK if outcome.error else 0


def describe(outcome: Outcome, code: int, *, log: Path) -> list[str]:
    """Say the outcome in lines; where it failed, the last are cause, hint and log."""
    now = f"the site is at {outcome.version}" if outcome.version else "nothing is installed here"
    what = {
        0: f"{outcome.verb} is done" if outcome.state == "done" else "the hop is taken back",
        TAKEN_BACK: f"{outcome.verb} failed, and its hop was taken back",
        PAUSED: f"{outcome.verb} failed and is paused",
        INTERRUPTED: f"{outcome.verb} was interrupted and is paused",
    }[code]
    lines = [f"{what}: {now}, after {duration(outcome.seconds)}"]
    if outcome.probe:
        lines.append(_probe(outcome.probe))
    if outcome.loss:
        lines += _loss(outcome.loss)
    lines.append(f"operation {outcome.operation}, journal head {outcome.head}")
    if code in {PAUSED, INTERRUPTED}:
        lines.append("next: `s1ctl resume` to go on, or `s1ctl rollback` to take it back")
    if outcome.error:
        lines.append(f"cause[{outcome.error.code}]: {outcome.error.message}")
        lines.append(f"hint: {outcome.error.hint}")
        lines.append(f"log: {log}")
    return lines


def document(outcome: Outcome, code: int, *, log: Path) -> dict[str, Any]:
    """Make the plain data of an outcome."""
    error = outcome.error
    return {
        "operation": outcome.operation,
        "verb": outcome.verb,
        "state": outcome.state,
        "version": outcome.version,
        "seconds": round(outcome.seconds, 1),
        "head": outcome.head,
        "log": str(log),
        "probe": outcome.probe,
        "loss": plain(outcome.loss) if outcome.loss else None,
        "exit": code,
        "cause": error_document(error, exit_code(error)) if error else None,
    }


def _probe(numbers: dict[str, object]) -> str:
    return (
        f"probe: {numbers['requests']} requests, {numbers['failed']} failed,"
        f" worst {numbers['worst_ms']} ms, p99 {numbers['p99_ms']} ms,"
        f" longest stall {numbers['longest_stall_ms']} ms"
    )


def _loss(loss: Loss) -> list[str]:
    """Set what was announced beside what went, by table."""
    lines = []
    for database, tables in loss.actual.items():
        known = loss.announced.get(database, {}).get("rows", {})
        total, told = sum(tables.values()), sum(known.values())
        lines.append(f"lost in {database}: {total} rows, {told} were announced")
        lines += [
            f"  {table}: {tables.get(table, 0)}, {known.get(table, 0)} announced"
            for table in sorted({*tables, *known})
        ]
    return lines or ["nothing was restored, so nothing is lost"]
