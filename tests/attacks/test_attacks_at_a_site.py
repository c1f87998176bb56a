"""Every attack at a site's command line: its exit code, no request, and an unchanged site."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import typer.main

from s1ctl.cli import main as program
from s1ctl.cli.main import main
from s1ctl.ledger.ledger import open_ledger
from s1ctl.trust.root import Trust, chain_json
from tests.support.answers import AnswerServer, Asked, Told
from tests.support.attacks import find_attacks
from tests.support.cases import outcome_of, stand_of

CASES = find_attacks()
WHILE_SENDING = {"layer_changed"}  # the bytes of layers are hashed while they are sent
SITE = """\
version: 1
name: acme
target: {{kind: docker, network: 10.97.0.0/24}}
registry: {{url: "{url}/acme"}}
trust: {{product: {trust.product}, channel: {trust.channel}}}
state_dir: {state}
"""


def answer(asked: Asked) -> Told:
    """Be an empty registry that takes everything."""
    if asked.method in ("GET", "HEAD"):
        return Told(status=200 if asked.path == "/v2/" else 404)
    return Told(status=202, headers={"Location": f"{asked.path.rstrip('/')}/1"})


@pytest.fixture(scope="module")
def registry() -> Iterator[AnswerServer]:
    with AnswerServer(answer) as server:
        yield server


@pytest.fixture(scope="module")
def site_of(
    registry: AnswerServer, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Trust], Path]:
    """Make a site that trusts what a suspect is made for; one for each trust."""
    made: dict[bytes, Path] = {}

    def site_of(trust: Trust) -> Path:
        chain = chain_json(trust.root.envelopes)
        key = f"{trust.product} {trust.channel} ".encode() + chain
        if key not in made:
            folder = made[key] = tmp_path_factory.mktemp("site")
            state = folder / "state"
            with open_ledger(state) as ledger:
                ledger.trust.remember(trust.product, chain)
            text = SITE.format(url=registry.url, trust=trust, state=state)
            (folder / "site.yaml").write_text(text)
        return made[key]

    return site_of


@pytest.fixture(scope="module")
def command() -> object:
    """Build the command line once: that takes as long as all the rest."""
    return typer.main.get_command(program.app)


@pytest.fixture
def run(command, monkeypatch, capsys) -> Callable[..., tuple[int, dict, str]]:
    """Run one command line at a site in this process."""
    monkeypatch.setattr(program, "app", command)

    def run(site: Path, *words: object) -> tuple[int, dict, str]:
        monkeypatch.setenv("S1CTL_SITE", str(site / "site.yaml"))
        status = main([*map(str, words), "--output", "json"])
        out, err = capsys.readouterr()
        return status, json.loads(out), err

    return run


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.section}-{case.name}")
def test_it_has_no_effect_at_a_site(case, tmp_path, site_of, registry, run) -> None:
    suspect = case.make(tmp_path)
    site = site_of(suspect.trust)
    before, files = stand_of(site), sorted(tmp_path.rglob("*"))
    for verb in (("bundle", "verify"), ("load",)):
        registry.asked.clear()
        status, document, err = run(site, *verb, suspect.path)
        assert outcome_of(status, document) == (case.expected.exit, case.expected.code)
        assert f"error[{case.expected.code}]: " in err
        assert "hint: " in err
        assert err.replace("\n", "").isprintable()
        assert case.name in WHILE_SENDING or registry.asked == []
        assert not [asked for asked in registry.asked if puts_manifest(asked)]
    assert stand_of(site) == before
    assert sorted(tmp_path.rglob("*")) == files


def puts_manifest(asked: Asked) -> bool:
    return "/manifests/" in asked.path and asked.method not in ("GET", "HEAD")
