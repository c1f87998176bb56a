"""The JSON of every verb is described; the description is closed, so a new key needs a schema."""

import json
from collections.abc import Iterator
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


def test_the_readme_names_every_shared_document() -> None:
    text = (FOLDER / "README.md").read_text("utf-8")
    assert [name for name in sorted(SHARED) if f"({name}.json)" not in text] == []
