"""YAML: plain data, with the place of everything."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s1ctl.errors import UsageError
from s1ctl.shape import Value
from s1ctl.strict_yaml import MAX_BYTES, MAX_LEVELS, parse_yaml


class Port(Value):
    number: int
    note: str = ""


class File(Value):
    name: str = ""
    ports: tuple[Port, ...] = ()
    by_name: dict[str, Port] = {}


def refusal(text: str | bytes, kind: type | None = None) -> UsageError:
    raw = text if isinstance(text, bytes) else text.encode()
    with pytest.raises(UsageError) as caught:
        parse_yaml(raw, name="site.yaml").parse(kind or object)
    return caught.value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("false", False),
        ("yes", "yes"),
        ("on", "on"),
        ("True", "True"),
        ("null", None),
        ("~", None),
        ("", None),
        ("0", 0),
        ("-12", -12),
        ("+3", 3),
        ("012", "012"),
        ("0x10", "0x10"),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("1.5", 1.5),
        ("1.", "1."),
        (".5", ".5"),
        (".inf", ".inf"),
        ("1.0e999", "1.0e999"),
        ("2026-01-01", "2026-01-01"),
        ("999999999999999999", 999999999999999999),
        ("9" * 5000, "9" * 5000),
        ("'8443'", "8443"),
        ("<<", "<<"),
        ("=", "="),
        ("a b", "a b"),
        ("[1, 'x', {y: z}]", [1, "x", {"y": "z"}]),
    ],
)
def test_scalars_mean_what_yaml_1_2_says(text: str, value: object) -> None:
    assert parse_yaml(f"a: {text}\n".encode(), name="x").data == {"a": value}


def test_an_empty_file_is_an_empty_mapping() -> None:
    assert parse_yaml(b"# nothing\n", name="x").data == {}


def test_keys_are_text() -> None:
    assert parse_yaml(b"1: a\ntrue: b\n<<: c\n", name="x").data == {
        "1": "a",
        "true": "b",
        "<<": "c",
    }


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ("a: 1\na: 2\n", "S1-U04", "2:1"),
        ("a:\n  b: 1\n  c: 2\n  b: 3\n", "S1-U04", "4:3"),
        ("a: {b: 1, b: 2}\n", "S1-U04", "1:11"),
        ("a: &x 1\n", "S1-U05", "1:4"),
        ("a: *x\n", "S1-U05", "1:4"),
        ("a: !!python/object/apply:os.system ['true']\n", "S1-U05", "1:4"),
        ("a: !secret x\n", "S1-U05", "1:4"),
        ("&a a: 1\n", "S1-U05", "1:1"),
        ("a: [1\n", "S1-U01", "2:1"),
        ("a: b: c\n", "S1-U01", "1:5"),
        ("\ta: 1\n", "S1-U01", "1:1"),
        ("? [a]\n: 1\n", "S1-U01", "1:3"),
        ("a: 1\n---\nb: 2\n", "S1-U01", "2:1"),
        ("%YAML 9.0\n---\na: 1\n", "S1-U01", "1:1"),
        ("a: " + "[" * 5000, "S1-U01", f"1:{3 + MAX_LEVELS}"),
        ("- " * 5000 + "a", "S1-U01", f"1:{1 + 2 * MAX_LEVELS}"),
        ("{a: " * 5000, "S1-U01", f"1:{1 + 4 * MAX_LEVELS}"),
    ],
)
def test_what_is_not_plain_is_refused_with_line_and_column(
    text: str, code: str, place: str
) -> None:
    error = refusal(text)
    assert error.code == code
    assert error.message.startswith(f"site.yaml:{place}: ")
    assert error.hint


@pytest.mark.parametrize(
    "raw",
    [b"a: \xff", b"a: \x00", b"a: \x07", b"#" * (MAX_BYTES + 1), "a: 1".encode("utf-16")],
    ids=["latin", "nul", "bell", "long", "utf-16"],
)
def test_bytes_that_are_not_text_are_refused(raw: bytes) -> None:
    error = refusal(raw)
    assert error.code == "S1-U01"
    assert "site.yaml" in error.message


@pytest.mark.parametrize(
    ("text", "code", "start"),
    [
        ("name: x\nnmae: y\n", "S1-U02", "site.yaml:2:1: unknown key `nmae`"),
        ("ports:\n- number: 1\n  nubmer: 2\n", "S1-U02", "site.yaml:3:3: unknown key `nubmer`"),
        (
            "by_name:\n  a: {number: 1}\n  b:\n    number: 1\n    x: 1\n",
            "S1-U02",
            "site.yaml:5:5: ",
        ),
        (
            "ports:\n- number: one\n",
            "S1-U03",
            "site.yaml:2:3: `ports[0].number` must be a whole number, and is",
        ),
        (
            "ports:\n- {note: x}\n",
            "S1-U06",
            "site.yaml:2:3: the key `number` is missing in `ports[0]`",
        ),
        ("by_name:\n  a:\n    number: x\n", "S1-U03", "site.yaml:3:5: `by_name.a.number` must"),
        ("- a\n", "S1-U03", "site.yaml:1:1: the document must be a mapping"),
        ("name:\n", "S1-U03", "site.yaml:1:1: `name` must be text, and is empty"),
    ],
)
def test_a_document_of_another_shape_is_refused_where_the_fault_is(
    text: str, code: str, start: str
) -> None:
    error = refusal(text, File)
    assert error.code == code
    assert error.message.startswith(start)
    assert f"line {start.split(':')[1]} " in error.hint


def test_all_unknown_and_missing_keys_are_told_at_once() -> None:
    error = refusal("nmae: x\nports:\n- {nubmer: 1}\n- {note: x}\nz: 1\n", File)
    known = "known here are `name`, `ports`, `by_name`"
    assert error.code == "S1-U02"
    assert error.message.split("\n") == [
        f"site.yaml:1:1: unknown key `nmae`, is `name` meant? {known}",
        "site.yaml:3:4: unknown key `nubmer`, is `number` meant? known here are `number`, `note`",
        "site.yaml:4:3: the key `number` is missing in `ports[1]`; it must be a whole number",
        f"site.yaml:5:1: unknown key `z`; {known}",
    ]
    assert error.hint == "mend lines 1, 3, 4, 5 of `site.yaml`"


def test_only_so_many_faults_are_told_and_the_others_are_counted() -> None:
    error = refusal("".join(f"k{n}: 1\n" for n in range(20)), File)
    assert error.message.split("\n")[-1] == "and 8 more"


def test_a_place_that_is_not_there_is_that_of_its_parent() -> None:
    document = parse_yaml(b"a:\n  b.c:\n  - x\n", name="f")
    assert document.place("$.a.b.c[0]") == "f:3:5"
    assert document.place("$.a.b.c[7].d") == "f:2:3"
    assert document.place("$.z") == "f:1:1"


def test_entries_of_a_mapping_come_with_their_paths() -> None:
    document = parse_yaml(b"a: {b: 1}\nc: []\n", name="f")
    assert list(document.entries("$.a", document.data["a"])) == [("b", "$.a.b", 1)]
    with pytest.raises(UsageError):
        list(document.entries("$.c", document.data["c"]))


@given(st.text(alphabet="ab:-[]{}?,&*!#|>'\"%@`\\ \n\t0.~=<", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(UsageError):
        parse_yaml(text.encode(), name="x")
