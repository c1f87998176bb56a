"""How an operation ended, in words, as plain data, and as the exit code."""

from pathlib import Path
from typing import Any

from s1ctl.cli import bug
from s1ctl.cli.context import Here
from s1ctl.cli.exit_codes import INTERRUPTED, PAUSED, TAKEN_BACK, exit_code
from s1ctl.cli.output import error_document, unheard
from s1ctl.cli.progress import duration
from s1ctl.errors import S1Error
from s1ctl.operation.loss import Loss
from s1ctl.operation.outcome import Outcome
from s1ctl.operation.run import log_file
from s1ctl.shape import plain


def report(here: Here, outcome: Outcome, *, is_way_back: bool = False) -> int:
    """Write the outcome as the result; say the exit code. With `is_way_back` it was asked for."""
    code = code_of(outcome, is_way_back=is_way_back)
    cause = outcome.error.__cause__ if outcome.error else None
    if cause is not None and not isinstance(cause, S1Error):
        with unheard():
            here.output.say(bug.record(here.log_file, cause, mask=here.masked))
    with unheard():
        here.close()
    log = log_file(here.site, outcome.operation)
    with unheard():
        here.output.result(describe(outcome, code, log=log), document(outcome, code, log=log))
    return code


def code_of(outcome: Outcome, *, is_way_back: bool = False) -> int:
    """Say the exit code: once an operation is open only 0, 30, 31 and 130 leave the process."""
    if outcome.state == "paused":
        return INTERRUPTED if outcome.is_interrupted else PAUSED
    is_failure = outcome.state == "taken-back" and not is_way_back
    return TAKEN_BACK if outcome.error or is_failure else 0


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
    lines.append(f"operation {outcome.operation}, journal head {outcome.head or 'not written'}")
    if code in {PAUSED, INTERRUPTED}:
        lines.append(_next(outcome))
    if outcome.error:
        lines.append(f"cause[{outcome.error.code}]: {outcome.error.message}")
        lines.append(f"hint: {outcome.error.hint}")
        lines.append(f"log: {log}")
    return lines


def _next(outcome: Outcome) -> str:
    origin, goal = outcome.origin or "nothing installed", outcome.goal or "the end of the stage"
    if outcome.is_turned_back:
        return f"next: `s1ctl resume` goes on taking it back, to {origin}"
    return f"next: `s1ctl resume` goes on to {goal}, `s1ctl rollback` takes it back to {origin}"


def document(outcome: Outcome, code: int, *, log: Path) -> dict[str, Any]:
    """Make the plain data of an outcome."""
    error = outcome.error
    return {
        "operation": outcome.operation,
        "verb": outcome.verb,
        "origin": outcome.origin,
        "goal": outcome.goal,
        "is_turned_back": outcome.is_turned_back,
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
