"""The table of what goes wrong is whole: each row has its test, code and line in the docs."""

import re
from collections import Counter
from functools import cache
from pathlib import Path

from s1ctl.cli.exit_codes import EXIT_CODES
from s1ctl.cli.explain import read_entries
from s1ctl.strict_yaml import parse_yaml
from tests.support.cases import CASES, PAGE, TABLE, page
from tests.test_explain import codes_in_use, raised

TESTS = Path(__file__).parent
USE = re.compile(r'CASES\["([a-z0-9-]+)"\]')
FAMILIES = {
    "U": 2, "F": 10, "S": 11, "T": 11, "C": 13, "P": 14, "I": 20, "R": 20, "E": 20, "D": 20,
}  # fmt: skip
BESIDE = {"S1-P30": 3, "S1-P31": 5}  # one function raises both, each by its own class
BY_HAND = {
    "attacks_at_a_site", "canaries", "cli_load", "cli_preflight", "cli_preflight_database",
    "cli_preflight_registry", "cli_preflight_release", "cli_refused_hops", "cli_state_directory",
    "cli_streams", "cli_support", "cli_torn_ledger", "cli_values", "cli_vendor_files",
    "engine_away", "engine_units", "operator_signals",
}  # fmt: skip
WITHIN = "DEIOR"  # these may fail a step of an operation, which then ends with one of these
IN_OPERATION = (30, 31, 130)


def uses() -> Counter[str]:
    texts = (path.read_text() for path in TESTS.rglob("test_*.py") if path != Path(__file__))
    return Counter(name for text in texts for name in USE.findall(text))


def test_every_row_has_a_test_and_every_name_a_row() -> None:
    assert sorted(CASES.keys() ^ uses().keys()) == []


def test_what_a_row_says_stays_as_it_was_is_proven() -> None:
    """By `Case.prove` in its test or a helper, or by hand in a file that is named here."""
    tests = {path: path.read_text() for path in TESTS.rglob("test_*.py") if path != Path(__file__)}
    lost = [
        (case.id, str(path.relative_to(TESTS)))
        for case in CASES.values()
        if case.unchanged and not any(proves(text, case.id) for text in tests.values())
        for path, text in tests.items()
        if f'CASES["{case.id}"]' in text and path.stem.removeprefix("test_") not in BY_HAND
    ]
    assert lost == []


def proves(text: str, name: str) -> bool:
    """Say whether a file has a row prove itself, or hands it to a function that does."""
    row = f'CASES["{name}"]'
    if f"{row}.prove(" in text or f".proves({row})" in text:
        return True
    is_handed_on = row in text and f"{row}.outcome" not in text
    return is_handed_on and re.search(r"\b(case|row)\.prove\(|\.proves\(case\)", text) is not None


def test_no_row_is_there_twice() -> None:
    rows = parse_yaml(TABLE.read_bytes(), name=TABLE.name).data
    assert len(rows) == len(CASES)


def test_every_code_of_the_table_is_explained() -> None:
    codes = {case.code for case in CASES.values()} - {""}
    assert sorted(codes - read_entries().keys()) == []


def test_a_code_ends_with_the_number_of_its_kind() -> None:
    wrong = {
        case.id: (case.exit, case.code)
        for case in CASES.values()
        if case.code.startswith("S1-") and case.exit not in numbers_of(case.code)
    }
    assert wrong == {}


def test_a_code_is_known_by_its_class_or_else_by_its_family() -> None:
    """What is raised by a function that is given the code has its family's number, and no other."""
    assert {code[3] for code in codes_in_use() - literals().keys()} <= FAMILIES.keys()
    assert [numbers_of(code) for code in ("S1-R10", "S1-P30", "S1-U05", "S1-D18")] == [
        {20, *IN_OPERATION}, {3}, {2}, {3, *IN_OPERATION},
    ]  # fmt: skip


def numbers_of(code: str) -> set[int]:
    """Say with which numbers an error with this code may end; 0 is none of them."""
    number = literals().get(code) or BESIDE.get(code) or FAMILIES[code[3]]
    return {number, *(IN_OPERATION if code[3] in WITHIN else ())}


@cache
def literals() -> dict[str, int]:
    """Say the numbers of the codes that stand beside their class in the sources."""
    numbers = {kind.__name__: number for kind, number in EXIT_CODES.items()}
    return {code: numbers[kind] for kind, code in raised() if kind in numbers}


def test_the_table_is_not_short() -> None:
    assert len(CASES) >= 60


def test_the_documentations_page_of_errors_is_written_from_the_table() -> None:
    assert PAGE.read_text("utf-8") == page()
