"""Settings and secrets that a site file does not give as a release wants them."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from s1ctl.oci.digest import Digest
from s1ctl.release.manifest import Setting
from tests.support.attacks import PARTS, VENDOR, compose
from tests.support.bundles import write_bundle
from tests.support.cases import CASES
from tests.support.loads import Cargo, LoadSite, Said, s1ctl
from tests.support.registry import RegistryServer
from tests.support.require import need

VALUES = """\
databases: {console: {service: console}}
allow: {gateway: [host-network]}
values:
  gateway_port: 8443
  api_token: env:API_TOKEN
"""
SETTINGS = (
    *PARTS.manifest.settings,
    Setting(name="gateway_port", kind="port", required=True, note="the port that users type"),
    Setting(name="api_token", kind="secret", note="from the mail gateway"),
)
HOST = "    image: gateway\n    network_mode: host\n"
Provoke = Callable[..., Said]


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoadSite]:
    """A site with a release loaded that wants a port and a token."""
    need("registry")
    folder = tmp_path_factory.mktemp("values")
    parts = compose("    image: gateway\n", HOST).change(settings=SETTINGS)
    (folder / "root.json").write_bytes(VENDOR.root_json)
    cargo = Cargo(
        path=write_bundle(folder / "values.s1b", parts, VENDOR),
        parts=parts,
        root=folder / "root.json",
        fingerprint=Digest.of(VENDOR.root.payload).hex,
    )
    with RegistryServer(folder / "registry") as server:
        site = LoadSite(folder / "site", cargo, server.url)
        assert site.load().status == 0
        yield site


@pytest.fixture
def provoke(loaded: LoadSite, docker_client, monkeypatch: pytest.MonkeyPatch) -> Iterator[Provoke]:
    """Plan the installation with other values; nothing is written."""
    good = loaded.file.read_text()
    monkeypatch.setenv("API_TOKEN", "canary-31f0")

    def provoke(*changes: tuple[str, str]) -> Said:
        values = VALUES
        for old, new in changes:
            assert old in values
            values = values.replace(old, new)
        loaded.file.write_text(good + values)
        said = s1ctl("--site", loaded.file, "plan", "--to", "1.0.0")
        assert "canary-31f0" not in said.text
        return said

    yield provoke
    loaded.file.write_text(good)


def test_with_its_values_the_release_can_be_planned(provoke: Provoke) -> None:
    assert provoke().status == 0


@pytest.mark.parametrize(
    ("change", "line", "words"),
    [
        (("  gateway_port: 8443\n", ""), 10, "has no value (the port that users type)"),
        (("gateway_port: 8443", "gateway_port: 84430"), 11, "which is not a port from 1 to 65535"),
        (("gateway_port: 8443", "gateway_port: web"), 11, "is `web`, which is not a port"),
        (("  api_token: env:API_TOKEN\n", ""), 10, "the secret `api_token` has no source (from"),
        (
            ("  api_token", "  gatway_port: 1\n  api_token"),
            12,
            "`gatway_port` is not a setting of this release; is `gateway_port` meant?",
        ),
    ],
)
def test_values_that_the_release_does_not_want_so_are_told_with_their_line(
    provoke: Provoke, loaded: LoadSite, change: tuple[str, str], line: int, words: str
) -> None:
    provoke()
    before = loaded.words()
    said = provoke(change)
    assert said.outcome == CASES["values-and-release-disagree"].outcome
    assert f"site.yaml:{line}:" in said.message
    assert words in said.message
    CASES["values-and-release-disagree"].prove(before, loaded.words())


def test_all_values_that_disagree_are_told_at_once(provoke: Provoke) -> None:
    said = provoke(("8443", "web"), ("api_token: env", "token: env"))
    assert said.outcome == CASES["values-and-release-disagree"].outcome
    assert len(said.message.split("\n")) == 4


def test_a_secret_that_stands_in_the_site_file_is_refused_and_not_repeated(
    provoke: Provoke, loaded: LoadSite
) -> None:
    said = provoke(("env:API_TOKEN", "canary-31f0"))
    assert said.outcome == CASES["secret-in-the-site-file"].outcome
    assert f"{loaded.file}:12:3: `api_token` is a secret" in said.message


def test_a_consent_that_lacks_is_told_with_its_place(provoke: Provoke, loaded: LoadSite) -> None:
    before = loaded.words()
    said = provoke(("[host-network]", "[]"))
    assert said.outcome == CASES["consent-is-missing"].outcome
    assert f"{loaded.file}:9:" in said.message
    assert "allow: {gateway: [host-network]}" in said.hint
    CASES["consent-is-missing"].prove(before, loaded.words())


def test_a_database_without_a_place_is_told(provoke: Provoke, loaded: LoadSite) -> None:
    said = provoke(("databases: {console: {service: console}}\n", ""))
    assert said.outcome == CASES["database-without-a-place"].outcome
    assert f"{loaded.file}:" in said.message
    assert "`console`" in said.message
    assert "databases: {console: {service:" in said.hint


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "empty").touch(0o600)
    (tmp_path / "open").write_text("x")
    (tmp_path / "open").chmod(0o666)
    (tmp_path / "latin").write_bytes(b"\xff\xfe")
    return tmp_path


@pytest.mark.parametrize(
    ("source", "reason", "remedy"),
    [
        ("env:NO_SUCH_VARIABLE", "that variable is not set", "export NO_SUCH_VARIABLE="),
        ("file:FOLDER/none", "No such file or directory", "ls -l"),
        ("file:FOLDER", "Is a directory", "ls -l"),
        ("file:FOLDER/empty", "it is empty", "must hold the secret"),
        ("file:FOLDER/open", "others may write the file (mode 0666)", "mode 0600"),
        ("file:FOLDER/latin", "it is not UTF-8", "ls -l"),
        ("cmd:exit 3", "the command ended with 3", "run it by hand"),
        ("cmd:echo", "it is empty", "run it by hand"),
        ("cmd:sleep 60", "the command took over 0.2 s", "run it by hand"),
    ],
)
def test_a_secret_that_does_not_resolve_is_told_with_its_key_and_cause(
    provoke: Provoke, loaded: LoadSite, folder: Path, monkeypatch: pytest.MonkeyPatch, *,
    source: str, reason: str, remedy: str,
) -> None:  # fmt: skip
    monkeypatch.setattr("s1ctl.site.secrets.COMMAND_TIMEOUT_S", 0.2)
    source = source.replace("FOLDER", str(folder))
    provoke()
    before = loaded.words()
    said = provoke(("env:API_TOKEN", f'"{source}"'))
    assert said.outcome == CASES["secret-does-not-resolve"].outcome
    shown = source.split()[0] if source.startswith("cmd:") else source
    assert f"`{shown}` for `values.api_token` does not resolve: {reason}" in said.message
    assert remedy in said.hint
    CASES["secret-does-not-resolve"].prove(before, loaded.words())


def test_the_registrys_password_is_told_by_its_key(loaded: LoadSite) -> None:
    good, before = loaded.file.read_text(), loaded.words()
    access = f"user: s1ctl\n  password: file:{os.devnull}\ntrust:"
    loaded.file.write_text(good.replace("trust:", f"  {access}"))
    try:
        said = loaded.load()
    finally:
        loaded.file.write_text(good)
    assert said.outcome == CASES["registry-password-does-not-resolve"].outcome
    assert "for `registry.password` does not resolve: it is empty" in said.message
    CASES["registry-password-does-not-resolve"].prove(before, loaded.words())


def test_a_plan_that_may_be_approved_is_not_overwritten(
    provoke: Provoke, loaded: LoadSite, tmp_path: Path
) -> None:
    provoke()
    out = tmp_path / "plan.json"
    out.write_text("{}")
    words = ("--site", loaded.file, "plan", "--to", "1.0.0", "--out", out)
    said = s1ctl(*words)
    assert said.outcome == CASES["plan-file-is-there"].outcome
    assert f"`{out}` is already there" in said.message
    assert out.read_text() == "{}"
    out.unlink()
    assert s1ctl(*words).status == s1ctl(*words).status == 0
