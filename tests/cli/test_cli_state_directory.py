"""A state directory that is full, read-only or not ours: looked at, and nothing begun."""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.bundles import CHANNEL, PRODUCT, make_parts, make_vendor, write_bundle
from tests.support.cases import CASES, Case, outcome_of
from tests.support.operators import ENGINE, bytes_of, disk, fill, fill_ledger, mount, write_site
from tests.support.preflight import PretendedEngine
from tests.support.require import need

READING = (
    ("status",),
    ("history", "--verify"),
    ("lock", "show"),
    ("backup", "list"),
)
NOBODY = 65534
Spoil = Callable[[Path], object]


@pytest.fixture
def sock() -> Iterator[Path]:
    """A path short enough for a socket, with an engine that pretends."""
    with tempfile.TemporaryDirectory(prefix="s1-", dir="/tmp") as folder:
        path = Path(folder) / "e.sock"
        with PretendedEngine(ENGINE).listening(path):
            yield path


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A state directory on a disk of its own, of which little is free."""
    with disk(tmp_path / "state", size="2m") as state:
        yield state


@pytest.fixture
def site(small: Path, sock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A site at which one operation was done; the disk of its state directory is small."""
    path = write_site(tmp_path, state=small, socket=str(sock))
    monkeypatch.setenv("S1CTL_SITE", str(path))
    fill_ledger(small)
    return path


def make_read_only(state: Path) -> None:
    mount("-o", "remount,ro", state)


@pytest.mark.parametrize(
    ("spoil", "words", "case"),
    [
        (fill, "its disk is full", CASES["state-directory-full"]),
        (make_read_only, "mounted read-only", CASES["state-directory-read-only"]),
    ],
)
def test_a_state_directory_that_takes_nothing_is_read_and_nothing_is_begun(
    run, site, small, tmp_path: Path, *, spoil: Spoil, words: str, case: Case
) -> None:
    spoil(small)
    before = bytes_of(small)
    for line in READING:
        status, out, err = run(*line)
        assert (status, "warning: the ledger" in err, words in err) == (0, True, True), line
    _, out, _ = run("status")
    assert "release    1.0.0, since" in out
    assert "ledger     only read, nothing can be done" in out
    fault = json.loads(run("status", "--output", "json")[1])["ledger_fault"]
    assert (fault["code"], fault["exit"]) == (case.code, 20)
    assert "op-1" in run("history")[1]
    assert "ledger" not in run("report", "last", "--html", tmp_path / "page.html")[1]
    for line in (("lock", "break", "--reason", "x", "--yes"), ("load", "none.s1b")):
        status, out, err = run(*line, "--output", "json")
        assert outcome_of(status, json.loads(out)) == case.outcome
        assert "hint: " in err
    assert bytes_of(small) == before


def test_where_nothing_was_done_yet_a_full_disk_is_found_before_anything(
    run, site, small, tmp_path: Path
) -> None:
    for path in small.iterdir():
        path.unlink()
    fill(small)
    status, out, err = run("status")
    assert (status, "release    nothing" in out, "warning: " in err) == (0, True, True)
    assert sorted(path.name for path in small.iterdir()) == ["filler"]


@pytest.fixture
def loaded(run, registry, sock, small, *, tmp_path: Path, monkeypatch) -> None:
    """A site at which a release is loaded, and was planned once."""
    vendor = make_vendor()
    (tmp_path / "root.json").write_bytes(vendor.root_json)
    bundle = write_bundle(tmp_path / "acme.s1b", make_parts(), vendor)
    path = tmp_path / "site.yaml"
    monkeypatch.setenv("S1CTL_SITE", str(path))
    monkeypatch.setenv("REGISTRY_PASSWORD", registry.password)
    run(
        *("init", "--non-interactive", "--name", "acme", "--product", PRODUCT),
        *("--channel", CHANNEL, "--registry", f"{registry.url}/acme", "--registry-ca", registry.ca),
        *("--registry-user", registry.user, "--registry-password", "env:REGISTRY_PASSWORD"),
        *("--state-dir", small),
    )
    path.write_text(path.read_text().replace("target:\n", f"target:\n  socket: {sock}\n"))
    fingerprint = hashlib.sha256(vendor.root.payload).hexdigest()
    run("trust", "init", "--root", tmp_path / "root.json", "--fingerprint", fingerprint)
    assert run("load", bundle)[0] == 0


@pytest.mark.parametrize("spoil", [fill, make_read_only])
def test_plan_and_preflight_say_of_a_ledger_that_takes_nothing_what_they_said_before(
    run, loaded, small, spoil: Spoil
) -> None:
    """The plan gets as far as the settings of the release that ledger and store hold."""
    lines = (
        ("plan", "--to", "1.0.0"),
        ("preflight", "--only", "state", "--only", "engine.version"),
    )
    before = [run(*line) for line in lines]
    assert "S1-U17" in before[0][2]
    spoil(small)
    for line, (status, out, err) in zip(lines, before, strict=True):
        now = run(*line)
        warning, _, rest = now[2].partition("\n")
        assert (now[0], now[1], rest) == (status, out, err)
        assert warning.startswith("warning: the ledger")


@pytest.fixture
def theirs(run, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A site of a user who is not root, below a folder that everybody may enter."""
    need("root")
    with tempfile.TemporaryDirectory(prefix="s1-", dir="/tmp") as folder:
        state = Path(folder) / "state"
        Path(folder).chmod(0o755)
        monkeypatch.setenv("S1CTL_SITE", str(write_site(Path(folder), state=state)))
        fill_ledger(state)
        run("status")  # whatever is imported late is imported as root
        for path in (Path(folder), state, state / "ledger.db", Path(folder) / "site.yaml"):
            os.chown(path, NOBODY, NOBODY)
        yield state


def test_a_state_directory_without_the_right_to_write_is_read(run, theirs: Path) -> None:
    for path in theirs.glob("ledger.db-*"):
        path.unlink()
    (theirs / "ledger.db").chmod(0o400)
    theirs.chmod(0o500)
    with another_user():
        status, out, err = run("status")
        refused = run("lock", "break", "--reason", "x", "--yes", "--output", "json")
    assert (status, "release    1.0.0" in out, "warning: the ledger" in err) == (0, True, True)
    assert outcome_of(refused[0], json.loads(refused[1])) == CASES["state-no-right"].outcome


def test_a_state_directory_of_root_is_not_entered_by_others(run, theirs: Path) -> None:
    os.chown(theirs, 0, 0)
    with another_user():
        status, out, err = run("status", "--output", "json")
    assert outcome_of(status, json.loads(out)) == CASES["state-of-root"].outcome
    assert f"`{theirs}` cannot be used: Permission denied" in err
    assert f"`ls -ld {theirs}`" in err


@contextmanager
def another_user() -> Iterator[None]:
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
