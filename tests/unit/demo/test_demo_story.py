"""What the README says of `make demo` and `make demo-clean`, seen without running them."""

import importlib
import json
import re
import runpy
import sys
from collections.abc import Iterator
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
    """A story that only notes what would be run."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def s1ctl(self, *words: object) -> str:
        self.told.append(" ".join(map(str, words)))
        return ""

    def say(self, text: str) -> None:
        self.told.append(text)


def result(**changes: object) -> dict[str, object]:
    return {
        "url": "http://127.0.0.1:1",
        "seconds": 1,
        "rows": {"written": 5, "lost": 0},
        "upgrade": GOOD,
        "rollback": GOOD,
        "upgrade_again": GOOD,
        **changes,
    }


def test_the_demo_ends_with_a_table_of_requests_failures_latency_and_rows(demo, capsys) -> None:
    assert demo.close(result()) == 0
    text = capsys.readouterr().out
    for word in ("requests", "failed", "worst_ms", "rows written 5, lost 0"):
        assert word in text


@pytest.mark.parametrize(
    "changes", [{"rollback": {**GOOD, "failed": 1}}, {"rows": {"written": 5, "lost": 1}}]
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


def test_the_demo_stages_then_takes_the_bundles_away_and_stops_the_registry(
    demo, monkeypatch, tmp_path
) -> None:
    teller, away = Teller(), tmp_path / "away"
    away.mkdir()
    monkeypatch.setattr(demo, "AWAY", away)
    monkeypatch.setattr(demo, "bundle", lambda version: tmp_path / version)
    monkeypatch.setattr(demo.registry, "stop", lambda: teller.told.append("registry stopped"))
    for version in (demo.OLD, demo.NEW):
        (tmp_path / version).touch()
    demo.stage(teller)
    staged = teller.told.index(f"upgrade --to {demo.NEW} --stage --yes")
    assert staged < teller.told.index("registry stopped")
    assert {path.name for path in away.iterdir()} == {demo.OLD, demo.NEW}


def test_the_demo_sends_50_requests_per_second_of_which_half_write(demo) -> None:
    assert importlib.import_module("traffic").RATE == 50
    load = runpy.run_path(str(ROOT / "bundles" / "atlas" / "load.py"))["Load"]
    asked: list[str] = []

    class Client:
        def ask(self, method: str, path: str, _: object = None) -> tuple[dict[str, str], str]:
            asked.append(method)
            return {"key": path.rpartition("/")[2]}, "1.0.0"

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


@pytest.mark.parametrize("target", ["demo", "test"])
def test_both_commands_of_the_readme_install_what_they_need_first(target: str) -> None:
    makefile = (ROOT / "Makefile").read_text()
    assert re.search(rf"^{target}: setup\b", makefile, re.MULTILINE)
