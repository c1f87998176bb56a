"""Streams, locale, home and temporary folder as an operator may have them: told, never a bug."""

import json
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from s1ctl.cli import streams
from tests.support.cases import CASES, outcome_of
from tests.support.operators import (
    bytes_of,
    disk,
    fill_ledger,
    mount,
    on_terminal,
    run_program,
    run_shell,
    write_site,
)

GREETING = "Grüße aus Köln ☃"
LOCALES = (
    {"LANG": "C"},
    {"LC_ALL": "POSIX"},
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "latin-1"},
)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A site file below a folder whose name is not ASCII, with a value that is not."""
    folder = tmp_path / "Zürich"
    folder.mkdir()
    path = write_site(folder, "--value", f"greeting={GREETING}", state=folder / "Zustand")
    fill_ledger(folder / "Zustand")
    return path


@pytest.mark.parametrize(
    ("line", "case"),
    [
        ("s1ctl status --site SITE --output json >/dev/full", CASES["stdout-full"]),
        ("s1ctl history --site SITE >&-", CASES["stdout-closed"]),
        ("s1ctl explain S1-I21 --output json >&-", CASES["stdout-closed"]),
    ],
)
def test_a_stdout_that_takes_nothing_is_told_on_stderr(site, line: str, case) -> None:
    before = bytes_of(site.parent)
    done = run_shell(line.replace("SITE", f"'{site}'"))
    assert (done.returncode, done.stdout) == (case.exit, "")
    assert f"error[{case.code}]: the result cannot be written to stdout: " in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert bytes_of(site.parent) == before


def test_a_refusal_keeps_its_own_code_where_stdout_takes_nothing() -> None:
    for end in (">/dev/full", ">&-"):
        done = run_shell(f"s1ctl explain nothing --output json {end}")
        assert (done.returncode, "error[S1-U82]" in done.stderr) == (2, True)


def test_a_reader_that_has_gone_is_no_bug() -> None:
    done = run_shell("s1ctl preflight --list --output json | true; exit ${PIPESTATUS[0]}")
    assert done.returncode in (0, 20)  # the pipe may have taken it before its reader went
    assert "Traceback" not in done.stderr


def test_where_every_stream_is_closed_the_exit_code_still_says_it(site) -> None:
    words = f"--site '{site}' >&- 2>&- <&-"
    assert run_shell(f"s1ctl status {words}").returncode == 20
    assert run_shell(f"s1ctl lock break --reason x {words}").returncode == 2
    assert run_shell(f"s1ctl status --site '{site}' 2>/dev/full <&-").returncode == 0


@pytest.mark.parametrize("end", ["</dev/null", "<&-"])
def test_a_question_that_nobody_can_be_asked_is_refused_with_what_to_pass(site, end: str) -> None:
    before = bytes_of(site.parent)
    case = CASES["no-terminal"]
    done = run_shell(f"s1ctl lock break --reason x --output json --site '{site}' {end}")
    assert outcome_of(done.returncode, json.loads(done.stdout)) == case.outcome
    assert "hint: give `--yes`" in done.stderr
    done = run_shell(f"s1ctl init --site '{site}.new' {end}")
    assert (done.returncode, "hint: give `--non-interactive`" in done.stderr) == (2, True)
    assert bytes_of(site.parent) == before


@pytest.mark.parametrize("locale", LOCALES, ids=" ".join)
def test_a_locale_that_is_not_utf_8_changes_nothing(site, locale: dict[str, str]) -> None:
    known = {"PATH": os.environ["PATH"], **locale}
    done = run_program("status", "--site", site, "--output", "json", environment=known)
    found = json.loads(done.stdout.decode("utf-8"))
    assert outcome_of(done.returncode, found) == CASES["locale-not-utf-8"].outcome
    assert found["installed"]["version"] == "1.0.0"
    done = run_program("explain", "Grüße", environment=known)
    assert (done.returncode, "`Grüße`" in done.stderr.decode("utf-8")) == (2, True)
    done = run_program("status", "--site", f"{site}-ö", environment=known)
    assert (done.returncode, "site.yaml-ö" in done.stderr.decode("utf-8")) == (2, True)


def test_a_program_that_takes_no_utf_8_mode_is_started_anew_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Started(Exception):
        """The process is another one now."""

    def start(_: str, words: list[str], environment: dict[str, str]) -> None:
        raise Started(words, environment)

    frozen = SimpleNamespace(
        flags=SimpleNamespace(utf8_mode=0), getfilesystemencoding=lambda: "ascii",
        executable="/opt/s1ctl", orig_argv=["/opt/s1ctl", "status"],
    )  # fmt: skip
    monkeypatch.setattr(streams, "sys", frozen)
    monkeypatch.setattr(os, "execve", start)
    monkeypatch.delenv(streams.MARK, raising=False)
    with pytest.raises(Started) as caught:
        streams._start_in_utf8()
    words, environment = caught.value.args
    assert words == ["/opt/s1ctl", "-X", "utf8", "status"]
    monkeypatch.setenv(streams.MARK, environment[streams.MARK])
    streams._start_in_utf8()
    assert streams.MARK not in os.environ


def test_a_terminal_that_knows_no_umlauts_is_shown_escapes() -> None:
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    status, screen = on_terminal(["explain", "Köln"], columns=80, **plain)
    assert (status, "`K\\xf6ln`" in screen) == (2, True)


@pytest.mark.parametrize(
    "surroundings", [{"TERM": "dumb"}, {"NO_COLOR": "1"}, {"TERM": "dumb", "NO_COLOR": ""}]
)
def test_no_terminal_gets_colours_or_moves_that_it_was_said_to_lack(
    surroundings: dict[str, str],
) -> None:
    status, screen = on_terminal(["explain", "nothing"], columns=80, **surroundings)
    assert (status, "") == (2, "")
    assert "\x1b" not in screen
    status, screen = on_terminal(["explain", "nothing"], columns=80, TERM="xterm")
    assert "\x1b[31;1merror[S1-U82]" in screen


def test_where_there_is_no_home_the_site_file_is_asked_for(
    run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HOME", "XDG_CONFIG_HOME", "S1CTL_SITE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "geteuid", lambda: 4_000_000)
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000)
    status, out, err = run("status", "--output", "json")
    assert outcome_of(status, json.loads(out)) == CASES["no-home"].outcome
    assert "user 4000000 has no home" in err
    assert "--site FILE" in err


def test_a_user_who_has_no_name_is_a_number(run, site, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000)
    status, out, _ = run("status", "--site", site)
    assert (status, "release    1.0.0" in out) == (0, True)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("status", "--site", "/tmp/" + "a" * 5000), "S1-I01"),
        (("status", "--site", "/tmp/" + "a" * 300), "S1-I01"),
        (("key", "new", "b" * 300, "--no-password"), "S1-I94"),
        (("bundle", "show", "c" * 300), "S1-I01"),
    ],
)
def test_a_path_that_is_too_long_is_said_to_be(run, words: tuple[str, ...], code: str) -> None:
    status, out, err = run(*words, "--output", "json")
    found = json.loads(out)
    assert (status, found["error"]["code"]) == (20, code)
    assert "File name too long" in found["error"]["message"]
    assert "hint: " in err


def test_a_state_directory_whose_path_is_too_long_is_said_to_be(run, tmp_path: Path) -> None:
    site = write_site(tmp_path, state=tmp_path / ("d" * 300))
    status, out, _ = run("status", "--site", site, "--output", "json")
    assert outcome_of(status, json.loads(out)) == CASES["path-too-long"].outcome


@pytest.fixture
def noexec(tmp_path: Path):
    with disk(tmp_path / "tmp", size="1m") as folder:
        mount("-o", "remount,noexec", folder)
        yield folder


def test_no_temporary_folder_is_needed(site, noexec: Path) -> None:
    """Neither one that is not there nor one that executes nothing stands in the way."""
    for folder in ("/nonexistent", str(noexec)):
        known = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "TMPDIR": folder}
        done = run_program("status", "--site", site, "--output", "json", environment=known)
        found = json.loads(done.stdout)
        assert outcome_of(done.returncode, found) == CASES["no-temporary-folder"].outcome
    assert list(noexec.iterdir()) == []
    assert shutil.disk_usage(noexec).used == 0
