"""Every attack is refused by its class and code, and leaves nothing behind."""

import tracemalloc

import pytest

from s1ctl.bundle.reader import open_bundle
from s1ctl.bundle.verify import verify_bundle
from s1ctl.errors import S1Error
from tests.attacks import container, contents, envelope, trust
from tests.support.attacks import ATTACKS, VENDOR, good

CASES = (container, contents, envelope, trust)


def test_the_bundle_that_the_attacks_spoil_is_good(tmp_path):
    report = verify_bundle(good(tmp_path), VENDOR.trust)
    assert report.version == "1.0.0"


@pytest.mark.parametrize("case", ATTACKS, ids=lambda case: case.name)
def test_it_is_refused(tmp_path, case):
    suspect = case.make(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(S1Error) as caught:
        verify_bundle(suspect.path, suspect.trust)
    assert (type(caught.value), caught.value.code) == (case.error, case.code)
    assert caught.value.hint
    assert caught.value.message.isprintable()
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", ["first_member_claims_16_eib", "first_member_claims_17_mib"])
def test_a_claim_of_the_first_member_takes_no_memory(tmp_path, name):
    case = next(case for case in ATTACKS if case.name == name)
    suspect = case.make(tmp_path)
    tracemalloc.start()
    try:
        with pytest.raises(S1Error):
            open_bundle(suspect.path, suspect.trust)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
