"""One s1ctl at a time in a database: advisory lock, fence, heartbeat, and a look at who blocks."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from s1ctl.database.applied import ensure_tables
from s1ctl.database.blockers import Sighting, look
from s1ctl.database.faults import step_error
from s1ctl.database.reach import connect, place
from s1ctl.database.stop import Stop
from s1ctl.database.wire import Alive, Request
from s1ctl.errors import Inconclusive, S1Error, SiteHeld, StepFailed
from s1ctl.shape import Value
from s1ctl.site.secrets import Secret

LOCK_KEY = (0x5331, 0x63746C)  # "S1", "ctl"
LOCK_LOST = "S1-D15"
LOCK_APPLICATION = "s1ctl-lock"
WORK_APPLICATION = "s1ctl-worker"
HEARTBEAT_S = 2.0
LINGER_S = 3.0
LOOK_EVERY_S = 0.5

Tell = Callable[[Value], None]


@contextmanager
def holding(dsn: Secret, request: Request, tell: Tell, stop: Stop) -> Iterator["Hold"]:
    """Hold the database for one operation, with a heartbeat in `s1ctl.hold`.

    Raises `SiteHeld` S1-D13 when another session holds it, `StepFailed` S1-D14 when the fence is
    older than one that was there. The lock ends with the connection, so with the process.
    """
    with closing(connect(dsn, application=LOCK_APPLICATION)) as database:
        try:
            _take_lock(database, dsn)
            _end_left_overs(database)
            ensure_tables(database)
            _raise_fence(database, request)
        except psycopg2.Error as error:
            raise step_error(error, place(dsn)) from None
        hold = Hold(database, request, tell, stop)
        hold.start()
        try:
            yield hold
        finally:
            hold.end()


def check_fence(cursor: Cursor, fence: int) -> None:
    """Refuse, inside the transaction, a fence that is no longer the newest.

    The row is shared until the commit, so that a greater fence waits for this transaction.
    Raises `StepFailed` S1-D14.
    """
    cursor.execute("SELECT fence FROM s1ctl.hold FOR KEY SHARE")
    row = cursor.fetchone()
    if row != (fence,):
        raise _stale(fence, row[0] if row else 0)


class Hold:
    """The lock's own connection, used by one thread: heartbeat, and who blocks the work."""

    def __init__(self, database: Connection, request: Request, tell: Tell, stop: Stop) -> None:
        self._database = database
        self._request = request
        self._tell = tell
        self._stop = stop
        self._watched: Sighting | None = None
        self._wake = threading.Event()
        self._ended = False
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin to beat."""
        self._thread.start()

    def end(self) -> None:
        """Stop beating; waits for the thread."""
        self._ended = True
        self._wake.set()
        self._thread.join(HEARTBEAT_S)

    @contextmanager
    def watching(self, sighting: Sighting) -> Iterator[Sighting]:
        """Look who blocks the sighting's session while the block runs."""
        self._watched = sighting
        self._wake.set()
        try:
            yield sighting
        finally:
            self._watched = None

    def _run(self) -> None:
        beaten = 0.0
        try:
            while not self._ended:
                if time.monotonic() - beaten >= HEARTBEAT_S:
                    beaten = time.monotonic()
                    self._beat()
                self._look()
                self._wake.wait(self._pause_s())
                self._wake.clear()
        except psycopg2.Error:
            self._stop.request(_lost(self._request))

    def _beat(self) -> None:
        with self._database.cursor() as cursor:
            cursor.execute(
                "UPDATE s1ctl.hold SET heartbeat = clock_timestamp() WHERE fence = %s",
                (self._request.fence,),
            )
        self._tell(Alive())

    def _look(self) -> None:
        watched = self._watched
        if watched is None or watched.is_early:
            return
        with self._database.cursor() as cursor:
            look(cursor, watched)
        if watched.is_due:
            self._tell(watched.report())
        if watched.is_exhausted:
            self._stop.request(watched.gave_up(self._request.revision))

    def _pause_s(self) -> float:
        watched = self._watched
        return min(LOOK_EVERY_S, watched.pause_s) if watched else LOOK_EVERY_S


def _take_lock(database: Connection, dsn: Secret) -> None:
    """Take the advisory lock; a session that is just ending is given a few seconds."""
    deadline = time.monotonic() + LINGER_S
    with database.cursor() as cursor:
        while True:
            cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", LOCK_KEY)
            if cursor.fetchone() == (True,):
                return
            if time.monotonic() > deadline:
                raise _held(cursor, dsn)
            time.sleep(0.1)


def _held(cursor: Cursor, dsn: Secret) -> SiteHeld:
    cursor.execute(
        "SELECT a.pid, coalesce(a.client_addr::text, 'here') FROM pg_locks l"
        " JOIN pg_stat_activity a USING (pid) WHERE l.locktype = 'advisory' AND l.granted"
        " AND l.classid = %s AND l.objid = %s AND l.database ="
        " (SELECT oid FROM pg_database WHERE datname = current_database())",
        LOCK_KEY,
    )
    pid, address = cursor.fetchone() or ("?", "?")
    return SiteHeld(
        f"{place(dsn)} is held by another s1ctl: its session has pid {pid} and comes from"
        f" {address}",
        code="S1-D13",
        hint="run `s1ctl lock show` where that one runs, and wait until it has ended",
    )


def _end_left_overs(database: Connection) -> None:
    """End sessions of a killed worker, and wait for it: we hold the lock, so they are nobody's.

    One that stays for longer is met by the fence.
    """
    deadline = time.monotonic() + LINGER_S
    with database.cursor() as cursor:
        while time.monotonic() < deadline:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND usename = current_user"
                " AND application_name = %s",
                (WORK_APPLICATION,),
            )
            if not cursor.rowcount:
                return
            time.sleep(0.1)


def _raise_fence(database: Connection, request: Request) -> None:
    """Write our fence, waiting for a transaction that shares the former one."""
    with database, database.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = %s", (f"{max(1, request.max_wait_ms)}ms",))
        cursor.execute(
            "INSERT INTO s1ctl.hold (fence, operation, heartbeat)"
            " VALUES (%(fence)s, %(operation)s, now()) ON CONFLICT (one) DO UPDATE"
            " SET fence = excluded.fence, operation = excluded.operation, heartbeat = now()"
            " WHERE s1ctl.hold.fence <= excluded.fence",
            {"fence": request.fence, "operation": request.operation},
        )
        if cursor.rowcount == 1:
            return
        cursor.execute("SELECT fence FROM s1ctl.hold")
        row = cursor.fetchone()
    raise _stale(request.fence, row[0] if row else 0)


def _stale(ours: int, theirs: int) -> StepFailed:
    return StepFailed(
        f"fence {ours} is older than fence {theirs}, which is in the database",
        code="S1-D14",
        hint="run `s1ctl status`: another operation has taken over since",
    )


def _lost(request: Request) -> S1Error:
    return Inconclusive(
        f"the lock on the database was lost while revision `{request.revision}` ran",
        code="S1-D15",
        hint="look at the server's log, then run `s1ctl resume`",
    )
