"""What the Docker target makes at a real engine, and what it refuses to touch."""

import stat
from pathlib import Path

import pytest

from s1ctl.errors import InputOutputFailed, SiteHeld, StepFailed
from s1ctl.plan.presence import Presence
from s1ctl.plan.steps import Retire, Roll
from s1ctl.site.secrets import Secret
from s1ctl.targets.docker import DockerTarget, Hold, RegistryAuth, UnitSettings
from s1ctl.targets.docker_container import SITE
from s1ctl.targets.docker_engine import Engine
from tests.support import openloop_platform as platform
from tests.support.openloop_platform import SETTINGS, World, roll_of
from tests.support.registry import RegistryServer

pytestmark = pytest.mark.integration
STORE = """\
services:
  store:
    image: all
    command: [python3, /app.py]
    environment: {{VERSION: "{version}"}}
    volumes: ["data:/data"]
    user: "1234"
    secrets: [token]
    x-s1ctl: {{role: data, health: {{port: 8080, ready: /ready, version: /version}}}}
volumes: {{data: }}
secrets: {{token: {{file: ./token}}}}
"""

PEERS = """\
services:
  web:
    image: all
    command: [python3, /app.py]
    environment: {VERSION: "1.0.0"}
    x-s1ctl: {health: {port: 8080, ready: /ready, version: /version}}
  front:
    image: all
    command: [python3, /app.py]
    environment: {VERSION: "1.0.0", PEER: web}
    depends_on: [web]
    x-s1ctl: {health: {port: 8080, ready: /ready, version: /version}}
"""


@pytest.fixture
def world(
    docker_client: Engine, site_name: str, plain_registry: RegistryServer, tmp_path: Path
) -> World:
    return World(docker_client, site_name, plain_registry, tmp_path / "state")


def store(world: World, version: str) -> platform.PlatformRelease:
    return platform.release_of(world.image, STORE.format(version=version), version=version)


def hold(operation: str) -> Hold:
    return Hold(
        operation=operation,
        who="ann",
        host="node1",
        pid=4711,
        boot_id="b",
        since="2026-01-01T00:00:00+00:00",
        plan="sha256:0",
    )


def test_prepare_starts_a_data_unit_that_is_known_by_name_at_its_fixed_address(
    world: World,
) -> None:
    release = store(world, "1.0.0")
    instance = world.place("store", release, "1.0.0", "a")
    assert world.target.is_prepared(release, (instance,)) is Presence.ABSENT
    world.target.prepare(release, SETTINGS, (instance,))
    world.target.prepare(release, SETTINGS, (instance,))
    assert world.target.is_prepared(release, (instance,)) is Presence.PRESENT
    address = instance.placements[0].address
    assert world.target.address("store") == address
    assert world.target.ailment(instance) is None
    lookup = "import socket,sys;sys.stdout.write(socket.gethostbyname('store'))"
    output = world.target.run_once("lookup", world.reference, ["python3", "-c", lookup])
    assert b"".join(output).decode() == address


def test_a_data_unit_is_stopped_before_the_next_one_starts_on_its_volume(world: World) -> None:
    old, new = store(world, "1.0.0"), store(world, "2.0.0")
    former = world.place("store", old, "1.0.0", "a")
    to = world.place("store", new, "2.0.0", "b")
    world.target.prepare(old, SETTINGS, (former,))
    world.target.prepare(new, SETTINGS, (to,))
    assert set(world.states().values()) == {"running"}
    assert len(world.states()) == 1
    step = platform.recreate_of(to, former)
    world.target.roll(step, new, SETTINGS)
    assert world.target.probe_roll(step, new, SETTINGS) is Presence.PRESENT
    assert sorted(world.states().values()) == ["exited", "running"]
    world.target.unroll(step, old, SETTINGS)
    assert world.target.ailment(former) is None
    assert world.target.ailment(to) is not None


def test_a_secret_is_a_file_of_the_containers_user_and_nowhere_in_its_configuration(
    world: World,
) -> None:
    release = store(world, "1.0.0")
    instance = world.place("store", release, "1.0.0", "a")
    settings = UnitSettings(secrets={"token": Secret("canary-5511")})
    world.target.prepare(release, settings, (instance,))
    container = instance.placements[0].container
    path = world.site.state / "mounts" / container / "secrets" / "token"
    info = path.stat()
    assert (stat.S_IMODE(info.st_mode), info.st_uid) == (0o400, 1234)
    assert stat.S_IMODE((world.site.state / "mounts").stat().st_mode) == 0o700
    assert platform.ask(instance.placements[0].address, 8080, "/secret").text == "canary-5511"
    assert "canary-5511" not in str(world.engine.container(container))


def test_what_has_the_right_name_and_not_our_label_is_not_touched(world: World) -> None:
    release = store(world, "1.0.0")
    instance = world.place("store", release, "1.0.0", "a")
    name = instance.placements[0].container
    world.target.prepare(release, SETTINGS, ())
    world.engine.create(name, {"Image": world.reference, "Labels": {SITE: "other"}})
    try:
        with pytest.raises(StepFailed) as caught:
            world.target.prepare(release, SETTINGS, (instance,))
        assert caught.value.code == "S1-E26"
        assert f"`{name}`" in caught.value.message
        assert world.engine.container(name) is not None
    finally:
        world.engine.remove(name)


def test_a_foreign_volume_and_a_network_with_another_subnet_are_refused(world: World) -> None:
    release, volume = store(world, "1.0.0"), f"{world.site.name}-data"
    world.engine.create_volume(volume, {"test": "foreign"})
    try:
        with pytest.raises(InputOutputFailed, match=volume) as caught:
            world.target.prepare(release, SETTINGS, ())
        assert caught.value.code == "S1-E17"
    finally:
        world.engine.remove_volume(volume)
    moved = platform.make_site(
        world.site.name,
        subnet="10.214.9.0/24",
        registry_url=world.site.registry.url,
        socket=world.engine.socket,
        state=world.site.state,
    )
    target = DockerTarget(site=moved, client=world.engine, state=moved.state)
    with pytest.raises(InputOutputFailed) as caught:
        target.prepare(release, SETTINGS, ())
    assert caught.value.code == "S1-E16"


def test_one_operation_holds_the_site_at_its_engine(world: World) -> None:
    try:
        assert world.target.hold(hold("op-1")).who == "ann"
        assert world.target.hold(hold("op-1")).operation == "op-1"
        with pytest.raises(SiteHeld, match="op-1") as caught:
            world.target.hold(hold("op-2"))
        assert caught.value.code == "S1-E30"
        world.target.release_hold("op-2")
        assert world.target.holder() == hold("op-1")
        world.target.release_hold("op-1")
        assert world.target.holder() is None
    finally:
        world.target.break_hold()


def test_a_one_shot_container_streams_bytes_and_is_gone_afterwards(world: World) -> None:
    world.target.prepare(store(world, "1.0.0"), SETTINGS, ())
    script = "import sys,os;sys.stdout.buffer.write(bytes(range(256))*4096)"
    output = world.target.run_once("bytes", world.reference, ["python3", "-c", script])
    assert b"".join(output) == bytes(range(256)) * 4096
    assert world.engine.containers({SITE: world.site.name}) == ()
    assert not (world.site.state / "mounts" / f"{world.site.name}-once-bytes").exists()


def test_a_one_shot_container_that_fails_says_what_it_wrote_to_stderr(world: World) -> None:
    world.target.prepare(store(world, "1.0.0"), SETTINGS, ())
    script = "import sys;sys.exit('no such database')"
    with pytest.raises(StepFailed, match="no such database") as caught:
        list(world.target.run_once("fails", world.reference, ["python3", "-c", script]))
    assert caught.value.code == "S1-E23"
    assert world.engine.containers({SITE: world.site.name}) == ()


def test_a_one_shot_container_reads_its_secrets_from_files(world: World) -> None:
    world.target.prepare(store(world, "1.0.0"), SETTINGS, ())
    output = world.target.run_once(
        "secret",
        world.reference,
        ["cat", "/run/secrets/pass"],
        secrets={"pass": Secret("canary-77")},
        user="1234",
    )
    assert b"".join(output) == b"canary-77"


def test_an_edge_that_refuses_the_new_addresses_keeps_the_old_ones(world: World) -> None:
    old, new = world.release("1.0.0"), world.release("2.0.0")
    web, _ = world.install(old, "1.0.0")
    before = (world.site.state / "edge" / "web.conf").read_text()
    (world.site.state / "edge" / "zz.conf").write_text("nonsense;\n")
    step = roll_of(world.place("web", new, "2.0.0", "b"), web)
    with pytest.raises(StepFailed) as caught:
        world.target.roll(step, new, SETTINGS)
    assert caught.value.code == "S1-E22"
    assert (world.site.state / "edge" / "web.conf").read_text() == before
    assert world.ask("/") == "1.0.0"
    states = world.states()
    assert states[web.placements[0].container] == "running"
    assert states[step.to.placements[0].container] == "exited"
    assert not list((world.site.state / "edge").glob(".*"))


def test_a_release_that_ends_at_once_fails_the_roll_with_its_last_words(world: World) -> None:
    old = world.release("1.0.0")
    web, _ = world.install(old, "1.0.0")
    text = old.compose.decode().replace("[python3, /app.py]", '[python3, -c, "0/0"]')
    new = platform.release_of(world.image, text, version="2.0.0")
    step = roll_of(world.place("web", new, "2.0.0", "b"), web)
    with pytest.raises(StepFailed, match="ZeroDivisionError") as caught:
        world.target.roll(step, new, SETTINGS)
    assert caught.value.code == "S1-E21"
    assert world.ask("/") == "1.0.0"


def test_a_release_that_cannot_be_started_fails_the_roll(world: World) -> None:
    old = world.release("1.0.0")
    web, _ = world.install(old, "1.0.0")
    text = old.compose.decode().replace("[python3, /app.py]", "[/absent]")
    new = platform.release_of(world.image, text, version="2.0.0")
    step = roll_of(world.place("web", new, "2.0.0", "b"), web)
    with pytest.raises(StepFailed, match="absent") as caught:
        world.target.roll(step, new, SETTINGS)
    assert caught.value.code == "S1-E26"
    assert world.ask("/") == "1.0.0"


def test_a_retired_unit_is_stopped_and_its_container_kept(world: World) -> None:
    web, _ = world.install(world.release("1.0.0"), "1.0.0")
    retire = Retire(role="app", former=web)
    assert world.target.probe_retire(retire) is Presence.ABSENT
    world.target.retire(retire)
    assert world.states()[web.placements[0].container] == "exited"
    assert world.target.probe_retire(retire) is Presence.PRESENT


def test_a_pull_needs_the_registrys_credentials_and_ends_with_the_digest_known(
    docker_client: Engine, site_name: str, tmp_path: Path
) -> None:
    with RegistryServer(tmp_path / "registry", user="loader", password="right") as registry:
        image = platform.push_small(registry)
        reference = f"{registry.host}/small@{image.digest}"
        site = platform.make_site(
            site_name,
            subnet="10.214.8.0/24",
            registry_url=registry.url,
            socket=docker_client.socket,
            state=tmp_path,
        )
        target = DockerTarget(site=site, client=docker_client, state=tmp_path)
        assert target.has_image(reference) is Presence.ABSENT
        for auth in (None, RegistryAuth(user="loader", password=Secret("canary-wrong"))):
            with pytest.raises(InputOutputFailed) as caught:
                target.pull(reference, auth)
            assert caught.value.code in ("S1-E11", "S1-E14")
            assert "canary-wrong" not in caught.value.message
        target.pull(reference, RegistryAuth(user="loader", password=Secret("right")))
        assert target.has_image(reference) is Presence.PRESENT


def test_uninstalling_leaves_the_volumes_until_they_are_removed_too(world: World) -> None:
    release = store(world, "1.0.0")
    world.target.prepare(release, SETTINGS, (world.place("store", release, "1.0.0", "a"),))
    world.target.remove_containers()
    assert world.states() == {}
    assert world.engine.network(f"{world.site.name}-default") is None
    assert world.target.remove_volumes() == (f"{world.site.name}-data",)
    assert list((world.site.state / "mounts").iterdir()) == []


def test_removing_the_volumes_leaves_the_lock(world: World) -> None:
    world.target.prepare(store(world, "1.0.0"), SETTINGS, ())
    try:
        world.target.hold(hold("op-1"))
        assert world.target.remove_volumes() == (f"{world.site.name}-data",)
        assert world.target.holder() == hold("op-1")
    finally:
        world.target.break_hold()


def test_an_app_is_known_by_name_only_when_it_was_ready(world: World) -> None:
    old, new = world.release("1.0.0"), world.release("2.0.0", what="broken")
    web, _ = world.install(old, "1.0.0")
    step = roll_of(world.place("web", new, "2.0.0", "b"), web)
    impatient = DockerTarget(
        site=platform.with_ready_timeout(world.site, 1),
        client=world.engine,
        state=world.site.state,
    )
    with pytest.raises(StepFailed):
        impatient.roll(step, new, SETTINGS)
    services = f"{world.site.name}-services"
    networks = [
        world.engine.container(instance.placements[0].container)["NetworkSettings"]["Networks"]
        for instance in (web, step.to)
    ]
    assert "web" in networks[0][services]["Aliases"]
    assert "web" not in networks[1][services]["Aliases"]


def test_an_app_that_is_ready_only_with_its_peer_finds_that_by_its_name(world: World) -> None:
    release = platform.release_of(world.image, PEERS, version="1.0.0")
    web, front = (world.place(unit, release, "1.0.0", "a") for unit in ("web", "front"))
    world.target.prepare(release, SETTINGS, ())
    for instance in (web, front):
        world.target.roll(Roll(role="app", replace="rolling", to=instance), release, SETTINGS)
    found = world.engine.container(front.placements[0].container)["NetworkSettings"]["Networks"]
    assert "front" in found[f"{world.site.name}-services"]["Aliases"]


def test_an_edge_with_published_ports_is_stopped_before_the_next_one_starts(world: World) -> None:
    def release(version: str) -> platform.PlatformRelease:
        text = world.release(version).compose.decode()
        ports = f'ports: ["127.0.0.1:{world.port}:{world.port}"]'
        return platform.release_of(
            world.image, text.replace("network_mode: host", ports), version=version
        )

    old, new = release("1.0.0"), release("2.0.0")
    _, former = world.install(old, "1.0.0")
    assert world.ask("/edge/version") == "1.0.0"
    to = world.place("gateway", new, "2.0.0", "b")
    step = Roll(role="edge", replace="recreate", to=to, former=former)
    world.target.roll(step, new, SETTINGS)
    assert world.ask("/edge/version") == "2.0.0"
    assert world.target.probe_roll(step, new, SETTINGS) is Presence.PRESENT
    world.target.unroll(step, old, SETTINGS)
    assert world.ask("/edge/version") == "1.0.0"


def test_an_app_has_a_fixed_address_among_its_peers_too_which_no_other_unit_gets(
    world: World,
) -> None:
    old, new = world.release("1.0.0"), world.release("2.0.0")
    web, _ = world.install(old, "1.0.0")
    services = f"{world.site.name}-services"

    def among_peers(container: str) -> str:
        found = world.engine.container(container)["NetworkSettings"]["Networks"]
        assert found[services]["IPAMConfig"]["IPv4Address"] == found[services]["IPAddress"]
        return found[services]["IPAddress"]

    first = among_peers(web.placements[0].container)
    step = roll_of(world.place("web", new, "2.0.0", "b"), web)
    world.target.roll(step, new, SETTINGS)
    second = among_peers(step.to.placements[0].container)
    assert first != second
    assert [int(each.rpartition(".")[2]) for each in (first, second)] == [
        int(str(placed.placements[0].address).rpartition(".")[2]) for placed in (web, step.to)
    ]
    world.target.prepare(new, SETTINGS, ())
    world.target.unroll(step, old, SETTINGS)
    assert among_peers(web.placements[0].container) == first
