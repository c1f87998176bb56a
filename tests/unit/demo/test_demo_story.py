"""What the README says of `make demo` and `make demo-clean`, seen without running them."""

import importlib
import json
import re
import runpy
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[3]
MODULES = ("clean", "demo", "places", "registry", "story", "traffic")
GOOD = {"requests": 9, "failed": 0, "worst_ms": 8.1, "p99_ms": 7.0, "seconds": 3.0}


@pytest.fixture
def demo(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(ROOT / "bundles" / "demo"))
    yield importlib.import_module("demo")
    for name in MODULES:
        sys.modules.pop(name, None)


class Teller:
    """A story that only notes what would be run; `answers` by how a command begins."""

    def __init__(self, **answers: str) -> None:
        self.told: list[str] = []
        self.answers = answers
        self.status = 0

    def s1ctl(self, *words: object, ends_with: int = 0, **_: object) -> str:
        self.told.append(" ".join(map(str, words)))
        self.status = ends_with
        return self.answers.get(str(words[0]), "")

    def say(self, text: str) -> None:
        self.told.append(text)


def result(**changes: object) -> dict[str, object]:
    return {
        "url": "http://127.0.0.1:1",
        "seconds": 1,
        "rows": {"written": 5, "lost": 0},
        "site": {"release": "2.0.0"},
        "upgrade": GOOD,
        "rollback": GOOD,
        "upgrade_again": GOOD,
        "contract": GOOD,
        "broken": {"exit": 30, **GOOD},
        **changes,
    }


def test_the_demo_ends_with_a_table_of_requests_failures_latency_and_rows(demo, capsys) -> None:
    assert demo.close(result()) == 0
    text = capsys.readouterr().out
    for word in ("requests", "failed", "worst_ms", "rows written 5, lost 0"):
        assert word in text
    lines = {line.split()[0]: line for line in text.splitlines() if line.strip()}
    assert {*demo.PARTS} <= lines.keys()
    assert "1.0.0 -> 1.1.0 -> 2.0.0" in lines["upgrade"]
    assert "2.1.0 taken back, exit 30" in lines["broken"]


@pytest.mark.parametrize(
    "changes",
    [
        {"rollback": {**GOOD, "failed": 1}},
        {"contract": {**GOOD, "failed": 1}},
        {"broken": {"exit": 30, **GOOD, "failed": 1}},
        {"rows": {"written": 5, "lost": 1}},
        {"site": {"release": "2.1.0"}},
    ],
)
def test_the_demo_fails_when_a_request_failed_or_a_row_is_lost(demo, capsys, changes) -> None:
    assert demo.close(result(**changes)) == 1
    assert "the demo failed" in capsys.readouterr().out


def test_the_demo_writes_the_numbers_of_its_table_to_result_json(
    demo, capsys, monkeypatch, tmp_path
) -> None:
    monkeypatch.setattr(demo, "RESULT", tmp_path / "result.json")
    monkeypatch.setattr(demo, "tell", lambda _: result())
    assert demo.main() == 0
    told = json.loads((tmp_path / "result.json").read_text())
    assert told["upgrade"] == GOOD
    assert told["rows"] == {"written": 5, "lost": 0}
    assert told["site"] == {"release": "2.0.0"}
    assert told["broken"] == {"exit": 30, **GOOD}


def test_the_demo_stages_then_takes_the_bundles_away_and_stops_the_registry(
    demo, monkeypatch, tmp_path
) -> None:
    teller, away = Teller(), tmp_path / "away"
    away.mkdir()
    monkeypatch.setattr(demo, "AWAY", away)
    monkeypatch.setattr(demo, "bundle", lambda version: tmp_path / version)
    monkeypatch.setattr(demo.registry, "stop", lambda: teller.told.append("registry stopped"))
    for version in demo.RELEASES:
        (tmp_path / version).touch()
    demo.stage(teller)
    staged = teller.told.index(f"upgrade --to {demo.NEW} --stage --yes")
    assert staged < teller.told.index("registry stopped")
    assert {path.name for path in away.iterdir()} == {*demo.RELEASES}


@pytest.fixture
def silent(demo, monkeypatch) -> ModuleType:
    """The demo without a platform: nothing is sent, and nobody answers."""

    @contextmanager
    def traffic(*_: object) -> Iterator[dict[str, object]]:
        yield dict(GOOD)

    monkeypatch.setattr(demo, "traffic", traffic)
    monkeypatch.setattr(demo, "rows_lost", lambda *_: {"written": 5, "lost": 0})
    monkeypatch.setattr(demo, "show_answer", lambda *_: None)
    return demo


def test_the_demo_goes_up_and_back_and_up_then_contracts_and_has_a_broken_release_taken_back(
    silent, monkeypatch
) -> None:
    for name in ("set_up", "vendor", "stage", "bring_back"):
        monkeypatch.setattr(silent, name, lambda *_: None)
    monkeypatch.setattr(silent, "site", lambda *_: "http://127.0.0.1:1")
    teller = Teller(status=json.dumps({"installed": {"version": "2.0.0"}}))
    teller.section = nullcontext
    told = silent.tell(teller)
    changes = [line for line in teller.told if line.split()[0] in {"upgrade", "rollback", "db"}]
    probe = "--probe http://127.0.0.1:1/version --yes"
    assert changes == [
        f"upgrade --to 2.0.0 {probe}",
        "rollback --yes",
        f"upgrade --to 2.0.0 {probe}",
        "db contract --yes",
        f"upgrade --to 2.1.0 {probe}",
    ]
    assert told["broken"] == {"exit": 30, **GOOD}
    assert told["site"] == {"release": "2.0.0"}
    assert {*silent.PARTS, "rows", "url"} <= told.keys()


def test_the_demo_sends_50_requests_per_second_of_which_half_write(demo) -> None:
    assert importlib.import_module("traffic").RATE == 50
    load = runpy.run_path(str(ROOT / "bundles" / "atlas" / "load.py"))["Load"]
    asked: list[str] = []

    class Client:
        def ask(self, method: str, path: str, _: object = None) -> tuple[dict[str, str], str]:
            asked.append(method)
            key = path.rpartition("/")[2]
            return {"key": key, "text": f"event {key}"}, "1.0.0"

    client = load(Client(), 50)
    for number in range(100):
        client._send(number)
    assert (asked.count("POST"), asked.count("GET")) == (50, 50)


def test_cleaning_up_takes_only_what_bears_the_demos_label(demo, monkeypatch, tmp_path) -> None:
    clean = importlib.import_module("clean")
    asked: list[tuple[str, ...]] = []

    def docker(*words: str) -> str:
        asked.append(words)
        return "one\n" if words[-1] == f"label={clean.SITE_LABEL}" else ""

    monkeypatch.setattr(clean, "_docker", docker)
    monkeypatch.setattr(clean, "refuse_to_wreck_another", lambda: None)
    monkeypatch.setattr(clean, "_registry_host", lambda: None)
    monkeypatch.setattr(clean.registry, "stop", lambda: True)
    monkeypatch.setattr(clean, "DEMO", tmp_path / "demo")
    clean.DEMO.mkdir()
    gone = clean.clean()
    listings = [words for words in asked if "--filter" in words]
    removals = [words[-1] for words in asked if words not in listings]
    assert all(words[-1] == f"label={clean.SITE_LABEL}" for words in listings)
    assert removals == ["one"] * 3
    assert "the registry" in gone
    assert not clean.DEMO.exists()


@pytest.fixture
def others(demo, monkeypatch, tmp_path) -> tuple[ModuleType, Path]:
    """Cleaning up where containers of the demo of `elsewhere` are on this machine."""
    clean = importlib.import_module("clean")
    elsewhere = tmp_path / "elsewhere" / "demo"
    mounts = f"{elsewhere}/state/edge\n\n{elsewhere}/state/mounts/one/secrets/password\n"
    answers = {"ps": "one\ntwo\n", "inspect": mounts}
    monkeypatch.setattr(clean, "_docker", lambda *words: answers[words[0]])
    monkeypatch.setattr(clean, "DEMO", tmp_path / "own" / "demo")
    return clean, elsewhere


def test_the_demo_of_another_checkout_is_not_wrecked(others) -> None:
    clean, elsewhere = others
    elsewhere.mkdir(parents=True)
    with pytest.raises(SystemExit, match="another checkout") as told:
        clean.clean()
    assert str(elsewhere) in str(told.value)


def test_what_a_removed_checkout_left_behind_or_this_one_made_may_be_cleaned(
    others, monkeypatch
) -> None:
    clean, elsewhere = others
    clean.refuse_to_wreck_another()
    elsewhere.mkdir(parents=True)
    monkeypatch.setattr(clean, "DEMO", elsewhere)
    clean.refuse_to_wreck_another()


def test_a_command_that_ends_otherwise_than_told_is_the_end_of_the_story(demo, capsys) -> None:
    story = demo.Story()
    assert story.run("sh", "-c", "echo said; exit 30", ends_with=30) == "said\n"
    assert story.status == 30
    with pytest.raises(demo.StoryError, match="ended with 30, not with 0"):
        story.run("sh", "-c", "exit 30")


@pytest.mark.parametrize("target", ["demo", "test"])
def test_both_commands_of_the_readme_install_what_they_need_first(target: str) -> None:
    makefile = (ROOT / "Makefile").read_text()
    assert re.search(rf"^{target}: setup\b", makefile, re.MULTILINE)
