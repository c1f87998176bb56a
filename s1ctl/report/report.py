"""A report on one operation: plain values, made from its plan and its journal alone. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any, Literal

from s1ctl.ledger.journal import JournalEntry
from s1ctl.ledger.operations import Operation
from s1ctl.oci.digest import Digest
from s1ctl.operation.execute import numbered
from s1ctl.operation.run import Item
from s1ctl.plan.explain import describe_step
from s1ctl.report.attempts import CLOSE, Attempt, Result, find_attempts
from s1ctl.report.axis import Axis, make_axis
from s1ctl.report.words import essentials

Tone = Literal["good", "bad", "open"]
LEAST = 2.5  # of the axis' 1000: what took no time is seen too


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseProof:
    """A release that the plan names: who signed it, or why that cannot be said now."""

    version: str
    digest: Digest
    signers: tuple[str, ...] = ()
    fault: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What holds the journal together; `broken` is the first entry that is not as written."""

    head: str
    broken: int | None
    releases: tuple[ReleaseProof, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One attempt at a step, or one that was never begun (`result` None).

    `seconds` is None where the clock was set back meanwhile.
    """

    number: int
    text: str
    is_undo: bool = False
    result: Result | None = None
    seconds: float | None = 0.0
    x: float = 0.0
    width: float = 0.0
    essentials: tuple[tuple[str, str], ...] = ()
    error: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Rows that belong together: the stage, a hop, or a hop that is taken back."""

    title: str
    why: str
    is_undo: bool
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How one run of the operation ended: a paused one has several."""

    at: datetime
    state: str
    release: str | None
    who: str | None
    probe: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A failure: at which step, what, what to do, and what its code means."""

    step: str
    code: str
    message: str
    hint: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All that the page shows."""

    operation: Operation
    way: str
    tone: Tone
    verdict: str
    sentence: str
    ended_at: datetime
    axis: Axis
    groups: tuple[Group, ...]
    waiting: tuple[Row, ...]
    checks: tuple[tuple[str, str, str], ...]
    runs: tuple[Ended, ...]
    problems: tuple[Problem, ...]
    entries: tuple[JournalEntry, ...]
    evidence: Evidence


def make_report(
    operation: Operation,
    entries: Sequence[JournalEntry],
    evidence: Evidence,
    *,
    titles: Mapping[str, str],
    reasons: Mapping[str, str],
) -> Report:
    """Make the report; `titles` are those of checks by id, `reasons` those of codes."""
    items = {item.number: item for item in numbered(operation.plan)}
    attempts = find_attempts(entries)
    axis = make_axis([entry.at for entry in entries], attempts)
    runs = tuple(_ended(entry) for entry in entries if entry.step["number"] == CLOSE)
    has_failed = any(a.result == "failed" and a.direction == "do" for a in attempts)
    tone, verdict, sentence = _verdict(operation, runs, has_failed=has_failed)
    return Report(
        operation=operation,
        way=_way(operation),
        tone=tone,
        verdict=verdict,
        sentence=sentence,
        ended_at=entries[-1].at if entries else operation.opened_at,
        axis=axis,
        groups=tuple(_groups(attempts, items, entries, axis)),
        waiting=tuple(_waiting(attempts, items)),
        checks=_checks(entries, titles),
        runs=runs,
        problems=tuple(_problems(entries, items, reasons)),
        entries=tuple(entries),
        evidence=evidence,
    )


def _way(operation: Operation) -> str:
    plan = operation.plan
    start = plan.start_version or "nothing"
    return " → ".join((start, *(hop.version for hop in plan.hops))) if plan.hops else "stage"


def _ended(entry: JournalEntry) -> Ended:
    record = entry.record or {}
    by = record.get("by") or {}
    return Ended(
        at=entry.at,
        state=str(record.get("state", "")),
        release=record.get("release"),
        who=f"{by['who']} on {by['host']}" if by else None,
        probe=record.get("probe"),
    )


def _verdict(
    operation: Operation, runs: Sequence[Ended], *, has_failed: bool
) -> tuple[Tone, str, str]:
    at = runs[-1].release if runs else None
    now = f"The site was then at {at}." if at else "Nothing was then installed."
    if operation.state == "done":
        return "good", "Done", now
    if operation.state == "taken-back":
        if operation.cause or has_failed:
            return "bad", "Failed, and its hop taken back", now
        return "open", "Taken back", now
    if operation.state == "failed":
        return "bad", "Failed", now
    if operation.state == "paused":
        return "open", "Paused", "It goes on with `s1ctl resume`, or back with `s1ctl rollback`."
    return "open", "Not finished", "It runs, or its process was killed: `s1ctl status` tells which."


def _groups(
    attempts: Sequence[Attempt],
    items: Mapping[int, Item],
    entries: Sequence[JournalEntry],
    axis: Axis,
) -> Iterator[Group]:
    def place(attempt: Attempt) -> tuple[int, bool]:
        hop = items[attempt.number].hop
        return (id(hop) if hop else 0), attempt.direction == "undo"

    for (_, is_undo), members in groupby(attempts, key=place):
        own = tuple(members)
        hop = items[own[0].number].hop
        title = f"hop to {hop.version}" if hop else "stage"
        yield Group(
            title=f"take back: {title}" if is_undo else title,
            why=hop.why if hop and not is_undo else "",
            is_undo=is_undo,
            rows=tuple(_row(a, items[a.number], entries, axis) for a in own),
        )


def _row(attempt: Attempt, item: Item, entries: Sequence[JournalEntry], axis: Axis) -> Row:
    x, end = axis.places[attempt.first], axis.places[attempt.last]
    width = max(end - x, LEAST)
    times = [entry.at for entry in entries[attempt.first : attempt.last + 1]]
    spent = times[-1] - times[0] if times == sorted(times) else None
    return Row(
        number=item.number,
        text=describe_step(item.step),
        is_undo=attempt.direction == "undo",
        result=attempt.result,
        seconds=None if spent is None else spent.total_seconds(),
        x=min(x, 1000 - width),
        width=width,
        essentials=essentials(attempt.record),
        error=attempt.error,
    )


def _waiting(attempts: Sequence[Attempt], items: Mapping[int, Item]) -> Iterator[Row]:
    """List the steps that were never begun."""
    begun = {attempt.number for attempt in attempts}
    for item in items.values():
        if item.number not in begun:
            yield Row(number=item.number, text=describe_step(item.step))


def _checks(
    entries: Sequence[JournalEntry], titles: Mapping[str, str]
) -> tuple[tuple[str, str, str], ...]:
    """List id, outcome and title of what was found last."""
    records = [entry.record for entry in entries if entry.record and "findings" in entry.record]
    found = records[-1]["findings"] if records else {}
    return tuple((name, outcome, titles.get(name, "")) for name, outcome in found.items())


def _problems(
    entries: Sequence[JournalEntry], items: Mapping[int, Item], reasons: Mapping[str, str]
) -> Iterator[Problem]:
    """List failures; the end of a run repeats that of its step."""
    told = set()
    for entry in entries:
        error = entry.error
        if error is None or (error["code"], entry.step["number"] == CLOSE) in told:
            continue
        told |= {(error["code"], True)}
        number = entry.step["number"]
        back = "taking back " if entry.direction == "undo" else ""
        step = f"{back}step {number}, {describe_step(items[number].step)}" if number else "the end"
        yield Problem(
            step=step,
            code=error["code"],
            message=error["message"],
            hint=error["hint"],
            why=reasons.get(error["code"], ""),
        )
