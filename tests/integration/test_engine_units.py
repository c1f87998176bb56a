"""What goes wrong with a unit while it is replaced, and what somebody did to one by hand."""

import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from s1ctl.operation.events import Event
from s1ctl.targets.docker_engine import Engine, connect_engine
from tests.support.cases import CASES, outcome_of, stand_of
from tests.support.forked import At
from tests.support.kiosk import ENDS, FIRST, HUNGRY, SECOND, Opened
from tests.support.require import ENGINE

pytestmark = pytest.mark.integration


@pytest.fixture
def opened(filled_kiosk: Opened) -> Iterator[Opened]:
    yield filled_kiosk
    filled_kiosk.put_back()


def upgrade(opened: Opened, to: str, *, at: At | None = None, expected: int = 30) -> Any:
    """Upgrade, and see that the former release serves where that fails."""
    before = opened.running()
    words = ("upgrade", "--to", to, "--yes")
    ended = opened.site.data(*words, at=(at,) if at else (), expected=expected)
    if expected:
        assert opened.running() == before
        assert (opened.site.ask(), opened.site.ask("/edge/version")) == (FIRST, FIRST)
        assert opened.site.data("lock", "show") == {"held": None}
    return ended


def by_hand(this: Callable[[Event], bool], act: Callable[[Engine], object]) -> At:
    """Have somebody do something to the engine, by a connection of his own."""

    def acting() -> None:
        with closing(connect_engine(str(ENGINE))) as engine:
            act(engine)

    return At(this=this, act=acting)


def waits_for(unit: str) -> Callable[[Event], bool]:
    return lambda e: e.event == "progress" and e.text.startswith("wait for") and unit in e.text


def begins(unit: str) -> Callable[[Event], bool]:
    return lambda e: (e.event, e.step) == ("intent", "roll") and unit in e.text


def test_a_unit_that_ends_again_and_again_is_taken_back(opened: Opened) -> None:
    ended = upgrade(opened, ENDS)
    assert outcome_of(ended["exit"], ended) == CASES["unit-ends-for-ever"].outcome
    cause = ended["cause"]
    assert f"`{opened.site.name}-web-{ENDS}-1b`: it ended with status 1" in cause["message"]
    assert "started again" in cause["message"]
    assert cause["message"].count("the licence is missing") == 1
    assert f"docker logs {opened.site.name}-web-{ENDS}-1b" in cause["hint"]


def test_a_unit_that_needs_more_memory_than_it_may_have_is_taken_back(opened: Opened) -> None:
    ended = upgrade(opened, HUNGRY)
    assert outcome_of(ended["exit"], ended) == CASES["unit-out-of-memory"].outcome
    assert "it needs more memory than its limit of 16 MiB" in ended["cause"]["message"]
    assert "deploy.resources.limits.memory" in ended["cause"]["hint"]


def test_one_killed_by_hand_is_taken_back_and_its_stale_container_hinders_nobody(
    opened: Opened,
) -> None:
    name = f"{opened.site.name}-web-{SECOND}-1b"
    at = by_hand(waits_for(f"-web-{SECOND}"), lambda engine: engine.signal(name, "SIGKILL"))
    ended = upgrade(opened, SECOND, at=at)
    assert outcome_of(ended["exit"], ended) == CASES["unit-killed-by-hand"].outcome
    assert "status 137 (SIGKILL, not from s1ctl)" in ended["cause"]["message"]
    assert opened.containers()[name]["state"] == "exited"
    shutil.rmtree(opened.site.state / "mounts" / name)
    again = upgrade(opened, SECOND, expected=0)
    assert outcome_of(again["exit"], again) == CASES["container-with-stale-mounts"].outcome
    assert opened.site.ask() == SECOND


def test_a_former_killed_by_hand_hinders_no_upgrade_and_runs_again_where_the_new_one_fails(
    opened: Opened,
) -> None:
    """The container that is being replaced is killed, as the new one is waited for."""
    former = f"{opened.site.name}-web-{FIRST}-1a"
    failing = by_hand(waits_for(f"-web-{ENDS}"), lambda engine: engine.signal(former, "SIGKILL"))
    ended = upgrade(opened, ENDS, at=failing)
    assert (ended["exit"], ended["cause"]["code"]) == (30, "S1-E21")
    at = by_hand(waits_for(f"-web-{SECOND}"), lambda engine: engine.signal(former, "SIGKILL"))
    done = upgrade(opened, SECOND, at=at, expected=0)
    assert outcome_of(done["exit"], done) == CASES["former-killed-by-hand"].outcome
    assert opened.site.ask() == SECOND
    assert opened.site.data("status")["drift"] == []


def test_an_image_removed_by_hand_before_the_roll_is_named(opened: Opened) -> None:
    plan = opened.site.data("upgrade", "--to", ENDS, "--dry-run")["plan"]
    pull = next(step for step in plan["stage"] if step["kind"] == "pull-images")
    image = next(name for name in pull["references"] if "/web@" in name)
    for name, one in opened.containers().items():
        if one["image"] == image:
            opened.engine.remove(name)
    at = by_hand(begins("web"), lambda engine: engine.remove_image(image))
    ended = upgrade(opened, ENDS, at=at)
    assert outcome_of(ended["exit"], ended) == CASES["image-removed-by-hand"].outcome
    assert f"the engine has no image `{image}` any more" in ended["cause"]["message"]
    assert "run the same command again" in ended["cause"]["hint"]


def make_foreign(engine: Engine, opened: Opened, name: str) -> None:
    web = engine.container(f"{opened.site.name}-web-{FIRST}-1a")
    assert web is not None
    labels = {"owner": "somebody"}
    engine.create(name, {"Image": web["Config"]["Image"], "Cmd": ["true"], "Labels": labels})


def test_a_container_of_somebody_else_is_refused_before_and_never_touched(opened: Opened) -> None:
    name = f"{opened.site.name}-web-{SECOND}-1b"
    opened.engine.remove(name)
    make_foreign(opened.engine, opened, name)
    foreign = opened.engine.container(name)
    try:
        before = stand_of(opened.site.state)
        refused = upgrade(opened, SECOND, expected=20)
        assert outcome_of(20, refused) == CASES["name-of-somebody-else"].outcome
        assert f"there is a container `{name}` that is not of site" in refused["error"]["message"]
        assert f"docker container inspect {name}" in refused["error"]["hint"]
        assert stand_of(opened.site.state) == before
        now = opened.engine.container(name)
        assert now is not None
        assert foreign is not None
        assert (now["Id"], now["State"]) == (foreign["Id"], foreign["State"])
    finally:
        opened.engine.remove(name)


def test_a_container_of_somebody_else_that_comes_in_between_is_never_touched(
    opened: Opened,
) -> None:
    name = f"{opened.site.name}-web-{SECOND}-1b"
    opened.engine.remove(name)
    at = by_hand(begins("web"), lambda engine: make_foreign(engine, opened, name))
    try:
        ended = upgrade(opened, SECOND, at=at)
        assert outcome_of(ended["exit"], ended) == CASES["name-taken-in-between"].outcome
        assert f"there is a container `{name}` that is not of site" in ended["cause"]["message"]
        found = opened.engine.container(name)
        assert found is not None
        assert found["Config"]["Labels"]["owner"] == "somebody"
    finally:
        opened.engine.remove(name)


def test_a_port_that_somebody_takes_in_between_is_taken_back(opened: Opened) -> None:
    text, before = opened.site.file.read_text(), opened.running()
    taken = socket.socket()
    taken.bind(("0.0.0.0", 0))
    port = taken.getsockname()[1]
    opened.site.file.write_text(
        text.replace(f"edge_port: {opened.site.port}", f"edge_port: {port}")
    )
    try:
        at = At(this=begins("edge"), act=taken.listen)
        ended = opened.site.data("apply", "--yes", at=(at,), expected=30)
    finally:
        taken.close()
        opened.site.file.write_text(text)
    assert outcome_of(ended["exit"], ended) == CASES["port-taken-in-between"].outcome
    assert (
        f"bind() to 0.0.0.0:{port} failed (98: Address already in use)"
        in (ended["cause"]["message"])
    )
    assert opened.running() == before
    assert opened.site.ask() == FIRST


def test_what_was_removed_and_stopped_by_hand_is_named_and_apply_has_it_run_again(
    opened: Opened,
) -> None:
    web, edge = (f"{opened.site.name}-{unit}-{FIRST}-1a" for unit in ("web", "edge"))
    opened.engine.remove(web)
    opened.engine.stop(edge, grace_s=1)
    status = opened.site("status")
    assert f"container `{web}` of web is gone" in status
    assert f"`{edge}` is not running: exited" in status
    assert "`s1ctl apply`" in status
    planned = opened.site("apply", "--dry-run")
    assert "edge, web does not run as recorded" in planned
    ended = opened.site.data("apply", "--yes")
    assert outcome_of(ended["exit"], ended) == CASES["container-removed-by-hand"].outcome
    assert (opened.site.ask(), opened.site.ask("/edge/version")) == (FIRST, FIRST)
    assert opened.site.data("status")["drift"] == []
    assert "nothing to do" in opened.site("apply", "--yes")
    opened.site("rollback", "--yes")
    assert {web, edge} <= opened.running().keys()
