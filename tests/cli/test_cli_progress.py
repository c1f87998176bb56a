import io
from datetime import timedelta

from s1ctl.cli.output import fitted
from s1ctl.cli.progress import ProgressLine, ago, describe, duration, size
from s1ctl.progress import Progress
from tests.support.ledgers import NOW

MIB = 1 << 20


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def shown(*, is_terminal: bool, every_s: float, states: int) -> str:
    stream, clock = io.StringIO(), Clock()
    line = ProgressLine(stream, is_terminal=is_terminal, clock=clock)
    for state in range(states + 1):
        clock.now = state * every_s
        line(Progress(label="load", done=state * MIB, total=states * MIB))
    line.close()
    return stream.getvalue()


def test_without_a_terminal_there_is_a_line_at_start_and_end_and_one_each_ten_seconds() -> None:
    assert shown(is_terminal=False, every_s=1, states=25).splitlines() == [
        "load: 0 B of 25.0 MiB",
        "load: 10.0 MiB of 25.0 MiB, 1.0 MiB/s, 15 s left",
        "load: 20.0 MiB of 25.0 MiB, 1.0 MiB/s, 5.0 s left",
        "load: 25.0 MiB of 25.0 MiB, 1.0 MiB/s, done in 25 s",
    ]


def test_without_a_terminal_no_control_character_is_written() -> None:
    assert shown(is_terminal=False, every_s=3, states=9).replace("\n", "").isprintable()


def test_on_a_terminal_one_line_moves_and_ends_with_a_new_one() -> None:
    text = shown(is_terminal=True, every_s=1, states=3)
    assert text.count("\r\x1b[K") == 4
    assert text.count("\n") == 1
    assert text.endswith("done in 3.0 s\n")


def test_a_line_that_still_moves_is_left_before_an_error_is_shown() -> None:
    stream = io.StringIO()
    line = ProgressLine(stream, is_terminal=True, clock=Clock())
    line(Progress(label="load", done=1, total=9))
    line.close()
    line.close()
    assert stream.getvalue().count("\n") == 1


def test_rows_are_counted_as_rows_and_an_unknown_total_is_not_shown() -> None:
    state = Progress(label="backfill", done=12000, total=0, unit="rows")
    assert describe(state, 2.0) == "backfill: 12,000 rows, 6,000 rows/s"


def test_what_was_there_before_does_not_count_for_the_rate() -> None:
    state = Progress(label="x", done=30, total=40, unit="rows")
    assert describe(state, 10.0, first=20) == "x: 30 of 40 rows, 1 rows/s, 10 s left"


def test_sizes_and_times_have_the_unit_a_person_would_choose() -> None:
    assert [size(n) for n in (999, 1536, 3 << 30)] == ["999 B", "1.5 KiB", "3.0 GiB"]
    assert [duration(s) for s in (1.26, 62, 600, 7200)] == ["1.3 s", "62 s", "10 min", "2.0 h"]


def test_parts_of_one_total_are_one_thing() -> None:
    stream, clock = io.StringIO(), Clock()
    line = ProgressLine(stream, is_terminal=False, clock=clock)
    for number in range(5):
        clock.now = number
        line(Progress(label=f"layer {number}", done=number, total=4))
    assert stream.getvalue().splitlines() == [
        "layer 0: 0 B of 4 B",
        "layer 4: 4 B of 4 B, 1 B/s, done in 4.0 s",
    ]


def test_inside_steps_only_what_takes_long_is_told() -> None:
    stream, clock = io.StringIO(), Clock()
    line = ProgressLine(stream, is_terminal=False, clock=clock)
    line.is_quiet = True
    for number in range(26):
        clock.now = number
        line(Progress(label=f"wait {number}", done=0, total=0, unit="steps"))
        line(Progress(label="pull", done=number, total=1000))
    assert stream.getvalue().splitlines() == [
        "pull: 10 B of 1000 B, 1 B/s, 16 min left",
        "pull: 20 B of 1000 B, 1 B/s, 16 min left",
    ]


def test_what_has_no_numbers_is_only_named() -> None:
    assert describe(Progress(label="wait for a", done=0, total=0, unit="steps"), 9) == "wait for a"


def test_lines_wider_than_the_terminal_break_between_words_under_their_text() -> None:
    line = "   12  replace gateway 1.1.0 -> 1.0.0: stop, then start; it does not answer meanwhile"
    assert fitted(line, 60).split("\n") == [
        "   12  replace gateway 1.1.0 -> 1.0.0: stop, then start; it",
        "       does not answer meanwhile",
    ]
    assert fitted("a digest " + "f" * 80, 60) == "a digest\n" + "f" * 80
    assert fitted("short", 60) == "short"


def test_what_lies_ahead_was_written_by_a_clock_that_was_set_back() -> None:
    assert ago(NOW - timedelta(minutes=5), NOW) == "5 min ago"
    assert ago(NOW, NOW) == "0.0 s ago"
    assert ago(NOW + timedelta(seconds=1), NOW) == "not known: the clock was set back"
