"""Judges: facts in, judgement out; each with what makes it fail."""

from typing import Any

import pytest
from packaging.specifiers import SpecifierSet

from s1ctl.errors import UsageError
from s1ctl.preflight import disks, engine, host, registry, state
from s1ctl.preflight.catalogue import CHECKS, blocking, select
from s1ctl.preflight.check import evaluate
from s1ctl.preflight.finding import Finding
from s1ctl.preflight.needs import Needs
from s1ctl.shape import parse_value, plain
from s1ctl.site.config import Site
from s1ctl.site.facts import Fact, Facts

SITE = parse_value(
    {
        "version": 1,
        "name": "acme",
        "target": {"kind": "docker", "network": "10.97.0.0/24"},
        "registry": {"url": "https://registry:5000/shop", "ca": "/etc/s1ctl/ca.pem"},
        "trust": {"product": "shop", "channel": "stable"},
    },
    Site,
)
MIB = 1 << 20


def needs(**changes: Any) -> Needs:
    return Needs(**{"phase": "install", "site": SITE, "source": "release 1.0.0", **changes})


@pytest.mark.parametrize(
    ("reason", "outcome"),
    [("answers", "pass"), ("missing", "fail"), ("denied", "fail"), ("refused", "fail")],
)
def test_the_engine_must_answer(reason: str, outcome: str) -> None:
    judgement = engine.judge_reach({"engine.reach": reason}, needs())
    assert judgement.outcome == outcome
    assert (judgement.fix is None) == (outcome == "pass")


INFO = {"version": "20.10.24+dfsg1", "api": "1.41", "rootless": False, "swarm": "inactive"}


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        ({}, "pass"),
        ({"api": "1.40"}, "fail"),
        ({"rootless": True}, "fail"),
        ({"swarm": "active"}, "fail"),
        ({"version": "4.3.1-podman"}, "fail"),
        ({"version": "20.10.5"}, "fail"),
        ({"version": "library-import", "api": "1.56"}, "pass"),
    ],
)
def test_the_engine_is_judged_by_its_api_and_leniently_by_its_version(
    change: dict[str, Any], outcome: str
) -> None:
    wanted = needs(engine=SpecifierSet(">=20.10.10"))
    assert engine.judge_version({"engine.info": {**INFO, **change}}, wanted).outcome == outcome


def network(name: str, subnet: str, site: str = "") -> dict[str, Any]:
    return {"name": name, "subnets": [subnet], "site": site, "bridge": f"br-{name}"}


@pytest.mark.parametrize(
    ("networks", "routes", "outcome"),
    [
        ([], [], "pass"),
        ([network("other", "10.97.0.0/16")], [], "fail"),
        ([network("own", "10.97.0.0/24", "acme")], [["br-own", "10.97.0.0/24"]], "pass"),
        ([], [["eth0", "10.96.0.0/14"]], "fail"),
        ([network("v6", "fd00::/64")], [["eth0", "192.168.0.0/16"]], "pass"),
    ],
)
def test_the_subnet_must_be_free_or_our_own(
    networks: list[Any], routes: list[Any], outcome: str
) -> None:
    values = {"engine.networks": networks, "host.routes": routes}
    assert engine.judge_networks(values, needs()).outcome == outcome


@pytest.mark.parametrize(
    ("total", "available", "outcome"),
    [(1000, 900, "pass"), (950, 900, "warn"), (1000, 100, "warn"), (900, 900, "fail")],
)
def test_memory_is_judged_with_what_firmware_takes(
    total: int, available: int, outcome: str
) -> None:
    values = {"host.memory": {"total": total * MIB, "available": available * MIB}}
    assert host.judge_memory(values, needs(memory_bytes=1000 * MIB)).outcome == outcome


def disk(device: int = 1, **changes: int) -> dict[str, int]:
    whole = {"free": 150 * MIB, "used": 900 * MIB, "inodes_free": 900, "inodes": 1000}
    return {"device": device, **whole, **changes}


def test_what_lies_on_one_disk_is_added_up() -> None:
    values: dict[str, Any] = {"host.disks": {"/a": disk(), "/b": disk()}, "host.copies": {}}
    fits = needs(disk_bytes={"/a": 60 * MIB, "/b": 60 * MIB})
    lacks = needs(disk_bytes={"/a": 80 * MIB, "/b": 80 * MIB})
    assert disks.judge_disks(values, fits).outcome == "pass"
    assert disks.judge_disks(values, lacks).outcome == "fail"
    values["host.disks"]["/b"]["device"] = 2
    assert disks.judge_disks(values, lacks).outcome == "pass"


def test_a_dump_and_its_proof_need_room_where_they_will_lie() -> None:
    values: dict[str, Any] = {"host.disks": {"/a": disk(), "/b": disk(2)}}
    wanted = needs(disk_bytes={"/a": 60 * MIB, "/b": 60 * MIB}, copies={"main": ("/a", "/b")})
    for size, outcome in ((70 * MIB, "pass"), (90 * MIB, "fail"), (None, "pass")):
        values["host.copies"] = {"main": size}
        judgement = disks.judge_disks(values, wanted)
        assert judgement.outcome == outcome
        assert judgement.observed is not None
        assert ("not known" in judgement.observed.text) == (size is None)
        assert ("copy of main 90 MiB" in judgement.observed.text) == (outcome == "fail")


def test_inodes_are_added_up_and_not_judged_where_they_are_made_as_needed() -> None:
    values: dict[str, Any] = {"host.disks": {"/a": disk(), "/b": disk()}}
    assert disks.judge_inodes(values, needs(inodes={"/a": 400, "/b": 400})).outcome == "pass"
    lacks = needs(inodes={"/a": 500, "/b": 500})
    assert disks.judge_inodes(values, lacks).outcome == "fail"
    values["host.disks"] = {f: disk(inodes=0, inodes_free=0) for f in ("/a", "/b")}
    assert disks.judge_inodes(values, lacks).outcome == "pass"


def test_a_stranger_on_an_edges_port_fails_and_is_named() -> None:
    values = {"host.listeners": [[8443, "nginx (pid 7)"], [22, "sshd (pid 1)"]]}
    judgement = host.judge_ports(values, needs(ports=(8443,)))
    assert judgement.outcome == "fail"
    assert judgement.observed is not None
    assert "nginx (pid 7)" in judgement.observed.text
    assert host.judge_ports(values, needs(ports=(80,))).outcome == "pass"
    assert host.judge_ports(values, needs()).outcome == "skip"


def test_the_installed_edge_may_hold_its_own_port_and_nobody_a_new_one() -> None:
    values = {"host.listeners": [[8443, "nginx (pid 7)"], [9443, "other (pid 8)"]]}
    own = needs(ports=(8443,), own_ports=(8443,), is_installed=True)
    new = needs(ports=(8443, 9443), own_ports=(8443,), is_installed=True)
    assert host.judge_ports(values, own).outcome == "pass"
    judgement = host.judge_ports(values, new)
    assert judgement.observed is not None
    assert judgement.observed.value == 9443


def ping(code: str | None) -> dict[str, Any]:
    engine_ca = {"state": "same", "path": "/etc/docker/certs.d/registry:5000/ca.crt"}
    return {
        "registry.ping": {"code": code, "text": "told", "hint": "do"},
        "registry.engine-ca": engine_ca,
    }


@pytest.mark.parametrize(
    ("code", "api", "tls", "auth"),
    [
        (None, "pass", "pass", "pass"),
        ("S1-R01", "fail", "pass", "pass"),
        ("S1-R05", "fail", "pass", "pass"),
        ("S1-R03", "pass", "fail", "pass"),
        ("S1-R06", "pass", "pass", "fail"),
    ],
)
def test_a_refusal_of_the_registry_fails_the_check_it_belongs_to(
    code: str | None, api: str, tls: str, auth: str
) -> None:
    values = ping(code)
    judges = (registry.judge_api, registry.judge_tls, registry.judge_auth)
    assert tuple(j(values, needs()).outcome for j in judges) == (api, tls, auth)


def test_a_staged_release_does_not_need_the_registry() -> None:
    assert registry.judge_api(ping("S1-R02"), needs(is_staged=True)).outcome == "skip"


@pytest.mark.parametrize("found", ["missing", "other"])
def test_an_engine_that_lacks_the_registrys_authority_is_told_the_command(found: str) -> None:
    values = ping(None)
    values["registry.engine-ca"]["state"] = found
    judgement = registry.judge_tls(values, needs())
    assert judgement.outcome == "fail"
    assert judgement.fix is not None
    assert judgement.fix.command.startswith("install -D -m 0644 /etc/s1ctl/ca.pem /etc/docker/")


LOCK = {"operation": "op-1", "who": "root", "since": "2026", "is_alive": True}


@pytest.mark.parametrize(
    ("lock", "unfinished", "operation", "outcome"),
    [
        ({"operation": None}, None, None, "pass"),
        (LOCK, None, None, "fail"),
        ({**LOCK, "is_alive": False}, None, None, "pass"),
        ({"operation": None}, "op-1", None, "fail"),
        (LOCK, "op-1", "op-1", "pass"),
    ],
)
def test_a_held_site_or_an_unfinished_operation_fails(
    lock: dict[str, Any], unfinished: str | None, operation: str | None, outcome: str
) -> None:
    values = {"state.lock": lock, "state.unfinished": {"id": unfinished, "verb": "upgrade"}}
    assert state.judge_lock(values, needs(operation=operation)).outcome == outcome


def test_settings_that_do_not_fit_fail() -> None:
    assert state.judge_settings({}, needs(problems=("`port` is missing",))).outcome == "fail"
    assert state.judge_settings({}, needs()).outcome == "pass"


def facts(**items: Fact) -> Facts:
    return Facts(
        taken_at="2026-01-01T00:00:00+00:00",
        items={name.replace("__", "."): fact for name, fact in items.items()},
    )


def test_a_fact_that_is_not_known_is_an_error_and_never_a_pass() -> None:
    chosen = select("install", ("engine.reachable", "engine.version"))
    findings = evaluate(chosen, facts(engine__reach=Fact(error="no answer")), needs())
    assert [f.outcome for f in findings] == ["error", "skip"]
    assert [f.id for f in blocking(findings)] == ["engine.reachable"]


def test_a_check_whose_prerequisite_failed_is_skipped_and_names_it() -> None:
    chosen = select("install", ("engine",))
    findings = evaluate(chosen, facts(engine__reach=Fact(value="missing")), needs())
    assert [f.outcome for f in findings] == ["fail", "skip", "skip", "skip"]
    assert findings[1].observed is not None
    assert "engine.reachable" in findings[1].observed.text


def test_every_finding_says_where_its_explanation_is_and_survives_json() -> None:
    chosen = select("install", ("engine",))
    for finding in evaluate(chosen, facts(engine__reach=Fact(value="missing")), needs()):
        assert finding.docs == f"s1ctl explain {finding.id}"
        assert parse_value(plain(finding), Finding) == finding


def test_an_unknown_name_of_a_check_is_refused() -> None:
    with pytest.raises(UsageError) as caught:
        select("install", ("engine.nonsense",))
    assert caught.value.code == "S1-U20"


def test_the_catalogue_names_each_check_once() -> None:
    names = [check.id for check in CHECKS]
    assert len(names) == len(set(names))
    assert {
        "engine.reachable", "engine.version", "engine.networks", "host.disk-space",
        "host.memory", "net.ports", "reg.api", "reg.tls", "reg.auth", "pg.connect", "state.lock",
    } <= set(names)  # fmt: skip
