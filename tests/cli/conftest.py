"""Golden files: a command line's status, stdout and stderr, as they were approved."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from s1ctl.cli.main import main
from tests.support.schemas import heard

GOLDEN = Path(__file__).parent / "golden"
Compare = Callable[..., None]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run one command line in this process."""

    def run(*argv: object) -> tuple[int, str, str]:
        status = main([str(word) for word in argv])
        captured = capsys.readouterr()
        assert heard(argv, captured.out) == ""
        return status, captured.out, captured.err

    return run


@pytest.fixture
def golden(
    run: Callable[..., tuple[int, str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Compare:
    """Run a command line in `tmp_path` and compare all that it says with `golden/NAME.txt`.

    `S1CTL_GOLDEN=write` writes the files anew.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("S1CTL_SITE", str(tmp_path / "usual.yaml"))
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)

    def compare(name: str, *argv: object, hide: tuple[tuple[str, str], ...] = ()) -> None:
        status, out, err = run(*argv)
        words = " ".join(str(word) for word in argv)
        text = f"$ s1ctl {words}\nstatus {status}\n--- stdout\n{out}--- stderr\n{err}"
        for value, mask in ((str(tmp_path), "TMP"), *hide):
            text = text.replace(value, mask)
        path = GOLDEN / f"{name}.txt"
        if os.environ.get("S1CTL_GOLDEN") == "write":
            path.write_text(text)
        assert text == path.read_text()

    return compare
