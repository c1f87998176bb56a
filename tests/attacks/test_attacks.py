"""Every attack is refused by its class, code and words, and leaves nothing behind."""

import datetime as dt
import time
import tracemalloc

import pytest

from s1ctl.bundle.reader import open_bundle
from s1ctl.bundle.verify import verify_bundle
from s1ctl.cli.exit_codes import exit_code
from s1ctl.errors import S1Error
from tests.support.attacks import ATTACKS, SECTIONS, VENDOR, find_attacks, good, told

CASES = find_attacks()
CLAIMS = ("first_member_claims_16_eib", "first_member_claims_17_mib", "file_is_a_device")
MEMORY_BYTES = 64 << 20
BY_NAME = {case.name: case for case in CASES}


def test_the_bundle_that_the_attacks_spoil_is_good(tmp_path):
    report = verify_bundle(good(tmp_path), VENDOR.trust)
    assert report.version == "1.0.0"


def test_each_attack_has_a_name_of_its_own_in_a_section():
    assert len(BY_NAME) == len(CASES) > 80
    folders = [path for path in ATTACKS.glob("*/*") if path.is_dir() and path.name[0] not in "._"]
    assert {path.name for path in folders} == BY_NAME.keys()
    assert {path.parent.name for path in folders} == set(SECTIONS)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.section}-{case.name}")
def test_it_is_refused_and_leaves_nothing(tmp_path, case):
    suspect = case.make(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(S1Error) as caught:
        verify_bundle(suspect.path, suspect.trust)
    error, expected = caught.value, case.expected
    assert (type(error), error.code, exit_code(error)) == (case.error, expected.code, expected.exit)
    assert expected.says in told(error.message, suspect.path)
    assert error.hint
    assert error.message.isprintable()
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", CLAIMS)
def test_a_claim_takes_no_memory(tmp_path, name):
    assert peak_of(BY_NAME[name], tmp_path) < 1 << 20


@pytest.mark.parametrize(
    "name",
    [
        "a_hundred_thousand_signatures",
        "header_nested_without_end",
        "image_nested_without_end",
        "image_of_ten_thousand_layers",
        "compose_file_with_an_alias_bomb",
        "document_that_claims_to_be_huge",
        "too_many_roots",
    ],
)
def test_what_is_made_to_exhaust_its_reader_does_not(tmp_path, name):
    assert peak_of(BY_NAME[name], tmp_path) < MEMORY_BYTES


def peak_of(case, folder):
    suspect = case.make(folder)
    tracemalloc.start()
    try:
        with pytest.raises(S1Error):
            open_bundle(suspect.path, suspect.trust)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("years", [-20, 20])
def test_a_clock_that_is_20_years_off_changes_nothing(tmp_path, monkeypatch, years):
    path = good(tmp_path)
    before = verify_bundle(path, VENDOR.trust, clock=lambda: 0)
    away = time.time() + years * dt.timedelta(days=365).total_seconds()
    for name, value in (("time", away), ("time_ns", int(away * 1e9))):
        monkeypatch.setattr(time, name, lambda value=value: value)
    assert verify_bundle(path, VENDOR.trust, clock=lambda: 0) == before
