import json
from pathlib import Path

import pytest

from s1ctl.trust.root import first_root


@pytest.fixture(autouse=True)
def no_passphrase_around(monkeypatch) -> None:
    monkeypatch.delenv("S1CTL_KEY_PASSWORD", raising=False)


def test_a_key_and_a_root_are_made_by_one_command(run, tmp_path: Path) -> None:
    key, root = tmp_path / "vendor.key", tmp_path / "root.json"
    status, out, _ = run(
        "key", "new", key, "--root", root, "--product", "shop", "--no-password", "--output", "json"
    )
    made = json.loads(out)
    assert status == 0
    assert key.stat().st_mode & 0o777 == 0o600
    trusted = first_root(root.read_bytes(), made["root"])
    assert trusted.document.product == "shop"
    assert trusted.document.roles.release.keys == (made["key"],)


def test_a_key_shows_its_public_half_only(run, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("S1CTL_KEY_PASSWORD", "correct horse")
    key = tmp_path / "a.key"
    _, made, _ = run("key", "new", key)
    status, out, _ = run("key", "show", key)
    assert status == 0
    assert out.splitlines()[0] in made
    assert "PUBLIC KEY" in out
    assert "PRIVATE" not in out


def test_a_locked_key_opens_with_the_passphrase_in_a_file(run, tmp_path: Path) -> None:
    word = tmp_path / "word"
    word.write_text("correct horse\n")
    key = tmp_path / "a.key"
    assert run("key", "new", key, "--password-file", word)[0] == 0
    assert b"ENCRYPTED" in key.read_bytes()
    assert run("key", "show", key, "--password-file", word)[0] == 0


def test_nobody_is_asked_for_a_passphrase_without_a_terminal(golden) -> None:
    golden("key-no-terminal", "key", "new", "a.key")


def test_a_locked_key_without_its_passphrase_is_not_read(run, golden, monkeypatch) -> None:
    monkeypatch.setenv("S1CTL_KEY_PASSWORD", "x")
    run("key", "new", "a.key")
    monkeypatch.delenv("S1CTL_KEY_PASSWORD")
    golden("key-locked", "key", "show", "a.key")


def test_a_wrong_passphrase_is_refused(run, golden, monkeypatch) -> None:
    monkeypatch.setenv("S1CTL_KEY_PASSWORD", "x")
    run("key", "new", "a.key")
    monkeypatch.setenv("S1CTL_KEY_PASSWORD", "y")
    golden("key-wrong-passphrase", "key", "show", "a.key")


def test_a_key_is_never_overwritten(run, golden) -> None:
    run("key", "new", "a.key", "--no-password")
    before = Path("a.key").read_bytes()
    golden("key-exists", "key", "new", "a.key", "--no-password")
    assert Path("a.key").read_bytes() == before


def test_a_root_without_a_product_is_refused_before_anything_is_written(golden) -> None:
    golden("key-no-product", "key", "new", "a.key", "--root", "root.json", "--no-password")
    assert not Path("a.key").exists()


def test_a_missing_key_is_named(golden) -> None:
    golden("key-missing", "key", "show", "none.key")


def test_a_passphrase_file_that_is_missing_is_named(golden) -> None:
    golden("key-no-password-file", "key", "new", "a.key", "--password-file", "none")


@pytest.mark.parametrize("word", ["", "\n"])
def test_an_empty_passphrase_file_is_refused(run, tmp_path: Path, word: str) -> None:
    file, key = tmp_path / "word", tmp_path / "a.key"
    file.write_text(word)
    status, _, err = run("key", "new", key, "--password-file", file)
    assert status == 2
    assert "S1-U121" in err
    assert not key.exists()


def test_an_empty_passphrase_variable_is_refused(run, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("S1CTL_KEY_PASSWORD", "")
    status, _, err = run("key", "new", tmp_path / "a.key")
    assert status == 2
    assert "S1-U121" in err
    assert not (tmp_path / "a.key").exists()
    assert run("key", "new", tmp_path / "a.key", "--no-password")[0] == 0


def test_a_root_that_cannot_be_written_is_said(golden) -> None:
    golden(
        "key-root-no-folder",
        *("key", "new", "a.key", "--root", "none/root.json", "--product", "shop", "--no-password"),
        hide=(),
    )
