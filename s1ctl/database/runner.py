"""Apply one revision in a process of its own that knows one connection string and nothing else."""

import os
import selectors
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import s1ctl
from s1ctl.database.reach import parse_place, passwords_of
from s1ctl.database.scratch import scratch
from s1ctl.database.wire import (
    Advanced,
    AnyEvent,
    Direction,
    Done,
    Failed,
    Request,
    RevisionRecord,
    Waiting,
    parse_event,
    write_line,
)
from s1ctl.errors import Inconclusive, StepFailed, UsageError
from s1ctl.masking.redact import masked
from s1ctl.progress import Notify, Progress
from s1ctl.release.manifest import Schema
from s1ctl.shape import ShapeError
from s1ctl.site.secrets import Secret

SILENT_S = 60.0
END_S = 15.0
MAX_LINE = 1024 * 1024
_PATH = "/usr/local/bin:/usr/bin:/bin"

OnWait = Callable[[Waiting], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One revision to apply; `folder` is where `lay_out` put the release's migrations."""

    dsn: Secret
    schema: Schema
    revision: str
    folder: Path
    operation: str
    plan: str
    fence: int
    max_stall_ms: int = 100
    max_wait_s: float = 600.0


def apply_revision(order: Order, *, notify: Notify, on_wait: OnWait) -> RevisionRecord:
    """Apply one revision; where it is applied already, say so.

    A crash at any time leaves the revision unapplied (a backfill: with its cursor; an index: at
    most INVALID) or applied with its row; running it again ends the same. Raises `SiteHeld`,
    `StepFailed`, `Inconclusive`, `InputOutputFailed`, `ContentsRefused`, all S1-D...
    """
    return _run(order, "do", notify, on_wait)


def undo_revision(order: Order, *, notify: Notify, on_wait: OnWait) -> RevisionRecord:
    """Take back the newest revision, of phase expand or enforce, by its `downgrade()`."""
    return _run(order, "undo", notify, on_wait)


def _run(order: Order, direction: Direction, notify: Notify, on_wait: OnWait) -> RevisionRecord:
    request = _make_request(order, direction)
    with scratch("worker") as said, _started(order.folder, said) as worker:
        ending: Done | Failed | None = None
        for event in _hear(worker, write_line(request)):
            if isinstance(event, Advanced):
                notify(_make_progress(order, event))
            elif isinstance(event, Waiting):
                on_wait(event)
            elif isinstance(event, Done | Failed):
                ending = event
        if ending is None:
            raise _ended(order, worker.wait(END_S), said)
    if isinstance(ending, Failed):
        raise ending.error()
    return ending.record


def _make_request(order: Order, direction: Direction) -> Request:
    if order.revision not in {entry.id for entry in order.schema.revisions}:
        raise UsageError(
            f"database `{order.schema.database}` has no revision `{order.revision}`",
            code="S1-D20",
            hint="run `s1ctl db status`",
        )
    parse_place(order.dsn)
    return Request(
        dsn=order.dsn.reveal(),
        database=order.schema.database,
        folder=str(order.folder.absolute()),
        lineage=order.schema.revisions,
        revision=order.revision,
        direction=direction,
        operation=order.operation,
        plan=order.plan,
        fence=order.fence,
        max_stall_ms=order.max_stall_ms,
        max_wait_ms=int(order.max_wait_s * 1000),
    )


@contextmanager
def _started(folder: Path, said: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """Start a worker in a session of its own; when the block ends, so does the worker.

    Its stdin stays open: when that ends (also by the death of this process), it takes back its
    transaction and goes. An interrupt of the terminal reaches this process only.
    """
    worker = subprocess.Popen(
        [sys.executable, "-s", "-P", "-B", "-m", "s1ctl.database.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=said,
        env=_environment(),
        cwd=folder,
        start_new_session=True,
    )
    try:
        yield worker
    finally:
        _end(worker)


def _environment() -> dict[str, str]:
    """Make the worker's environment from nothing; the caller's has secrets."""
    return {
        "PATH": _PATH,
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(Path(s1ctl.__file__).resolve().parent.parent),
    }


def _end(worker: subprocess.Popen[bytes]) -> None:
    assert worker.stdin is not None
    assert worker.stdout is not None
    with suppress(BrokenPipeError):
        worker.stdin.close()
    try:
        worker.wait(END_S)
    except subprocess.TimeoutExpired:
        worker.kill()
        worker.wait()
    finally:
        worker.stdout.close()


def _hear(worker: subprocess.Popen[bytes], request: bytes) -> Iterator[AnyEvent]:
    """Hand the request over and read events until the worker closes its end.

    Raises `Inconclusive` S1-D40 when it says nothing, or nonsense; it says it is alive every 2 s.
    """
    assert worker.stdin is not None
    try:
        worker.stdin.write(request)
        worker.stdin.flush()
    except BrokenPipeError:
        return
    for line in _lines(worker):
        try:
            yield parse_event(line)
        except (ValueError, ShapeError):
            raise _silent("said what is not an event") from None


def _lines(worker: subprocess.Popen[bytes]) -> Iterator[bytes]:
    assert worker.stdout is not None
    held = b""
    with selectors.DefaultSelector() as selector:
        selector.register(worker.stdout, selectors.EVENT_READ)
        while True:
            if not selector.select(SILENT_S):
                raise _silent(f"said nothing for {SILENT_S:.0f} s")
            part = os.read(worker.stdout.fileno(), 65536)
            if not part:
                return
            *lines, held = (held + part).split(b"\n")
            yield from lines
            if len(held) > MAX_LINE:
                raise _silent("said a line without end")


def _silent(what: str) -> Inconclusive:
    return Inconclusive(
        f"the database worker {what}, and was ended",
        code="S1-D40",
        hint="look at the database server, then run `s1ctl resume`",
    )


def _ended(order: Order, status: int, said: IO[bytes]) -> StepFailed:
    """Tell of a worker that ended without a word; its last line helps us, not the operator."""
    how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
    said.seek(max(0, said.seek(0, os.SEEK_END) - 2000))
    lines = said.read().decode("utf-8", "replace").split("\n")
    last = next((line for line in reversed(lines) if line.strip()), "")
    shown = masked(last.strip(), *passwords_of(order.dsn))[:300]
    tail = f": {shown}" if last else ""
    return StepFailed(
        f"the worker of revision `{order.revision}` {how}{tail}",
        code="S1-D41",
        hint="run `s1ctl upgrade` again: it goes on where this ended",
    )


def _make_progress(order: Order, event: Advanced) -> Progress:
    return Progress(
        label=f"{order.schema.database} {order.revision}, {event.rate} rows/s",
        done=event.done,
        total=event.total,
        unit="rows",
    )
