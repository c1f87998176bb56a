"""A site file that is wrong: each fault through the command line, with its line and column."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.cases import CASES, Stands, stand_of
from tests.support.loads import Said, s1ctl, watched

SITE = """\
version: 1
name: acme
target: {kind: docker, network: 10.97.0.0/24}
registry: {url: "https://registry.acme.internal:5000/acme"}
trust: {product: acme, channel: stable}
policy: {soak_s: 60, backup: {when: always}}
state_dir: STATE
"""
Provoke = Callable[..., Said]


@pytest.fixture
def provoke(tmp_path: Path) -> Provoke:
    """Run a verb at a site whose file was changed; the file stays, and no state is made."""
    path = tmp_path / "site.yaml"

    def provoke(*changes: tuple[str, str], raw: bytes | None = None) -> Said:
        text = SITE.replace("STATE", str(tmp_path / "state"))
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        path.write_bytes(text.encode() if raw is None else raw)
        path.chmod(0o600)
        return looked(path)

    return provoke


def looked(path: Path) -> Said:
    """Run a verb at the site, and see that its folder is as before: no state is made either."""
    is_small = path.is_file() and path.stat().st_size < 1 << 20

    def take() -> Stands:
        content = path.read_bytes() if is_small else path.exists() and path.stat().st_mtime_ns
        return {"files": stand_of(path.parent), "site file": content}

    said = watched(take, lambda: s1ctl("--site", path, "status"))
    assert said.after == said.before
    return said


def at(said: Said, place: str) -> bool:
    return f"site.yaml:{place}: " in said.message


def test_an_unknown_key_is_told_with_the_one_that_is_meant(provoke: Provoke) -> None:
    said = provoke(("name: acme", "nmae: acme"), ("soak_s", "soak"))
    said.proves(CASES["site-unknown-key"])
    assert at(said, "2:1")
    assert at(said, "6:10")
    assert "unknown key `nmae`, is `name` meant?" in said.message
    assert "lines 2, 6" in said.hint


def test_a_missing_key_is_told_with_what_it_must_be(provoke: Provoke) -> None:
    said = provoke((", network: 10.97.0.0/24", ""), ("name: acme\n", ""))
    said.proves(CASES["site-missing-key"])
    assert "the key `network` is missing in `target`" in said.message
    assert "the key `name` is missing; it must be a name: a-z" in said.message


def test_a_value_of_another_type_is_told_with_what_it_is(provoke: Provoke) -> None:
    said = provoke(("soak_s: 60", "soak_s: soon"))
    said.proves(CASES["site-wrong-type"])
    assert at(said, "6:10")
    assert "must be a whole number from 0 to 86400, and is the text `soon`" in said.message


def test_a_value_that_is_none_of_a_list_is_told_with_the_list(provoke: Provoke) -> None:
    said = provoke(("when: always", "when: sometimes"))
    said.proves(CASES["site-value-not-in-list"])
    assert "must be one of `always`, `contract`, and is the text `sometimes`" in said.message


@pytest.mark.parametrize(
    ("old", "new", "form"),
    [
        ("name: acme", "name: Acme GmbH", "a name: a-z, 0-9 and `-`"),
        ("https://registry", "registry", "a URL such as `https://HOST:PORT/PREFIX`"),
        ("10.97.0.0/24", "10.97.0.7/24", "10.97.0.7/24 has host bits set"),
    ],
)
def test_a_value_of_another_form_is_told_in_words(
    provoke: Provoke, old: str, new: str, form: str
) -> None:
    said = provoke((old, new))
    said.proves(CASES["site-value-of-another-form"])
    assert form in said.message
    assert "regex" not in said.message


def test_a_password_in_a_url_is_not_repeated(provoke: Provoke) -> None:
    said = provoke(("https://registry", "https://u:hunter2@registry"))
    said.proves(CASES["site-value-of-another-form"])
    assert "hunter2" not in said.text


@pytest.mark.parametrize("secret", ["hunter2", "postgresql://u:hunter2@h/d"])
def test_a_secret_that_stands_in_the_file_is_not_repeated(provoke: Provoke, secret: str) -> None:
    said = provoke(('acme"}', f'acme", user: s1ctl, password: "{secret}"}}'))
    said.proves(CASES["site-secret-in-place-of-its-source"])
    assert "must be `env:NAME`, `file:/PATH` or `cmd:COMMAND`" in said.message
    assert "hunter2" not in said.text


def test_a_key_that_occurs_twice_is_told(provoke: Provoke) -> None:
    said = provoke(("name: acme\n", "name: acme\nname: other\n"))
    said.proves(CASES["site-duplicate-key"])
    assert at(said, "3:1")


def test_a_tab_is_told(provoke: Provoke) -> None:
    said = provoke(("name: acme", "\tname: acme"))
    said.proves(CASES["site-tab"])
    assert at(said, "2:1")
    assert "spaces" in said.hint


@pytest.mark.parametrize(
    ("new", "noun"),
    [
        ("name: !!python/object/apply:os.system [id]", "tags"),
        ("name: &name acme", "anchors"),
        ("<<: *base", "aliases"),
    ],
)
def test_tags_anchors_and_merges_are_refused(provoke: Provoke, new: str, noun: str) -> None:
    said = provoke(("name: acme", new))
    said.proves(CASES["site-tag"])
    assert f"YAML {noun} are not allowed" in said.message
    assert "site.yaml:2:" in said.message


def test_an_alias_bomb_is_refused_at_its_first_anchor(provoke: Provoke) -> None:
    lines = ["a0: &a0 [x, x]", *(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 64))]
    said = provoke(raw="\n".join(lines).encode())
    said.proves(CASES["site-alias-bomb"])
    assert at(said, "1:5")


def test_an_empty_file_is_told_what_it_lacks(provoke: Provoke) -> None:
    said = provoke(raw=b"")
    said.proves(CASES["site-empty"])
    assert "the key `version` is missing; it must be `1`" in said.message


def test_a_file_of_another_encoding_is_told(provoke: Provoke) -> None:
    said = provoke(raw=SITE.replace("acme", "akmé").encode("latin-1"))
    said.proves(CASES["site-not-utf-8"])
    assert "is not UTF-8 at byte" in said.message


def test_a_huge_file_is_read_no_further_than_it_may_be_long(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.touch(0o600)
    os.truncate(path, 100 << 20)
    said = looked(path)
    said.proves(CASES["site-huge"])
    assert "more than 1048576 bytes" in said.message
    assert path.stat().st_size == 100 << 20


def test_a_file_that_others_may_write_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(SITE.replace("STATE", str(tmp_path / "state")))
    path.chmod(0o666)
    said = looked(path)
    said.proves(CASES["site-writable-by-others"])
    assert "mode 0666" in said.message
    assert said.hint == f"run `chmod go-w {path}`"


def test_a_file_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(SITE)
    owner = 12345 if os.geteuid() == 0 else os.geteuid()
    os.chown(path, owner, -1)
    monkeypatch.setattr("s1ctl.site.config.os.geteuid", lambda: owner + 1)
    said = looked(path)
    said.proves(CASES["site-of-another-user"])
    assert f"uid {owner}" in said.message
    assert f"chown root {path}" in said.hint


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    said = looked(tmp_path / "site.yaml")
    said.proves(CASES["site-not-there"])
    assert "s1ctl init" in said.hint


def test_what_is_no_file_is_told(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        (tmp_path / "folder").mkdir()
        for path in (tmp_path / "folder", tmp_path / "pipe", tmp_path / "socket"):
            said = looked(path)
            said.proves(CASES["site-is-no-file"])
            assert f"`{path}` cannot be read" in said.message


def test_a_state_directory_that_is_relative_is_refused(provoke: Provoke, tmp_path: Path) -> None:
    said = provoke((str(tmp_path / "state"), "state"))
    said.proves(CASES["site-relative-state"])
    assert at(said, "7:1")
