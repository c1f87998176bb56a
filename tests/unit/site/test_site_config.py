"""The site file."""

import os
import stat
from pathlib import Path
from typing import Any

import msgspec
import pytest

from s1ctl.errors import InputOutputFailed, S1Error, UsageError
from s1ctl.site.config import DatabaseAccess, RegistryAccess, Site, read_site
from s1ctl.site.facts import Fact, Facts
from s1ctl.site.secrets import SecretSource

SITE = """\
version: 1
name: acme-prod
target: {kind: docker, network: 10.97.0.0/24}
registry: {url: https://registry.acme.internal:5000/shop/prod/, user: s1ctl, password: file:/pw}
trust: {product: shop, channel: stable}
databases:
  console: {service: postgres}
  audit: {url: env:AUDIT}
values: {public_host: shop.acme.internal, gateway_port: "8443", debug: false, workers: 4}
policy: {soak_s: 5, backup: {when: contract}}
allow: {gateway: [host-network]}
media: [/media/*/]
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "site.yaml"
    path.write_text(SITE)
    path.chmod(0o600)
    return path


def refusal(path: Path) -> S1Error:
    with pytest.raises(S1Error) as caught:
        read_site(path)
    return caught.value


def test_a_site_is_read(path: Path) -> None:
    site = read_site(path)
    assert (site.name, site.trust.product, site.media) == ("acme-prod", "shop", ("/media/*/",))
    assert str(site.target.subnet) == "10.97.0.0/24"
    assert site.databases["console"] == DatabaseAccess(service="postgres")
    assert site.databases["audit"].url == SecretSource("env:AUDIT")
    assert site.values["gateway_port"] == "8443"
    assert site.values["debug"] is False
    assert site.registry.password == SecretSource("file:/pw")


def test_what_is_not_said_has_the_documented_value(path: Path) -> None:
    site = read_site(path)
    assert (site.policy.soak_s, site.policy.max_stall_ms, site.policy.keep_points) == (5, 100, 3)
    assert (site.policy.backup.when, site.policy.backup.how) == ("contract", "dump")
    assert site.state == Path("/var/lib/s1ctl")


@pytest.mark.parametrize(
    ("url", "host", "prefix"),
    [
        ("https://r.acme:5000/shop/prod/", "r.acme:5000", "shop/prod"),
        ("https://r.acme:5000/", "r.acme:5000", ""),
        ("http://r.acme", "r.acme", ""),
    ],
)
def test_a_registry_has_a_host_and_a_prefix(url: str, host: str, prefix: str) -> None:
    registry = RegistryAccess(url=url)
    assert (registry.host, registry.prefix) == (host, prefix)


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_site_file_that_others_may_write_is_refused(path: Path, mode: int) -> None:
    path.chmod(mode)
    error = refusal(path)
    assert error.code == "S1-U10"
    assert f"{mode:04o}" in error.message
    assert error.hint == f"run `chmod go-w {path}`"


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o400])
def test_a_site_file_that_others_may_only_read_is_read(path: Path, mode: int) -> None:
    path.chmod(mode)
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert read_site(path).name == "acme-prod"


def test_a_site_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    error = refusal(tmp_path / "site.yaml")
    assert isinstance(error, UsageError)
    assert error.code == "S1-U11"
    assert "s1ctl init" in error.hint


def test_a_site_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    error = refusal(tmp_path)
    assert isinstance(error, InputOutputFailed)
    assert error.code == "S1-I01"


@pytest.mark.parametrize(
    ("former", "latter", "code", "place", "said"),
    [
        ("version: 1", "version: 2", "S1-U03", "1:1", "must be `1`, and is the number `2`"),
        ("name: acme-prod", "name: Acme", "S1-U03", "2:1", "`name`"),
        ("name: acme-prod", "nmae: acme-prod", "S1-U02", "2:1", "unknown key `nmae`"),
        ("name: acme-prod\n", "", "S1-U06", "1:1", "the key `name` is missing; it must be a name"),
        (
            "kind: docker",
            "kind: podman",
            "S1-U03",
            "3:10",
            "must be `docker`, and is the text `podman`",
        ),
        ("10.97.0.0/24", "10.97.0.1/24", "S1-U03", "3:24", "has host bits set"),
        ("10.97.0.0/24", "fd00::/64", "S1-U03", "3:24", "fd00::/64"),
        ("10.97.0.0/24", "10.97.0.0/28", "S1-U03", "3:24", "16 addresses"),
        ("network: 10", "netwrok: 10", "S1-U02", "3:24", "unknown key `netwrok`"),
        ("https://registry", "ftp://registry", "S1-U03", "4:12", "`registry.url`"),
        ("https://registry", "https://u:p@registry", "S1-U03", "4:12", "`registry.url`"),
        ("password: file:/pw", "password: hunter2", "S1-U03", "4:78", "must be `env:NAME`"),
        ("{service: postgres}", "{}", "S1-U03", "7:3", "either `service` or `url`"),
        ("{service: postgres}", "{service: a, url: env:A}", "S1-U03", "7:3", "either `service`"),
        ("{service: postgres}", "{servcie: a}", "S1-U02", "7:13", "unknown key `servcie`"),
        ("{url: env:AUDIT}", "{url: postgresql://u:pw@h/d}", "S1-U03", "8:11", "must be `env"),
        ("debug: false", "debug: 1.5", "S1-U03", "9:65", "`values.debug`"),
        ("soak_s: 5", "soak_s: -1", "S1-U03", "10:10", "`policy.soak_s`"),
        ("soak_s: 5", "soak: 5", "S1-U02", "10:10", "unknown key `soak`"),
        (
            "when: contract",
            "when: never",
            "S1-U03",
            "10:30",
            "one of `always`, `contract`, and is the text `never`",
        ),
        (
            "[host-network]",
            "[privileged]",
            "S1-U03",
            "11:19",
            "one of `cap-add`, `host-network`, and is the text `privileged`",
        ),
        ("media: [/media/*/]", "media: /media", "S1-U03", "12:1", "`media`"),
    ],
)
def test_a_fault_is_told_with_line_and_column(
    path: Path, *, former: str, latter: str, code: str, place: str, said: str
) -> None:
    assert former in SITE
    path.write_text(SITE.replace(former, latter))
    error = refusal(path)
    assert error.code == code
    assert error.message.startswith(f"{path}:{place}: ")
    assert said in error.message


@pytest.mark.parametrize("secret", ["hunter2", "postgresql://u:pw@h/d"])
def test_a_secret_written_in_the_wrong_place_is_not_repeated(path: Path, secret: str) -> None:
    path.write_text(SITE.replace("file:/pw", secret).replace("env:AUDIT", secret))
    error = refusal(path)
    assert secret not in error.message + error.hint


def test_an_empty_site_file_says_what_is_missing(path: Path) -> None:
    path.write_text("")
    assert "the key `version` is missing" in refusal(path).message


def test_a_site_holds_no_shared_values() -> None:
    fields: dict[str, Any] = {f.name: f for f in msgspec.structs.fields(Site)}
    assert fields["values"].default_factory is dict


def test_an_unknown_fact_is_an_entry_with_its_reason() -> None:
    facts = Facts(taken_at="2026-01-01T00:00:00Z", items={"cpu": Fact(error="no permission")})
    assert facts.items["cpu"].value is None


def test_a_site_file_of_another_user_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = 12345 if path.stat().st_uid == 0 else path.stat().st_uid
    os.chown(path, owner, -1)
    monkeypatch.setattr("s1ctl.site.config.os.geteuid", lambda: owner + 1)
    error = refusal(path)
    assert error.code == "S1-U10"
    assert "another user" in error.message


def test_a_state_directory_that_depends_on_where_one_stands_is_refused(path: Path) -> None:
    path.write_text(path.read_text() + "state_dir: state\n")
    error = refusal(path)
    assert error.code == "S1-U03"
    assert "absolute" in error.message
