"""A journal read as attempts, and laid out on an axis of working time."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from s1ctl.ledger.journal import FIRST, JournalEntry
from s1ctl.report.attempts import find_attempts
from s1ctl.report.axis import WIDTH, make_axis

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def journal(*told: tuple[int, str, str, float]) -> list[JournalEntry]:
    """Entries from (step, direction, event, seconds since the beginning)."""
    return [
        JournalEntry(
            number=place,
            operation="op-1",
            step={"number": number},
            direction=direction,  # type: ignore[arg-type]
            event=event,  # type: ignore[arg-type]
            record={},
            error={"code": "S1-X01"} if event == "failed" else None,
            at=BEGAN + timedelta(seconds=seconds),
            previous=FIRST,
        )
        for place, (number, direction, event, seconds) in enumerate(told, start=1)
    ]


def results(entries: list[JournalEntry]) -> list[tuple[int, str, str]]:
    return [(a.number, a.direction, a.result) for a in find_attempts(entries)]


def test_a_step_is_one_attempt_from_its_intent_to_its_end() -> None:
    entries = journal((1, "do", "intent", 0), (1, "do", "done", 4))
    (attempt,) = find_attempts(entries)
    assert (attempt.result, attempt.first, attempt.last) == ("done", 0, 1)


def test_a_step_whose_effect_was_found_took_no_time() -> None:
    entries = journal((1, "do", "done", 0))
    (attempt,) = find_attempts(entries)
    assert (attempt.result, attempt.first, attempt.last) == ("there", 0, 0)


def test_a_failure_and_its_taking_back_are_three_attempts() -> None:
    entries = journal(
        (1, "do", "intent", 0),
        (1, "do", "done", 1),
        (2, "do", "intent", 1),
        (2, "do", "failed", 2),
        (2, "undo", "intent", 2),
        (2, "undo", "done", 3),
        (0, "do", "failed", 3),
    )
    assert results(entries) == [(1, "do", "done"), (2, "do", "failed"), (2, "undo", "done")]


def test_a_killed_step_is_cut_off_and_its_repetition_is_another_attempt() -> None:
    again = journal((1, "do", "intent", 0), (1, "do", "intent", 90), (1, "do", "done", 91))
    assert results(again) == [(1, "do", "cut"), (1, "do", "done")]
    (cut, _) = find_attempts(again)
    assert cut.first == cut.last == 0
    taken_back = journal((1, "do", "intent", 0), (1, "undo", "intent", 9), (1, "undo", "done", 9))
    assert results(taken_back) == [(1, "do", "cut"), (1, "undo", "done")]
    assert results(journal((1, "do", "intent", 0))) == [(1, "do", "cut")]
    closed = journal((1, "do", "intent", 0), (0, "do", "failed", 1))
    assert results(closed) == [(1, "do", "cut")]


def test_an_effect_that_was_found_after_a_kill_is_not_called_a_long_step() -> None:
    entries = journal((1, "do", "intent", 0), (1, "do", "done", 900))
    entries[1] = replace(entries[1], record={"found": True})
    assert results(entries) == [(1, "do", "cut"), (1, "do", "there")]
    axis = make_axis([e.at for e in entries], find_attempts(entries))
    assert (axis.seconds, [pause.seconds for pause in axis.pauses]) == (0, [900])


def test_the_axis_is_working_time_from_edge_to_edge() -> None:
    entries = journal((1, "do", "intent", 0), (1, "do", "done", 5), (0, "do", "done", 10))
    axis = make_axis([e.at for e in entries], find_attempts(entries))
    assert axis.seconds == 10
    assert axis.places == (0, WIDTH / 2, WIDTH)
    assert axis.pauses == ()
    assert [tick.seconds for tick in axis.ticks] == [0, 2, 4, 6, 8, 10]


def test_a_pause_is_cut_out_and_a_long_step_is_not() -> None:
    entries = journal(
        (1, "do", "intent", 0),
        (1, "do", "done", 3600),
        (0, "do", "failed", 3600),
        (2, "do", "intent", 10_800),
        (2, "do", "done", 14_400),
    )
    axis = make_axis([e.at for e in entries], find_attempts(entries))
    assert axis.seconds == 7200
    assert [(pause.x, pause.seconds) for pause in axis.pauses] == [(WIDTH / 2, 7200)]
    assert axis.places[-1] == WIDTH


def test_an_axis_of_nothing_and_of_no_time_is_one() -> None:
    assert make_axis([], ()).places == (0.0,) * 0
    entries = journal((1, "do", "done", 0))
    assert make_axis([e.at for e in entries], find_attempts(entries)).places == (0.0,)


def test_a_clock_that_was_set_back_makes_no_negative_time() -> None:
    entries = journal((1, "do", "intent", 10), (1, "do", "done", 0), (0, "do", "done", 5))
    axis = make_axis([e.at for e in entries], find_attempts(entries))
    assert axis.places == (0, 0, WIDTH)


def test_a_clock_that_is_set_back_adds_no_time_and_takes_none_away() -> None:
    entries = journal(
        (1, "do", "intent", 0),
        (1, "do", "done", 4),
        (2, "do", "intent", -86400),
        (2, "do", "done", -86393),
    )
    axis = make_axis([entry.at for entry in entries], find_attempts(entries))
    assert axis.seconds == 11
    assert list(axis.places) == sorted(axis.places)
