"""The site's own state: who holds it, whether an operation is unfinished, its settings."""

from typing import Any

from s1ctl.ledger.holder import lives
from s1ctl.ledger.ledger import Ledger
from s1ctl.preflight.check import Check, Values
from s1ctl.preflight.collect import Collector
from s1ctl.preflight.finding import Fix, Judgement, failed, passed, skipped
from s1ctl.preflight.needs import Needs
from s1ctl.site.facts import Fact


def collectors(ledger: Ledger) -> dict[str, Collector]:
    """List what is read of the ledger."""
    return {"state.lock": lambda: _lock(ledger), "state.unfinished": lambda: _unfinished(ledger)}


def _lock(ledger: Ledger) -> Fact:
    held = ledger.lock.holder()
    if held is None:
        return Fact(value={"operation": None}, source="ledger")
    holder = held.holder
    value = {
        "operation": held.operation,
        "who": f"{holder.who} on {holder.host}, pid {holder.pid}",
        "since": held.since.isoformat(),
        "is_alive": lives(holder),
    }
    return Fact(value=value, source="ledger, /proc")


def _unfinished(ledger: Ledger) -> Fact:
    operation = ledger.operations.unfinished()
    value = {"id": operation.id, "verb": operation.verb} if operation else {"id": None}
    return Fact(value=value, source="ledger")


def judge_lock(values: Values, needs: Needs) -> Judgement:
    """Judge whether the site is free: nobody alive holds it, nothing is unfinished."""
    lock: Any = values["state.lock"]
    unfinished: Any = values["state.unfinished"]
    if lock["operation"] not in (None, needs.operation) and lock["is_alive"]:
        return failed(
            f"operation {lock['operation']} holds the site: {lock['who']}, since {lock['since']}",
            "Wait until it has ended.",
            value=lock["operation"],
            fix=Fix(command="s1ctl lock show", where="this host", safe=True),
        )
    if unfinished["id"] not in (None, needs.operation):
        return failed(
            f"operation {unfinished['id']} ({unfinished['verb']}) is not finished",
            "Finish it with `s1ctl resume`, or take it back with `s1ctl rollback`.",
            value=unfinished["id"],
            fix=Fix(command="s1ctl resume", where="this host", safe=True),
        )
    return passed("nobody holds the site")


def judge_settings(_: Values, needs: Needs) -> Judgement:
    """Judge the site file's values against the settings that the releases declare."""
    if not needs.has_release:
        return skipped("no release is loaded yet that could want settings")
    if needs.problems:
        fix = Fix(command="s1ctl explain state.settings", where="this host", safe=True)
        return failed("; ".join(needs.problems), "Mend `values` in the site file.", fix=fix)
    return passed("every setting has a value of its kind")


CHECKS: tuple[Check, ...] = (
    Check(
        id="state.lock",
        title="no other operation holds the site",
        why="Two operations at once would undo each other's work.",
        severity="blocking",
        facts=("state.lock", "state.unfinished"),
        judge=judge_lock,
        is_waivable=False,
    ),
    Check(
        id="state.settings",
        title="every setting of the release has its value",
        why="A unit whose configuration lacks a value does not become ready.",
        severity="blocking",
        facts=(),
        judge=judge_settings,
        is_waivable=False,
    ),
)
