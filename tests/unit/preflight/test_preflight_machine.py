"""Judges of machine, mounts, storage, images, clocks and certificates: what makes each fail."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from packaging.specifiers import SpecifierSet

from s1ctl.preflight import certificates, clock, machine, mounts, registry, storage
from s1ctl.preflight.finding import Judgement
from s1ctl.release.manifest import Image
from tests.support.preflight import make_needs, make_site
from tests.support.releases import digest_of

AT = datetime(2026, 6, 1, tzinfo=UTC)


def seen(judgement: Judgement) -> str:
    assert judgement.observed is not None
    return judgement.observed.text


SYSTEM = {"id": "debian", "version": "12", "like": [], "name": "Debian 12", "kernel": "6.1"}


@pytest.mark.parametrize(
    ("change", "wanted", "outcome"),
    [
        ({}, {}, "pass"),
        ({}, {"debian": ">=12"}, "pass"),
        ({}, {"debian": ""}, "pass"),
        ({}, {"debian": ">=13"}, "fail"),
        ({}, {"rhel": ">=8"}, "fail"),
        ({"id": "rocky", "version": "9.3", "like": ["rhel", "fedora"]}, {"rhel": ">=8"}, "warn"),
        ({"version": ""}, {"debian": ">=12"}, "fail"),
        ({"version": ""}, {"debian": ""}, "pass"),
        ({"id": "ubuntu", "version": "22.04"}, {"ubuntu": ">=20.4,<24"}, "pass"),
    ],
)
def test_the_system_is_judged_by_what_the_release_names(
    change: dict[str, Any], wanted: dict[str, str], outcome: str
) -> None:
    systems = {"release 2": {name: SpecifierSet(text) for name, text in wanted.items()}}
    values = {"host.system": {**SYSTEM, **change}}
    assert machine.judge_system(values, make_needs(systems=systems)).outcome == outcome


def test_every_release_of_a_path_names_its_systems() -> None:
    systems = {"release 1": {"debian": SpecifierSet()}, "release 2": {"rhel": SpecifierSet()}}
    judgement = machine.judge_system({"host.system": SYSTEM}, make_needs(systems=systems))
    assert judgement.required is not None
    assert (judgement.outcome, judgement.required.source) == ("fail", "release 2")


def image(name: str, *platforms: str) -> Image:
    return Image(
        name=name, digest=digest_of(name), platforms=platforms, repository=name, tags=("1",)
    )


@pytest.mark.parametrize(
    ("name", "platforms", "outcome"),
    [
        ("x86_64", ("linux/amd64",), "pass"),
        ("x86_64", ("linux/arm64", "linux/amd64"), "pass"),
        ("x86_64", ("linux/arm64",), "fail"),
        ("armv7l", ("linux/arm/v7",), "pass"),
        ("aarch64", ("linux/arm/v7",), "fail"),
        ("riscv64", ("linux/riscv64",), "pass"),
    ],
)
def test_every_image_must_be_for_the_machine(
    name: str, platforms: tuple[str, ...], outcome: str
) -> None:
    values = {"host.machine": {"machine": name, "platform": machine.platform_of(name)}}
    needs = make_needs(images=(image("web", *platforms),))
    assert machine.judge_machine(values, needs).outcome == outcome
    assert machine.judge_machine(values, make_needs(has_release=False)).outcome == "skip"


MOUNTS = {
    "state": "/s", "flags": [], "writes": None, "runs": None, "below": [["/", "ext4"]],
    "scratch": {"place": "/tmp", "flags": []},
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "outcome", "word"),
    [
        ({}, "pass", "/s"),
        ({"flags": ["read-only"]}, "fail", "mounted read-only"),
        ({"writes": "no space left on device"}, "fail", "no space left"),
        ({"flags": ["noexec"]}, "fail", "mounted noexec"),
        ({"runs": "permission denied"}, "fail", "permission denied"),
        ({"below": [["/", "nfs4"]]}, "fail", "nfs4"),
        ({"below": [["/", "ext4"], ["/s/backups", "cifs"]]}, "fail", "/s/backups"),
        ({"below": [["/", "fuse.sshfs"]]}, "fail", "fuse.sshfs"),
        ({"below": [["/", "vfat"]]}, "fail", "vfat"),
        ({"below": [["/", "overlay"]]}, "pass", "/s"),
        ({"below": [["/s", "tmpfs"]]}, "warn", "reboot"),
        ({"scratch": {"place": "/tmp", "flags": ["noexec"]}}, "warn", "/tmp"),
    ],
)
def test_the_state_directory_is_judged_by_flags_trial_and_kind(
    change: dict[str, Any], outcome: str, word: str
) -> None:
    judgement = mounts.judge_mounts({"host.mounts": {**MOUNTS, **change}}, make_needs())
    assert judgement.outcome == outcome
    assert word in seen(judgement)


DISK = {"free": 50 << 30, "used": 50 << 30}


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        ({}, "pass"),
        ({"driver": "overlayfs"}, "pass"),
        ({"driver": "vfs"}, "fail"),
        ({"driver": "devicemapper"}, "fail"),
        ({"driver": "zfs"}, "warn"),
        ({"driver": "btrfs"}, "warn"),
        ({"disk": None}, "warn"),
        ({"disk": {"free": 19 << 30, "used": 81 << 30}}, "warn"),
    ],
)
def test_the_engines_storage_is_judged_by_driver_place_and_room(
    change: dict[str, Any], outcome: str
) -> None:
    info = {"driver": "overlay2", "root": "/var/lib/docker", "disk": DISK, **change}
    assert storage.judge_storage({"engine.info": info}, make_needs()).outcome == outcome


FOUND: Mapping[str, Any] = {"missing": [], "moved": [], "code": None}
REFUSED = {"code": "S1-R07", "text": "denied", "hint": "ask"}


@pytest.mark.parametrize(
    ("found", "needs", "outcome"),
    [
        ({}, {}, "pass"),
        ({"missing": ["web: blob sha256:1"]}, {}, "fail"),
        ({"moved": ["web:1 is another"]}, {}, "warn"),
        (REFUSED, {}, "fail"),
        ({"missing": ["web: blob sha256:1"]}, {"is_staged": True}, "skip"),
        ({"missing": ["web: blob sha256:1"]}, {"has_release": False}, "skip"),
    ],
)
def test_images_must_be_in_the_registry_unless_they_are_staged(
    found: dict[str, Any], needs: dict[str, Any], outcome: str
) -> None:
    values = {"registry.images": {**FOUND, **found}}
    assert registry.judge_images(values, make_needs(**needs)).outcome == outcome


def test_a_password_that_cannot_be_had_is_told_by_the_check_of_the_password() -> None:
    ping = {"code": "S1-I10", "text": "no such file", "hint": "write it"}
    assert registry.judge_api({"registry.ping": ping}, make_needs()).outcome == "pass"
    assert registry.judge_auth({"registry.ping": ping}, make_needs()).outcome == "fail"


def reading(ahead_s: float, bound_s: float = 0.1) -> dict[str, Any]:
    return {"reason": None, "ahead_s": ahead_s, "bound_s": bound_s}


@pytest.mark.parametrize(
    ("one", "outcome"),
    [
        (reading(1.9), "pass"),
        (reading(2.2), "warn"),
        (reading(-2.2), "warn"),
        (reading(30.0), "warn"),
        (reading(30.2), "fail"),
        (reading(-86400), "fail"),
        (reading(40, bound_s=39), "pass"),
        ({"reason": "refused"}, "skip"),
    ],
)
def test_a_clock_is_judged_by_what_is_certain(one: dict[str, Any], outcome: str) -> None:
    values = {"clock.registry": {"the registry": one}, "clock.databases": {}, "clock.engine": {}}
    assert clock.judge_skew(values, make_needs()).outcome == outcome


def test_the_clock_that_is_farthest_off_counts_and_all_are_said() -> None:
    values = {
        "clock.registry": {"the registry": reading(3)},
        "clock.databases": {"database main": reading(-40), "database other": {"reason": "down"}},
        "clock.engine": {"the engine": reading(0)},
    }
    judgement = clock.judge_skew(values, make_needs())
    assert judgement.outcome == "fail"
    assert "database main is 40.0 s behind" in seen(judgement)
    assert "the registry is 3.0 s ahead" in seen(judgement)
    assert "database main" in judgement.remediation[0]


@pytest.mark.parametrize("took_s", [0.0, 4.0])
def test_the_time_that_asking_took_is_no_skew(
    took_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = iter((0.0, took_s))
    monkeypatch.setattr(clock, "monotonic", lambda: next(ticks))
    there = AT + timedelta(seconds=took_s)  # it answered at the last moment
    found = clock._measure(lambda: there, lambda: AT)
    assert clock._certain(found) == 0
    assert found["bound_s"] == took_s / 2


@pytest.mark.parametrize(
    ("text", "microsecond"),
    [("2026-06-01T02:00:00.123456789+02:00", 123456), ("2026-06-01T00:00:00Z", 0)],
)
def test_an_engines_nanoseconds_are_read(text: str, microsecond: int) -> None:
    assert clock._parse(text) == AT.replace(microsecond=microsecond)


def certificate(
    subject: str, *, issuer: str = "CN=ca", days: float = 400, since: float = -1
) -> dict[str, str]:
    return {
        "subject": subject,
        "issuer": issuer,
        "from": (AT + timedelta(days=since)).isoformat(),
        "until": (AT + timedelta(days=days)).isoformat(),
    }


GOOD, CA = certificate("CN=r"), certificate("CN=ca")


@pytest.mark.parametrize(
    ("served", "authority", "outcome", "word"),
    [
        ([GOOD], [CA], "pass", "ends"),
        ([certificate("CN=r", days=-1)], [CA], "fail", "ended on 2026-05-31"),
        ([certificate("CN=r", days=29)], [CA], "warn", "in 29 days"),
        ([certificate("CN=r", days=0.5)], [CA], "warn", "in 12 hours"),
        ([certificate("CN=r", since=1)], [CA], "fail", "not valid before 2026-06-02"),
        ([GOOD, certificate("CN=middle", days=-1)], [], "fail", "the registry's chain"),
        ([GOOD], [certificate("CN=ca", days=-1)], "fail", "`registry.ca`"),
        ([GOOD], [certificate("CN=other", days=-1), CA], "pass", "ends"),
        ([GOOD], [certificate("CN=ca", days=-1), CA], "pass", "ends"),
        ([], [certificate("CN=ca", days=-1)], "fail", "`registry.ca`"),
        ([], [], "skip", "refused"),
    ],
)
def test_the_certificate_that_ends_first_counts(
    served: list[Any], authority: list[Any], outcome: str, word: str
) -> None:
    found = {
        "at": AT.isoformat(), "tls": True, "served": served, "authority": authority,
        "reason": None if served else "refused",
    }  # fmt: skip
    judgement = certificates.judge_expiry({"certificates": found}, make_needs())
    assert judgement.outcome == outcome
    assert word in seen(judgement)


def test_a_registry_without_tls_or_that_is_not_needed_has_no_certificate_to_judge() -> None:
    plain = {"at": AT.isoformat(), "tls": False, "served": [], "authority": [], "reason": None}
    assert certificates.judge_expiry({"certificates": plain}, make_needs()).outcome == "skip"
    staged = make_needs(make_site(), is_staged=True)
    assert certificates.judge_expiry({"certificates": plain}, staged).outcome == "skip"
