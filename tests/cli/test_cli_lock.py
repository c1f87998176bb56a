import json
import subprocess
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from s1ctl.errors import InputOutputFailed
from s1ctl.ledger.holder import Holder, own_holder
from s1ctl.ledger.ledger import open_ledger
from s1ctl.shape import changed
from s1ctl.targets import docker_engine, docker_hold
from s1ctl.targets.docker_hold import Hold
from tests.support.cases import CASES, outcome_of, words_of
from tests.support.operators import ENGINE
from tests.support.preflight import PretendedEngine

AT = datetime(2026, 3, 1, 2, 3, 4, tzinfo=UTC)
NIGHT = Holder(who="nora", host="site-host", pid=77, boot_id="b")


@pytest.fixture
def site(run, tmp_path: Path) -> Path:
    path = tmp_path / "site.yaml"
    run(
        *("init", "--site", path, "--non-interactive", "--name", "acme", "--product", "shop"),
        *("--registry", "https://r:5000", "--state-dir", tmp_path / "state"),
    )
    socket = f"target:\n  socket: {tmp_path}/engine.sock\n"
    path.write_text(path.read_text().replace("target:\n", socket))
    return path


@pytest.fixture
def held(site, tmp_path: Path) -> None:
    with open_ledger(tmp_path / "state") as ledger:
        ledger.lock.acquire(
            operation="op-1", holder=NIGHT, plan="sha256:0", message="upgrade", at=AT,
            is_alive=lambda _: True,
        )  # fmt: skip


def test_nobody_holds_a_site_at_first(golden, site) -> None:
    golden("lock-free", "lock", "show", "--site", site)


def test_who_holds_the_site_is_shown(golden, site, held) -> None:
    golden("lock-held", "lock", "show", "--site", site)
    golden("lock-held-json", "lock", "show", "--site", site, "--output", "json")


def test_a_lock_is_not_broken_without_being_asked_or_yes(golden, site, held) -> None:
    golden("lock-break-no-terminal", "lock", "break", "--site", site, "--reason", "host is gone")


def test_a_lock_is_broken_with_a_reason_that_stays(golden, site, held, tmp_path: Path) -> None:
    words = ("lock", "break", "--site", site, "--reason", "host is gone", "--yes")
    golden("lock-break", *words)
    golden("lock-break-again", *words)
    with open_ledger(tmp_path / "state") as ledger:
        assert [entry.reason for entry in ledger.lock.breaks()] == ["host is gone"]


@pytest.fixture
def volume(monkeypatch: pytest.MonkeyPatch) -> list[Hold]:
    """What holds the site at the engine."""
    held = [
        Hold(
            operation="op-9", who="nora", host="other-host", pid=7, boot_id="b",
            since=AT.isoformat(), plan="sha256:9", message="upgrade",
        )
    ]  # fmt: skip
    monkeypatch.setattr(docker_engine, "connect_engine", lambda _: None)
    monkeypatch.setattr(docker_hold, "read_hold", lambda *_: held[0] if held else None)
    monkeypatch.setattr(docker_hold, "break_hold", lambda *_: held.pop())
    return held


def test_a_lock_that_only_the_engine_has_is_shown_with_what_ends_it(run, site, volume) -> None:
    _, out, _ = run("lock", "show", "--site", site)
    assert "operation op-9 holds the site at the engine only: upgrade" in out
    assert "`s1ctl lock break --reason …`" in out


def test_a_lock_that_only_the_engine_has_is_broken_and_recorded(
    run, site, volume, tmp_path: Path
) -> None:
    words = ("--reason", "host is gone", "--yes", "--output", "json")
    status, out, _ = run("lock", "break", "--site", site, *words)
    assert (status, volume) == (0, [])
    assert json.loads(out) == {"broken": ["op-9"], "reason": "host is gone"}
    with open_ledger(tmp_path / "state") as ledger:
        assert [(b.held.operation, b.held.since, b.reason) for b in ledger.lock.breaks()] == [
            ("op-9", AT, "host is gone")
        ]


@pytest.mark.usefixtures("held", "volume")
def test_a_break_is_recorded_before_the_engine_is_touched(
    run, site, monkeypatch, tmp_path: Path
) -> None:
    def fail(*_: object) -> None:
        raise InputOutputFailed("it went away", code="S1-E10", hint="look")

    monkeypatch.setattr(docker_hold, "break_hold", fail)
    assert run("lock", "break", "--site", site, "--reason", "host is gone", "--yes")[0] == 20
    with open_ledger(tmp_path / "state") as ledger:
        assert [entry.held.operation for entry in ledger.lock.breaks()] == ["op-1"]


@pytest.fixture
def living(site, tmp_path: Path) -> Iterator[int]:
    """A process of this host that holds the site, as one on another terminal would."""
    with subprocess.Popen(["sleep", "120"]) as other:
        own = own_holder("nora")
        holder = changed(own, pid=other.pid, pid_started=None)
        with open_ledger(tmp_path / "state") as ledger:
            ledger.lock.acquire(
                operation="op-1", holder=holder, plan="sha256:0", message="upgrade", at=AT,
                is_alive=lambda _: True,
            )  # fmt: skip
        try:
            yield other.pid
        finally:
            other.kill()


def test_a_lock_is_not_broken_while_its_process_lives_here(
    run, site, living: int, tmp_path: Path
) -> None:
    before = words_of(tmp_path / "state")
    words = ("lock", "break", "--site", site, "--reason", "it hangs", "--yes")
    status, out, err = run(*words, "--output", "json")
    assert outcome_of(status, json.loads(out)) == CASES["lock-of-a-living-process"].outcome
    assert f"process {living} of `nora` lives on this host" in err
    assert f"`kill -INT {living}`" in err
    CASES["lock-of-a-living-process"].prove(before, words_of(tmp_path / "state"))


def test_a_lock_that_is_broken_by_force_is_recorded_as_that(
    run, site, living: int, tmp_path: Path
) -> None:
    words = ("lock", "break", "--site", site, "--reason", "it hangs", "--yes", "--living")
    assert run(*words)[0] == 0
    with open_ledger(tmp_path / "state") as ledger:
        (entry,) = ledger.lock.breaks()
    assert entry.reason == f"it hangs (process {living} was alive, and --living was given)"
    assert entry.held.holder.pid == living


def test_the_second_of_two_terminals_is_told_who_was_first(
    run, site, living: int, tmp_path: Path
) -> None:
    """Only looking is free while the first one works."""
    with tempfile.TemporaryDirectory(prefix="s1-", dir="/tmp") as folder:
        sock = Path(folder) / "e.sock"
        text = site.read_text().replace(f"{tmp_path}/engine.sock", str(sock))
        site.write_text(text)
        (tmp_path / "root").mkdir()
        _, out, _ = run(
            *("key", "new", tmp_path / "root" / "k", "--root", tmp_path / "root" / "root.json"),
            *("--product", "shop", "--no-password", "--output", "json"),
        )
        words = ("trust", "init", "--site", site, "--root", tmp_path / "root" / "root.json")
        assert run(*words, "--fingerprint", json.loads(out)["root"])[0] == 0
        before = words_of(tmp_path / "state")
        with PretendedEngine(ENGINE).listening(sock):
            status, out, err = run("uninstall", "--site", site, "--yes", "--output", "json")
            assert outcome_of(status, json.loads(out)) == CASES["two-terminals"].outcome
            assert f"process {living}" in err
            assert "`nora`" in err
            assert "hint: wait for it, or look: `s1ctl lock show`" in err
            assert run("status", "--site", site)[0] == 0
    CASES["two-terminals"].prove(before, words_of(tmp_path / "state"))
