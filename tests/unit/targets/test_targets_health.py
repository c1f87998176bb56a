"""Three judgements: pass, fail, inconclusive; and how long is waited."""

from dataclasses import replace

import pytest

from s1ctl.release.manifest import Health as HealthPaths
from s1ctl.targets.health import (
    Answer,
    Health,
    Sight,
    Verdict,
    judge,
    parse_version,
    wait_until_ready,
)

PATHS = HealthPaths(port=80, ready="/ready", version="/version")
GOOD = Sight(
    state="running",
    ready=Answer(status=200, text="ok"),
    version=Answer(status=200, text="2.0\n"),
)
PASS = Verdict(health=Health.PASS, reason="ready")
WAIT = Verdict(health=Health.INCONCLUSIVE, reason="not yet")
VOID = replace(WAIT, is_void=True)
END = Verdict(health=Health.FAIL, reason="ended", is_final=True)


def test_running_ready_and_of_the_expected_version_passes() -> None:
    assert judge(GOOD, PATHS, expected="2.0").health is Health.PASS


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"state": "exited", "exit_code": 3}, "status 3"),
        ({"state": "dead"}, "ended"),
        ({"state": "gone"}, "gone"),
        ({"is_out_of_memory": True}, "memory"),
        ({"restarts": 3}, "3 times"),
    ],
)
def test_a_container_that_ended_fails_for_good(change: dict[str, object], reason: str) -> None:
    verdict = judge(replace(GOOD, **change), PATHS, expected="2.0")
    assert (verdict.health, verdict.is_final) == (Health.FAIL, True)
    assert reason in verdict.reason


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"state": "restarting"}, "restarting"),
        ({"state": "created"}, "created"),
        ({"ready": Answer(status=503, text="busy")}, "503 `busy`"),
        ({"ready": Answer(text="ConnectTimeoutError")}, "ConnectTimeoutError"),
        ({"ready": None}, "nothing"),
        ({"version": Answer(status=200, text="1.0")}, "reports 200 `1.0`, not `2.0`"),
        ({"version": Answer(status=500, text="2.0")}, "500"),
    ],
)
def test_what_is_not_ready_yet_is_inconclusive_and_never_a_pass(
    change: dict[str, object], reason: str
) -> None:
    verdict = judge(replace(GOOD, **change), PATHS, expected="2.0")
    assert (verdict.health, verdict.is_final) == (Health.INCONCLUSIVE, False)
    assert reason in verdict.reason


def test_the_former_ones_answer_at_a_shared_port_tells_nothing() -> None:
    answered_by_former = replace(GOOD, version=Answer(status=200, text="1.0"))
    assert judge(answered_by_former, PATHS, expected="2.0", other="1.0").is_void
    assert not judge(answered_by_former, PATHS, expected="2.0").is_void
    assert judge(GOOD, PATHS, expected="2.0", other="2.0").health is Health.PASS


@pytest.mark.parametrize(
    ("check", "health"),
    [
        (None, Health.PASS),
        ("none", Health.PASS),
        ("healthy", Health.PASS),
        ("starting", Health.INCONCLUSIVE),
        ("unhealthy", Health.INCONCLUSIVE),
    ],
)
def test_without_paths_the_engines_own_check_counts(check: str | None, health: Health) -> None:
    assert judge(Sight(state="running", check=check), None, expected="2.0").health is health


def test_a_version_is_told_as_text_or_in_json() -> None:
    told = ("2.0\n", '{"version": "2.0"}', '"x"', "{}", "[1]")
    assert [parse_version(text) for text in told] == ["2.0", "2.0", '"x"', "", "[1]"]


def wait(*looks: Verdict, deadline_s: float = 10) -> tuple[Verdict, int]:
    now, taken = [0.0], []

    def look() -> Verdict:
        taken.append(looks[min(len(taken), len(looks) - 1)])
        return taken[-1]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    verdict = wait_until_ready(look, deadline_s=deadline_s, clock=lambda: now[0], sleep=sleep)
    return verdict, len(taken)


def test_three_looks_in_a_row_must_pass() -> None:
    assert wait(PASS, PASS, WAIT, PASS, PASS, PASS) == (PASS, 6)


def test_a_look_that_tells_nothing_does_not_break_the_row() -> None:
    assert wait(PASS, VOID, PASS, VOID, PASS) == (PASS, 5)


def test_a_final_verdict_ends_the_waiting_at_once() -> None:
    assert wait(WAIT, END, PASS) == (END, 2)


def test_the_deadline_makes_a_failure_of_what_is_not_known() -> None:
    verdict, looks = wait(WAIT, deadline_s=2)
    assert verdict.health is Health.FAIL
    assert "not ready after 2 s: not yet" in verdict.reason
    assert 10 <= looks <= 12
