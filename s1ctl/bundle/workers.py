"""A few threads that share a queue of tasks and stop together."""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from queue import Empty, SimpleQueue
from typing import TypeVar

STOP_S = 5
T = TypeVar("T")


class Stopped(Exception):  # noqa: N818 - no error: another worker had one
    """Raised inside a task that ends early because the others stop."""


class Stop:
    """Tells tasks that they are not wanted any more."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        """Stop the tasks at their next check."""
        self._event.set()

    def check(self) -> None:
        """Raise `Stopped` when it is so."""
        if self._event.is_set():
            raise Stopped

    def pause(self, seconds: float) -> None:
        """Wait for `seconds`; raise `Stopped` as soon as it is so."""
        self._event.wait(seconds)
        self.check()


def run_all(tasks: Iterable[T], act: Callable[[T, Stop], None], *, workers: int) -> None:
    """Call `act` for every task, in their order, `workers` at a time; return when all are done.

    The first error, or an interrupt of the caller, stops the other tasks at their next check. It
    is raised when they have ended, at the latest after 5 s: what is stuck by then is left behind.
    """
    queue: SimpleQueue[T] = SimpleQueue()
    for task in tasks:
        queue.put(task)
    stop, errors = Stop(), list[BaseException]()
    threads = [
        threading.Thread(target=_work, args=(queue, act, stop, errors), daemon=True)
        for _ in range(min(workers, queue.qsize()))
    ]
    try:
        for thread in threads:
            thread.start()
        while not errors and any(thread.is_alive() for thread in threads):
            _join(threads, 0.1)
    except BaseException:
        stop.set()
        _join(threads, STOP_S)
        raise
    if errors:
        _join(threads, STOP_S)
        raise errors[0]


def _work(
    queue: "SimpleQueue[T]",
    act: Callable[[T, Stop], None],
    stop: Stop,
    errors: list[BaseException],
) -> None:
    while True:
        try:
            task = queue.get_nowait()
        except Empty:
            return
        try:
            stop.check()
            act(task, stop)
        except Stopped:
            return
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            errors.append(error)
            stop.set()
            return


def _join(threads: Sequence[threading.Thread], seconds: float) -> None:
    """Wait for the threads together; short waits, so that an interrupt comes through."""
    until = time.monotonic() + seconds
    for thread in threads:
        if thread.ident is not None:
            thread.join(max(until - time.monotonic(), 0))
