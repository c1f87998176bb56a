"""How a worker's work ends early: its parent went away, its lock was lost, it waited too long."""

import threading
import time

from psycopg2.extensions import connection as Connection  # noqa: N812

from s1ctl.errors import Inconclusive, S1Error

CANCEL_EVERY_S = 0.3


class Stop:
    """A reason to stop, and the connection whose statement is cancelled for it."""

    def __init__(self) -> None:
        self._reason: S1Error | None = None
        self._requested = threading.Event()
        self._database: Connection | None = None

    @property
    def reason(self) -> S1Error | None:
        """Say why the work shall stop; None while it may go on."""
        return self._reason

    def cancels(self, database: Connection) -> None:
        """Name the connection to cancel when the time comes."""
        self._database = database

    def request(self, reason: S1Error) -> None:
        """Ask the work to stop; the first reason counts. Returns at once."""
        if self._requested.is_set():
            return
        self._reason = reason
        self._requested.set()
        threading.Thread(target=self._keep_cancelling, daemon=True).start()

    def check(self) -> None:
        """Raise the reason where there is one."""
        if self._reason is not None:
            raise self._reason

    def wait(self, seconds: float) -> None:
        """Sleep; wakes up for a reason and raises it."""
        self._requested.wait(seconds)
        self.check()

    def _keep_cancelling(self) -> None:
        """Cancel until the process ends: a cancel that meets no statement is lost."""
        while True:
            if self._database is not None and not self._database.closed:
                self._database.cancel()
            time.sleep(CANCEL_EVERY_S)


def interrupted(revision: str) -> Inconclusive:
    """Make the reason of a worker whose parent asked it to end, or ended."""
    return Inconclusive(
        f"revision `{revision}` was interrupted; its transaction was taken back",
        code="S1-D42",
        hint="run `s1ctl resume`",
    )
