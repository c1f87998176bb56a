from datetime import UTC, datetime

import pytest

from s1ctl.errors import InputOutputFailed
from s1ctl.oci.retry import Patience, TemporarilyFailed, next_wait_s, parse_retry_after, retry

PATIENCE = Patience(tries=4, first_s=1, longest_s=60)
NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


def failing(times: int, *, after_s: float | None = None) -> tuple[list[int], list[float], object]:
    tried: list[int] = []
    waited: list[float] = []

    def act(number: int) -> str:
        tried.append(number)
        if number <= times:
            raise TemporarilyFailed("busy", code="S1-R10", hint="wait", after_s=after_s)
        return "done"

    try:
        ended: object = retry(act, patience=PATIENCE, pause=waited.append, jitter=lambda: 0)
    except TemporarilyFailed as failure:
        ended = failure
    return tried, waited, ended


def test_what_passes_by_itself_is_tried_again_with_longer_pauses() -> None:
    assert failing(2) == ([1, 2, 3], [1, 2], "done")


def test_tries_are_bounded_and_the_last_failure_is_raised() -> None:
    tried, waited, ended = failing(99)
    assert (tried, waited) == ([1, 2, 3, 4], [1, 2, 4])
    assert isinstance(ended, TemporarilyFailed)


def test_what_the_other_side_asks_to_wait_is_waited() -> None:
    assert failing(1, after_s=17) == ([1, 2], [17], "done")


def test_nobody_waits_longer_than_patience_allows() -> None:
    tried, waited, _ = failing(1, after_s=61)
    assert (tried, waited) == ([1], [])


def test_other_failures_are_not_tried_again() -> None:
    tried = []

    def act(number: int) -> None:
        tried.append(number)
        raise InputOutputFailed("gone", code="S1-R02", hint="start it")

    with pytest.raises(InputOutputFailed):
        retry(act, patience=PATIENCE, pause=lambda _: None, jitter=lambda: 0)
    assert tried == [1]


def test_jitter_takes_off_up_to_half_and_never_undercuts_what_was_asked() -> None:
    assert next_wait_s(PATIENCE, tried=3, after_s=None, jitter=1) == 2
    assert next_wait_s(PATIENCE, tried=3, after_s=3, jitter=1) == 3


def test_pauses_do_not_grow_beyond_the_longest() -> None:
    patience = Patience(tries=100, first_s=1, longest_s=60)
    assert next_wait_s(patience, tried=50, after_s=None, jitter=0) == 60


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("0", 0),
        ("120", 120),
        ("Thu, 01 Jan 2026 12:00:30 GMT", 30),
        ("Thu, 01 Jan 2026 11:00:00 GMT", 0),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("", None),
        ("²", None),
        ("9" * 5000, 999999999),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(text: str, seconds: float | None) -> None:
    assert parse_retry_after(text, now=NOW) == seconds
