"""Documents of a shape."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec
import pytest
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from s1ctl.canonical import canonical_json, parse_canonical
from s1ctl.oci.digest import Digest
from s1ctl.shape import ShapeError, Value, parse_value, plain

DIGEST = Digest.of(b"")


class Part(Value):
    name: str
    size: int = 0


class Whole(Value):
    version: Version
    digest: Digest
    kind: Literal["a", "b"]
    sources: SpecifierSet = msgspec.field(name="from")
    parts: tuple[Part, ...] = ()
    by_name: dict[str, Part] = msgspec.field(default_factory=dict)


def document(**changes: object) -> dict[str, object]:
    return {"version": "1.2.0", "digest": DIGEST, "kind": "a", "from": ">=1", **changes}


def test_a_document_becomes_a_value() -> None:
    whole = parse_value(document(parts=[{"name": "x", "size": 3}]), Whole)
    assert whole == Whole(
        version=Version("1.2.0"),
        digest=DIGEST,
        kind="a",
        sources=SpecifierSet(">=1"),
        parts=(Part(name="x", size=3),),
    )
    assert isinstance(whole.digest, Digest)


def test_a_value_becomes_the_same_document_again() -> None:
    data = document(parts=[{"name": "x", "size": 3}], by_name={"b": {"name": "y", "size": 0}})
    whole = parse_value(data, Whole)
    assert parse_value(parse_canonical(canonical_json(plain(whole))), Whole) == whole
    assert plain(whole)["from"] == ">=1"


@pytest.mark.parametrize(
    ("data", "path", "message"),
    [
        (3, "$", "Expected `object`, got `int`"),
        ({}, "$", "missing required field `version`"),
        (document(extra=1), "$", "unknown field `extra`"),
        (document(kind="c"), "$.kind", "Invalid enum value 'c'"),
        (document(version="one"), "$.version", "`one` is not a version"),
        (document(version=1), "$.version", "Expected `str`, got `int`"),
        (document(**{"from": "~1"}), "$.from", "`~1` is not a version specifier"),
        (document(digest="sha256:0"), "$.digest", "is not a sha256 digest"),
        (document(digest="x - at `$.kind`"), "$.digest", "is not a sha256 digest"),
        (document(parts=[{"name": "x"}, {}]), "$.parts[1]", "missing required field `name`"),
        (document(parts=[{"name": "x", "size": "3"}]), "$.parts[0].size", "Expected `int`"),
        (document(parts=[{"name": "x", "size": True}]), "$.parts[0].size", "Expected `int`"),
        (document(parts=[{"name": "x", "size": 1.0}]), "$.parts[0].size", "Expected `int`"),
        (document(parts=[{"name": None}]), "$.parts[0].name", "Expected `str`, got `null`"),
        (document(by_name={"b": {}}), "$.by_name[...]", "missing required field `name`"),
    ],
)
def test_a_fault_is_told_with_its_place(data: object, path: str, message: str) -> None:
    with pytest.raises(ShapeError) as caught:
        parse_value(data, Whole)
    assert caught.value.path == path
    assert message in caught.value.message
    assert " - at `$" not in caught.value.message or "x - at" in caught.value.message


def test_a_value_does_not_change() -> None:
    with pytest.raises(AttributeError):
        Part(name="x").name = "y"  # type: ignore[misc]


@pytest.mark.parametrize("make", [lambda: Part("x"), Part, lambda: Part(name="x", a=1)])
def test_a_value_is_made_by_keywords_that_it_knows(make: Callable[[], Any]) -> None:
    with pytest.raises(TypeError):
        make()


def test_plain_data_is_sorted_and_free_of_types() -> None:
    data = plain({"b": Version("1.0"), "a": (datetime(2026, 1, 1, tzinfo=UTC), DIGEST)})
    assert list(data) == ["a", "b"]
    assert canonical_json(data) == (
        f'{{"a":["2026-01-01T00:00:00Z","{DIGEST}"],"b":"1.0"}}'.encode()
    )
