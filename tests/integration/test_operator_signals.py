"""Ctrl-C and SIGTERM at every step of a real upgrade, at its question, and where nothing begins."""

import os
import pty
import select
import signal
import time
from collections.abc import Callable, Iterator

import pytest

from s1ctl.operation.events import Event
from tests.support.cases import CASES, outcome_of, stand_of
from tests.support.forked import At, be
from tests.support.kiosk import FIRST, SECOND, UNLOADED, Opened

pytestmark = pytest.mark.integration
UPGRADE = ("upgrade", "--to", SECOND, "--yes")
BOTH = f"next: `s1ctl resume` goes on to {SECOND}, `s1ctl rollback` takes it back to {FIRST}"
WAIT_S = 60


def begun(step: str, text: str = "") -> Callable[[Event], bool]:
    return lambda e: (e.event, e.step) == ("intent", step) and text in e.text


def in_progress(text: str, unit: str = "steps") -> Callable[[Event], bool]:
    return lambda e: (e.event, e.unit) == ("progress", unit) and text in e.text


STEPS: dict[str, Callable[[Event], bool]] = {
    "check": begun("check-site"),
    "pull": begun("pull-images"),
    "prepare": begun("prepare"),
    "point": begun("record-point"),
    "expand": begun("apply-revision", "expand"),
    "backfill": in_progress("console 0003", "rows"),
    "app": in_progress(f"-web-{SECOND}-1b"),
    "edge": in_progress(f"-edge-{SECOND}-1b"),
    "soak": begun("soak"),
    "record": begun("record-release"),
}
TWO = (signal.SIGINT, signal.SIGTERM)


@pytest.fixture
def opened(filled_kiosk: Opened) -> Iterator[Opened]:
    yield filled_kiosk
    filled_kiosk.put_back()


@pytest.mark.parametrize("first", [0, 1], ids=["int-first", "term-first"])
def test_a_signal_at_one_step_after_the_other_pauses_and_resume_goes_on(
    opened: Opened, first: int
) -> None:
    """Each resume but the last is interrupted at the next step, by the two signals in turn."""
    words, before = UPGRADE, opened.site.ask()
    opened.forget_image(SECOND)
    for turn, (name, this) in enumerate(STEPS.items(), start=first):
        ended = opened.site.run(*words, at=(At(this=this, signals=(TWO[turn % 2],)),))
        assert ended.status == 130, f"{name}:\n{ended}"
        assert "was interrupted and is paused: the site is at 1.0.0" in ended.out
        assert BOTH in ended.out
        assert opened.site.ask() in (before, SECOND)
        words = ("resume",)
    assert CASES["signal-at-every-step"].outcome == (ended.status, "")
    assert opened.site.data("resume")["version"] == SECOND
    assert "every entry that is there is as it was written" in opened.site("history", "--verify")


def test_more_signals_while_it_pauses_change_nothing(opened: Opened) -> None:
    at = (
        At(this=in_progress(f"-web-{SECOND}-1b"), signals=(signal.SIGINT, signal.SIGTERM)),
        At(this=lambda e: e.event == "closed", signals=(signal.SIGINT, signal.SIGHUP)),
    )
    ended = opened.site.run(*UPGRADE, "--output", "json", at=at)
    assert ended.status == 130, ended
    assert '"state": "paused"' in ended.out
    assert outcome_of(ended.status, {}) == CASES["signals-in-the-grace"].outcome
    back = opened.site.data("rollback", "--yes")
    assert (back["state"], back["version"]) == ("taken-back", FIRST)
    assert opened.site.ask() == FIRST


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (b"\x03", "interrupted: what was begun is left out"),
        (b"\x04", "interrupted: what was begun is left out"),
        (b"n\n", "nothing was done: the answer was no"),
    ],
    ids=["ctrl-c", "ctrl-d", "no"],
)
def test_at_the_question_nothing_is_changed_and_that_is_said(
    opened: Opened, typed: bytes, said: str
) -> None:
    before, containers = stand_of(opened.site.state), opened.containers()
    pid, terminal = pty.fork()
    if pid == 0:
        be(("--site", opened.site.file, *UPGRADE[:-1]), environment=opened.site.environment)
    text = answered(terminal, typed)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.close(terminal)
    assert outcome_of(status, {}) == CASES["stopped-at-the-question"].outcome
    assert said in text
    assert "Traceback" not in text
    assert (stand_of(opened.site.state), opened.containers()) == (before, containers)


def answered(terminal: int, typed: bytes) -> str:
    """Type at the question, again where it was not heard yet, and read all up to the end."""
    text, until = b"", time.monotonic() + WAIT_S
    while time.monotonic() < until:
        if select.select([terminal], [], [], 0.3)[0]:
            try:
                text += os.read(terminal, 4096)
            except OSError:  # the other side is closed
                return text.decode()
        elif b"apply this plan?" in text:
            os.write(terminal, typed)
    raise TimeoutError(text.decode())


@pytest.mark.parametrize("number", TWO)
def test_what_begins_no_operation_leaves_nothing_half_written(
    opened: Opened, number: signal.Signals
) -> None:
    site = opened.site
    before = stand_of(site.state)
    for words, call in {
        ("preflight", "--for", "upgrade"): "s1ctl.operation.check.collect",
        ("plan", "--to", SECOND): "s1ctl.operation.gather.plan_upgrade",
        (
            "plan",
            "--to",
            SECOND,
            "--out",
            site.folder / "plan.json",
        ): "s1ctl.cli.plan_text.document",
        UPGRADE: "s1ctl.operation.check.collect",
    }.items():
        ended = site.run(*words, at=(At(call=call, signals=(number,)),))
        assert ended.status == 130, f"{words}:\n{ended}"
        assert "interrupted: what was begun is left out" in ended.err
        assert "Traceback" not in ended.err
    assert outcome_of(ended.status, {}) == CASES["signal-before-an-operation"].outcome
    assert not (site.folder / "plan.json").exists()
    assert stand_of(site.state) == before
    assert site.data("lock", "show") == {"held": None}


@pytest.mark.parametrize("number", TWO)
def test_an_interrupted_load_is_simply_run_again(opened: Opened, number: signal.Signals) -> None:
    """It is stopped when all is sent, and the release half in the store."""
    site = opened.site
    before = stand_of(site.state)
    at = At(call="s1ctl.ledger.store._check_stored", signals=(number,))
    ended = site.run("load", opened.kiosk.bundles[UNLOADED], at=(at,))
    assert outcome_of(ended.status, {}) == CASES["signal-in-a-load"].outcome, ended
    assert "interrupted: what was begun is left out" in ended.err
    assert stand_of(site.state) == before
    assert UNLOADED not in site.data("status")["loaded"]


def test_an_interrupted_build_leaves_no_bundle(opened: Opened) -> None:
    vendor = opened.site.folder / "vendor"
    out = vendor / "again.s1b"
    key, root = vendor / "vendor.key", vendor / "root.json"
    words = ("bundle", "build", vendor / SECOND / "recipe.yaml", "-o", out)
    before = stand_of(vendor)
    at = At(call="s1ctl.bundle.archive._checked", signals=(signal.SIGTERM,))
    ended = opened.site.run(*words, "--key", key, "--root", root, at=(at,))
    assert outcome_of(ended.status, {}) == CASES["signal-in-a-build"].outcome, ended
    assert stand_of(vendor) == before
