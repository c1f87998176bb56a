"""Collect facts side by side, read-only, each with a deadline."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from datetime import datetime
from threading import Thread
from time import monotonic

from s1ctl.errors import S1Error
from s1ctl.shape import changed
from s1ctl.site.facts import Fact, Facts

Collector = Callable[[], Fact]
DEADLINE_S = 20.0


def collect(
    collectors: Mapping[str, Collector], *, taken_at: datetime, deadline_s: float = DEADLINE_S
) -> Facts:
    """Run every collector; one that fails or is late gives a fact with an error.

    Each has a thread of its own, so that one that hangs delays no other, nor the end of the
    process. Raises nothing of theirs but what is a bug.
    """
    futures = {name: _start(name, collector) for name, collector in collectors.items()}
    wait(futures.values(), timeout=deadline_s)
    items = {name: _fact(future, deadline_s) for name, future in futures.items()}
    return Facts(taken_at=taken_at.isoformat(), items=items)


def _start(name: str, collector: Collector) -> Future[Fact]:
    future: Future[Fact] = Future()
    Thread(target=_run, args=(collector, future), name=f"fact {name}", daemon=True).start()
    return future


def _run(collector: Collector, future: Future[Fact]) -> None:
    began = monotonic()
    try:
        fact = collector()
    except Exception as error:  # noqa: BLE001 - handed on to whoever asks for the result
        future.set_exception(error)
    else:
        future.set_result(changed(fact, took_ms=int((monotonic() - began) * 1000)))


def _fact(future: Future[Fact], deadline_s: float) -> Fact:
    if not future.done():
        return Fact(error=f"no answer within {deadline_s:.0f} s")
    try:
        return future.result(timeout=0)
    except S1Error as error:
        return Fact(error=f"{error.code}: {error.message}")
    except (OSError, ValueError) as error:
        return Fact(error=f"{type(error).__name__}: {error}")
