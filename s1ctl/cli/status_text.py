"""A site's condition in lines of 80 columns, and as plain data."""

import re
import textwrap
from datetime import datetime
from typing import TYPE_CHECKING, Any

from s1ctl.cli.exit_codes import exit_code
from s1ctl.cli.output import error_document, table, width
from s1ctl.cli.progress import ago, size
from s1ctl.cli.status import cause_of, operation_document, way_of

if TYPE_CHECKING:
    from s1ctl.ledger.backups import Backup
    from s1ctl.operation.condition import Condition

SCHEMA = 1
LABEL = 11
SPACE = "\N{NO-BREAK SPACE}"
ENDS = {
    "done": "done",
    "taken-back": "taken back",
    "failed": "failed",
    "paused": "paused",
    "open": "not finished",
}


def describe(condition: "Condition", site: str) -> list[str]:
    """Say everything, what asks for something last; each with what to do."""
    lines = [f"site {site}", *_release(condition), *_contracts(condition), *_point(condition)]
    for name, backup in condition.backups.items():
        lines += _backup(condition, name, backup)
    lines += [*_lock(condition), *_last(condition), *_said("journal", f"head {condition.head}")]
    lines += _units(condition)
    lines += _ledger(condition)
    lines += _drift(condition)
    for one in condition.unknown:
        lines += _said("not known", f"{one.what}: {one.why}", one.todo)
    return lines


def document(condition: "Condition", site: str) -> dict[str, Any]:
    """Make the plain data; `not_known` names the parts that could not be found out."""
    from s1ctl.shape import plain

    running = condition.running
    return {
        "schema": SCHEMA,
        "at": condition.at.isoformat(),
        "site": site,
        "installed": plain(condition.installed),
        "uninstalled_at": _time(condition.uninstalled_at),
        "loaded": [str(release.version) for release in condition.loaded],
        "running": None if running is None else [plain(one) for one in running],
        "drift": None if condition.drift is None else [plain(one) for one in condition.drift],
        "pending_contracts": {name: list(ids) for name, ids in condition.pending.items()},
        "points": [{"id": p.id, "made_at": _time(p.made_at)} for p in condition.points],
        "backups": {name: _backup_document(one) for name, one in condition.backups.items()},
        "lock": plain(condition.lock),
        "unfinished": operation_document(condition.unfinished) if condition.unfinished else None,
        "last_operation": _last_document(condition),
        "head": condition.head,
        "ledger_fault": error_document(condition.fault, exit_code(condition.fault))
        if condition.fault
        else None,
        "not_known": [plain(one) for one in condition.unknown],
    }


def _said(label: str, text: str, todo: str = "") -> list[str]:
    """Write a label and a text beside it, wrapped, then what to do; a command stays on a line."""
    whole = re.sub("`[^`]*`", lambda found: found[0].replace(" ", SPACE), text)
    lines = textwrap.wrap(
        whole,
        width(),
        initial_indent=f"{label:<{LABEL}}",
        subsequent_indent=" " * LABEL,
        break_long_words=False,
        break_on_hyphens=False,
    )
    lines = [line.replace(SPACE, " ") for line in lines]
    return lines + (_said("", f"-> {todo}") if todo else [])


def _ago(condition: "Condition", at: datetime) -> str:
    return ago(at, condition.at)


def _release(condition: "Condition") -> list[str]:
    installed, gone = condition.installed, condition.uninstalled_at
    loaded = ", ".join(str(release.version) for release in condition.loaded) or "nothing"
    if installed is not None:
        text = f"{installed.version}, since {installed.at:%Y-%m-%d %H:%M} UTC; loaded: {loaded}"
        return _said("release", text)
    since = f", uninstalled {gone:%Y-%m-%d %H:%M} UTC" if gone else ""
    return _said("release", f"nothing{since}; loaded: {loaded}", "`s1ctl install --bundle FILE`")


def _contracts(condition: "Condition") -> list[str]:
    waiting = {name: ids for name, ids in condition.pending.items() if ids}
    lines = []
    for name, ids in waiting.items():
        todo = "when nobody wants to go back any more: `s1ctl db contract`"
        lines += _said("contract", f"pending for {name}: {', '.join(ids)}", todo)
    if condition.pending and not waiting:
        lines += _said("contract", "none is pending")
    return lines


def _point(condition: "Condition") -> list[str]:
    if not condition.points:
        return _said("point", "none")
    newest = condition.points[0]
    what = f"before it ran {newest.version}" if newest.version else "before it nothing ran"
    others = len(condition.points) - 1
    text = f"{newest.id}, made {_ago(condition, newest.made_at)}; {what}; {others} older"
    return _said("point", text, "`s1ctl prune` keeps the newest" if others >= 10 else "")


def _backup(condition: "Condition", name: str, backup: "Backup | None") -> list[str]:
    if backup is None:
        return _said("backup", f"{name}: none", "`s1ctl backup create`")
    text = f"{name}: {backup.id}, {size(backup.size_bytes)}, {_ago(condition, backup.taken_at)}"
    if backup.proof is None:
        return _said("backup", f"{text}; not proven", f"`s1ctl backup prove {backup.id}`")
    if not backup.proof.matches:
        return _said(
            "backup",
            f"{text}; restored it was NOT what was dumped",
            "make a new one: `s1ctl backup create`",
        )
    return _said("backup", f"{text}; proven {_ago(condition, backup.proof.at)}")


def _lock(condition: "Condition") -> list[str]:
    held = condition.lock
    if held is None:
        return _said("lock", "nobody holds the site")
    holder = held.holder
    text = (
        f"operation {held.operation} ({held.message}), by {holder.who} on {holder.host},"
        f" process {holder.pid}, since {held.since:%Y-%m-%d %H:%M:%S} UTC"
    )
    if condition.is_holder_alive:
        return _said("lock", text, "wait for it")
    return _said("lock", f"{text}; that process is gone, so it holds nobody up")


def _last(condition: "Condition") -> list[str]:
    last = condition.last
    if last is None:
        return _said("last", "nothing was done here yet")
    cause = f": {cause_of(last)}" if last.cause else ""
    ended = condition.last_ended_at or last.opened_at
    text = f"{last.id} {last.verb}, {way_of(last)}: {ENDS[last.state]}, {_ago(condition, ended)}"
    todo = ""
    if condition.unfinished is not None and not condition.is_holder_alive:
        todo = "`s1ctl resume` to go on, or `s1ctl rollback` to take it back"
    elif last.state == "taken-back" and last.cause:
        todo = f"mend the cause, then repeat; more: `s1ctl report {last.id} --html FILE`"
    return _said("last", text + cause, todo)


def _units(condition: "Condition") -> list[str]:
    rows = [
        (
            f"  {one.unit}",
            one.version,
            f"{one.state}{f', {one.health}' if one.health else ''}",
            one.address or "host",
            one.container,
        )
        for one in condition.running or ()
    ]
    return ["units", *table(rows)] if rows else []


def _ledger(condition: "Condition") -> list[str]:
    fault = condition.fault
    if fault is None:
        return []
    text = f"only read, nothing can be done: {fault.message}"
    return _said("ledger", text, fault.hint)


def _drift(condition: "Condition") -> list[str]:
    if condition.drift is None:
        is_open = condition.unfinished is not None
        return _said("drift", "not judged while an operation is unfinished") if is_open else []
    if not condition.drift:
        return _said("drift", "none: what runs is what was recorded")
    lines = []
    for one in condition.drift:
        lines += _said("drift", one.text, one.todo)
    return lines


def _backup_document(backup: "Backup | None") -> dict[str, Any] | None:
    if backup is None:
        return None
    proof = backup.proof
    return {
        "backup": backup.id,
        "taken_at": _time(backup.taken_at),
        "bytes": backup.size_bytes,
        "sha256": str(backup.sha256),
        "proof": None if proof is None else {"at": _time(proof.at), "matches": proof.matches},
    }


def _last_document(condition: "Condition") -> dict[str, Any] | None:
    if condition.last is None:
        return None
    return operation_document(condition.last) | {"last_entry_at": _time(condition.last_ended_at)}


def _time(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
