"""After the engine's restart each service is where it was, and what was stopped stays stopped."""

import time
from contextlib import closing
from pathlib import Path

import pytest

from s1ctl.targets.docker_engine import connect_engine
from tests.support.engine import OwnEngine
from tests.support.openloop_platform import SETTINGS, World, roll_of
from tests.support.registry import RegistryServer

pytestmark = pytest.mark.integration


def test_after_a_restart_of_the_engine_each_service_answers_with_its_right_version(
    own_engine: OwnEngine, tmp_path: Path
) -> None:
    with (
        own_engine.entered(),
        RegistryServer(tmp_path / "registry") as registry,
        closing(connect_engine(own_engine.socket)) as engine,
    ):
        world = World(engine, "restart", registry, tmp_path / "state")
        old, new = world.release("1.0.0", replicas=2), world.release("2.0.0", replicas=2)
        for unit, former in zip(("web", "gateway"), world.install(old, "1.0.0"), strict=True):
            step = roll_of(world.place(unit, new, "2.0.0", "b"), former)
            world.target.roll(step, new, SETTINGS)
        before = world.target.running()
        own_engine.restart()
        wait_for_edge(world)
        answers = {world.ask("/") for _ in range(8)}
        after = world.target.running()
    assert answers == {"2.0.0"}
    assert after == before
    assert [each.container for each in after if each.state == "running"] == [
        "restart-gateway-2.0.0-1b",
        "restart-web-2.0.0-1b",
        "restart-web-2.0.0-2b",
    ]


def test_an_edge_that_took_new_addresses_comes_back_with_the_engine(
    own_engine: OwnEngine, tmp_path: Path
) -> None:
    with (
        own_engine.entered(),
        RegistryServer(tmp_path / "registry") as registry,
        closing(connect_engine(own_engine.socket)) as engine,
    ):
        world = World(engine, "hup", registry, tmp_path / "state")
        old, new = world.release("1.0.0"), world.release("2.0.0")
        web, _ = world.install(old, "1.0.0")
        world.target.roll(roll_of(world.place("web", new, "2.0.0", "b"), web), new, SETTINGS)
        own_engine.restart()
        wait_for_edge(world)
        assert world.ask("/") == "2.0.0"


def wait_for_edge(world: World) -> None:
    until = time.monotonic() + 30
    while world.ask("/") not in ("1.0.0", "2.0.0") and time.monotonic() < until:
        time.sleep(0.2)
