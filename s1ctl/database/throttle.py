"""Hold a backfill back while a standby cannot keep up with what it writes."""

import time
from collections.abc import Callable

from psycopg2.extensions import connection as Connection  # noqa: N812

from s1ctl.database.stop import Stop
from s1ctl.database.wire import Blocker, Waiting
from s1ctl.errors import StepFailed

MAX_LAG_BYTES = 64 * 1024 * 1024
LOOK_EVERY_S = 0.5

# What a standby has received is asked, not what it has replayed: one that is delayed on purpose, or
# that a query holds up, has it safe, and would never pass. A logical slot is judged by what its
# reader has confirmed: `restart_lsn` also waits for the oldest open transaction. Slots are visible
# to everybody, standbys without one to monitors only. A slot that nobody uses waits for nobody.
_FURTHEST_BEHIND = """
SELECT name, bytes::bigint FROM (
    SELECT slot_name::text, pg_wal_lsn_diff(
            pg_current_wal_lsn(),
            CASE slot_type WHEN 'logical' THEN confirmed_flush_lsn ELSE restart_lsn END
        )
        FROM pg_replication_slots WHERE active
    UNION ALL
    SELECT application_name, pg_wal_lsn_diff(pg_current_wal_lsn(), flush_lsn)
        FROM pg_stat_replication WHERE state = 'streaming'
) AS standby (name, bytes) WHERE bytes IS NOT NULL ORDER BY bytes DESC LIMIT 1
"""


class Throttle:
    """Waits, between two batches, until no standby is further behind than it may be."""

    def __init__(
        self, database: Connection, tell: Callable[[Waiting], None], stop: Stop, *, revision: str,
        max_wait_s: float,
    ) -> None:  # fmt: skip
        self._database = database
        self._tell = tell
        self._stop = stop
        self._revision = revision
        self._max_wait_s = max_wait_s
        self._looked = 0.0

    def wait(self) -> None:
        """Wait for the standbys, twice a second at most asked. Raises `StepFailed` S1-D36."""
        if time.monotonic() - self._looked < LOOK_EVERY_S:
            return
        began = time.monotonic()
        while behind := self._look():
            waited = time.monotonic() - began
            if waited > self._max_wait_s:
                raise StepFailed(
                    f"the backfill of revision `{self._revision}` was held back for {waited:.0f} s"
                    f" by {behind}",
                    code="S1-D36",
                    hint="see why that standby lags (`pg_stat_replication`), then repeat: the"
                    " backfill goes on where it stands",
                )
            self._tell(Waiting(blockers=(behind,), waited_ms=int(waited * 1000), tries=1))
            self._stop.wait(LOOK_EVERY_S)

    def _look(self) -> Blocker | None:
        with self._database.cursor() as cursor:
            cursor.execute(_FURTHEST_BEHIND)
            row = cursor.fetchone()
        self._looked = time.monotonic()
        if row is None or row[1] <= MAX_LAG_BYTES:
            return None
        name = f"{row[0]}, {row[1] // 2**20} MiB behind"
        return Blocker(pid=0, application=name, user="", kind="standby", age_ms=None)
