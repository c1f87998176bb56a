"""Collect facts side by side, read-only, each with a deadline."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import datetime
from time import monotonic

from s1ctl.errors import S1Error
from s1ctl.shape import changed
from s1ctl.site.facts import Fact, Facts

Collector = Callable[[], Fact]
WORKERS = 8
DEADLINE_S = 20.0


def collect(
    collectors: Mapping[str, Collector], *, taken_at: datetime, deadline_s: float = DEADLINE_S
) -> Facts:
    """Run every collector; one that fails or is late gives a fact with an error.

    Raises nothing of theirs but what is a bug.
    """
    pool = ThreadPoolExecutor(max_workers=WORKERS, thread_name_prefix="fact")
    futures = {name: pool.submit(_timed, collector) for name, collector in collectors.items()}
    wait(futures.values(), timeout=deadline_s)
    pool.shutdown(wait=False, cancel_futures=True)
    items = {name: _fact(future, deadline_s) for name, future in futures.items()}
    return Facts(taken_at=taken_at.isoformat(), items=items)


def _timed(collector: Collector) -> Fact:
    began = monotonic()
    fact = collector()
    return changed(fact, took_ms=int((monotonic() - began) * 1000))


def _fact(future: Future[Fact], deadline_s: float) -> Fact:
    if not future.done() or future.cancelled():
        return Fact(error=f"no answer within {deadline_s:.0f} s")
    try:
        return future.result(timeout=0)
    except S1Error as error:
        return Fact(error=f"{error.code}: {error.message}")
    except (OSError, ValueError) as error:
        return Fact(error=f"{type(error).__name__}: {error}")
