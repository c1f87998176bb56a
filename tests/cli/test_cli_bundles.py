"""Which bundles are loaded before a plan: those given, and of folders those of the path."""

from pathlib import Path

import pytest
from packaging.version import Version

from s1ctl.cli import bundles, plan
from s1ctl.cli.context import Here
from s1ctl.cli.output import Output
from s1ctl.errors import UsageError
from s1ctl.operation.route import Bundle

GOAL = Version("2.0.0")


class Found:
    def __init__(self, version: str, path: Path) -> None:
        self.version, self.path, self.manifest = Version(version), path, None


def needed(version: str, *, is_loaded: bool = False, size: int = 0) -> Bundle:
    return Bundle(version=Version(version), size_bytes=size, is_loaded=is_loaded, why="it may")


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that were loaded."""
    names: list[str] = []

    def load(_: Here, file: Path) -> str:
        names.append(file.name)
        return f"digest of {file.name}"

    monkeypatch.setattr(bundles, "load", load)
    return names


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, loaded: list[str], tmp_path: Path) -> Here:
    """A site at 1.0.0, whose path leads over 1.1.0 and 1.2.0; a folder has those and another."""
    made = Here(output=Output(is_json=False, has_colour=False), environment={})
    releases = type("Releases", (), {"installed": lambda _: Found("1.0.0", tmp_path)})()
    made.__dict__["ledger"] = type("Ledger", (), {"releases": releases})
    path = (needed("1.1.0", is_loaded=True), needed("1.2.0", size=3_000_000), needed("2.0.0"))
    found = tuple(Found(v, tmp_path / f"{v}.s1b") for v in ("1.1.0", "1.2.0", "1.3.0"))
    monkeypatch.setattr(bundles, "carry", lambda *_: path)
    monkeypatch.setattr(bundles, "search", lambda _, paths: () if paths == [] else found)
    return made


def test_of_a_folder_only_what_the_path_lacks_is_loaded(here, loaded, tmp_path) -> None:
    bundles.load_path(here, [tmp_path], GOAL, {})
    assert loaded == ["1.2.0.s1b"]


def test_without_bundles_the_media_are_searched(here, loaded) -> None:
    bundles.load_path(here, None, GOAL, {})
    assert loaded == ["1.2.0.s1b"]


def test_a_file_that_is_given_is_loaded_and_media_are_not_searched(here, loaded, tmp_path) -> None:
    bundles.load_path(here, [tmp_path / "given.s1b"], GOAL, {})
    assert loaded == ["given.s1b"]


def test_a_goal_that_is_not_ahead_loads_nothing(here, loaded) -> None:
    bundles.load_path(here, None, Version("1.0.0"), {})
    assert loaded == []


def test_an_install_takes_the_one_bundle_that_is_given(here, loaded, tmp_path) -> None:
    assert bundles.choose_install(here, [tmp_path / "given.s1b"]) == "digest of given.s1b"


def test_an_install_does_not_choose_among_bundles(here, loaded) -> None:
    with pytest.raises(UsageError) as refused:
        bundles.choose_install(here, None)
    assert refused.value.code == "S1-U55"
    assert "1.3.0" in refused.value.message
    assert loaded == []


@pytest.mark.parametrize("verb", [("install",), ("upgrade", "--to", "2.0.0")])
def test_a_dry_run_that_would_load_a_bundle_is_refused(run, loaded, tmp_path, verb) -> None:
    status, _, err = run(*verb, "--bundle", tmp_path / "given.s1b", "--dry-run")
    assert (status, loaded) == (2, [])
    assert "S1-U120" in err
    assert "`s1ctl load FILE` first" in err


def test_a_dry_install_plans_the_one_release_that_is_loaded(here, loaded) -> None:
    one = Found("1.0.0", Path())
    one.digest = "digest"
    for releases in ((one,), (), (one, one)):
        here.ledger.releases.loaded = lambda releases=releases: releases
        if len(releases) == 1:
            assert bundles.choose_dry_install(here, None) == "digest"
            continue
        with pytest.raises(UsageError) as refused:
            bundles.choose_dry_install(here, None)
        assert refused.value.code == "S1-U55"
    assert loaded == []


def test_a_dry_upgrade_does_not_search_media(run, loaded, monkeypatch) -> None:
    monkeypatch.setattr(bundles, "load_path", lambda *_: loaded.append("media"))
    monkeypatch.setattr("s1ctl.cli.upgrade.run_plan", lambda *_, **__: 0)
    assert run("upgrade", "--to", "2.0.0", "--dry-run")[0] == 0
    assert loaded == []


def test_what_is_to_be_brought_is_listed_with_sizes(here) -> None:
    lines, data = plan.carried(here, GOAL, {})
    assert [line.split()[0] for line in lines[:3]] == ["1.1.0", "1.2.0", "2.0.0"]
    assert ["loaded" in lines[0], "at /" in lines[1], "to bring" in lines[2]] == [True] * 3
    assert "3 MB" in lines[1]
    assert lines[3] == "to bring: 1 of 3 bundles, size unknown"
    assert [item["is_loaded"] for item in data["bundles"]] == [True, False, False]


def test_a_gate_is_accepted_only_with_a_reason() -> None:
    assert plan.accepted_gates(["host.memory"], " later ") == {"host.memory": "later"}
    with pytest.raises(UsageError) as refused:
        plan.accepted_gates(["host.memory"], " ")
    assert refused.value.code == "S1-U114"
