import json
from pathlib import Path

import pytest

from s1ctl.ledger.ledger import open_ledger
from tests.support.cases import CASES, outcome_of, words_of


@pytest.fixture
def site(run, tmp_path: Path) -> Path:
    path = tmp_path / "site.yaml"
    run(
        *("init", "--site", path, "--non-interactive", "--name", "acme", "--product", "shop"),
        *("--registry", "https://r:5000", "--state-dir", tmp_path / "state"),
    )
    return path


def make_root(run, folder: Path, product: str = "shop") -> tuple[Path, str]:
    root = folder / "root.json"
    _, out, _ = run(
        *("key", "new", folder / "k", "--root", root, "--product", product, "--no-password"),
        *("--owner", "vendor", "--output", "json"),
    )
    return root, json.loads(out)["root"]


def test_a_root_is_trusted_by_its_full_fingerprint(run, site, tmp_path: Path) -> None:
    root, fingerprint = make_root(run, tmp_path)
    status, out, _ = run(
        "trust", "init", "--site", site, "--root", root, "--fingerprint", fingerprint
    )
    assert status == 0
    assert fingerprint in out
    assert run("trust", "list", "--site", site)[1] == out


def test_trusting_the_same_root_again_changes_nothing(run, site, tmp_path: Path) -> None:
    root, fingerprint = make_root(run, tmp_path)
    words = ("trust", "init", "--site", site, "--root", root, "--fingerprint", fingerprint)
    assert run(*words) == run(*words)


def test_another_root_is_not_trusted_once_there_is_one(run, site, tmp_path: Path) -> None:
    root, fingerprint = make_root(run, tmp_path)
    run("trust", "init", "--site", site, "--root", root, "--fingerprint", fingerprint)
    (tmp_path / "other").mkdir()
    root, fingerprint = make_root(run, tmp_path / "other")
    status, _, err = run(
        "trust", "init", "--site", site, "--root", root, "--fingerprint", fingerprint
    )
    assert status == 11
    assert "S1-T04" in err


def trusting(run, site, root: Path, fingerprint: str) -> tuple[int, dict]:
    words = ("--site", site, "--root", root, "--fingerprint", fingerprint, "--output", "json")
    status, out, _ = run("trust", "init", *words)
    return status, json.loads(out)


def test_a_root_of_another_fingerprint_is_refused(run, site, tmp_path: Path) -> None:
    root, _ = make_root(run, tmp_path)
    open_ledger(tmp_path / "state").close()
    before = words_of(tmp_path / "state")
    status, document = trusting(run, site, root, "0" * 64)
    assert outcome_of(status, document) == CASES["root-of-another-fingerprint"].outcome
    CASES["root-of-another-fingerprint"].prove(before, words_of(tmp_path / "state"))
    assert "0" * 64 in document["error"]["message"]
    assert run("trust", "list", "--site", site)[0] == 11


@pytest.mark.parametrize("wrong", ["12", "short", "", "g" * 64])
def test_what_is_no_fingerprint_is_told_apart_from_a_wrong_one(
    run, site, tmp_path: Path, wrong: str
) -> None:
    root, _ = make_root(run, tmp_path)
    open_ledger(tmp_path / "state").close()
    before = words_of(tmp_path / "state")
    status, document = trusting(run, site, root, wrong)
    assert outcome_of(status, document) == CASES["fingerprint-cut-short"].outcome
    CASES["fingerprint-cut-short"].prove(before, words_of(tmp_path / "state"))
    assert f"`{wrong}`" in document["error"]["message"]
    assert run("trust", "list", "--site", site)[0] == 11


def test_half_a_fingerprint_is_refused(run, site, tmp_path: Path) -> None:
    root, fingerprint = make_root(run, tmp_path)
    assert trusting(run, site, root, fingerprint[:32])[0] == 2


def test_a_fingerprint_may_be_written_as_a_digest_in_capitals(run, site, tmp_path: Path) -> None:
    root, fingerprint = make_root(run, tmp_path)
    assert trusting(run, site, root, f"SHA256:{fingerprint.upper()}")[0] == 0


def test_a_root_of_another_product_is_refused(run, site, tmp_path: Path) -> None:
    root, fingerprint = make_root(run, tmp_path, "bank")
    status, _, err = run(
        "trust", "init", "--site", site, "--root", root, "--fingerprint", fingerprint
    )
    assert status == 11
    assert "S1-T11" in err


def test_a_site_without_a_root_says_how_to_trust_one(golden, site) -> None:
    golden("trust-none", "trust", "list", "--site", site)


def test_a_root_file_that_is_missing_is_named(golden, site) -> None:
    golden(
        "trust-missing",
        "trust",
        "init",
        "--site",
        site,
        "--root",
        "none",
        "--fingerprint",
        "0" * 64,
    )
