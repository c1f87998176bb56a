"""A host that is not as it should be in the middle of it all: full, narrow, or strict with `/tmp`.

Real engine, registry, database and command line, at a second site beside the kiosk.
"""

import ctypes
import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest

from s1ctl.ledger.ledger import open_ledger
from s1ctl.operation.events import Event
from s1ctl.targets.docker_container import SITE
from s1ctl.targets.docker_engine import Engine, connect_engine
from tests.support.cases import CASES, outcome_of, words_of
from tests.support.forked import At, Ended
from tests.support.kiosk import FIRST, SECOND, KioskSite, Opened
from tests.support.operators import disk, fill, on_terminal, wide
from tests.support.require import ENGINE

pytestmark = pytest.mark.integration
COLUMNS = 60
NEWNS = 0x00020000  # unshare(2): mounts of our own
UPGRADE = ("upgrade", "--to", SECOND, "--yes")


@pytest.fixture(scope="module")
def second(filled_kiosk: Opened, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KioskSite]:
    """A site at which nothing is installed, whose state directory is a small disk of its own."""
    folder = tmp_path_factory.mktemp("second")
    with disk(folder / "state", size="8m"), filled_kiosk.beside(folder) as site:
        site("load", filled_kiosk.kiosk.bundles[FIRST], filled_kiosk.kiosk.bundles[SECOND])
        yield site


def subnet_of(site: KioskSite) -> str:
    found = re.search(r"network: ([0-9./]+)", site.file.read_text())
    assert found is not None
    return found[1]


def take(engine: Engine, site: KioskSite) -> None:
    """Be somebody who makes a network on the site's subnet."""
    config = {"Driver": "default", "Config": [{"Subnet": subnet_of(site)}]}
    engine.create_network(f"{site.name}-theirs", ipam=config, labels={"owner": "somebody"})


@contextmanager
def theirs(engine: Engine, site: KioskSite) -> Iterator[Callable[[], object]]:
    """Yield what shows their network, which nobody of ours may touch; it is removed at the end."""
    try:
        yield lambda: engine.network(f"{site.name}-theirs")
    finally:
        engine.remove_network(f"{site.name}-theirs")


def ours(engine: Engine, site: KioskSite) -> list[object]:
    """List what the engine has of the site."""
    label = {SITE: site.name}
    networks = [engine.network(f"{site.name}-{name}") for name in ("default", "services")]
    return [*engine.containers(label), *filter(None, networks)]


def begun(step: str) -> Callable[[Event], bool]:
    return lambda e: (e.event, e.step) == ("intent", step)


def install(opened: Opened, site: KioskSite, *at: At) -> Ended:
    bundle = opened.kiosk.bundles[FIRST]
    return site.run("install", "--bundle", bundle, "--yes", "--output", "json", at=at)


def take_in_between(site: KioskSite) -> None:
    """Take the subnet by a connection of the forked process's own."""
    with closing(connect_engine(str(ENGINE))) as engine:
        take(engine, site)


def test_a_subnet_of_somebody_else_is_named_before_anything_is_made(
    filled_kiosk: Opened, second: KioskSite
) -> None:
    engine, nothing = filled_kiosk.engine, {"containers": []}
    with theirs(engine, second) as shown:
        take(engine, second)
        made = shown()
        ended = install(filled_kiosk, second)
        refused = json.loads(ended.out)
        assert outcome_of(ended.status, refused) == CASES["subnet-taken-by-somebody"].outcome, ended
        assert f"{subnet_of(second)} overlaps" in ended.err
        assert f"{second.name}-theirs" in ended.err
        assert shown() == made
        CASES["subnet-taken-by-somebody"].prove(nothing, {"containers": ours(engine, second)})
    with open_ledger(second.state) as ledger:
        assert not ledger.operations.history()


def test_a_subnet_that_somebody_takes_in_between_is_taken_back(
    filled_kiosk: Opened, second: KioskSite
) -> None:
    engine, nothing = filled_kiosk.engine, {"containers": []}
    with theirs(engine, second) as shown:
        at = At(this=begun("prepare"), act=lambda: take_in_between(second))
        ended = install(filled_kiosk, second, at)
        outcome = json.loads(ended.out)
        assert outcome_of(ended.status, outcome) == CASES["subnet-taken-in-between"].outcome, ended
        assert outcome["state"] == "taken-back"
        assert f"another network has addresses of `{subnet_of(second)}`" in ended.out
        assert "s1ctl preflight --only engine.networks" in outcome["cause"]["hint"]
        found = shown()
        assert isinstance(found, dict)
        assert (found["Labels"], found["Containers"]) == ({"owner": "somebody"}, {})
        CASES["subnet-taken-in-between"].prove(nothing, {"containers": ours(engine, second)})
        assert second.data("lock", "show") == {"held": None}


def test_a_state_disk_that_fills_up_in_between_leaves_it_paused_and_resume_ends_it(
    filled_kiosk: Opened, second: KioskSite
) -> None:
    ended = install(filled_kiosk, second)
    assert ended.status == 0, ended
    at = At(
        this=lambda e: (e.event, e.step) == ("done", "record-point"),
        act=lambda: fill(second.state),
    )
    try:
        ended = second.run(*UPGRADE, "--output", "json", at=(at,))
        outcome = json.loads(ended.out)
        case = CASES["state-disk-fills-in-between"]
        assert outcome_of(ended.status, outcome) == case.outcome, ended
        assert (outcome["state"], outcome["is_turned_back"], outcome["head"]) == (
            "paused",
            False,
            None,
        )
        assert "Traceback" not in ended.err
        assert second.ask() == FIRST
        assert "not finished" in second("status")
    finally:
        (second.state / "filler").unlink()
    assert second.data("resume")["version"] == SECOND
    assert second.ask() == SECOND
    assert "every entry that is there is as it was written" in second("history", "--verify")


def noexec_tmp(site: KioskSite) -> None:
    """Have nothing run from `/tmp` in this process and what it starts, but from the site's."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(NEWNS):
        raise OSError(ctypes.get_errno(), "unshare")
    for words in (
        ("--make-rprivate", "/"),
        ("--bind", "/tmp", "/tmp"),
        ("-o", "remount,bind,noexec", "/tmp"),
        ("--bind", str(site.folder), str(site.folder)),
        ("-o", "remount,bind,exec", str(site.folder)),
    ):
        subprocess.run(("mount", *words), check=True, timeout=30)
    assert os.statvfs("/tmp").f_flag & os.ST_NOEXEC


def test_where_nothing_runs_from_tmp_a_dump_is_proven_and_an_upgrade_done(
    filled_kiosk: Opened,
) -> None:
    """PostgreSQL's programs keep data there, and run nothing from it."""
    site, case = filled_kiosk.site, CASES["tmp-noexec-in-an-upgrade"]
    at = At(call="s1ctl.cli.surroundings.make_context", act=lambda: noexec_tmp(site))
    try:
        made = site.data("backup", "create", at=(at,))
        name = made["backups"][0]["id"]
        proven = site.data("backup", "prove", name, at=(at,))
        assert proven["proof"]["matches"] is True
        ended = site.data(*UPGRADE, at=(at,))
        assert outcome_of(ended["exit"], ended) == case.outcome
        assert site.ask() == SECOND
    finally:
        filled_kiosk.put_back()


def test_a_plan_fits_into_60_columns(filled_kiosk: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    site, before = filled_kiosk.site, words_of(filled_kiosk.site.state)
    for name, value in site.environment.items():
        monkeypatch.setenv(name, value)
    for words in (("plan", "--to", SECOND), ("upgrade", "--to", SECOND, "--dry-run"), ("status",)):
        status, screen = on_terminal([*words, "--site", site.file], columns=COLUMNS, TERM="xterm")
        assert (status, "") == CASES["plan-at-60-columns"].outcome, screen
        assert wide(screen, COLUMNS) == []
        if words != ("status",):
            assert f"replace web {FIRST} -> {SECOND}" in " ".join(screen.split())
    words = ("preflight", "--site", site.file)
    status, screen = on_terminal(words, columns=COLUMNS, TERM="xterm")
    assert status in (0, 4), screen  # some hosts are warned of
    assert wide(screen, COLUMNS) == []
    CASES["plan-at-60-columns"].prove(before, words_of(site.state))
