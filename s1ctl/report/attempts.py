"""Read a journal as attempts: a step that was begun, and how that ended."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from s1ctl.ledger.journal import Direction, JournalEntry

Result = Literal["done", "there", "failed", "cut"]
CLOSE = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try of a step; `first` and `last` are places in the entries, equal where it took no time.

    `there`: its effect was found, nothing was done. `cut`: the process ended in the middle.
    """

    number: int
    direction: Direction
    result: Result
    first: int
    last: int
    record: dict[str, Any] | None = None
    error: dict[str, Any] | None = None


def find_attempts(entries: Sequence[JournalEntry]) -> tuple[Attempt, ...]:
    """List the attempts in the order in which they were begun."""
    return tuple(sorted(_attempts(entries), key=lambda attempt: attempt.first))


def _attempts(entries: Sequence[JournalEntry]) -> Iterator[Attempt]:
    begun: tuple[int, JournalEntry] | None = None
    for place, entry in enumerate(entries):
        if begun is not None and not _ends(entry, begun[1]):
            yield _cut(*begun)
            begun = None
        if entry.step["number"] == CLOSE:
            continue
        if entry.event == "intent":
            begun = (place, entry)
            continue
        yield _ended(begun[0] if begun else place, place, entry)
        begun = None
    if begun is not None:
        yield _cut(*begun)


def _ended(first: int, last: int, entry: JournalEntry) -> Attempt:
    is_found = entry.event == "done" and first == last
    result: Result = "there" if is_found else "failed" if entry.event == "failed" else "done"
    return Attempt(
        number=entry.step["number"],
        direction=entry.direction,
        result=result,
        first=first,
        last=last,
        record=entry.record,
        error=entry.error,
    )


def _cut(place: int, entry: JournalEntry) -> Attempt:
    return Attempt(
        number=entry.step["number"],
        direction=entry.direction,
        result="cut",
        first=place,
        last=place,
    )


def _ends(entry: JournalEntry, intent: JournalEntry) -> bool:
    """Say whether an entry ends an intent; one that was found ends none: that was cut."""
    is_found = bool((entry.record or {}).get("found"))
    return _names(entry) == _names(intent) and entry.event != "intent" and not is_found


def _names(entry: JournalEntry) -> tuple[int, Direction]:
    return entry.step["number"], entry.direction
