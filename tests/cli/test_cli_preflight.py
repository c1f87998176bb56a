import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from s1ctl.ledger.holder import own_holder
from s1ctl.ledger.ledger import open_ledger
from s1ctl.preflight import catalogue
from s1ctl.preflight.check import Check
from s1ctl.preflight.finding import Severity, failed
from tests.support.bundles import CHANNEL, PRODUCT, make_parts, make_vendor, write_bundle
from tests.support.cases import CASES, outcome_of, stand_of
from tests.support.ledgers import NOW
from tests.support.preflight import PretendedEngine

VERSION = {"Version": "27.5.1", "ApiVersion": "1.47", "MinAPIVersion": "1.24"}
INFO = {
    "ID": "pretended", "DockerRootDir": "/", "Driver": "overlay2", "SecurityOptions": [],
    "Architecture": "x86_64", "MemTotal": 1 << 30,
}  # fmt: skip
ANSWERS: dict[str, object] = {
    "/_ping": b"OK", "/version": VERSION, "/info": INFO, "/networks": [],
}  # fmt: skip
QUIET = ("--only", "state", "--only", "engine", "--skip", "engine.storage")
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def sock() -> Iterator[Path]:
    """A path short enough for a socket, and of one length, since lines are wrapped."""
    with tempfile.TemporaryDirectory(prefix="s1-", dir="/tmp") as folder:
        yield Path(folder) / "e.sock"


@pytest.fixture
def site(sock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A site that has a ledger and no root, with an engine that only pretends."""
    path = tmp_path / "site.yaml"
    path.write_text(
        "version: 1\nname: acme\n"
        f"target: {{kind: docker, network: 10.249.249.0/27, socket: {sock}}}\n"
        'registry: {url: "http://127.0.0.1:1/shop"}\n'
        "trust: {product: shop, channel: stable}\n"
        f"state_dir: {tmp_path}/state\n"
    )
    path.chmod(0o600)
    monkeypatch.setenv("S1CTL_SITE", str(path))
    return path


@contextmanager
def engine(sock: Path, **answers: object) -> Iterator[None]:
    changed = {f"/{name}": answer for name, answer in answers.items()}
    with PretendedEngine({**ANSWERS, **changed}).listening(sock):
        yield


def hide(sock: Path) -> tuple[tuple[str, str], ...]:
    return ((str(sock), "SOCKET"),)


def document(run: Run, *words: object) -> tuple[int, dict[str, Any]]:
    status, out, _ = run("preflight", "--output", "json", *words)
    data: dict[str, Any] = json.loads(out)
    return status, data


def test_what_passes_is_said_by_group(golden, site, sock) -> None:
    with engine(sock):
        golden("preflight-pass", "preflight", "--site", site, *QUIET, hide=hide(sock))


def test_what_fails_comes_last_with_why_and_a_command(golden, site, sock) -> None:
    with engine(sock):
        words = ("preflight", "--site", site, *QUIET, "--only", "reg")
        golden("preflight-fail", *words, hide=hide(sock))


def test_an_engine_that_is_missing_is_a_finding_and_no_error(golden, site, sock) -> None:
    golden("preflight-no-engine", "preflight", "--site", site, "--only", "engine", hide=hide(sock))


def test_no_line_but_a_command_is_longer_than_80_columns(run, site, sock) -> None:
    with engine(sock):
        _, out, _ = run("preflight")
    assert [line for line in out.splitlines() if len(line) > 80] == []


def test_json_is_one_document_with_a_schema_and_every_check(run, site, sock) -> None:
    with engine(sock):
        status, data = document(run)
    assert (data["schema"], data["exit"], status) == (1, 3, 3)
    assert [one["id"] for one in data["findings"]] == [c.id for c in catalogue.select("install")]
    (refused,) = (one for one in data["findings"] if one["id"] == "reg.api")
    assert refused["outcome"] == "fail"
    assert refused["fix"]["command"] == "s1ctl explain S1-R02"
    assert refused["docs"] == "s1ctl explain reg.api"


@pytest.mark.parametrize(
    ("info", "words", "status"),
    [
        (INFO, QUIET, 0),
        (b"no info", QUIET, 5),
        (b"no info", (*QUIET, "--only", "reg"), 3),
    ],
)
def test_the_exit_code_tells_good_from_failed_and_from_unknown(
    run, sock, *, site, info: object, words: tuple[str, ...], status: int
) -> None:
    with engine(sock, info=info):
        assert document(run, *words)[0] == status


def advise(*, severity: Severity) -> Check:
    return Check(
        id="host.advice",
        title="all is well",
        why="It could be better.",
        severity=severity,
        facts=(),
        judge=lambda *_: failed("it is not", "Think.", outcome="warn"),
    )


@pytest.mark.parametrize(("words", "status"), [((), 0), (("--strict",), 4)])
@pytest.mark.parametrize("severity", ["advisory", "blocking"])
def test_warnings_count_only_under_strict(
    run, monkeypatch, *, site, words: tuple[str, ...], status: int, severity: Severity
) -> None:
    monkeypatch.setattr(catalogue, "CHECKS", (advise(severity=severity),))
    assert document(run, *words)[0] == status


def test_a_failure_wins_over_warnings_under_strict(run, site, monkeypatch) -> None:
    monkeypatch.setattr(catalogue, "CHECKS", (*catalogue.CHECKS, advise(severity="advisory")))
    assert document(run, "--strict", "--only", "engine", "--only", "host.advice")[0] == 3


def test_checks_are_listed_without_looking_at_the_site(golden, run) -> None:
    golden("preflight-list", "preflight", "--list")
    golden("preflight-list-some", "preflight", "--list", "--only", "reg", "--only", "pg.connect")
    listed = json.loads(run("preflight", "--list", "--output", "json")[1])
    assert listed["schema"] == 1
    assert {"id", "title", "why", "severity", "phase", "group"} == listed["checks"][0].keys()


def test_a_name_that_is_no_check_is_wrong_usage(golden, run, site) -> None:
    assert run("preflight", "--for", "lunch")[0] == 2
    golden("preflight-unknown", "preflight", "--site", site, "--only", "engin")


def test_no_check_at_all_is_wrong_usage(golden, site, monkeypatch) -> None:
    from dataclasses import replace

    later = replace(advise(severity="blocking"), phases=("upgrade",))
    monkeypatch.setattr(catalogue, "CHECKS", (*catalogue.CHECKS, later))
    golden(
        "preflight-nothing-left",
        *("preflight", "--site", site, "--for", "install", "--only", "host.advice"),
    )


@pytest.mark.parametrize("check", [check.id for check in catalogue.CHECKS])
def test_every_check_is_explained(run, check: str) -> None:
    status, out, _ = run("explain", check)
    assert status == 0
    assert out.startswith(f"{check}: ")
    assert "  fix: " in out


def test_a_held_site_is_a_failed_check(run, site, tmp_path) -> None:
    with open_ledger(tmp_path / "state") as ledger:
        ledger.lock.acquire(
            operation="op-1", holder=own_holder("nora"), plan="sha256:0", message="upgrade",
            at=NOW, is_alive=lambda _: True,
        )  # fmt: skip
    before = stand_of(tmp_path)
    status, data = document(run, "--only", "state")
    assert outcome_of(status, data) == CASES["preflight-site-held"].outcome
    assert stand_of(tmp_path) == before
    me = own_holder("nora")
    (line,) = (one for one in run("preflight")[1].splitlines() if "seen: operation" in one)
    assert f"op-1 holds the site: nora on {me.host}" in line


@pytest.fixture
def loaded_site(run: Run, registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A site with a root and a loaded release, in a real registry."""
    vendor = make_vendor()
    (tmp_path / "root.json").write_bytes(vendor.root_json)
    bundle = write_bundle(tmp_path / "acme.s1b", make_parts(), vendor)
    monkeypatch.setenv("S1CTL_SITE", str(tmp_path / "site.yaml"))
    monkeypatch.setenv("REGISTRY_PASSWORD", registry.password)
    run(
        *("init", "--non-interactive", "--name", "acme", "--product", PRODUCT),
        *("--channel", CHANNEL, "--registry", f"{registry.url}/acme", "--registry-ca", registry.ca),
        *("--registry-user", registry.user, "--registry-password", "env:REGISTRY_PASSWORD"),
        *("--state-dir", tmp_path / "state"),
    )
    fingerprint = hashlib.sha256(vendor.root.payload).hexdigest()
    run("trust", "init", "--root", tmp_path / "root.json", "--fingerprint", fingerprint)
    assert run("load", bundle)[0] == 0
    return tmp_path / "site.yaml"


def test_a_loaded_release_is_checked_on_the_real_engine_and_registry(
    run, docker_client, registry, loaded_site
) -> None:
    status, data = document(run)
    found = {one["id"]: one["outcome"] for one in data["findings"]}
    assert found.keys() == {check.id for check in catalogue.select("install")}
    names = ("engine.reachable", "reg.api", "reg.tls", "reg.auth", "state.settings")
    assert {found[name] for name in names} == {"pass"}
    assert registry.password not in json.dumps(data)
    assert status == (3 if "fail" in found.values() else 0)
    registry.stop()
    assert document(run, "--only", "reg")[0] == 3


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ("{colour: blue}", "colour"),
        ("{console_password: 'file:/nowhere/pw'}", "S1-I10"),
        ("{console_password: hunter2hunter2}", "S1-U12"),
    ],
)
def test_settings_that_do_not_fit_the_release_are_a_finding(
    run, loaded_site, values: str, words: str
) -> None:
    text = "".join(
        line for line in loaded_site.read_text().splitlines(keepends=True)
        if not line.startswith("values:")
    )  # fmt: skip
    loaded_site.write_text(f"{text}\nvalues: {values}\n")
    before = loaded_site.read_bytes()
    status, data = document(run, "--only", "state.settings")
    (finding,) = data["findings"]
    assert outcome_of(status, data) == CASES["preflight-settings"].outcome
    assert loaded_site.read_bytes() == before
    assert words in finding["observed"]["text"]
    assert "hunter2" not in json.dumps(data)


def test_the_port_of_the_loaded_releases_edge_is_looked_at(run, loaded_site) -> None:
    _, data = document(run, "--only", "net.ports")
    (finding,) = data["findings"]
    assert finding["outcome"] in {"pass", "fail"}
    assert finding["evidence"] == ["host.listeners: /proc/net/tcp, /proc/*/fd"]
