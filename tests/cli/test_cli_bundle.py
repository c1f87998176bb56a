import json
from pathlib import Path

import pytest

from tests.support.recipes import write_project


@pytest.fixture(scope="module")
def vendor(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A vendor's folder: key, root, project, and a signed bundle; all made by the command line."""
    from s1ctl.cli.main import main

    folder = tmp_path_factory.mktemp("vendor")
    key, root, file = folder / "v.key", folder / "root.json", folder / "acme.s1b"
    recipe = write_project(folder / "project")
    words = ["key", "new", key, "--root", root, "--product", "acme", "--no-password"]
    assert main([str(word) for word in words]) == 0
    words = ["bundle", "build", recipe, "-o", file, "--key", key, "--root", root]
    assert main([str(word) for word in words]) == 0
    return {"key": str(key), "root": str(root), "file": str(file), "recipe": str(recipe)}


@pytest.fixture
def fingerprint(vendor) -> str:
    import hashlib

    from s1ctl.trust.root import parse_chain

    return hashlib.sha256(parse_chain(Path(vendor["root"]).read_bytes())[0].payload).hexdigest()


@pytest.fixture(autouse=True)
def no_site(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("S1CTL_SITE", str(tmp_path / "none.yaml"))


def test_a_built_bundle_is_verified_with_the_vendors_root(run, vendor, fingerprint) -> None:
    words = ("--root", vendor["root"], "--fingerprint", fingerprint)
    status, out, err = run("bundle", "verify", vendor["file"], *words)
    assert status == 0
    assert out.startswith("verified: acme 1.1.0, sequence 110\n")
    assert "done in" in err


def test_what_is_shown_without_a_root_is_marked_as_not_verified(run, vendor) -> None:
    status, out, _ = run("bundle", "show", vendor["file"])
    assert status == 0
    assert out.startswith("NOT VERIFIED")
    assert json.loads(run("bundle", "show", vendor["file"], "--output", "json")[1])["verified"] is (
        False
    )


def test_what_is_shown_with_a_root_is_verified(run, vendor, fingerprint) -> None:
    words = ("--root", vendor["root"], "--fingerprint", fingerprint)
    status, out, _ = run("bundle", "show", vendor["file"], *words)
    assert status == 0
    assert out.startswith("header verified:")
    assert "console" in out


def test_the_blobs_are_listed(run, vendor) -> None:
    status, out, _ = run("bundle", "ls", vendor["file"])
    assert status == 0
    assert "oci-layer" in out
    assert "0001_base.py" in out


def test_a_second_signature_by_the_same_key_is_refused(run, vendor) -> None:
    status, _, err = run("bundle", "sign", vendor["file"], "--key", vendor["key"])
    assert status == 2
    assert "S1-S23" in err


def test_another_key_signs_too(run, vendor, tmp_path: Path) -> None:
    run("key", "new", tmp_path / "other.key", "--no-password")
    before = json.loads(run("bundle", "show", vendor["file"], "--output", "json")[1])
    status, out, _ = run("bundle", "sign", vendor["file"], "--key", tmp_path / "other.key")
    assert status == 0
    assert "is signed by" in out
    after = json.loads(run("bundle", "show", vendor["file"], "--output", "json")[1])
    assert after["signatures"] == before["signatures"] + 1
    assert after["release"] == before["release"]


def test_a_root_without_its_fingerprint_is_refused(golden, vendor) -> None:
    words = ("bundle", "verify", vendor["file"], "--root", vendor["root"])
    golden("bundle-half-trust", *words, hide=((str(Path(vendor["file"]).parent), "VENDOR"),))


def test_nothing_is_verified_without_a_site_or_a_root(golden, vendor) -> None:
    hide = ((str(Path(vendor["file"]).parent), "VENDOR"),)
    golden("bundle-no-trust", "bundle", "verify", vendor["file"], hide=hide)


def test_a_bundle_is_never_overwritten(golden, vendor) -> None:
    hide = ((str(Path(vendor["file"]).parent), "VENDOR"),)
    words = ("bundle", "build", vendor["recipe"], "-o", vendor["file"])
    golden("bundle-exists", *words, hide=hide)


def test_a_recipe_that_is_missing_is_named(golden) -> None:
    golden("bundle-no-recipe", "bundle", "build", "none.yaml", "-o", "out.s1b")


def test_a_file_that_is_no_bundle_is_refused(golden) -> None:
    Path("notes.txt").write_text("not a bundle\n" * 20000)
    golden("bundle-not-one", "bundle", "show", "notes.txt")


def test_a_bundle_built_without_a_key_says_so(run, vendor, tmp_path: Path) -> None:
    words = ("bundle", "build", vendor["recipe"], "-o", tmp_path / "u.s1b", "--output", "json")
    status, out, err = run(*words)
    assert status == 0
    assert json.loads(out)["signed"] is False
    assert "warning: the bundle is not signed" in err
