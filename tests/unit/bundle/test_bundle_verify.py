"""The full pass: no bit of the file is without consequence."""

import random
import threading

import pytest

from s1ctl.bundle.archive import BLOCK, make_members
from s1ctl.bundle.verify import verify_bundle
from s1ctl.errors import ContentsRefused, FormatRefused, NotVerified, S1Error
from tests.support.bundles import make_parts, make_vendor, write_bundle

VENDOR = make_vendor()
PARTS = make_parts(layer_bytes=3000)


@pytest.fixture
def path(tmp_path):
    return write_bundle(tmp_path / "a.bundle", PARTS, VENDOR)


def test_a_good_bundle_is_reported(path):
    clock = iter([10.0, 12.5])
    report = verify_bundle(path, VENDOR.trust, clock=lambda: next(clock))
    assert (report.product, report.version, report.sequence) == ("acme", "1.0.0", 100)
    assert report.signers == (VENDOR.release_keys[0].public.fingerprint,)
    assert report.blobs == len(PARTS.manifest.blobs)
    assert report.bytes == path.stat().st_size
    assert report.seconds == 2.5


def test_progress_ends_at_the_total(path):
    told = []
    verify_bundle(path, VENDOR.trust, told.append)
    done = [progress.done for progress in told]
    assert done == sorted(done)
    assert done[-1] == told[-1].total == 9000


def spots(path):
    """Spread 200 places over every part: headers, header document, padding, blobs, end."""
    chance = random.Random(1)
    members = make_members(64 << 10, PARTS.manifest)
    edges = [spot for m in members for spot in (m.offset - BLOCK + 3, m.offset, m.end - 1)]
    document = [chance.randrange(BLOCK, BLOCK + 7000) for _ in range(60)]
    everywhere = [chance.randrange(path.stat().st_size) for _ in range(200)]
    return [*edges, *document, *everywhere][: 200 + len(edges)]


def test_any_bit_flipped_is_refused(path):
    raw = path.read_bytes()
    chance = random.Random(2)
    found = set()
    for spot in spots(path):
        spoiled = bytearray(raw)
        spoiled[spot] ^= 1 << chance.randrange(8)
        path.write_bytes(spoiled)
        with pytest.raises(S1Error) as caught:
            verify_bundle(path, VENDOR.trust)
        assert isinstance(caught.value, FormatRefused | NotVerified | ContentsRefused), spot
        found.add(type(caught.value))
    assert found == {FormatRefused, NotVerified, ContentsRefused}


def test_a_refusal_leaves_no_thread(path):
    raw = bytearray(path.read_bytes())
    raw[-2000] ^= 1
    path.write_bytes(raw)
    before = threading.active_count()
    with pytest.raises(ContentsRefused) as caught:
        verify_bundle(path, VENDOR.trust)
    assert caught.value.code == "S1-C10"
    assert threading.active_count() == before


def test_what_the_caller_raises_ends_the_pass(path):
    def interrupt(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        verify_bundle(path, VENDOR.trust, interrupt)


def test_no_date_is_part_of_the_decision(tmp_path):
    """Only sequences decide: a release of another century is as good."""
    for issued in ("1999-01-01T00:00:00Z", "2099-01-01T00:00:00Z", "never"):
        path = write_bundle(tmp_path / "a.bundle", PARTS.change(issued=issued), VENDOR)
        assert verify_bundle(path, VENDOR.trust).version == "1.0.0"
