"""Jobs at a real engine: run once, found again after a kill, kept until the hop is recorded."""

import time
from pathlib import Path

import pytest

from s1ctl.errors import StepFailed
from s1ctl.plan.presence import Presence
from s1ctl.plan.steps import RunJob, StopApps
from s1ctl.targets.docker_engine import Engine
from tests.support import openloop_platform as platform
from tests.support.openloop_platform import SETTINGS, World
from tests.support.registry import RegistryServer

pytestmark = pytest.mark.integration
JOBS = """\
  good:
    image: all
    command: [python3, -c, "import sys,os;sys.stdout.write(open('/run/secrets/token').read())"]
    secrets: [token]
    x-s1ctl: {role: job, when: before-roll}
  slow:
    image: all
    command: [python3, -c, "import time;time.sleep(4)"]
    x-s1ctl: {role: job, when: before-roll}
  endless:
    image: all
    command: [python3, -c, "import time;time.sleep(600)"]
    stop_grace_period: 1s
    x-s1ctl: {role: job, when: before-roll}
  bad:
    image: all
    command: [python3, -c, "import sys;sys.exit('no such table')"]
    x-s1ctl: {role: job, when: after-roll}
  asks:
    image: all
    command: [python3, -c, "import socket;socket.create_connection(('web', 8080), 5).close()"]
    x-s1ctl: {role: job, when: after-roll}
  absent:
    image: all
    command: [/absent]
    x-s1ctl: {role: job, when: after-roll}
secrets:"""


@pytest.fixture
def world(
    docker_client: Engine, site_name: str, plain_registry: RegistryServer, tmp_path: Path
) -> World:
    return World(docker_client, site_name, plain_registry, tmp_path / "state")


def with_jobs(world: World) -> platform.PlatformRelease:
    text = world.release("1.0.0").compose.decode().replace("secrets: {token", JOBS + " {token")
    return platform.release_of(world.image, text, version="1.0.0")


def job(world: World, release: platform.PlatformRelease, name: str) -> RunJob:
    return RunJob(
        job=name,
        when="before-roll",
        release=release.digest,
        version="1.0.0",
        container=f"{world.site.name}-{name}-1.0.0",
    )


def test_a_job_reads_its_secret_ends_and_is_found_again_until_the_hop_is_recorded(
    world: World,
) -> None:
    release = with_jobs(world)
    world.target.prepare(release, SETTINGS, ())
    step = job(world, release, "good")
    assert world.target.jobs.probe(step, release, operation="op-1") is Presence.ABSENT
    world.target.jobs.run(step, release, SETTINGS, operation="op-1")
    assert world.target.jobs.probe(step, release, operation="op-1") is Presence.PRESENT
    assert world.target.jobs.probe(step, release, operation="op-2") is Presence.ABSENT
    assert world.engine.tail(step.container, lines=1) == "canary"
    assert world.target.running() == ()
    assert world.target.stopped(()) == (step.container,)
    world.target.remove_stopped(())
    assert world.engine.container(step.container) is None
    assert not (world.site.state / "mounts" / step.container).exists()


def test_a_job_that_a_killed_process_left_running_is_waited_for(world: World) -> None:
    release = with_jobs(world)
    world.target.prepare(release, SETTINGS, ())
    step = job(world, release, "slow")

    def die(_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        world.target.jobs.run(step, release, SETTINGS, operation="op-1", notify=die)
    started = world.engine.container(step.container)["State"]["StartedAt"]
    world.target.jobs.run(step, release, SETTINGS, operation="op-1")
    found = world.engine.container(step.container)["State"]
    assert (found["StartedAt"], found["ExitCode"]) == (started, 0)


def test_a_job_that_is_still_running_is_ended_when_the_hop_is_taken_back(world: World) -> None:
    release = with_jobs(world)
    world.target.prepare(release, SETTINGS, ())
    step = job(world, release, "endless")

    def die(_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        world.target.jobs.run(step, release, SETTINGS, operation="op-1", notify=die)
    assert world.target.jobs.end(step, release, operation="op-1")
    assert world.engine.container(step.container)["State"]["Status"] == "exited"
    assert world.target.jobs.probe(step, release, operation="op-1") is Presence.ABSENT


def test_a_job_that_fails_says_why_and_runs_again_next_time(world: World) -> None:
    release = with_jobs(world)
    world.target.prepare(release, SETTINGS, ())
    step = job(world, release, "bad")
    for _ in range(2):
        with pytest.raises(StepFailed, match="status 1; it last said `no such table`") as caught:
            world.target.jobs.run(step, release, SETTINGS, operation="op-1")
        assert caught.value.code == "S1-E40"
        assert world.target.jobs.probe(step, release, operation="op-1") is Presence.ABSENT
    with pytest.raises(StepFailed) as caught:
        world.target.jobs.run(job(world, release, "absent"), release, SETTINGS, operation="op-1")
    assert caught.value.code == "S1-E42"


def test_a_job_calls_an_app_by_its_name_and_apps_stop_while_the_edge_stays(world: World) -> None:
    release = with_jobs(world)
    web, gateway = world.install(release, "1.0.0")
    step = job(world, release, "asks")
    world.target.jobs.run(step, release, SETTINGS, operation="op-1")
    stop = StopApps(instances=(web,))
    assert world.target.probe_stop_apps(stop) is Presence.ABSENT
    world.target.stop_apps(stop)
    assert world.target.probe_stop_apps(stop) is Presence.PRESENT
    states = world.states()
    assert states[web.placements[0].container] == "exited"
    assert states[gateway.placements[0].container] == "running"
    assert world.ask("/edge/ready") == "ready"
    assert world.ask("/") != "1.0.0"
    world.target.roll(platform.roll_of(web, None), release, SETTINGS)
    deadline = time.monotonic() + 15
    while world.ask("/") != "1.0.0" and time.monotonic() < deadline:
        time.sleep(0.2)
    assert world.ask("/") == "1.0.0"
