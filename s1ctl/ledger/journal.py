"""The journal's entries, and the chain of hashes that shows whether any was changed."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from s1ctl.ledger.columns import time_text, to_text

Direction = Literal["do", "undo"]
Event = Literal["intent", "done", "failed"]
FIRST = "0" * 64


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry:
    """One event of a step. Numbers run through the whole ledger, 1 first, without gaps.

    `step` is plain data that names the step within its operation. `previous` is the hash of the
    entry before. No entry holds a secret.
    """

    number: int
    operation: str
    step: Any
    direction: Direction
    event: Event
    record: dict[str, Any] | None
    error: dict[str, Any] | None
    at: datetime
    previous: str

    @property
    def hash(self) -> str:
        """Make the sha256 of this entry's JSON: ASCII, sorted keys, no white space."""
        content = {
            "number": self.number,
            "operation": self.operation,
            "step": self.step,
            "direction": self.direction,
            "event": self.event,
            "record": self.record,
            "error": self.error,
            "at": time_text(self.at),
            "previous": self.previous,
        }
        return hashlib.sha256(to_text(content).encode("ascii")).hexdigest()


def first_broken(chain: Iterable[tuple[JournalEntry, str]]) -> int | None:
    """Find the first entry that is not the one written: changed, or one before it is missing.

    `chain` has every entry with its stored hash, by number. Entries cut off at the end are not
    seen; only a head kept elsewhere tells of these.
    """
    previous = FIRST
    for number, (entry, stored) in enumerate(chain, start=1):
        if entry.previous != previous or entry.hash != stored:
            return number
        previous = stored
    return None
