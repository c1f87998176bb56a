"""The Compose subset: what is read, and that everything else is refused at its line."""

import pytest

from s1ctl.errors import UsageError
from s1ctl.oci.digest import Digest
from s1ctl.release.compose import make_units, parse_compose, substitute
from s1ctl.release.compose_rules import consents
from s1ctl.release.service import seconds, size_bytes

SOURCE = Digest("sha256:" + "0" * 64)
GOOD = """\
name: shop
services:
  postgres:
    image: database
    volumes: ["data:/var/lib/postgresql", "conf:/etc/conf:ro"]
    secrets: [db_password]
    healthcheck: {test: [CMD, pg_isready], interval: 1m30s, retries: 3}
    restart: unless-stopped
    x-s1ctl: {role: data}
  web:
    image: web
    command: serve --port 8080
    environment: {HOST: "${public_host}", SIZE: 3, PRICE: "5$$"}
    depends_on: {postgres: {condition: service_healthy}}
    configs: [{source: rules, target: /etc/rules}]
    deploy: {replicas: 2, resources: {limits: {cpus: "0.5", memory: 64m}}}
    x-s1ctl: {health: {port: 8080, ready: /ready, version: /version}, drain_s: 5}
  gateway:
    image: edge
    depends_on: [web]
    network_mode: host
    cap_add: [NET_BIND_SERVICE]
    x-s1ctl:
      role: edge
      health: {port: "${gateway_port}", ready: /ready}
      upstreams: /etc/upstreams
volumes: {data: , conf: {}}
secrets: {db_password: {file: ./password}}
configs: {rules: {content: "limit ${limit}"}}
"""


def parse(text: str):
    return parse_compose(text.encode(), name="compose.yaml")


def service(*lines: str, name: str = "web") -> str:
    """Write a file whose service has these lines; the first one is line 4."""
    body = "".join(f"    {line}\n" for line in lines)
    health = "    healthcheck: {test: [CMD, ok]}\n"
    end = "volumes: {data: }\nsecrets: {token: {file: ./t}}\n"
    return f"services:\n  {name}:\n    image: web\n{body}{health}{end}"


def test_units_have_the_role_health_needs_and_settings_of_their_services() -> None:
    units = {unit.name: unit for unit in make_units(parse(GOOD), SOURCE)}
    assert sorted(units) == ["gateway", "postgres", "web"]
    assert (units["postgres"].role, units["postgres"].replace) == ("data", "recreate")
    assert (units["web"].role, units["web"].replace, units["web"].replicas) == ("app", "rolling", 2)
    assert (units["gateway"].role, units["gateway"].replace) == ("edge", "rolling")
    assert units["web"].needs == ("postgres",)
    assert units["web"].images == ("web",)
    assert units["web"].settings == ("limit", "public_host")
    assert units["postgres"].settings == ("db_password",)
    assert units["gateway"].settings == ("gateway_port",)
    assert units["web"].drain_s == 5
    assert units["web"].health
    assert units["web"].health.version == "/version"
    assert {unit.source for unit in units.values()} == {SOURCE}


def test_substitution_fills_in_settings_and_halves_dollars() -> None:
    services = parse(GOOD).services
    filled = substitute(services["web"], {"public_host": "h.example"})
    assert filled.environment == {"HOST": "h.example", "SIZE": 3, "PRICE": "5$"}
    assert services["web"].environment["HOST"] == "${public_host}"
    edge = substitute(services["gateway"], {"gateway_port": "8443"})
    assert edge.s1ctl.health
    assert int(edge.s1ctl.health.port) == 8443


def test_substitution_does_not_fill_in_what_it_filled_in() -> None:
    filled = substitute(parse(GOOD).services["web"], {"public_host": "${limit}"})
    assert filled.environment["HOST"] == "${limit}"


def test_the_host_network_and_capabilities_need_the_sites_consent() -> None:
    services = parse(GOOD).services
    assert consents(services["gateway"]) == ("host-network", "cap-add")
    assert consents(services["web"]) == ()


def test_an_edge_with_ports_is_recreated() -> None:
    units = make_units(parse(service('ports: ["8443:443"]', "x-s1ctl: {role: edge}")), SOURCE)
    assert units[0].replace == "recreate"


@pytest.mark.parametrize(
    ("line", "code", "place"),
    [
        ("build: .", "S1-U40", "4:5"),
        ("privileged: true", "S1-U40", "4:5"),
        ("pid: host", "S1-U40", "4:5"),
        ("ipc: host", "S1-U40", "4:5"),
        ("devices: [/dev/sda]", "S1-U40", "4:5"),
        ("container_name: x", "S1-U40", "4:5"),
        ("env_file: .env", "S1-U40", "4:5"),
        ("userns_mode: host", "S1-U40", "4:5"),
        ("cgroup_parent: /x", "S1-U40", "4:5"),
        ("anything: 1", "S1-U40", "4:5"),
        ('volumes: ["/etc:/etc"]', "S1-U43", "4:15"),
        ('volumes: ["./here:/there"]', "S1-U43", "4:15"),
        ('volumes: ["/var/run/docker.sock:/s"]', "S1-U43", "4:15"),
        ("volumes: [/anonymous]", "S1-U43", "4:15"),
        ("volumes: [{type: bind, source: /etc, target: /etc}]", "S1-U03", "4:15"),
        ('volumes: ["other:/data"]', "S1-U44", "4:5"),
        ("secrets: [unknown]", "S1-U44", "4:5"),
        ("configs: [{source: unknown, target: /x}]", "S1-U44", "4:5"),
        ("networks: [unknown]", "S1-U44", "4:5"),
        ("depends_on: [absent]", "S1-U44", "4:5"),
        ("depends_on: [web]", "S1-U51", "4:5"),
        ('ports: ["80:80"]', "S1-U45", "4:5"),
        ("network_mode: host", "S1-U45", "4:5"),
        ("network_mode: bridge", "S1-U03", "4:5"),
        ('network_mode: "container:x"', "S1-U03", "4:5"),
        ('environment: {A: "${X}"}', "S1-U42", "4:19"),
        ('environment: {A: "${a:-b}"}', "S1-U42", "4:19"),
        ('environment: {A: "$a"}', "S1-U42", "4:19"),
        ('environment: ["A=b"]', "S1-U03", "4:5"),
        ("environment: {A: }", "S1-U03", "4:19"),
        ("restart: always", "S1-U03", "4:5"),
        ('security_opt: ["seccomp:unconfined"]', "S1-U49", "4:20"),
        ("labels: {dev.s1ctl.site: x}", "S1-U49", "4:14"),
        ("shm_size: much", "S1-U50", "4:5"),
        ("deploy: {resources: {limits: {memory: much}}}", "S1-U50", "4:35"),
        ("deploy: {resources: {limits: {cpus: few}}}", "S1-U50", "4:35"),
        ("deploy: {replicas: 17}", "S1-U03", "4:14"),
        ("deploy: {placement: {}}", "S1-U02", "4:14"),
        ("x-s1ctl: {role: boss}", "S1-U03", "4:15"),
        ("x-s1ctl: {other: 1}", "S1-U02", "4:15"),
        ("x-s1ctl: {upstreams: /x}", "S1-U45", "4:15"),
        ("x-s1ctl: {role: data, replace: rolling}", "S1-U47", "4:27"),
        ("x-s1ctl: {role: edge, replace: rolling}", "S1-U47", "4:27"),
        ("x-s1ctl: {health: {port: 0, ready: /r}}", "S1-U03", "4:24"),
        ("x-s1ctl: {health: {port: 80, ready: ready}}", "S1-U48", "4:34"),
        ("stop_grace_period: soon", "S1-U03", "4:5"),
    ],
)
def test_what_is_outside_the_subset_is_refused_at_its_place(
    line: str, code: str, place: str
) -> None:
    with pytest.raises(UsageError) as caught:
        parse(service(line))
    assert (caught.value.code, caught.value.message.split(": ")[0]) == (
        code,
        f"compose.yaml:{place}",
    )


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (service("x-s1ctl: {role: data}", "deploy: {replicas: 2}"), "S1-U47"),
        (service("x-s1ctl: {role: edge}", "network_mode: host", "ports: ['1:1']"), "S1-U46"),
        (service("x-s1ctl: {role: edge}", "network_mode: host", "networks: [default]"), "S1-U46"),
        (service("x-s1ctl: {role: edge}", "ports: [80]"), "S1-U46"),
        ("services: {web: {image: web}}\n", "S1-U48"),
        ("services: {web: {image: web, healthcheck: {test: [3]}}}\n", "S1-U03"),
        ("services: {web: {image: web, healthcheck: {test: [pg]}}}\n", "S1-U48"),
        ("services: {web: {image: web, healthcheck: {test: [CMD, x], disable: true}}}\n", "S1-U48"),
        (service("read_only: true", name="Web"), "S1-U41"),
        ("services: {}\nvolumes: {v: {driver_opts: {device: /etc}}}\n", "S1-U02"),
        ("services: {}\nnetworks: {n: {external: true}}\n", "S1-U02"),
        ("services: {}\nconfigs: {c: {file: ./c}}\n", "S1-U02"),
        ("services: {}\nconfigs: {c: {content: '$HOME'}}\n", "S1-U42"),
        ("services: {}\ninclude: [x]\n", "S1-U02"),
        ("services: {a: &a {image: x}, b: *a}\n", "S1-U05"),
    ],
)
def test_what_does_not_fit_together_is_refused(text: str, code: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(text)
    assert caught.value.code == code
    assert caught.value.message.startswith("compose.yaml:")


def test_services_that_wait_for_each_other_are_named() -> None:
    text = GOOD.replace("    image: database\n", "    image: database\n    depends_on: [gateway]\n")
    with pytest.raises(UsageError, match=r"in a circle: .*postgres.*web") as caught:
        parse(text)
    assert caught.value.code == "S1-U51"


def test_durations_and_sizes_are_read_as_compose_writes_them() -> None:
    assert [seconds(text) for text in ("10s", "1m30s", "500ms", "1h")] == [10, 90, 0.5, 3600]
    assert [size_bytes(text) for text in ("64m", "1gb", 10, "2K")] == [2**26, 2**30, 10, 2048]
    with pytest.raises(ValueError, match="much"):
        size_bytes("much")
