"""A terminal of 60 columns: no line is wider, but for a word that is there to be copied."""

import shutil
from pathlib import Path

import pytest

from s1ctl.cli.output import fitted, table
from s1ctl.cli.progress import CLEAR, ProgressLine
from s1ctl.plan.explain import explain_plan
from s1ctl.progress import Progress
from tests.support.cases import CASES
from tests.support.operators import fill_ledger, on_terminal, wide, write_site
from tests.support.plans import install, upgrade

COLUMNS = 60


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("s")
    path = write_site(folder, state=folder / "state")
    fill_ledger(folder / "state")
    return path


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("status",), None),
        (("history",), None),
        (("preflight", "--only", "state", "--only", "engine"), 22),
        (("preflight", "--list"), None),
        (("plan", "--to", "1.1.0"), 20),
        (("backup", "list"), None),
        (("explain", "S1-I27"), None),
        (("explain", "host.disk-space"), None),
        (("--help",), None),
        (("upgrade", "--help"), None),
        (("report", "op-9", "--html", "x.html"), 2),
        (("trust", "list"), 11),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, tuple) else "",
)
def test_what_a_verb_says_fits_into_60_columns(site, words, status: int | None) -> None:
    """`status` is given where the verb refuses, as where no engine answers.

    What they show where all is there: tests/integration/test_operator_host.py.
    """
    end, screen = on_terminal([*words, "--site", site], columns=COLUMNS, TERM="xterm")
    assert end == (CASES["terminal-of-60-columns"].exit if status is None else status)
    assert screen.strip() != ""
    assert wide(screen, COLUMNS) == []


@pytest.mark.parametrize("plan", [install(), upgrade()], ids=["install", "upgrade"])
def test_a_plan_folds_under_its_own_words(plan) -> None:
    text = fitted("\n".join(explain_plan(plan)), COLUMNS)
    assert wide(text, COLUMNS) == []


def test_a_table_folds_in_its_last_column() -> None:
    rows = [("b0001", "main", "made by hand, then proven, then copied to another disk " * 2)]
    lines = fitted("\n".join(table(rows)), COLUMNS).split("\n")
    assert wide("\n".join(lines), COLUMNS) == []
    assert len(lines) > 1


def test_a_word_to_be_copied_stays_whole() -> None:
    digest = "sha256:" + "a" * 64
    assert digest in fitted(f"release {digest} is not loaded here", COLUMNS).split("\n")[1]


def test_progress_is_cut_to_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    class Screen:
        text = ""

        def write(self, text: str) -> None:
            self.text += text

        def flush(self) -> None:
            pass

    monkeypatch.setattr(
        shutil, "get_terminal_size", lambda: __import__("os").terminal_size((60, 24))
    )
    screen = Screen()
    ProgressLine(screen, is_terminal=True)(Progress(label="x" * 100, done=1, total=2))
    assert max(len(part) for part in screen.text.split(CLEAR)) < COLUMNS
