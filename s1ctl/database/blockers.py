"""Who holds what a session waits for."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from s1ctl.database.wire import Blocker, Waiting
from s1ctl.errors import S1Error, StepFailed

REPORT_EVERY_S = 2.0
SOON_S, LATER_S = 0.01, 0.5

# Names, users and pids are visible to everybody; `xact_start` and `backend_type` only to the same
# role and monitors. Of those without a user only autovacuum holds a lock that is in the way.
_BLOCKERS = """
SELECT b.pid, coalesce(a.application_name, ''), coalesce(a.usename, CASE WHEN b.pid = 0
        THEN 'a prepared transaction' ELSE 'the server' END),
    coalesce(a.backend_type, CASE WHEN a.pid IS NOT NULL AND a.usename IS NULL
        THEN 'autovacuum worker' ELSE 'client backend' END),
    (extract(epoch FROM clock_timestamp() - a.xact_start) * 1000)::bigint
FROM (SELECT DISTINCT unnest(pg_blocking_pids(%s)) AS pid) AS b
LEFT JOIN pg_stat_activity a ON a.pid = b.pid ORDER BY 5 DESC NULLS LAST, 1
"""
_HOLDERS = """
SELECT DISTINCT h.virtualtransaction FROM pg_locks w JOIN pg_locks h
    ON h.granted AND h.locktype = w.locktype AND h.database = w.database
    AND h.relation = w.relation AND h.pid = ANY(%s)
WHERE w.pid = %s AND NOT w.granted AND w.locktype = 'relation'
"""
_STILL_THERE = "SELECT count(*) FROM pg_locks WHERE granted AND virtualtransaction = ANY(%s)"


@dataclass(slots=True, kw_only=True)
class Sighting:
    """What was seen of one session's waiting; filled by the hold's thread, read by the work.

    `first_s` is when to look for the first time; `limit_s` bounds the time blocked (0: somebody
    else bounds it); `is_quiet` leaves the telling to the work.
    """

    pid: int
    first_s: float
    limit_s: float = 0.0
    is_quiet: bool = False
    blockers: tuple[Blocker, ...] = ()
    holders: set[str] = field(default_factory=set)
    blocked_s: float = 0.0
    _began: float = field(default_factory=time.monotonic)
    _looked: float = 0.0
    _told: float = 0.0
    _is_blocked: bool = False

    @property
    def pause_s(self) -> float:
        """Say when to look again: often at first, since a short lock timeout ends soon."""
        age_s = time.monotonic() - self._began
        if age_s < self.first_s:
            return self.first_s - age_s
        return SOON_S if age_s < self.first_s + 1 else LATER_S

    @property
    def is_early(self) -> bool:
        """Say whether it is too soon to look."""
        return time.monotonic() - self._began < self.first_s

    @property
    def is_due(self) -> bool:
        """Say whether a long wait is to be told now."""
        due = self._is_blocked and not self.is_quiet and self.blocked_s >= LATER_S
        return due and time.monotonic() - self._told >= REPORT_EVERY_S

    @property
    def is_exhausted(self) -> bool:
        """Say whether it has been blocked for longer than allowed."""
        return bool(self.limit_s) and self._is_blocked and self.blocked_s > self.limit_s

    def saw(self, blockers: tuple[Blocker, ...], holders: set[str]) -> None:
        """Add what one look saw."""
        now = time.monotonic()
        if blockers:
            self.blockers = blockers
            self.holders |= holders
            self.blocked_s += now - self._looked if self._is_blocked else 0.0
        self._is_blocked, self._looked = bool(blockers), now

    def report(self) -> Waiting:
        """Put it into an event."""
        self._told = time.monotonic()
        return Waiting(blockers=self.blockers, waited_ms=int(self.blocked_s * 1000), tries=1)

    def gave_up(self, revision: str) -> S1Error:
        """Make the error of having waited too long."""
        return not_free(revision, self.blocked_s, self.blockers)


def look(cursor: Cursor, sighting: Sighting) -> None:
    """Look once who blocks the session, and which transactions of theirs hold the relation."""
    cursor.execute(_BLOCKERS, (sighting.pid,))
    found = tuple(
        Blocker(pid=pid, application=name, user=user, kind=kind, age_ms=age)
        for pid, name, user, kind, age in cursor.fetchall()
    )
    holders: set[str] = set()
    if found:
        cursor.execute(_HOLDERS, ([blocker.pid for blocker in found], sighting.pid))
        holders = {row[0] for row in cursor.fetchall()}
    sighting.saw(found, holders)


def wait_outside(
    cursor: Cursor, sighting: Sighting, *, deadline: float, pause: Callable[[float], None]
) -> None:
    """Wait, outside of the lock's queue, until the transactions seen are over, or the deadline."""
    if not sighting.holders:
        return
    while time.monotonic() < deadline:
        cursor.execute(_STILL_THERE, (sorted(sighting.holders),))
        if cursor.fetchone() == (0,):
            return
        pause(0.1)


def not_free(revision: str, seconds: float, blockers: tuple[Blocker, ...]) -> S1Error:
    """Make the error of a revision that never got its locks."""
    who = "; ".join(map(str, blockers)) or "nobody that could be seen"
    return StepFailed(
        f"revision `{revision}` got no lock in {seconds:.0f} s; it waits for {who}",
        code="S1-D07",
        hint=_way_out(blockers),
    )


def _way_out(blockers: tuple[Blocker, ...]) -> str:
    """Say what helps against whoever holds the lock."""
    if any(blocker.kind == "autovacuum worker" for blocker in blockers):
        return (
            "wait until `pg_stat_progress_vacuum` is empty, then repeat; a plain one gives way by"
            " itself after `GRANT SET ON PARAMETER deadlock_timeout TO` this user"
        )
    if any(not blocker.pid for blocker in blockers):
        return "end it by `ROLLBACK PREPARED` (`pg_prepared_xacts` has its name), then repeat"
    if blockers:
        return f"wait for it, or end it by `SELECT pg_terminate_backend({blockers[0].pid})`; repeat"
    return "repeat when the database is less busy, or raise `policy.max_wait_s`"
