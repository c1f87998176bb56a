"""`python -m s1ctl.database.worker`: apply one revision, told by stdin, telling on stdout.

The process that runs a vendor's Python: it knows one connection string and no other secret. It
ends when its stdin ends, so with its parent.
"""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812

from s1ctl.database.applied import fetch_truth
from s1ctl.database.backfill import Filler
from s1ctl.database.faults import lost, step_error
from s1ctl.database.hold import LOCK_LOST, WORK_APPLICATION, Tell, holding
from s1ctl.database.lineage import Lineage
from s1ctl.database.reach import connect, place
from s1ctl.database.script import RevisionScript, read_script
from s1ctl.database.state import check_order
from s1ctl.database.stop import Stop, interrupted
from s1ctl.database.throttle import Throttle
from s1ctl.database.turns import Turns
from s1ctl.database.wire import (
    Advanced,
    Done,
    Request,
    RevisionRecord,
    make_failed,
    parse_request,
    write_line,
)
from s1ctl.errors import Inconclusive, InputOutputFailed, S1Error
from s1ctl.shape import Value
from s1ctl.site.secrets import Secret

STDIN = 0
TELL_EVERY_S = 0.5
GRACE_S = 10.0


def main() -> int:
    """Read one request, carry it out, tell how it ended."""
    tell = _make_teller()
    request = parse_request(_read_line())
    stop = Stop()
    threading.Thread(target=_watch_parent, args=(stop, request.revision), daemon=True).start()
    try:
        record = _carry_out(request, tell, stop)
    except S1Error as error:
        tell(make_failed(_reason(stop.reason or error, Secret(request.dsn))))
        return 1
    tell(Done(record=record))
    return 0


def _reason(error: S1Error, dsn: Secret) -> S1Error:
    """Tell a server that went away, with the lock and all, from a lock that alone was lost."""
    if error.code != LOCK_LOST:
        return error
    try:
        connect(dsn, application=WORK_APPLICATION).close()
    except InputOutputFailed:
        return lost(place(dsn)).error(Inconclusive)
    return error


def _make_teller() -> Tell:
    """Keep stdout for events; what a revision prints goes to stderr."""
    events = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    lock = threading.Lock()

    def tell(event: Value) -> None:
        with lock, suppress(BrokenPipeError):  # nobody listens any more: the watch ends us
            events.write(write_line(event))

    return tell


def _read_line() -> bytes:
    """Read the request without Python's buffers: the rest of stdin belongs to the watch."""
    line = b""
    while not line.endswith(b"\n"):
        part = os.read(STDIN, 65536)
        if not part:
            break
        line += part
    return line


def _watch_parent(stop: Stop, revision: str) -> None:
    """Stop when the pipe ends; if the work cannot be stopped, end the process."""
    while os.read(STDIN, 4096):
        pass
    stop.request(interrupted(revision))
    time.sleep(GRACE_S)
    os._exit(1)


def _carry_out(request: Request, tell: Tell, stop: Stop) -> RevisionRecord:
    began = time.monotonic()
    script = read_script(request)
    dsn = Secret(request.dsn)
    with (
        holding(dsn, request, tell, stop) as hold,
        closing(connect(dsn, application=WORK_APPLICATION)) as database,
        _translating(dsn),
    ):
        stop.cancels(database)
        with database.cursor() as cursor:
            if check_order(fetch_truth(cursor), request):
                return _make_record(request, script, was_applied=True)
        _hurry_autovacuum(database, request.max_stall_ms)
        turns = Turns(
            database, hold, tell, stop, revision=request.revision,
            max_stall_s=request.max_stall_ms / 1000, max_wait_s=request.max_wait_ms / 1000,
        )  # fmt: skip
        throttle = Throttle(
            database, tell, stop, revision=request.revision, max_wait_s=request.max_wait_ms / 1000
        )
        rows = _apply(request, script, database, turns, throttle=throttle, tell=tell)
    return _make_record(
        request, script, rows=rows, tries=turns.tally.tries,
        held_ms=int(turns.tally.longest_s * 1000), total_ms=int((time.monotonic() - began) * 1000),
    )  # fmt: skip


def _apply(
    request: Request, script: RevisionScript, database: Connection, turns: Turns, *,
    throttle: Throttle, tell: Tell,
) -> int:  # fmt: skip
    """Do what the revision's form asks, then stamp it; say how many rows a backfill changed."""
    lineage, rows = Lineage(database, request, script), 0
    if script.backfill is None and script.is_transactional:
        turns.run(lineage.run)
        return rows
    if script.backfill is None:
        turns.run_long(lineage.run_outside)
    else:
        rows = Filler(
            script.backfill, revision=request.revision, database=database, in_turn=turns.run,
            hold_back=throttle.wait, prologue=lineage.open_transaction, tell=_make_advance(tell),
        ).run()  # fmt: skip
    turns.run(lineage.stamp)
    return rows


def _make_advance(tell: Tell) -> Callable[[int, int, int], None]:
    """Tell of rows twice a second, with the rate of this run."""
    began, first, told = time.monotonic(), -1, 0.0

    def advance(seen: int, total: int, changed: int) -> None:
        nonlocal first, told
        first = seen if first < 0 else min(first, seen)
        now = time.monotonic()
        if now - told < TELL_EVERY_S:
            return
        told = now
        rate = int((seen - first) / max(now - began, 0.001))
        tell(Advanced(done=seen, total=total, changed=changed, rate=rate))

    return advance


def _hurry_autovacuum(database: Connection, max_stall_ms: int) -> None:
    """Let an autovacuum give way within our short lock timeout, where the role may ask for it.

    It gives way only to whoever has waited for `deadlock_timeout`, a second by default.
    """
    if database.info.server_version < 150000:
        return
    with database.cursor() as cursor:
        cursor.execute("SELECT has_parameter_privilege('deadlock_timeout', 'SET')")
        if cursor.fetchone() == (True,):
            cursor.execute("SET deadlock_timeout = %s", (f"{max(1, max_stall_ms // 2)}ms",))


@contextmanager
def _translating(dsn: Secret) -> Iterator[None]:
    try:
        yield
    except psycopg2.Error as error:
        raise step_error(error, place(dsn)) from error


def _make_record(request: Request, script: RevisionScript, **counted: Any) -> RevisionRecord:
    return RevisionRecord(
        revision=request.revision,
        phase=script.revision.phase,
        direction=request.direction,
        **counted,
    )


if __name__ == "__main__":
    sys.exit(main())
