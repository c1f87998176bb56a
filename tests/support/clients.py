"""Open-loop database clients: latency counts from the scheduled start, so a stall shows."""

import threading
import time
from types import TracebackType

import psycopg2

from tests.support.postgres import Database


class Clients:
    """Run `statements` side by side, each `rate` times a second, until the block ends."""

    def __init__(self, database: Database, *statements: str, rate: float = 25) -> None:
        self.requests = 0
        self.worst_ms = 0.0
        self.errors: list[str] = []
        self._ended = threading.Event()
        self._mutex = threading.Lock()
        self._threads = [
            threading.Thread(target=self._run, args=(database, statement, 1 / rate), daemon=True)
            for statement in statements
        ]

    def __enter__(self) -> "Clients":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._ended.set()
        for thread in self._threads:
            thread.join(60)

    def __str__(self) -> str:
        return f"{self.requests} requests, {len(self.errors)} errors, worst {self.worst_ms:.0f} ms"

    def _run(self, database: Database, statement: str, period_s: float) -> None:
        connection = database.connect("old-release", autocommit=True)
        cursor, due = connection.cursor(), time.monotonic()
        while not self._ended.is_set():
            try:
                cursor.execute(statement)
            except psycopg2.Error as error:
                self.errors.append(str(error))
            with self._mutex:
                self.requests += 1
                self.worst_ms = max(self.worst_ms, (time.monotonic() - due) * 1000)
            due += period_s
            time.sleep(max(0.0, due - time.monotonic()))
        connection.close()
