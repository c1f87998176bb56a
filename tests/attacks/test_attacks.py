"""Every attack is refused by its class, code and words, and leaves nothing behind."""

import datetime as dt
import os
import time
import tracemalloc
from collections import Counter

import pytest
import yaml

from s1ctl.bundle.archive import BLOCK
from s1ctl.bundle.reader import open_bundle
from s1ctl.bundle.verify import verify_bundle
from s1ctl.cli.exit_codes import exit_code
from s1ctl.errors import S1Error
from s1ctl.trust.keys import PublicKey
from tests.support.attacks import ATTACKS, SECTIONS, VENDOR, find_attacks, good, told

CASES = find_attacks()
CLAIMS = ("first_member_claims_16_eib", "first_member_claims_17_mib", "file_is_a_device")
MEMORY_BYTES = 64 << 20
NO_LOOK, ONE_LOOK = 0, 3  # signatures looked at: none; those of the root and the release
MAX_LOOKS = 9  # of two keys, two roots
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
def test_it_is_refused_and_leaves_nothing(tmp_path, monkeypatch, case):
    suspect = case.make(tmp_path)
    size = suspect.path.stat().st_size if suspect.path.exists() else 0
    work = count_work(monkeypatch)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(S1Error) as caught:
        verify_bundle(suspect.path, suspect.trust)
    error, expected = caught.value, case.expected
    assert (type(error), error.code, exit_code(error)) == (case.error, expected.code, expected.exit)
    assert expected.says in told(error.message, suspect.path)
    assert error.hint
    assert error.message.isprintable()
    assert sorted(tmp_path.rglob("*")) == before
    assert work["bytes"] <= 2 * size  # once to read it, once to see whether it is what was signed
    assert work["signatures"] <= MAX_LOOKS


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


@pytest.mark.parametrize(
    ("name", "read_bytes", "looks"),
    [
        ("first_member_claims_16_eib", BLOCK, NO_LOOK),
        ("first_member_claims_17_mib", BLOCK, NO_LOOK),
        ("file_is_a_device", 0, NO_LOOK),
        ("file_is_a_pipe", 0, NO_LOOK),
        ("a_million_signatures", None, NO_LOOK),
        ("a_hundred_thousand_signatures", None, NO_LOOK),
        ("one_signature_more_than_are_allowed", None, NO_LOOK),
        ("too_many_roots", None, NO_LOOK),
        ("header_nested_without_end", None, NO_LOOK),
        ("header_with_a_number_of_a_thousand_digits", None, NO_LOOK),
        ("document_that_claims_to_be_huge", None, ONE_LOOK),
        ("compose_file_with_an_alias_bomb", None, ONE_LOOK),
        ("compose_file_nested_too_deep", None, ONE_LOOK),
    ],
)
def test_what_claims_much_makes_no_more_work_than_it_has_bytes(
    tmp_path, monkeypatch, name, read_bytes, looks
):
    """None: every byte of the file once at most. What it claims is not read, nor looked at."""
    suspect = BY_NAME[name].make(tmp_path)
    work = count_work(monkeypatch)
    with pytest.raises(S1Error):
        verify_bundle(suspect.path, suspect.trust)
    assert work["bytes"] <= (suspect.path.stat().st_size if read_bytes is None else read_bytes)
    assert work["signatures"] <= looks
    assert work["yaml trees"] == 0


def count_work(monkeypatch):
    """Count the bytes that are read, the signatures that are checked, the trees of YAML made."""
    work = Counter()
    pread, is_signed, compose = os.pread, PublicKey.is_signed, yaml.compose

    def counted_pread(*words):
        raw = pread(*words)
        work["bytes"] += len(raw)
        return raw

    def counted_is_signed(*words):
        work["signatures"] += 1
        return is_signed(*words)

    def counted_compose(*words, **options):
        work["yaml trees"] += 1
        return compose(*words, **options)

    monkeypatch.setattr(os, "pread", counted_pread)
    monkeypatch.setattr(PublicKey, "is_signed", counted_is_signed)
    monkeypatch.setattr(yaml, "compose", counted_compose)
    return work


def test_the_counts_of_work_count(tmp_path, monkeypatch):
    path = good(tmp_path)
    work = count_work(monkeypatch)
    verify_bundle(path, VENDOR.trust)
    assert work["bytes"] >= path.stat().st_size // 2
    assert (work["signatures"], work["yaml trees"]) == (3, 1)


@pytest.mark.parametrize("years", [-20, 20])
def test_a_clock_that_is_20_years_off_changes_nothing(tmp_path, monkeypatch, years):
    path = good(tmp_path)
    before = verify_bundle(path, VENDOR.trust, clock=lambda: 0)
    away = time.time() + years * dt.timedelta(days=365).total_seconds()
    for name, value in (("time", away), ("time_ns", int(away * 1e9))):
        monkeypatch.setattr(time, name, lambda value=value: value)
    assert verify_bundle(path, VENDOR.trust, clock=lambda: 0) == before
