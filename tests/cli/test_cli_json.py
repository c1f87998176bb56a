"""The JSON of verbs that end well, where no other test has them write it.

`run` finds fault with what is not as `docs/schema/` describes it.
"""

import json
from pathlib import Path

import pytest

from s1ctl.cli import surroundings
from s1ctl.operation import known_secrets
from s1ctl.operation.known_secrets import KnownSecret
from s1ctl.site.secrets import Secret
from tests.support.recipes import write_project

JSON = ("--output", "json")


@pytest.fixture(autouse=True)
def no_site(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("S1CTL_SITE", str(tmp_path / "none.yaml"))


@pytest.fixture
def say(run):
    """Run a verb with JSON, which ends well, and hand it out."""

    def say(*words: object):
        status, out, err = run(*words, *JSON)
        assert status == 0, err
        return json.loads(out)

    return say


def test_what_a_vendor_runs_writes_what_is_described(run, say, tmp_path: Path) -> None:
    key, root, file = tmp_path / "v.key", tmp_path / "root.json", tmp_path / "acme.s1b"
    recipe = write_project(tmp_path / "project")
    made = say("key", "new", key, "--root", root, "--product", "acme", "--no-password")
    other = say("key", "new", tmp_path / "other.key", "--no-password")
    assert say("key", "show", key)["key"] == made["key"]
    status, out, _ = run("bundle", "lint", recipe, *JSON)
    linted = json.loads(out)
    assert (status, linted["exit"]) == (3, 3)
    built = say("bundle", "build", recipe, "-o", file, "--key", key, "--root", root)
    (unread,) = {what.partition(", ")[2] for what in linted["not_checked"] if "the layer" in what}
    assert unread == "which is no whole tar archive"  # the layers of that project are only bytes
    assert say("bundle", "ls", file)["release"] == built["digest"]
    named = ("--root", root, "--fingerprint", made["root"])
    say("bundle", "verify", file, *named)
    assert say("bundle", "show", file, *named)["verified"]
    signed = say("bundle", "sign", file, "--key", tmp_path / "other.key")
    assert signed["key"] == other["key"]


def test_what_begins_a_site_writes_what_is_described(say, tmp_path: Path) -> None:
    site, root = tmp_path / "site.yaml", tmp_path / "root.json"
    made = say("key", "new", tmp_path / "k", "--root", root, "--product", "shop", "--no-password")
    begun = say(
        *("init", "--site", site, "--non-interactive", "--name", "acme", "--product", "shop"),
        *("--registry", "https://r:5000", "--state-dir", tmp_path / "state"),
    )
    assert begun["site"] == "acme"
    trusted = say("trust", "init", "--site", site, "--root", root, "--fingerprint", made["root"])
    assert say("trust", "list", "--site", site) == trusted
    assert say("status", "--site", site)["installed"] is None
    assert say("lock", "show", "--site", site)["held"] is None
    assert say("explain", "S1-U80")["name"] == "S1-U80"


def test_secrets_are_written_as_is_described(say, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surroundings, "look", lambda _: None)
    monkeypatch.setattr(known_secrets, "secret_value", lambda *_: Secret("word"))
    known = KnownSecret(name="token", source=None, version=2, units=("api",), note="of the api")
    monkeypatch.setattr(known_secrets, "known_secrets", lambda _: (known,))
    assert say("secret", "list")["secrets"][0]["name"] == "token"
    assert say("secret", "show", "token", "--reveal") == {"name": "token", "value": "word"}
