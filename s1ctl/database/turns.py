"""Take locks without making others wait: short tries, long pauses, outside of the queue."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812

from s1ctl.database.blockers import Sighting, not_free, wait_outside
from s1ctl.database.faults import LOCKED
from s1ctl.database.hold import Hold, Tell
from s1ctl.database.stop import Stop
from s1ctl.database.wire import Waiting

T = TypeVar("T")

MIN_PAUSE_S, MAX_PAUSE_S = 0.05, 2.0
DUTY = 0.1


@dataclass(slots=True, kw_only=True)
class Tally:
    """What getting the locks took: tries, and the longest of them."""

    tries: int = 0
    longest_s: float = 0.0


def next_pause_s(tries: int, tried_s: float, roll: float) -> float:
    """Say how long to stay away after a try that failed; `roll` is in 0..1 (full jitter).

    50 ms to 2 s, growing; never so short that trying takes more than a tenth of the time.
    """
    ceiling = min(MAX_PAUSE_S, MIN_PAUSE_S * float(2 ** min(tries, 10)))
    jittered = MIN_PAUSE_S + roll * (ceiling - MIN_PAUSE_S)
    return max(jittered, tried_s * (1 / DUTY - 1))


class Turns:
    """Runs transactions that have a lock timeout until one gets its locks, or the time is up."""

    def __init__(
        self, database: Connection, hold: Hold, tell: Tell, stop: Stop, *, revision: str,
        max_stall_s: float, max_wait_s: float,
    ) -> None:  # fmt: skip
        self._database = database
        self._hold = hold
        self._tell = tell
        self._stop = stop
        self._revision = revision
        self._first_look_s = max_stall_s / 2
        self._max_wait_s = max_wait_s
        self.tally = Tally()

    def run(self, attempt: Callable[[], T]) -> T:
        """Run `attempt`, a whole transaction, again and again while locks are missing.

        Raises `StepFailed` S1-D07 that names the blockers, and whatever else `attempt` raises.
        """
        return self._run(attempt, limit_s=0.0)

    def run_long(self, attempt: Callable[[], T]) -> T:
        """Run work that may itself wait long without making others wait (CONCURRENTLY).

        Whom it waits for is told meanwhile; blocked for longer than allowed, it is cancelled.
        """
        return self._run(attempt, limit_s=self._max_wait_s)

    def _run(self, attempt: Callable[[], T], *, limit_s: float) -> T:
        began, tries = time.monotonic(), 0
        while True:
            self._stop.check()
            tries += 1
            sighting = Sighting(
                pid=self._database.info.backend_pid,
                first_s=self._first_look_s,
                limit_s=limit_s,
                is_quiet=not limit_s,
            )
            started = time.monotonic()
            try:
                with self._hold.watching(sighting):
                    return attempt()
            except psycopg2.Error as error:
                if error.pgcode not in LOCKED:
                    raise
            finally:
                self._count(time.monotonic() - started)
            waited = time.monotonic() - began
            if waited >= self._max_wait_s:
                raise not_free(self._revision, waited, sighting.blockers)
            self._stay_away(sighting, began, tries, time.monotonic() - started)

    def _count(self, seconds: float) -> None:
        self.tally.tries += 1
        self.tally.longest_s = max(self.tally.longest_s, seconds)

    def _stay_away(self, sighting: Sighting, began: float, tries: int, tried_s: float) -> None:
        waited_ms = int((time.monotonic() - began) * 1000)
        self._tell(Waiting(blockers=sighting.blockers, waited_ms=waited_ms, tries=tries))
        roll = random.random()  # noqa: S311 - jitter, not a secret
        self._stop.wait(next_pause_s(tries, tried_s, roll))
        with self._database.cursor() as cursor:
            deadline = began + self._max_wait_s
            wait_outside(cursor, sighting, deadline=deadline, pause=self._stop.wait)
