"""Canonical JSON."""

import json
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from s1ctl.canonical import (
    MAX_INTEGER,
    MAX_LEVELS,
    NotCanonical,
    canonical_json,
    parse_canonical,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers(-MAX_INTEGER, MAX_INTEGER) | TEXT,
    lambda parts: st.lists(parts, max_size=4) | st.dictionaries(TEXT, parts, max_size=4),
    max_leaves=20,
)


@given(DOCUMENTS)
def test_what_was_written_is_read_back(data: Any) -> None:
    assert parse_canonical(canonical_json(data)) == data


@given(DOCUMENTS, st.data())
def test_any_changed_byte_is_refused_or_changes_the_data(data: Any, draw: st.DataObject) -> None:
    raw = bytearray(canonical_json(data))
    place = draw.draw(st.integers(0, len(raw) - 1))
    former = raw[place]
    raw[place] = draw.draw(st.integers(0, 255))
    assume(raw[place] != former)
    try:
        read = parse_canonical(bytes(raw))
    except NotCanonical:
        return
    assert canonical_json(read) != canonical_json(data)


@given(DOCUMENTS, st.data())
def test_any_added_byte_is_refused_or_changes_the_data(data: Any, draw: st.DataObject) -> None:
    raw = canonical_json(data)
    place = draw.draw(st.integers(0, len(raw)))
    longer = raw[:place] + draw.draw(st.binary(min_size=1, max_size=2)) + raw[place:]
    try:
        read = parse_canonical(longer)
    except NotCanonical:
        return
    assert canonical_json(read) != raw


@given(st.binary(max_size=40))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    try:
        data = parse_canonical(raw)
    except NotCanonical:
        return
    assert canonical_json(data) == raw


@given(DOCUMENTS)
def test_it_is_what_others_call_json(data: Any) -> None:
    assert json.loads(canonical_json(data)) == data


def test_keys_are_sorted_and_nothing_is_escaped_in_vain() -> None:
    assert canonical_json({"b": "é", "a": (1, None)}) == '{"a":[1,null],"b":"é"}'.encode()


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "Expecting value"),
        (b"\xef\xbb\xbf{}", "BOM"),
        (b"\xff", "utf-8"),
        (b'{"a":1, "b":2}', "other bytes"),
        (b'{"b":1,"a":2}', "other bytes"),
        (b'{"a":1,"a":1}', "twice"),
        (b'{"a":{"b":1,"b":2}}', "twice"),
        (b"{}\n", "other bytes"),
        (b"{}{}", "Extra data"),
        (b"1.0", "not an integer"),
        (b"1e3", "not an integer"),
        (b"NaN", "not an integer"),
        (b"-Infinity", "not an integer"),
        (b"-0", "other bytes"),
        (b"01", "Extra data"),
        (b"9007199254740992", "2^53-1"),
        (b"-9007199254740992", "2^53-1"),
        (b"9" * 5000, "2^53-1"),
        (rb'"\u0041"', "other bytes"),
        (rb'"\/"', "other bytes"),
        (rb'"\ud800"', "surrogate"),
        (b'"\xed\xa0\x80"', "utf-8"),
        (b'"a\nb"', "control character"),
        (b"[" * 65 + b"]" * 65, "levels"),
        (b'{"a":' * 65 + b"1" + b"}" * 65, "levels"),
        (b"[" * 1_000_000, "levels"),
    ],
)
def test_what_is_not_canonical_is_refused_with_its_reason(raw: bytes, reason: str) -> None:
    with pytest.raises(NotCanonical) as caught:
        parse_canonical(raw)
    assert reason in str(caught.value)


def test_the_bounds_themselves_are_allowed() -> None:
    for raw in (b"9007199254740991", b"-9007199254740991", b"[" * 64 + b"]" * 64):
        assert canonical_json(parse_canonical(raw)) == raw


def test_brackets_in_strings_are_no_levels() -> None:
    data = ["[" * 100, '"' + "{" * 100, "\\", "[" * 100]
    assert parse_canonical(canonical_json(data)) == data


@pytest.mark.parametrize(
    "raw",
    [b'"' + rb"\"" * 2_000_000, b'"\\', rb"\"" * 2_000_000, b'"' * 2_000_001, b"{}" * 2_000_000],
    ids=["open string of escapes", "lone escape", "escapes", "quotes", "objects"],
)
def test_hostile_bytes_are_refused_without_going_over_them_again_and_again(raw: bytes) -> None:
    with pytest.raises(NotCanonical):
        parse_canonical(raw)


def nested(levels: int) -> list[Any]:
    data: list[Any] = []
    for _ in range(levels - 1):
        data = [data]
    return data


@pytest.mark.parametrize(
    "data",
    [
        1.5,
        float("nan"),
        MAX_INTEGER + 1,
        -MAX_INTEGER - 1,
        {1: "a"},
        {None: "a"},
        {"a": {2: 1}},
        [b"raw"],
        {"a", "b"},
        "\ud800",
        {"\ud800": 1},
        object(),
        nested(MAX_LEVELS + 1),
    ],
    ids=lambda data: str(type(data).__name__),
)
def test_what_could_not_be_read_is_not_written(data: object) -> None:
    with pytest.raises(NotCanonical):
        canonical_json(data)


def test_as_many_levels_are_written_as_are_read() -> None:
    assert parse_canonical(canonical_json(nested(MAX_LEVELS))) == nested(MAX_LEVELS)
