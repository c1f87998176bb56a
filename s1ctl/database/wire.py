"""What a worker is told, and what it tells: one JSON document a line."""

import json
from typing import Annotated, Literal

from msgspec import Meta

from s1ctl.errors import (
    ContentsRefused,
    Inconclusive,
    InputOutputFailed,
    S1Error,
    SiteHeld,
    StepFailed,
)
from s1ctl.release.manifest import Phase, Revision
from s1ctl.shape import Value, parse_value, plain

Direction = Literal["do", "undo"]
ErrorKind = Literal["failed", "inconclusive", "held", "input", "contents"]
Count = Annotated[int, Meta(ge=0)]

_CLASSES: dict[ErrorKind, type[S1Error]] = {
    "failed": StepFailed,
    "inconclusive": Inconclusive,
    "held": SiteHeld,
    "input": InputOutputFailed,
    "contents": ContentsRefused,
}


class Request(Value):
    """All that a worker is given. `dsn` is the only secret, and travels in this pipe only."""

    dsn: str
    database: str
    folder: str
    lineage: tuple[Revision, ...]
    revision: str
    direction: Direction
    operation: str
    plan: str
    fence: Count
    max_stall_ms: Annotated[int, Meta(ge=1)]
    max_wait_ms: Count


class Blocker(Value):
    """A session that holds what a revision waits for; `age_ms` of its transaction, where known.

    A standby for which a backfill waits has no session here: `application` says how far behind.
    """

    pid: int
    application: str
    user: str
    kind: str
    age_ms: int | None

    def __str__(self) -> str:
        if self.kind == "standby":
            return f"standby {self.application}"
        name = self.application or self.kind
        age = "of unknown age" if self.age_ms is None else f"{self.age_ms / 1000:.1f} s old"
        return f"pid {self.pid} `{name}` of `{self.user}`, transaction {age}"


class Event(Value, tag_field="event"):
    """Something that a worker tells."""


class Alive(Event, tag="alive"):
    """The worker holds its lock and goes on."""


class Advanced(Event, tag="progress"):
    """Rows looked at by a backfill; `total` is the planner's estimate, `rate` rows a second."""

    done: Count
    total: Count
    changed: Count
    rate: Count


class Waiting(Event, tag="waiting-for-lock"):
    """Others hold what the revision needs; no client waits for us while we wait for them."""

    blockers: tuple[Blocker, ...]
    waited_ms: Count
    tries: Count


class RevisionRecord(Value):
    """What one run did: `rows` changed by a backfill; `held_ms` the longest try, locks included."""

    revision: str
    phase: Phase
    direction: Direction
    was_applied: bool = False
    rows: Count = 0
    tries: Count = 1
    held_ms: Count = 0
    total_ms: Count = 0


class Done(Event, tag="done"):
    """The revision is committed, with its row in `s1ctl.applied`."""

    record: RevisionRecord


class Failed(Event, tag="error"):
    """The revision is not applied, or (`inconclusive`) nobody knows."""

    kind: ErrorKind
    code: str
    message: str
    hint: str

    def error(self) -> S1Error:
        """Make the error that the parent raises."""
        return _CLASSES[self.kind](self.message, code=self.code, hint=self.hint)


AnyEvent = Alive | Advanced | Waiting | Done | Failed


def make_failed(error: S1Error) -> Failed:
    """Put an error into words for the pipe."""
    kinds: list[ErrorKind] = [kind for kind, made in _CLASSES.items() if isinstance(error, made)]
    kind = kinds[0] if kinds else "failed"
    return Failed(kind=kind, code=error.code, message=error.message, hint=error.hint)


def write_line(value: Value) -> bytes:
    """Write one document as a line."""
    return json.dumps(plain(value), separators=(",", ":")).encode() + b"\n"


def parse_event(line: bytes) -> AnyEvent:
    """Parse a worker's line; raises `ValueError` or `ShapeError`."""
    event: AnyEvent = parse_value(json.loads(line), AnyEvent)  # type: ignore[arg-type]
    return event


def parse_request(line: bytes) -> Request:
    """Parse a parent's line; raises `ValueError` or `ShapeError`."""
    return parse_value(json.loads(line), Request)
