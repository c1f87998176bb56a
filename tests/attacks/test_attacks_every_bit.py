"""A small bundle, changed in every small way: each bit, each length, each two members."""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from s1ctl.bundle.archive import SLOT_STEP
from s1ctl.bundle.verify import verify_bundle
from tests.support.bundles import Parts, Vendor, make_vendor, write_bundle
from tests.support.flips import Changed, flip_all, small_parts, swapped

PROCESSES = 2


@pytest.fixture(scope="module")
def vendor() -> Vendor:
    return make_vendor()


@pytest.fixture(scope="module")
def parts() -> Parts:
    return small_parts()


@pytest.fixture
def changed(tmp_path: Path, vendor: Vendor, parts: Parts) -> Iterator[Changed]:
    changed = Changed(write_bundle(tmp_path / "small.bundle", parts, vendor), vendor.trust)
    yield changed
    changed.close()


def test_the_small_bundle_is_good_and_a_good_one_is_told(changed: Changed, vendor: Vendor) -> None:
    assert verify_bundle(changed.path, vendor.trust).version == "1.0.0"
    assert changed.fault("nothing") == "nothing: called good"


def test_every_bit_that_is_flipped_is_refused(changed: Changed, vendor: Vendor) -> None:
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as pool:
        sweeps = [
            pool.submit(flip_all, changed.raw, vendor.root_json, first, PROCESSES)
            for first in range(PROCESSES)
        ]
        assert [fault for sweep in sweeps for fault in sweep.result()] == []


def test_every_truncation_is_refused(changed: Changed) -> None:
    assert [fault for fault in changed.truncations() if fault] == []


def test_every_exchange_of_two_members_is_refused(changed: Changed, parts: Parts) -> None:
    exchanges = list(swapped(changed.raw, parts, SLOT_STEP))
    assert len(exchanges) == len({raw for _, raw in exchanges}) > 20
    faults = []
    for what, raw in exchanges:
        changed.path.write_bytes(raw)
        faults.append(changed.fault(what))
    assert [fault for fault in faults if fault] == []
