"""What the README says of `make test`: skips with their reasons, and counts in a file."""

import json
from pathlib import Path

import pytest

import noxfile
from tests.support import run

RESULT = """\
<testsuites><testsuite>
<testcase classname="c" name="passes"/>
<testcase classname="c" name="is_skipped"><skipped message="no engine here"/></testcase>
<testcase classname="c" name="fails"><failure message="no"/></testcase>
</testsuite></testsuites>
"""


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(run, "RESULTS", tmp_path)
    (tmp_path / "unit.xml").write_text(RESULT)
    return tmp_path


def test_what_is_skipped_is_printed_with_its_reason_and_the_summary_has_the_counts(
    results, capsys
) -> None:
    sessions = [{"name": "lint", "result": "success"}, {"name": "unit", "result": "failed"}]
    summary = run.sum_up(sessions, seconds=7)
    assert json.loads(json.dumps(summary)) == {
        "passed": 2,
        "failed": 1,
        "skipped": 1,
        "seconds": 7,
        "reasons": ["c.is_skipped: no engine here"],
    }
    assert run.show(summary) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "skipped: c.is_skipped: no engine here"
    assert lines[-1] == "2 passed, 1 failed, 1 skipped"


def test_a_session_that_fell_over_before_its_tests_counts_as_a_failure(results) -> None:
    assert run.sum_up([{"name": "e2e", "result": "failed"}], seconds=1)["failed"] == 1
    assert run.sum_up([], seconds=1)["failed"] == 1


def test_a_run_has_lint_types_unit_integration_command_line_and_end_to_end_tests() -> None:
    wanted = {"lint", "types", "unit", "integration", "cli", "e2e"}
    assert wanted <= set(noxfile.nox.options.sessions)
