"""The promise of the Docker target: nobody notices that an app or the edge is replaced.

Open loop, 50 requests a second, 200 ms of work a request, fixed addresses.
"""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from s1ctl.errors import StepFailed
from s1ctl.plan.presence import Presence
from s1ctl.targets.docker import DockerTarget
from s1ctl.targets.docker_engine import Engine
from s1ctl.targets.probe import OpenLoop
from tests.support import openloop_platform as platform
from tests.support.openloop_platform import SETTINGS, World
from tests.support.registry import RegistryServer

pytestmark = pytest.mark.integration


@pytest.fixture
def world(
    docker_client: Engine, site_name: str, plain_registry: RegistryServer, tmp_path: Path
) -> World:
    return World(docker_client, site_name, plain_registry, tmp_path / "state")


@pytest.fixture
def check(request, record_testsuite_property) -> Callable[[OpenLoop], None]:
    def no_request_failed(load: OpenLoop) -> None:
        numbers = load.numbers()
        record_testsuite_property(request.node.name, str(numbers))
        failures = [outcome for outcome in load.outcomes() if outcome.failure]
        assert numbers.requests > 300
        assert not failures, failures[:5]

    return no_request_failed


def test_replacing_an_app_and_going_back_fails_no_request(world: World, check) -> None:
    old, new = world.release("1.0.0"), world.release("2.0.0")
    web, _ = world.install(old, "1.0.0")
    step = platform.roll_of(world.place("web", new, "2.0.0", "b"), web)
    with world.load() as load:
        time.sleep(3)
        world.target.roll(step, new, SETTINGS)
        assert world.ask("/") == "2.0.0"
        assert world.target.probe_roll(step, new, SETTINGS) is Presence.PRESENT
        time.sleep(2)
        world.target.unroll(step, old, SETTINGS)
        assert world.ask("/") == "1.0.0"
        time.sleep(3)
    check(load)
    assert world.target.probe_roll(step, new, SETTINGS) is Presence.ABSENT


def test_replacing_the_edge_fails_no_request(world: World, check) -> None:
    old, new = world.release("1.0.0"), world.release("1.0.0", edge="2.0.0")
    _, gateway = world.install(old, "1.0.0")
    step = platform.roll_of(world.place("gateway", new, "2.0.0", "b"), gateway)
    with world.load() as load:
        time.sleep(3)
        world.target.roll(step, new, SETTINGS)
        assert world.ask("/edge/version") == "2.0.0"
        time.sleep(3)
        world.target.unroll(step, old, SETTINGS)
        assert world.ask("/edge/version") == "1.0.0"
        time.sleep(3)
    check(load)


def test_a_broken_new_release_never_sees_a_request(world: World, check) -> None:
    old, new = world.release("1.0.0"), world.release("2.0.0", what="broken")
    web, _ = world.install(old, "1.0.0")
    impatient = DockerTarget(
        site=platform.with_ready_timeout(world.site, 5),
        client=world.engine,
        state=world.site.state,
    )
    step = platform.roll_of(world.place("web", new, "2.0.0", "b"), web)
    with world.load() as load:
        time.sleep(2)
        with pytest.raises(StepFailed) as caught:
            impatient.roll(step, new, SETTINGS)
        time.sleep(2)
    assert caught.value.code == "S1-E20"
    check(load)
