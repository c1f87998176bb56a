"""A few threads that share a queue of tasks and stop together."""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from queue import Empty, SimpleQueue
from typing import TypeVar

STOP_S = 5
T = TypeVar("T")


class Stopped(Exception):
    """Raised inside a task that ends early because the others stop."""


class Stop:
    """Tells tasks that they are not wanted any more."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        """Stop the tasks at their next check."""
        self._event.set()

    def is_set(self) -> bool:
        """Say whether it is so."""
        return self._event.is_set()

    def check(self) -> None:
        """Raise `Stopped` when it is so."""
        if self._event.is_set():
            raise Stopped

    def pause(self, seconds: float) -> None:
        """Wait for `seconds`; raise `Stopped` as soon as it is so."""
        self._event.wait(seconds)
        self.check()


def run_all(
    tasks: Iterable[T],
    act: Callable[[T, Stop], None],
    *,
    workers: int,
    setbacks: Callable[[], int] = lambda: 0,
) -> None:
    """Call `act` for every task, in their order, `workers` at a time; return when all are done.

    For each of the `setbacks` counted so far one worker takes no more tasks, down to the last.
    The first error, or an interrupt of the caller, stops the other tasks at their next check. It
    is raised when they have ended, at the latest after 5 s: what is stuck by then is left behind.
    """
    queue: SimpleQueue[T] = SimpleQueue()
    for task in tasks:
        queue.put(task)
    stop, errors = Stop(), list[BaseException]()

    def work(number: int) -> None:
        while number == 0 or number < workers - setbacks():
            if not _do_next(queue, act, stop, errors):
                return

    threads = [
        threading.Thread(target=work, args=(number,), daemon=True)
        for number in range(min(workers, queue.qsize()))
    ]
    try:
        for thread in threads:
            thread.start()
        _wait(threads, stop)
    finally:
        stop.set()  # an interrupt ends up here, too
        _join(threads, STOP_S)
    if errors:
        raise errors[0]


def _do_next(
    queue: "SimpleQueue[T]",
    act: Callable[[T, Stop], None],
    stop: Stop,
    errors: list[BaseException],
) -> bool:
    """Do the next task; False: there is none, or it went wrong."""
    try:
        stop.check()
        act(queue.get_nowait(), stop)
    except (Empty, Stopped):
        return False
    except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
        errors.append(error)
        stop.set()
        return False
    return True


def _wait(threads: Sequence[threading.Thread], stop: Stop) -> None:
    while not stop.is_set() and any(thread.is_alive() for thread in threads):
        _join(threads, 0.1)


def _join(threads: Sequence[threading.Thread], seconds: float) -> None:
    """Wait for the threads together; short waits, so that an interrupt comes through."""
    until = time.monotonic() + seconds
    for thread in threads:
        if thread.ident is not None:
            thread.join(max(until - time.monotonic(), 0))
