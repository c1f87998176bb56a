"""Where a database stands in its lineage."""

from dataclasses import dataclass
from typing import Literal

from s1ctl.database.applied import Truth, read_truth
from s1ctl.database.wire import Request
from s1ctl.errors import InputOutputFailed, StepFailed
from s1ctl.plan.presence import Presence
from s1ctl.release.manifest import Schema
from s1ctl.site.secrets import Secret

Standing = Literal["behind", "at", "ahead", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseState:
    """`pending` are the revisions of the lineage that are still to come, oldest first."""

    standing: Standing
    heads: tuple[str, ...]
    pending: tuple[str, ...]


def database_state(dsn: Secret, schema: Schema) -> DatabaseState:
    """Compare a database with a release's lineage. Raises `InputOutputFailed`."""
    return judge_state(read_truth(dsn), tuple(revision.id for revision in schema.revisions))


def probe_revision(dsn: Secret, schema: Schema, revision: str) -> Presence:
    """Say whether a revision is applied; UNKNOWN where the database cannot be asked.

    ABSENT only where it is the very next one: anything else is a matter for a person.
    """
    try:
        truth = read_truth(dsn)
    except InputOutputFailed:
        return Presence.UNKNOWN
    return judge_revision(truth, tuple(entry.id for entry in schema.revisions), revision)


def judge_state(truth: Truth, lineage: tuple[str, ...]) -> DatabaseState:
    """Compare, without any I/O."""
    at = position(truth, lineage)
    if at is not None:
        standing: Standing = "at" if at == len(lineage) else "behind"
        return DatabaseState(standing=standing, heads=truth.heads, pending=lineage[at:])
    standing = "ahead" if is_ahead(truth, lineage) else "unknown"
    return DatabaseState(standing=standing, heads=truth.heads, pending=())


def judge_revision(truth: Truth, lineage: tuple[str, ...], revision: str) -> Presence:
    """Judge one revision, without any I/O."""
    if is_ahead(truth, lineage):
        return Presence.PRESENT if revision in lineage else Presence.UNKNOWN
    at = position(truth, lineage)
    if at is None or revision not in lineage:
        return Presence.UNKNOWN
    number = lineage.index(revision)
    if number < at and revision in truth.applied:
        return Presence.PRESENT
    if number == at and revision not in truth.applied:
        return Presence.ABSENT
    return Presence.UNKNOWN


def position(truth: Truth, lineage: tuple[str, ...]) -> int | None:
    """Say how many revisions of the lineage are applied; None where the database has another."""
    if not truth.heads and not truth.applied:
        return 0
    known = tuple(truth.applied)
    if known != lineage[: len(known)] or truth.heads != known[-1:]:
        return None
    return len(known)


def is_ahead(truth: Truth, lineage: tuple[str, ...]) -> bool:
    """Say whether the whole lineage is applied, and more of a newer release after it."""
    known = tuple(truth.applied)
    return len(known) > len(lineage) and known[: len(lineage)] == lineage and (
        truth.heads == known[-1:]
    )  # fmt: skip


def check_order(truth: Truth, request: Request) -> bool:
    """Say whether the request's revision is done already; refuse where it is not the next one.

    Raises `StepFailed` S1-D16 (an applied text has changed), S1-D21 behind, S1-D22 ahead,
    S1-D23 another lineage.
    """
    lineage = tuple(entry.id for entry in request.lineage)
    number, head = lineage.index(request.revision), truth.head or "nothing"
    _check_texts(truth, request)
    at = len(lineage) + 1 if is_ahead(truth, lineage) else position(truth, lineage)
    if at is None:
        raise _out_of_order("S1-D23", f"`{head}` is not of this release's lineage", request)
    wanted, done = (number + 1, number) if request.direction == "undo" else (number, number + 1)
    if at < min(wanted, done):
        raise _out_of_order("S1-D21", f"`{head}` is older than its predecessor", request)
    if at > max(wanted, done):
        raise _out_of_order("S1-D22", f"`{head}` is newer", request)
    return at == done


def _check_texts(truth: Truth, request: Request) -> None:
    for entry in request.lineage:
        digest = truth.applied.get(entry.id, entry.digest)
        if digest != entry.digest:
            raise StepFailed(
                f"revision `{entry.id}` was applied with the text `{digest}`, this release has"
                f" `{entry.digest}`",
                code="S1-D16",
                hint="call the vendor: a published revision never changes",
            )


def _out_of_order(code: str, reason: str, request: Request) -> StepFailed:
    return StepFailed(
        f"revision `{request.revision}` cannot be applied to `{request.database}`: the database's"
        f" head {reason}",
        code=code,
        hint="run `s1ctl db status`",
    )
