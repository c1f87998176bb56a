"""Try again, a bounded number of times, what may pass by itself."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

from s1ctl.errors import InputOutputFailed

T = TypeVar("T")


class TemporarilyFailed(InputOutputFailed):
    """A failure that may pass by itself; `after_s` is how long the other side asks to wait."""

    def __init__(self, message: str, *, code: str, hint: str, after_s: float | None = None) -> None:
        super().__init__(message, code=code, hint=hint)
        self.after_s = after_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How often to try, and how long to wait between; nobody is waited for beyond `longest_s`."""

    tries: int = 6
    first_s: float = 0.5
    longest_s: float = 60


def retry(
    act: Callable[[int], T],
    *,
    patience: Patience,
    pause: Callable[[float], object],
    jitter: Callable[[], float],
) -> T:
    """Call `act` with the number of the try, from 1, until it does not raise `TemporarilyFailed`.

    `pause` waits for seconds; `jitter` gives a number from 0 to 1. The last failure is raised.
    """
    tried = 1
    while True:
        try:
            return act(tried)
        except TemporarilyFailed as failure:
            wait_s = next_wait_s(patience, tried=tried, after_s=failure.after_s, jitter=jitter())
            if wait_s is None:
                raise
        pause(wait_s)
        tried += 1


def next_wait_s(
    patience: Patience, *, tried: int, after_s: float | None, jitter: float
) -> float | None:
    """Decide how long to wait after `tried` failures; None: give up.

    Doubles from `first_s`, and takes off up to half of it at random, so that workers that failed
    together do not come back together. What the other side asks for is never undercut.
    """
    if tried >= patience.tries or (after_s or 0) > patience.longest_s:
        return None
    doubled = min(patience.first_s * 2.0 ** (tried - 1), patience.longest_s)
    return max(doubled * (1 - jitter / 2), after_s or 0)


def parse_retry_after(text: str | None, *, now: datetime) -> float | None:
    """Read a Retry-After header in seconds from `now` (RFC 9110, 10.2.3); nonsense is None."""
    if text is None:
        return None
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max((at - now).total_seconds(), 0) if at.tzinfo else None
