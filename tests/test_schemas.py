"""The JSON of every verb is described; the description is closed, so a new key needs a schema."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from s1ctl.operation.events import Event
from s1ctl.shape import plain
from tests.support.schemas import (
    FOLDER,
    VERBS,
    documents,
    fault,
    heard,
    heard_events,
    name_of,
    verb_of,
    verbs,
    written,
)

MADE = documents()
SHARED = {"error", "event", "finding"}
TESTS = Path(__file__).parent
_JSON, _DAY_TWO = "cli/test_cli_json.py::test_", "integration/test_day_two.py::test_"
_DATABASE, _VENDOR = (
    "integration/test_database_cases.py::test_",
    f"{_JSON}what_a_vendor_runs_writes",
)
HEARD_IN = {
    **dict.fromkeys(
        (
            "key show",
            "bundle lint",
            "bundle build",
            "bundle ls",
            "bundle verify",
            "bundle show",
            "bundle sign",
            "key new",
        ),
        f"{_VENDOR}_what_is_described",
    ),
    **dict.fromkeys(
        ("init", "trust init", "trust list", "status", "lock show", "explain"),
        f"{_JSON}what_begins_a_site_writes_what_is_described",
    ),
    "secret list": f"{_JSON}secrets_are_written_as_is_described",
    "secret show": f"{_JSON}secrets_are_written_as_is_described",
    "secret rotate": "integration/test_canaries.py::test_no_secret_is_in_what_was_said",
    "lock break": "cli/test_cli_lock.py::test_a_lock_that_only_the_engine_has_is_broken"
    "_and_recorded",
    "load": f"{_DATABASE}a_hook_that_refuses",
    "preflight": "cli/test_cli_preflight_database.py::test_doctor_looks_at_the_installed_release",
    "plan": "integration/test_canaries.py::test_no_secret_is_in_what_was_said",
    "support-bundle": "cli/test_cli_support.py::test_ctrl_c_writes_what_there_is",
    "history": f"{_DATABASE}a_hook_that_refuses",
    "report": f"{_DAY_TWO}a_report_of_a_real_operation_is_written",
    "prune": f"{_DAY_TWO}prune_that_was_killed_is_simply_run_again",
    "uninstall": f"{_DAY_TWO}uninstall_that_was_killed_is_simply_run_again",
    "install": f"{_DATABASE}a_hook_that_fails_at_the_end_is_warned_of",
    "upgrade": f"{_DATABASE}a_hook_that_fails_at_the_end_is_warned_of",
    "apply": f"{_DATABASE}a_database_that_is_ahead_is_left_as_it_is_and_one_behind_brought_up",
    "resume": f"{_DATABASE}a_server_that_is_restarted_in_a_backfill",
    "rollback": f"{_DATABASE}a_database_that_is_ahead_is_left_as_it_is_and_one_behind_brought_up",
    "db status": f"{_DATABASE}a_version_table_that_was_changed_by_hand",
    "db contract": f"{_DATABASE}a_platform_that_is_installed_over_its_kept_data_keeps_its_contract"
    "_pending",
    "db undo": f"{_DATABASE}a_column_that_was_dropped_by_hand",
    "backup create": f"{_DATABASE}a_restore_that_fails_changes_nothing",
    "backup list": f"{_DATABASE}a_disk_that_has_no_room_for_a_dump",
    "backup prove": f"{_DATABASE}a_restore_that_fails_changes_nothing",
    "backup restore": f"{_DATABASE}a_restore_that_fails_changes_nothing",
}
ERROR = {"code": "S1-U80", "message": "m", "hint": "h", "exit": 2}


def test_every_verb_has_a_schema_and_every_schema_a_verb() -> None:
    assert sorted(VERBS) == sorted(verbs())
    assert {path.stem for path in FOLDER.glob("*.json")} == {*map(name_of, VERBS), *SHARED}


@pytest.mark.parametrize("name", sorted(MADE))
def test_a_schema_is_as_it_is_made_from_the_types(name: str) -> None:
    """`python -m tests.support.schemas` writes them anew."""
    assert (FOLDER / name).read_text("utf-8") == written(MADE[name])


@pytest.mark.parametrize("name", sorted(MADE))
def test_a_schema_is_one(name: str) -> None:
    Draft202012Validator.check_schema(MADE[name])


@pytest.mark.parametrize("name", sorted(MADE))
def test_an_object_with_known_keys_takes_no_other_and_lacks_none(name: str) -> None:
    for part in objects(MADE[name]):
        assert part["additionalProperties"] is False
        assert sorted(part["properties"]) == part["required"]


def objects(part: Any) -> Iterator[dict[str, Any]]:
    if isinstance(part, dict):
        if isinstance(part.get("properties"), dict) and part.get("type") == "object":
            yield part
        for each in part.values():
            yield from objects(each)
    elif isinstance(part, list):
        for each in part:
            yield from objects(each)


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_every_verb_may_fail_and_a_new_key_is_a_fault(verb: str) -> None:
    words = (*verb.split(), "--output", "json")
    assert heard(words, json.dumps({"error": ERROR})) == ""
    for document in ({"error": ERROR | {"new": 1}}, {"error": ERROR | {"exit": 0}}, {"new": 1}, {}):
        assert heard(words, json.dumps(document)) != ""


def test_the_verb_of_a_command_line_is_found_among_its_options() -> None:
    assert verb_of(["--site", "plan", "db", "--quiet", "status", "--output=json"]) == "db status"
    assert verb_of(["plan", "--to", "1.0.0"]) == "plan"
    assert verb_of(["lift"]) is None


def test_an_event_is_described_and_a_new_key_is_a_fault() -> None:
    line = plain(Event(at="2026-01-01T00:00:00+00:00", operation="op-1", event="done"))
    assert heard_events(json.dumps(line) + "\n") == ""
    assert "new" in heard_events(json.dumps(line | {"new": 1}))


def test_a_fault_says_where_it_is() -> None:
    assert fault({"name": "x", "title": "t", "why": "w", "fix": 3}, "explain").startswith(
        "explain.json: at $.fix: 3 is not of type"
    ), fault({"name": "x", "title": "t", "why": "w", "fix": 3}, "explain")


def test_every_verb_is_run_with_json_by_a_test_that_exists() -> None:
    """These tests' runners find fault with what their verbs write; all of them have to end well."""
    assert sorted(HEARD_IN) == sorted(VERBS)
    lost = {verb: node for verb, node in HEARD_IN.items() if not says(*node.split("::"), verb)}
    assert lost == {}


def says(file: str, name: str, verb: str) -> bool:
    """Say whether a test is there, and its file has the verb's words next to each other."""
    text = (TESTS / file).read_text("utf-8")
    words = r",\s*".join(f'"{word}"' for word in verb.split())
    return f"def {name}(" in text and re.search(words, text) is not None


def test_the_readme_names_every_shared_document() -> None:
    text = (FOLDER / "README.md").read_text("utf-8")
    assert [name for name in sorted(SHARED) if f"({name}.json)" not in text] == []
