"""The container of a service, as the engine's API takes it."""

from pathlib import Path

from s1ctl.oci.digest import Digest
from s1ctl.plan.steps import Instance, Placement
from s1ctl.release.compose import parse_compose
from s1ctl.targets.docker_container import (
    Bind,
    Spec,
    container_document,
    grace_s,
    health_of,
    owner,
    restart_policy,
    stop_signal,
)

COMPOSE = b"""\
services:
  store:
    image: store
    volumes: ["data:/data", "conf:/conf:ro"]
    user: "70:70"
    restart: unless-stopped
    x-s1ctl: {role: data}
  web:
    image: web
    command: serve --name "two words"
    entrypoint: [/bin/tini, --]
    environment: {B: 2, A: x}
    working_dir: /srv
    labels: {team: shop}
    healthcheck: {test: check me, interval: 1m30s, timeout: 500ms, retries: 3}
    deploy: {replicas: 2, resources: {limits: {cpus: "0.5", memory: 64m, pids: 20}}}
    ulimits: {nofile: 1024, nproc: {soft: 10, hard: 20}}
    tmpfs: ["/tmp:size=1m", /run]
    cap_drop: [ALL]
    security_opt: ["no-new-privileges:true"]
    sysctls: {net.core.somaxconn: 512}
    shm_size: 1m
    init: true
    read_only: true
    extra_hosts: ["db:10.0.0.1"]
    logging: {driver: local, options: {max-size: 10m}}
    stop_grace_period: 1m
    x-s1ctl: {health: {port: 8080, ready: /ready}}
  edge:
    image: edge
    network_mode: host
    x-s1ctl: {role: edge, health: {port: 80, ready: /r}}
  published:
    image: edge
    ports: ["127.0.0.1:8443:443", "80:80/tcp", "53:53/udp"]
    user: nginx
    x-s1ctl: {role: edge}
volumes: {data: , conf: }
"""
SERVICES = parse_compose(COMPOSE, name="compose.yaml").services


def spec(unit: str, *, binds: tuple[Bind, ...] = ()) -> Spec:
    placement = Placement(replica=2, container=f"acme-{unit}-1.0-2a", address="10.97.0.6")
    instance = Instance(
        unit=unit,
        release=Digest("sha256:" + "1" * 64),
        version="1.0",
        placements=(placement,),
        fingerprint="f",
    )
    return Spec(
        site="acme",
        service=SERVICES[unit],
        image="reg:5000/web@sha256:0",
        instance=instance,
        placement=placement,
        network="acme-default",
        operation="op-7",
        binds=binds,
    )


def test_an_app_has_a_fixed_address_and_no_name_at_its_start() -> None:
    document = container_document(spec("web"))
    assert document["NetworkingConfig"] == {
        "EndpointsConfig": {"acme-default": {"IPAMConfig": {"IPv4Address": "10.97.0.6"}}}
    }
    assert document["HostConfig"]["NetworkMode"] == "acme-default"


def test_data_is_known_by_name_from_its_start() -> None:
    endpoint = container_document(spec("store"))["NetworkingConfig"]["EndpointsConfig"]
    assert endpoint["acme-default"]["Aliases"] == ["store"]


def test_an_edge_on_the_hosts_network_has_no_address_of_its_own() -> None:
    document = container_document(spec("edge"))
    assert "NetworkingConfig" not in document
    assert document["HostConfig"]["NetworkMode"] == "host"


def test_the_labels_say_whose_it_is_and_from_what_it_was_made() -> None:
    labels = container_document(spec("web"))["Labels"]
    assert labels["team"] == "shop"
    assert {key.removeprefix("dev.s1ctl."): labels[key] for key in labels if "s1ctl" in key} == {
        "site": "acme",
        "unit": "web",
        "release": "sha256:" + "1" * 64,
        "version": "1.0",
        "operation": "op-7",
        "replica": "2",
        "settings": "f",
        "role": "app",
        "restart": "unless-stopped",
        "health": '{"live":null,"port":8080,"ready":"/ready","version":null}',
    }
    health = health_of(labels)
    assert health
    assert (health.port, health.ready) == (8080, "/ready")
    assert health_of({}) is None


def test_a_service_is_translated_key_by_key() -> None:
    document = container_document(spec("web"))
    host = document["HostConfig"]
    assert document["Image"] == "reg:5000/web@sha256:0"
    assert document["Cmd"] == ["serve", "--name", "two words"]
    assert document["Entrypoint"] == ["/bin/tini", "--"]
    assert document["Env"] == ["A=x", "B=2"]
    assert document["WorkingDir"] == "/srv"
    assert document["Healthcheck"] == {
        "Test": ["CMD-SHELL", "check me"],
        "Retries": 3,
        "Interval": 90_000_000_000,
        "Timeout": 500_000_000,
    }
    assert (host["NanoCpus"], host["Memory"], host["PidsLimit"]) == (500_000_000, 2**26, 20)
    assert host["Ulimits"] == [
        {"Name": "nofile", "Soft": 1024, "Hard": 1024},
        {"Name": "nproc", "Soft": 10, "Hard": 20},
    ]
    assert host["Tmpfs"] == {"/tmp": "size=1m", "/run": ""}
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert host["Sysctls"] == {"net.core.somaxconn": "512"}
    assert host["ShmSize"] == 2**20
    assert host["Init"] is True
    assert host["ReadonlyRootfs"] is True
    assert host["ExtraHosts"] == ["db:10.0.0.1"]
    assert host["LogConfig"] == {"Type": "local", "Config": {"max-size": "10m"}}


def test_volumes_have_the_sites_name_and_our_files_are_read_only() -> None:
    bind = Bind(source=Path("/state/x"), target="/run/secrets/x")
    mounts = container_document(spec("store", binds=(bind,)))["HostConfig"]["Mounts"]
    assert [(m["Type"], m["Source"], m["Target"], m["ReadOnly"]) for m in mounts] == [
        ("volume", "acme-data", "/data", False),
        ("volume", "acme-conf", "/conf", True),
        ("bind", "/state/x", "/run/secrets/x", True),
    ]


def test_ports_of_an_edge_are_published() -> None:
    document = container_document(spec("published"))
    assert document["HostConfig"]["PortBindings"] == {
        "443/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8443"}],
        "80/tcp": [{"HostIp": "", "HostPort": "80"}],
        "53/udp": [{"HostIp": "", "HostPort": "53"}],
    }
    assert sorted(document["ExposedPorts"]) == ["443/tcp", "53/udp", "80/tcp"]


def test_an_edge_comes_back_with_the_engine_although_it_was_sent_a_signal() -> None:
    assert restart_policy(SERVICES["edge"]) == "always"
    assert restart_policy(SERVICES["web"]) == "unless-stopped"


def test_a_rolling_edge_ends_by_sigquit_and_everything_else_by_sigterm() -> None:
    assert stop_signal(SERVICES["edge"]) == "SIGQUIT"
    assert stop_signal(SERVICES["published"]) == "SIGTERM"
    assert stop_signal(SERVICES["web"]) == "SIGTERM"
    assert container_document(spec("web"))["StopTimeout"] == 60
    assert grace_s(SERVICES["store"]) == 10


def test_secrets_belong_to_the_number_of_the_user() -> None:
    assert [owner(SERVICES[name]) for name in ("store", "published", "web")] == [70, 0, 0]
