"""What the database package decides without a database."""

import psycopg2
import pytest

from s1ctl.database.applied import Truth
from s1ctl.database.backfill import MAX_ROWS, MIN_ROWS, next_batch_rows
from s1ctl.database.blockers import Sighting
from s1ctl.database.faults import input_error, step_error
from s1ctl.database.state import check_order, judge_revision, judge_state
from s1ctl.database.turns import MIN_PAUSE_S, next_pause_s
from s1ctl.database.wire import (
    Blocker,
    Done,
    Request,
    RevisionRecord,
    Waiting,
    make_failed,
    parse_event,
    parse_request,
    write_line,
)
from s1ctl.errors import (
    ContentsRefused,
    Inconclusive,
    InputOutputFailed,
    S1Error,
    SiteHeld,
    StepFailed,
)
from s1ctl.plan.presence import Presence
from tests.support.lineages import Lineage

LINEAGE = ("0001", "0002", "0003")


def truth(*revisions: str, head: str | None = None) -> Truth:
    heads = (head,) if head else revisions[-1:]
    return Truth(heads=heads, applied=dict.fromkeys(revisions, "sha256:" + "0" * 64))


def refusal(state: str | None) -> psycopg2.Error:
    error = psycopg2.OperationalError()
    error.__setstate__({"pgcode": state})
    return error


def test_a_batch_grows_and_shrinks_towards_50_to_100_ms() -> None:
    assert next_batch_rows(1000, 0.075) == 1000
    assert next_batch_rows(1000, 0.010) == 2000
    assert next_batch_rows(4000, 0.300) == 2000
    assert next_batch_rows(1000, 0.120) == 625


def test_a_batch_stays_within_its_bounds() -> None:
    assert next_batch_rows(MIN_ROWS, 60) == MIN_ROWS
    assert next_batch_rows(MAX_ROWS, 0.0) == MAX_ROWS


def test_a_pause_is_jittered_between_50_ms_and_2_s() -> None:
    assert next_pause_s(1, 0, 0.0) == MIN_PAUSE_S
    assert next_pause_s(1, 0, 1.0) == pytest.approx(0.1)
    assert next_pause_s(50, 0, 1.0) == pytest.approx(2.0)


def test_trying_takes_at_most_a_tenth_of_the_time() -> None:
    assert 0.1 / (0.1 + next_pause_s(1, 0.1, 0.0)) == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("found", "standing", "pending"),
    [
        (truth(), "behind", LINEAGE),
        (truth("0001"), "behind", ("0002", "0003")),
        (truth(*LINEAGE), "at", ()),
        (truth(*LINEAGE, "0004"), "ahead", ()),
        (truth("x1"), "unknown", ()),
        (truth("0001", "0003"), "unknown", ()),
        (truth("0001", head="0002"), "unknown", ()),
        (Truth(heads=("0001", "b"), applied={"0001": ""}), "unknown", ()),
        (Truth(heads=("0001",), applied={}), "unknown", ()),
    ],
)
def test_a_database_stands_behind_at_ahead_or_nobody_knows(
    found: Truth, standing: str, pending: tuple[str, ...]
) -> None:
    state = judge_state(found, LINEAGE)
    assert (state.standing, state.pending) == (standing, pending)


@pytest.mark.parametrize(
    ("found", "revision", "presence"),
    [
        (truth("0001"), "0001", Presence.PRESENT),
        (truth(*LINEAGE), "0002", Presence.PRESENT),
        (truth(*LINEAGE, "0004"), "0002", Presence.PRESENT),
        (truth("0001"), "0002", Presence.ABSENT),
        (truth(), "0001", Presence.ABSENT),
        (truth("0001"), "0003", Presence.UNKNOWN),
        (truth("0001", head="0002"), "0002", Presence.UNKNOWN),
        (truth("x1"), "0001", Presence.UNKNOWN),
        (truth("0001"), "0009", Presence.UNKNOWN),
    ],
)
def test_a_revision_is_present_absent_or_nobody_knows(
    found: Truth, revision: str, presence: Presence
) -> None:
    assert judge_revision(found, LINEAGE, revision) is presence


def order(revision: str, direction: str = "do") -> Request:
    lineage = Lineage()
    for name in LINEAGE:
        lineage = lineage.add(name, "expand", "", head="")
    revisions = lineage.revisions
    return parse_request(
        write_line(
            Request(
                dsn="postgresql://u@h/d", database="console", folder="/f", lineage=revisions,
                revision=revision, direction=direction, operation="o", plan="p", fence=1,  # type: ignore[arg-type]
                max_stall_ms=100, max_wait_ms=1000,
            )
        )
    )  # fmt: skip


@pytest.mark.parametrize(
    ("applied", "revision", "direction", "answer"),
    [
        (1, "0002", "do", False), (2, "0002", "do", True), (0, "0002", "do", "S1-D21"),
        (3, "0002", "do", "S1-D22"), (2, "0002", "undo", False), (1, "0002", "undo", True),
        (0, "0002", "undo", "S1-D21"), (3, "0002", "undo", "S1-D22"),
    ],
)  # fmt: skip
def test_a_revision_runs_only_when_it_is_next(
    applied: int, revision: str, direction: str, answer: object
) -> None:
    request = order(revision, direction)
    entries = request.lineage[:applied]
    found = Truth(
        heads=tuple(entry.id for entry in entries[-1:]),
        applied={entry.id: entry.digest for entry in entries},
    )
    if isinstance(answer, bool):
        assert check_order(found, request) is answer
        return
    with pytest.raises(StepFailed) as caught:
        check_order(found, request)
    assert caught.value.code == answer


def test_an_applied_text_that_has_changed_is_refused() -> None:
    with pytest.raises(StepFailed) as caught:
        check_order(truth("0001"), order("0002"))
    assert caught.value.code == "S1-D16"


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ("28P01", "S1-D02"), ("28000", "S1-D02"), ("3D000", "S1-D03"), ("25006", "S1-D04"),
        ("53100", "S1-D05"), ("42501", "S1-D06"), ("55P03", "S1-D07"), ("53300", "S1-D08"),
        ("57P03", "S1-D01"), ("42703", "S1-D19"), ("42P07", "S1-D19"), ("22012", "S1-D30"),
        ("XX000", "S1-D30"),
    ],
)  # fmt: skip
def test_a_refusal_is_known_by_its_sqlstate(state: str, code: str) -> None:
    error = step_error(refusal(state), "`console` at `h:1`")
    assert (type(error), error.code) == (StepFailed, code)
    assert state in error.message


@pytest.mark.parametrize("state", [None, "08006", "57P01", "57P02"])
def test_a_lost_connection_is_inconclusive(state: str | None) -> None:
    assert isinstance(step_error(refusal(state), "`d`"), Inconclusive)
    assert isinstance(input_error(refusal(state), "`d`"), InputOutputFailed)


@pytest.mark.parametrize(
    "kind", [StepFailed, Inconclusive, SiteHeld, InputOutputFailed, ContentsRefused]
)
def test_an_error_comes_out_of_the_pipe_as_it_went_in(kind: type[S1Error]) -> None:
    event = parse_event(write_line(make_failed(kind("what `x`", code="S1-D30", hint="do"))))
    error = event.error()  # type: ignore[union-attr]
    assert (type(error), error.message, error.code, error.hint) == (
        kind, "what `x`", "S1-D30", "do")  # fmt: skip


def test_events_come_out_of_the_pipe_as_they_went_in() -> None:
    blocker = Blocker(pid=7, application="", user="u", kind="autovacuum worker", age_ms=None)
    for event in (
        Waiting(blockers=(blocker,), waited_ms=5, tries=2),
        Done(record=RevisionRecord(revision="0001", phase="expand", direction="do")),
    ):
        assert parse_event(write_line(event)) == event
    assert str(blocker) == "pid 7 `autovacuum worker` of `u`, transaction of unknown age"


def test_a_line_that_is_no_event_is_refused() -> None:
    with pytest.raises(ValueError, match="Expecting value"):
        parse_event(b"hello\n")


def test_only_time_spent_blocked_counts() -> None:
    blocker = Blocker(pid=7, application="a", user="u", kind="client backend", age_ms=1)
    sighting = Sighting(pid=1, first_s=0.0, limit_s=100.0)
    sighting.saw((), set())
    sighting.saw((blocker,), {"3/1"})
    assert sighting.blocked_s == 0.0
    sighting.saw((blocker,), {"3/2"})
    assert sighting.blocked_s > 0.0
    assert sighting.holders == {"3/1", "3/2"}
    assert not sighting.is_exhausted
    sighting.blocked_s = 101.0
    assert sighting.is_exhausted
    sighting.saw((), set())
    assert not sighting.is_exhausted
