"""Every attack at a site's command line: its exit code, no request, and an unchanged site."""

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest
import typer.main

from s1ctl.cli import main as program
from s1ctl.cli.main import main
from s1ctl.ledger.ledger import open_ledger
from s1ctl.trust.root import Trust, chain_json
from tests.support.answers import AnswerServer, Asked, Told
from tests.support.attacks import PARTS, VENDOR, Suspect, find_attacks, good, spoil, told
from tests.support.cases import CASES, outcome_of, stand_of, words_of
from tests.support.schemas import heard

ATTACKS = find_attacks()
WHILE_SENDING = {"layer_changed"}  # the bytes of layers are hashed while they are sent
ROWS = {
    "compressed": CASES["bundle-compressed"],
    "cut_between_two_members": CASES["bundle-truncated"],
    "one_byte_appended": CASES["bundle-appended-to"],
    "file_is_a_link": CASES["bundle-is-a-link"],
    "file_is_a_pipe": CASES["bundle-is-a-pipe"],
    "file_is_not_there": CASES["bundle-not-there"],
    "name_climbs_out": CASES["bundle-member-climbs-out"],
    "gnu_tar_of_the_same_members": CASES["bundle-packed-again"],
    "first_member_claims_16_eib": CASES["bundle-claims-16-eib"],
    "unsigned": CASES["bundle-unsigned"],
    "unknown_key": CASES["bundle-of-an-unknown-key"],
    "payload_changed": CASES["bundle-payload-changed"],
    "a_million_signatures": CASES["bundle-of-a-million-signatures"],
    "another_first_root": CASES["bundle-with-a-forked-root"],
    "next_root_signed_only_by_itself": CASES["bundle-with-a-root-that-signs-itself"],
    "key_outside_its_sequences": CASES["bundle-of-a-key-outside-its-sequences"],
    "below_the_floor": CASES["bundle-below-the-floor"],
    "revoked": CASES["bundle-revoked"],
    "wrong_channel": CASES["bundle-of-another-channel"],
    "wrong_product": CASES["bundle-of-another-product"],
    "layer_changed": CASES["bundle-layer-flipped"],
    "layer_missing": CASES["bundle-without-a-layer"],
    "layer_to_be_had_elsewhere": CASES["bundle-with-a-foreign-layer"],
    "compose_file_with_an_alias_bomb": CASES["bundle-with-a-compose-file-that-is-none"],
    "migrations_in_another_order": CASES["bundle-with-migrations-in-another-order"],
    "migration_that_imports_the_system": CASES["bundle-with-a-migration-that-imports"],
}
SITE = """\
version: 1
name: acme
target: {{kind: docker, network: 10.97.0.0/24}}
registry: {{url: "{url}/acme"}}
trust: {{product: {trust.product}, channel: {trust.channel}}}
state_dir: {state}
"""


class EmptyRegistry:
    """Takes every blob, and then has it."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def __call__(self, asked: Asked) -> Told:
        """Answer as a registry does."""
        path, _, query = asked.path.partition("?")
        if asked.method in ("GET", "HEAD"):
            is_there = path == "/v2/" or path.rpartition("/")[2] in self._taken
            return Told(status=200 if is_there else 404)
        if asked.method == "PUT":
            self._taken.add(unquote(query.rpartition("digest=")[2]))
            return Told(status=201)
        return Told(status=202, headers={"Location": f"{path.rstrip('/')}/1"})


@pytest.fixture(scope="module")
def registry() -> Iterator[AnswerServer]:
    with AnswerServer(EmptyRegistry()) as server:
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
    monkeypatch.setattr(typer.main, "get_command", lambda _: command)

    def run(site: Path, *words: object) -> tuple[int, dict, str]:
        monkeypatch.setenv("S1CTL_SITE", str(site / "site.yaml"))
        line = [*map(str, words), "--output", "json"]
        status = main(line)
        out, err = capsys.readouterr()
        assert heard(line, out) == ""
        return status, json.loads(out), err

    return run


@pytest.mark.parametrize("case", ATTACKS, ids=lambda case: f"{case.section}-{case.name}")
def test_it_has_no_effect_at_a_site(case, tmp_path, site_of, registry, run) -> None:
    suspect = case.make(tmp_path)
    site = site_of(suspect.trust)
    before, files = stand_of(site), sorted(tmp_path.rglob("*"))
    first = {**words_of(site / "state"), "requests": []}
    requests: list[Asked] = []
    for verb in (("bundle", "verify"), ("load",)):
        registry.asked.clear()
        status, document, err = run(site, *verb, suspect.path)
        assert outcome_of(status, document) == (case.expected.exit, case.expected.code)
        assert case.expected.says in told(document["error"]["message"], suspect.path)
        assert f"error[{case.expected.code}]: " in err
        assert "hint: " in err
        assert err.replace("\n", "").isprintable()
        assert case.name in WHILE_SENDING or registry.asked == []
        assert not [asked for asked in registry.asked if puts_manifest(asked)]
        requests += registry.asked
    assert stand_of(site) == before
    assert sorted(tmp_path.rglob("*")) == files
    row = ROWS.get(case.name)
    if row is not None:
        assert row.outcome == (case.expected.exit, case.expected.code)
        row.prove(first, {**words_of(site / "state"), "requests": requests})


def puts_manifest(asked: Asked) -> bool:
    return "/manifests/" in asked.path and asked.method not in ("GET", "HEAD")


def test_every_row_is_an_attack() -> None:
    assert ROWS.keys() <= {case.name for case in ATTACKS}


def test_a_site_without_a_root_takes_nothing(tmp_path, registry, run) -> None:
    text = SITE.format(url=registry.url, trust=VENDOR.trust, state=tmp_path / "state")
    (tmp_path / "site.yaml").write_text(text)
    path = good(tmp_path)
    registry.asked.clear()
    for verb in (("bundle", "verify"), ("load",)):
        status, document, _ = run(tmp_path, *verb, path)
        assert outcome_of(status, document) == CASES["bundle-at-a-site-without-a-root"].outcome
        assert "s1ctl trust init --root FILE --fingerprint HEX" in document["error"]["hint"]
    assert registry.asked == []
    assert not (tmp_path / "state" / "releases").exists()


def test_a_trust_that_is_corrupt_fails_closed(tmp_path, registry, run) -> None:
    text = SITE.format(url=registry.url, trust=VENDOR.trust, state=tmp_path / "state")
    (tmp_path / "site.yaml").write_text(text)
    chain = chain_json(VENDOR.trust.root.envelopes)
    with open_ledger(tmp_path / "state") as ledger:
        ledger.trust.remember(PARTS.manifest.product, chain[:-9])
    before, path = stand_of(tmp_path / "state"), good(tmp_path)
    for verb in (("bundle", "verify"), ("load",)):
        status, document, _ = run(tmp_path, *verb, path)
        assert outcome_of(status, document) == CASES["trust-state-corrupt"].outcome
    assert stand_of(tmp_path / "state") == before


def test_a_statement_is_not_looked_into_before_its_signature_held(tmp_path, site_of, run) -> None:
    """A damaged statement is told by its signature, wherever it is shown, not by its JSON."""
    suspect = damaged(tmp_path)
    (tmp_path / "root.json").write_bytes(VENDOR.root_json)
    digits = hashlib.sha256(VENDOR.root.payload).hexdigest()
    named = ("--root", tmp_path / "root.json", "--fingerprint", digits)
    before = stand_of(tmp_path)
    for words in (("show",), ("ls",), ("verify",), ("show", *named), ("verify", *named)):
        verb, *more = words
        site = site_of(suspect.trust)
        status, document, _ = run(site, "bundle", verb, suspect.path, *more)
        assert outcome_of(status, document) == CASES["bundle-statement-damaged"].outcome
        assert "a byte was changed since" in document["error"]["message"]
    assert stand_of(tmp_path) == before


def damaged(folder: Path) -> Suspect:
    """Flip a bit of the statement so that it is still base64, and no JSON any more."""

    def change(raw: bytearray) -> None:
        at = raw.index(b'"payload":"', raw.index(b'"release":')) + len(b'"payload":"')
        raw[at] = ord("f")

    return spoil(folder, change)


@pytest.mark.parametrize("years", [-20, 20])
def test_a_clock_that_is_wrong_keeps_no_bundle_out(
    tmp_path, site_of, run, monkeypatch, years
) -> None:
    away = time.time() + years * 365 * 86400
    monkeypatch.setattr(time, "time", lambda: away)
    status, document, _ = run(site_of(VENDOR.trust), "bundle", "verify", good(tmp_path))
    assert outcome_of(status, document) == CASES["bundle-verified-by-a-wrong-clock"].outcome
    assert document["version"] == "1.0.0"
