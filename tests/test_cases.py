"""The table of what goes wrong is whole: each row has its test, code and line in the docs."""

import re
from collections import Counter
from pathlib import Path

from s1ctl.cli.exit_codes import EXIT_CODES
from s1ctl.cli.explain import read_entries
from s1ctl.strict_yaml import parse_yaml
from tests.support.cases import CASES, PAGE, TABLE, page
from tests.test_explain import raised

TESTS = Path(__file__).parent
USE = re.compile(r'CASES\["([a-z0-9-]+)"\]')
OPEN = {0, 30, 31, 130}


def uses() -> Counter[str]:
    texts = (path.read_text() for path in TESTS.rglob("test_*.py") if path != Path(__file__))
    return Counter(name for text in texts for name in USE.findall(text))


def test_every_row_has_a_test_and_every_name_a_row() -> None:
    assert sorted(CASES.keys() ^ uses().keys()) == []


def test_no_row_is_there_twice() -> None:
    rows = parse_yaml(TABLE.read_bytes(), name=TABLE.name).data
    assert len(rows) == len(CASES)


def test_every_code_of_the_table_is_explained() -> None:
    codes = {case.code for case in CASES.values()} - {""}
    assert sorted(codes - read_entries().keys()) == []


def test_a_code_ends_with_the_number_of_its_kind() -> None:
    numbers = {kind.__name__: number for kind, number in EXIT_CODES.items()}
    kinds = {code: numbers[kind] for kind, code in raised() if kind in numbers}
    wrong = {
        case.id: (case.exit, kinds[case.code])
        for case in CASES.values()
        if case.code in kinds and case.exit not in OPEN and case.exit != kinds[case.code]
    }
    assert wrong == {}


def test_the_table_is_not_short() -> None:
    assert len(CASES) >= 60


def test_the_documentations_page_of_errors_is_written_from_the_table() -> None:
    assert PAGE.read_text("utf-8") == page()
