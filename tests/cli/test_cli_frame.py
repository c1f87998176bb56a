import json
import subprocess
import sys
from pathlib import Path

import pytest

from s1ctl import errors
from s1ctl.cli import bug, context, explain
from s1ctl.cli.exit_codes import EXIT_CODES, exit_code
from s1ctl.cli.main import main, ordered
from s1ctl.cli.output import printable, table
from s1ctl.site.secrets import SecretSource

HEAVY = (
    "alembic", "cryptography", "docker", "jinja2", "msgspec", "psycopg2", "requests", "rich",
    "sqlalchemy", "urllib3", "yaml",
)  # fmt: skip


def test_help_loads_no_heavy_library() -> None:
    script = (
        "import sys\nfrom s1ctl.cli.main import main\nassert main(['--help']) == 0\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stderr.strip() == "[]"


def test_no_words_at_all_show_the_help(golden) -> None:
    golden("help")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("usage-unknown-command", ["upgrad"]),
        ("usage-unknown-option", ["explain", "--loud", "S1-U80"]),
        ("usage-missing-command", ["key"]),
        ("usage-missing-argument", ["explain"]),
        ("usage-bad-format", ["--output", "xml", "explain", "S1-U80"]),
        ("usage-json", ["explain", "--output", "json"]),
        ("explain-code", ["explain", "s1-u20"]),
        ("explain-exit", ["explain", "30"]),
        ("explain-json", ["explain", "S1-U80", "--output=json"]),
        ("explain-unknown", ["explain", "S1-U2"]),
        ("no-site-file", ["trust", "list", "--site", "none.yaml"]),
    ],
)
def test_a_command_line_says_what_was_approved(golden, name: str, words: list[str]) -> None:
    golden(name, *words)


def test_global_options_may_stand_anywhere() -> None:
    assert ordered(["explain", "10", "--output", "json"]) == ["--output", "json", "explain", "10"]
    assert ordered(["explain", "--site=a"]) == ["--site", "a", "explain"]
    assert ordered(["explain", "--", "--site"]) == ["explain", "--", "--site"]


def test_every_kind_of_error_has_its_exit_code() -> None:
    kinds = {kind for kind in vars(errors).values() if isinstance(kind, type)}
    assert kinds - EXIT_CODES.keys() == {errors.S1Error}


def test_an_error_of_a_narrower_kind_leaves_with_the_code_of_its_wider_one() -> None:
    class Narrow(errors.NoPath):
        pass

    assert exit_code(Narrow("", code="", hint="")) == 22


@pytest.mark.parametrize("kind", list(EXIT_CODES))
def test_a_refusal_leaves_with_its_code_and_two_lines(kind, monkeypatch, capsys) -> None:
    def refuse() -> None:
        raise kind("the disk `a` is full", code="S1-X01", hint="run `df`")

    monkeypatch.setattr(explain, "read_entries", refuse)
    assert main(["explain", "x"]) == EXIT_CODES[kind]
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "error[S1-X01]: the disk `a` is full\nhint: run `df`\n"


def test_a_refusal_is_json_on_stdout_when_json_was_asked_for(monkeypatch, capsys) -> None:
    def refuse() -> None:
        raise errors.NotVerified("it is not signed", code="S1-S01", hint="call the vendor")

    monkeypatch.setattr(explain, "read_entries", refuse)
    assert main(["explain", "x", "--output", "json"]) == 11
    assert json.loads(capsys.readouterr().out) == {
        "error": {
            "code": "S1-S01",
            "exit": 11,
            "hint": "call the vendor",
            "message": "it is not signed",
        }
    }


def test_a_bug_goes_whole_to_the_log_and_in_one_line_to_the_operator(
    monkeypatch, capsys, tmp_path: Path
) -> None:
    def fail() -> None:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(explain, "read_entries", fail)
    log = tmp_path / "logs" / "s1ctl.log"
    monkeypatch.setattr(context.Here, "log_file", log)
    assert main(["explain", "x"]) == 1
    assert capsys.readouterr().err == (
        f"bug: s1ctl met a `ZeroDivisionError`; please send `{log}` to the maintainers\n"
    )
    assert "ZeroDivisionError: oh" in log.read_text()


def test_a_bug_is_told_without_the_secrets_that_are_at_hand(
    monkeypatch, capsys, tmp_path: Path
) -> None:
    words = "file-word-11", "environment-word-22", "command-word-33", "url-word-44"
    SecretSource(f"cmd:echo {words[2]}").resolve({"PATH": "/usr/bin:/bin"})
    (tmp_path / "secrets" / "token").mkdir(parents=True)
    (tmp_path / "secrets" / "token" / "1").write_text(words[0])

    def fail() -> None:
        raise kinds[0](f"{words[0]} {words[1]} {words[2]} postgresql://u:{words[3]}@db/x")

    monkeypatch.setenv("PGPASSWORD", words[1])
    monkeypatch.setattr(explain, "read_entries", fail)
    monkeypatch.setattr(context.Here, "default_state", tmp_path)
    log = tmp_path / "logs" / "s1ctl.log"
    kinds: list[type[Exception]] = [OSError]
    main(["explain", "x"])
    kinds[0] = RuntimeError
    main(["explain", "x"])
    told = "<***> <***> <***> postgresql://u:<***>@db/x\n"
    assert log.read_text().count(f"Error: {told}") == 2
    log.unlink()
    log.mkdir()
    main(["explain", "x"])
    said = capsys.readouterr().err
    assert f"RuntimeError: {told}" in said
    assert [word for word in words if word in said] == []


def test_a_bug_is_printed_whole_where_the_log_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file where a folder should be")
    text = bug.record(tmp_path / "logs" / "s1ctl.log", ZeroDivisionError("oh"))
    assert "ZeroDivisionError: oh" in text
    assert "cannot be written" in text


def test_an_interrupt_leaves_with_130(monkeypatch, capsys) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(explain, "read_entries", interrupt)
    assert main(["explain", "x"]) == 130


def test_text_from_elsewhere_loses_its_control_characters() -> None:
    assert printable("a\x1b[2J\u202eb\r\nc [bold]") == "a\\x1b[2J\\u202eb\\r\nc [bold]"


def test_a_table_has_columns() -> None:
    assert table([["a", "bb", "c"], ["aaa", "b", ""]]) == ["a    bb  c", "aaa  b"]
