"""The engine goes away in the middle of a roll: stopped, restarted, or with the whole host.

An engine of the test's own; the command line is held still while that happens.
"""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.support.cases import CASES, outcome_of
from tests.support.engine import OwnEngine, running_engine
from tests.support.forked import At, Ended, Forked
from tests.support.kiosk import FIRST, SECOND, Opened, opened_kiosk
from tests.support.waiting import wait_until

pytestmark = pytest.mark.integration
UPGRADE = ("upgrade", "--to", SECOND, "--yes", "--output", "json")
HELD = At(
    this=lambda e: e.event == "progress" and "move the traffic of" in e.text,
    signals=(signal.SIGSTOP,),
)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnEngine]:
    """An engine of this module, in whose network namespace its tests are."""
    folder = tmp_path_factory.mktemp("engine")
    disk = small_disk(folder / "data")
    with disk, running_engine(folder, number=78) as engine, engine.entered():
        yield engine


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """Have a file system of its own in a new folder."""
    folder.mkdir()
    mount = ("mount", "-t", "tmpfs", "-o", "size=900m", "tmpfs", folder)
    subprocess.run(mount, check=True, timeout=30)
    try:
        yield
    finally:
        subprocess.run(("umount", "-l", folder), check=True, timeout=30)


@pytest.fixture(scope="module")
def installed(own: OwnEngine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    folder = tmp_path_factory.mktemp("kiosk")
    with opened_kiosk(folder, versions=(FIRST, SECOND), socket=own.socket) as opened:
        yield opened


@pytest.fixture
def opened(installed: Opened) -> Iterator[Opened]:
    yield installed
    installed.put_back()


def held_upgrade(opened: Opened) -> Forked:
    """Begin an upgrade that holds still when the new container is ready and has no traffic."""
    running = opened.site.start(*UPGRADE, at=(HELD,))
    pid, status = os.waitpid(running.pid, os.WUNTRACED)
    assert (pid, os.WIFSTOPPED(status)) == (running.pid, True)
    return running


def ended(running: Forked) -> Ended:
    os.kill(running.pid, signal.SIGCONT)
    return running.wait()


def is_serving(opened: Opened, *versions: str) -> bool:
    return opened.site.ask() in versions


def fill(path: Path) -> None:
    """Write zeros until the disk has no room for any more."""
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(1 << 20)):
            pass


def test_a_disk_of_the_engine_that_is_full_stops_the_pull_and_nothing_else(
    own: OwnEngine, opened: Opened
) -> None:
    before, filler = opened.stand(), own.folder / "data" / "filler"
    pulls = At(
        this=lambda e: (e.event, e.step) == ("intent", "pull-images"), act=lambda: fill(filler)
    )
    try:
        end = opened.site.run(*UPGRADE, at=(pulls,))
    finally:
        filler.unlink(missing_ok=True)
    outcome = json.loads(end.out)
    assert outcome_of(end.status, outcome) == CASES["engine-disk-full"].outcome, end
    assert "no space left on device" in outcome["cause"]["message"]
    assert opened.stand() == before


def test_an_engine_that_stops_in_a_roll_leaves_it_paused_and_resume_ends_it(
    own: OwnEngine, opened: Opened
) -> None:
    running = held_upgrade(opened)
    own.stop()
    end = ended(running)
    outcome = json_of(end)
    assert outcome_of(end.status, outcome) == CASES["engine-stops-in-a-roll"].outcome, end
    assert f"replace web {FIRST} -> {SECOND}" in outcome["cause"]["message"]
    assert "systemctl status docker" in outcome["cause"]["hint"]
    assert "s1ctl resume" in outcome["cause"]["hint"]
    status = opened.site("status")
    assert "`s1ctl resume` to go on, or `s1ctl rollback` to take it back" in status
    assert "not known  what runs" in status
    own.start()
    wait_until(lambda: is_serving(opened, FIRST, SECOND))
    assert opened.site.data("resume")["version"] == SECOND
    assert is_serving(opened, SECOND)


def test_an_engine_that_is_restarted_in_a_roll_is_gone_on_with(
    own: OwnEngine, opened: Opened
) -> None:
    running = held_upgrade(opened)
    own.restart()
    end = ended(running)
    outcome = json_of(end)
    assert outcome_of(end.status, outcome) == CASES["engine-restarts-in-a-roll"].outcome, end
    assert outcome["version"] == SECOND
    wait_until(lambda: is_serving(opened, SECOND))


@pytest.mark.parametrize(
    ("words", "state", "version"),
    [(("resume",), "done", SECOND), (("rollback", "--yes"), "taken-back", FIRST)],
    ids=["resume", "rollback"],
)
def test_after_a_reboot_in_a_roll_what_runs_is_right_and_both_ways_are_open(
    own: OwnEngine, opened: Opened, words: tuple[str, ...], state: str, version: str
) -> None:
    running = held_upgrade(opened)
    os.kill(running.pid, signal.SIGKILL)
    own.crash()
    assert running.wait().status == -signal.SIGKILL
    own.start()
    wait_until(lambda: is_serving(opened, FIRST, SECOND))
    assert opened.site.ask() == opened.site.ask("/edge/version") == FIRST
    status = opened.site("status")
    assert "upgrade, 1.0.0 -> 1.1.0: not finished" in status
    assert "`s1ctl resume` to go on, or `s1ctl rollback` to take it back" in status
    end = opened.site.data(*words)
    assert (end["state"], end["version"]) == (state, version)
    assert outcome_of(end["exit"], end) == CASES["reboot-in-a-roll"].outcome
    assert is_serving(opened, version)
    assert opened.site.data("status")["drift"] == []


def json_of(end: Ended) -> Any:
    return json.loads(end.out)
