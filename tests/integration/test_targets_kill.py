"""A roll that was killed between any two of its effects is finished, or taken back, by the next."""

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from s1ctl import files
from s1ctl.plan.presence import Presence
from s1ctl.targets import traffic
from s1ctl.targets.docker import DockerTarget
from s1ctl.targets.docker_engine import Engine
from tests.support.openloop_platform import SETTINGS, World, roll_of
from tests.support.registry import RegistryServer

pytestmark = pytest.mark.integration
EFFECTS = {"create", "start", "stop", "signal", "set_restart", "remove", "join", "leave"}


class Killed(BaseException):
    pass


class Guillotine:
    """Kills before the effect with the number `at`."""

    def __init__(self) -> None:
        self.at = 0
        self.seen = 0

    def arm(self, at: int) -> None:
        self.at, self.seen = at, 0

    def guard(self, effect: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(*arguments: Any, **options: Any) -> Any:
            self.seen += 1
            if self.seen == self.at:
                raise Killed
            return effect(*arguments, **options)

        return guarded


class GuardedEngine:
    def __init__(self, engine: Engine, guillotine: Guillotine) -> None:
        self._engine, self._guillotine = engine, guillotine

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._engine, name)
        return self._guillotine.guard(found) if name in EFFECTS else found


@pytest.fixture
def world(
    docker_client: Engine, site_name: str, plain_registry: RegistryServer, tmp_path: Path
) -> World:
    return World(docker_client, site_name, plain_registry, tmp_path / "state")


def test_a_roll_killed_before_any_of_its_effects_is_finished_by_the_next(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    record_testsuite_property: Callable[[str, object], None],
) -> None:
    old, new = world.release("1.0.0"), world.release("2.0.0")
    web, gateway = world.install(old, "1.0.0")
    step = roll_of(world.place("web", new, "2.0.0", "b"), web)
    guillotine = Guillotine()
    mortal = DockerTarget(
        site=world.site,
        client=GuardedEngine(world.engine, guillotine),  # type: ignore[arg-type]
        state=world.site.state,
    )
    monkeypatch.setattr(traffic, "write_file", guillotine.guard(files.write_file))

    def is_killed(action: Callable[[], None], at: int) -> bool:
        guillotine.arm(at)
        try:
            action()
        except Killed:
            return True
        finally:
            guillotine.arm(0)
        return False

    points = 0
    for at in count(1):
        was_killed = is_killed(lambda: mortal.roll(step, new, SETTINGS), at)
        if was_killed:
            assert world.target.probe_roll(step, new, SETTINGS) is Presence.ABSENT
            world.target.roll(step, new, SETTINGS)
        assert world.target.probe_roll(step, new, SETTINGS) is Presence.PRESENT
        assert world.ask("/") == "2.0.0"
        assert running(world) == {
            f"{world.site.name}-web-2.0.0-1b",
            f"{world.site.name}-gateway-1.0.0-1a",
        }
        if is_killed(lambda: mortal.unroll(step, old, SETTINGS), at):
            world.target.unroll(step, old, SETTINGS)
        assert world.ask("/") == "1.0.0"
        assert running(world) == {
            f"{world.site.name}-web-1.0.0-1a",
            f"{world.site.name}-gateway-1.0.0-1a",
        }
        world.target.remove_stopped((web, gateway))
        assert set(world.states()) == running(world)
        if not was_killed:
            break
        points += 1
    record_testsuite_property("points survived", points)
    assert points >= 8


def running(world: World) -> set[str]:
    return {name for name, state in world.states().items() if state == "running"}
