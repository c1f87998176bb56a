"""The open-loop client: what it counts, and from when."""

import threading

from s1ctl.targets.probe import OpenLoop, Outcome, RequestError, make_numbers


def outcome(number: int, scheduled_s: float, answered_s: float, failure: str | None = None):
    return Outcome(number=number, scheduled_s=scheduled_s, answered_s=answered_s, failure=failure)


def test_latency_counts_from_the_scheduled_start_and_a_stall_between_good_answers() -> None:
    numbers = make_numbers(
        (
            outcome(0, 0.0, 0.1),
            outcome(1, 0.1, 0.2),
            outcome(2, 0.2, 0.5, "refused"),
            outcome(3, 0.3, 1.2),
        )
    )
    assert (numbers.requests, numbers.failed) == (4, 1)
    assert numbers.worst_ms == 900.0
    assert numbers.longest_stall_ms == 1000.0
    assert numbers.seconds == 1.2


def test_of_nothing_there_are_numbers_too() -> None:
    assert make_numbers(()).requests == 0


def test_a_server_that_hangs_does_not_keep_the_client_from_asking() -> None:
    release, enough = threading.Event(), threading.Event()

    def send(number: int) -> None:
        if number == 30:
            enough.set()
        if not release.wait(30):
            raise RequestError("hung")

    client = OpenLoop(rate_per_s=500, send=send, workers=60)
    client.start()
    assert enough.wait(30)
    release.set()
    numbers = client.stop()
    assert numbers.requests > 30
    assert numbers.failed == 0


def test_a_failed_request_is_counted_with_its_reason() -> None:
    done = threading.Event()

    def send(number: int) -> None:
        if number >= 5:
            done.set()
        if number % 2:
            raise RequestError(f"request {number}")

    with OpenLoop(rate_per_s=1000, send=send, workers=2) as client:
        assert done.wait(30)
    failures = [each.failure for each in client.outcomes() if each.failure]
    assert failures[:2] == ["request 1", "request 3"]
    assert client.numbers().failed == len(failures)
