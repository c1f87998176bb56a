import _thread
import threading

import pytest

from s1ctl.bundle.workers import Stop, Stopped, run_all


def test_every_task_is_done_once() -> None:
    done: list[int] = []
    run_all(range(100), lambda task, _: done.append(task), workers=4)
    assert sorted(done) == list(range(100))


def test_one_worker_keeps_the_order() -> None:
    done: list[int] = []
    run_all(range(10), lambda task, _: done.append(task), workers=1)
    assert done == list(range(10))


def test_no_tasks_are_no_trouble() -> None:
    run_all([], lambda *_: None, workers=4)


def test_no_more_tasks_run_together_than_there_are_workers() -> None:
    together = threading.Barrier(3, timeout=10)
    running: set[int] = set()
    most = 0

    def act(task: int, _: Stop) -> None:
        nonlocal most
        running.add(task)
        together.wait()
        most = max(most, len(running))
        together.wait()
        running.discard(task)

    run_all(range(9), act, workers=3)
    assert most == 3


def test_the_first_error_stops_the_others_and_is_raised() -> None:
    has_begun = threading.Event()
    ends: list[str] = []

    def act(task: str, stop: Stop) -> None:
        if task == "long":
            has_begun.set()
            try:
                stop.pause(30)
            except Stopped:
                ends.append("stopped")
                raise
        else:
            assert has_begun.wait(10)
            raise ValueError(task)

    with pytest.raises(ValueError, match="wrong"):
        run_all(["long", "wrong", "never"], act, workers=2)
    assert ends == ["stopped"]


def test_tasks_that_wait_are_not_begun_after_an_error() -> None:
    begun: list[int] = []

    def act(task: int, _: Stop) -> None:
        begun.append(task)
        raise ValueError(task)

    with pytest.raises(ValueError, match="0"):
        run_all(range(10), act, workers=1)
    assert begun == [0]


def test_an_interrupt_stops_the_tasks_and_comes_through() -> None:
    ends: list[str] = []

    def act(_: int, stop: Stop) -> None:
        _thread.interrupt_main()
        try:
            stop.pause(30)
        finally:
            ends.append("stopped")

    with pytest.raises(KeyboardInterrupt):
        run_all([1], act, workers=1)
    assert ends == ["stopped"]


def test_what_is_stuck_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("s1ctl.bundle.workers.STOP_S", 0.05)
    release = threading.Event()
    is_stuck = threading.Event()

    def act(task: str, _: Stop) -> None:
        if task == "stuck":
            is_stuck.set()
            release.wait(30)
        else:
            assert is_stuck.wait(10)
            raise ValueError(task)

    try:
        with pytest.raises(ValueError, match="wrong"):
            run_all(["stuck", "wrong"], act, workers=2)
    finally:
        release.set()


def test_each_setback_takes_a_worker_away_but_never_the_last() -> None:
    names: set[str] = set()

    def act(_: int, __: Stop) -> None:
        names.add(threading.current_thread().name)

    run_all(range(50), act, workers=4, setbacks=lambda: 99)
    assert len(names) == 1
