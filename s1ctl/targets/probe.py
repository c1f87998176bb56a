"""An open-loop client: requests at fixed times, whether or not the former ones have answered."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

from s1ctl.targets.asking import NoAnswer, ask_url

Send = Callable[[int], None]
TIMEOUT_S = 10.0
WORKERS = 100
MAX_ANSWER_BYTES = 1 << 20


class RequestError(Exception):
    """One request of the probe failed, with the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeNumbers:
    """What the client saw.

    Latencies count from the scheduled start; a stall is the longest time between good answers.
    """

    requests: int
    failed: int
    worst_ms: float
    p99_ms: float
    seconds: float
    longest_stall_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One request: scheduled and answered, in seconds since the start; its failure."""

    number: int
    scheduled_s: float
    answered_s: float
    failure: str | None


class OpenLoop:
    """Send `rate_per_s` requests a second until it is stopped.

    `send` is given the number of the request and raises `RequestError`. Where all `workers` are
    busy the next request is late, and its latency says so.
    """

    def __init__(
        self,
        *,
        rate_per_s: float,
        send: Send,
        workers: int = WORKERS,
        patience_s: float = TIMEOUT_S * 2,
    ) -> None:
        self._rate = rate_per_s
        self._patience_s = patience_s
        self._send = send
        self._lock = threading.Lock()
        self._next = 0
        self._outcomes: list[Outcome] = []
        self._stopping = threading.Event()
        self._began = 0.0
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(workers)]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Begin to send."""
        self._began = time.monotonic()
        for thread in self._threads:
            thread.start()

    def stop(self) -> ProbeNumbers:
        """Send no more, wait for the answers that are due, and say the numbers.

        The wait is bounded for all of them together.
        """
        self._stopping.set()
        until = time.monotonic() + self._patience_s
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        return self.numbers()

    def numbers(self) -> ProbeNumbers:
        """Say the numbers so far."""
        return make_numbers(self.outcomes())

    def outcomes(self) -> tuple[Outcome, ...]:
        """Say every request so far, in the order in which they were due."""
        with self._lock:
            return tuple(sorted(self._outcomes, key=lambda outcome: outcome.number))

    def _work(self) -> None:
        while not self._stopping.is_set():
            with self._lock:
                number = self._next
                self._next += 1
            scheduled = number / self._rate
            if self._stopping.wait(max(0.0, self._began + scheduled - time.monotonic())):
                return
            self._record(number, scheduled, self._try(number))

    def _try(self, number: int) -> str | None:
        try:
            self._send(number)
        except RequestError as error:
            return str(error)
        return None

    def _record(self, number: int, scheduled: float, failure: str | None) -> None:
        outcome = Outcome(
            number=number,
            scheduled_s=scheduled,
            answered_s=time.monotonic() - self._began,
            failure=failure,
        )
        with self._lock:
            self._outcomes.append(outcome)


def probe_url(url: str, *, rate_per_s: float, timeout_s: float = TIMEOUT_S) -> OpenLoop:
    """Make a client of `url`; each request has a connection of its own, and no second try."""

    def send(_: int) -> None:
        try:
            status, _raw = ask_url(url, timeout_s=timeout_s, max_bytes=MAX_ANSWER_BYTES)
        except NoAnswer as error:
            raise RequestError(str(error)) from None
        if status >= 400:
            raise RequestError(f"status {status}")

    return OpenLoop(rate_per_s=rate_per_s, send=send, patience_s=timeout_s * 2)


def make_numbers(outcomes: tuple[Outcome, ...]) -> ProbeNumbers:
    """Sum up requests."""
    latencies = sorted((o.answered_s - o.scheduled_s) * 1000 for o in outcomes)
    good = sorted(o.answered_s for o in outcomes if o.failure is None)
    stalls = [later - earlier for earlier, later in pairwise(good)]
    return ProbeNumbers(
        requests=len(outcomes),
        failed=sum(outcome.failure is not None for outcome in outcomes),
        worst_ms=round(max(latencies, default=0.0), 1),
        p99_ms=round(latencies[int(len(latencies) * 0.99)], 1) if latencies else 0.0,
        seconds=round(max((o.answered_s for o in outcomes), default=0.0), 3),
        longest_stall_ms=round(max(stalls, default=0.0) * 1000, 1),
    )
