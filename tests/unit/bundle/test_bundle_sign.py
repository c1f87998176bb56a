"""Signing in place: one slot changes, and a kill in between can be undone."""

import fcntl
import os

import pytest

from s1ctl.bundle import sign as sign_module
from s1ctl.bundle.archive import BLOCK
from s1ctl.bundle.reader import open_bundle, read_header_unverified
from s1ctl.bundle.sign import saved_slot, sign_bundle
from s1ctl.errors import FormatRefused, InputOutputFailed, NotVerified, UsageError
from s1ctl.release.verified import Header, statement_json
from s1ctl.trust.envelope import sign
from s1ctl.trust.keys import PrivateKey
from tests.support.bundles import make_parts, make_vendor, write_bundle

PAIR = make_vendor(releases=2, thresholds=(1, 2))
ONE, TWO = PAIR.release_keys
PARTS = make_parts(layer_bytes=3000)
END_OF_SLOT = BLOCK + (64 << 10)


@pytest.fixture
def path(tmp_path):
    return write_bundle(tmp_path / "a.bundle", PARTS, PAIR, keys=[ONE])


def refusal(path, key, kind=UsageError):
    before = path.read_bytes()
    with pytest.raises(kind) as caught:
        sign_bundle(path, key)
    assert path.read_bytes() == before
    return caught.value.code


def test_a_second_signature_meets_the_threshold_and_moves_no_blob(path):
    before = path.read_bytes()
    with pytest.raises(NotVerified):
        open_bundle(path, PAIR.trust)
    identity = sign_bundle(path, TWO)
    after = path.read_bytes()
    assert after[:BLOCK] == before[:BLOCK]
    assert after[END_OF_SLOT:] == before[END_OF_SLOT:]
    with open_bundle(path, PAIR.trust) as bundle:
        assert bundle.release.digest == identity
        assert len(bundle.release.signers) == 2
    assert list(path.parent.iterdir()) == [path]


def test_an_unsigned_bundle_is_signed(tmp_path):
    path = write_bundle(tmp_path / "a.bundle", PARTS, PAIR, keys=[])
    sign_bundle(path, ONE)
    sign_bundle(path, TWO)
    open_bundle(path, PAIR.trust).close()


def test_a_key_does_not_sign_twice(path):
    assert refusal(path, ONE) == "S1-S23"


def test_a_full_envelope_is_refused(tmp_path):
    path = write_bundle(tmp_path / "a.bundle", PARTS, PAIR, keys=[ONE] * 64)
    assert refusal(path, TWO) == "S1-S24"


def test_a_slot_without_room_is_refused(tmp_path):
    """Pad the release itself until its header all but fills the slot."""
    empty = write_bundle(tmp_path / "a.bundle", PARTS.change(issued=""), PAIR, keys=[ONE])
    room = (64 << 10) - len(read_header_unverified(empty).document)
    parts = PARTS.change(issued="x" * (room * 3 // 4 - 10))
    path = write_bundle(tmp_path / "b.bundle", parts, PAIR, keys=[ONE])
    assert read_header_unverified(path).slot_size == 64 << 10
    assert refusal(path, TWO) == "S1-F30"
    assert not saved_slot(path).exists()


def test_another_kind_of_document_is_refused(tmp_path):
    release = sign("text/plain", statement_json(PARTS.manifest), [ONE])
    header = Header(roots=(PAIR.root,), release=release)
    path = write_bundle(tmp_path / "a.bundle", PARTS, PAIR, header=header)
    assert refusal(path, TWO, NotVerified) == "S1-S07"


def test_a_damaged_container_is_not_signed(path):
    raw = bytearray(path.read_bytes())
    raw[-1] = 1
    path.write_bytes(raw)
    assert refusal(path, TWO, FormatRefused) == "S1-F14"


def test_two_do_not_sign_at_once(path):
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert refusal(path, TWO) == "S1-S25"


def killed_while_writing(file, slot):
    """Write what comes before the roots, which the new signature has moved."""
    os.pwrite(file.raw.fileno(), slot[: slot.index(b'"roots"')], BLOCK)
    raise KeyboardInterrupt


def killed(_):
    raise KeyboardInterrupt


def test_a_run_killed_while_writing_is_undone_by_the_next(path, monkeypatch):
    before = path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(sign_module, "_write_slot", killed_while_writing)
        with pytest.raises(KeyboardInterrupt):
            sign_bundle(path, TWO)
    assert saved_slot(path).read_bytes() == before[BLOCK:END_OF_SLOT]
    assert path.read_bytes() != before
    with pytest.raises((FormatRefused, NotVerified)):
        open_bundle(path, PAIR.trust)
    sign_bundle(path, TWO)
    open_bundle(path, PAIR.trust).close()
    assert path.read_bytes()[END_OF_SLOT:] == before[END_OF_SLOT:]
    assert not saved_slot(path).exists()


def test_a_run_killed_after_writing_is_finished_by_the_next(path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(sign_module, "_remove", killed)
        with pytest.raises(KeyboardInterrupt):
            sign_bundle(path, TWO)
    assert saved_slot(path).exists()
    assert refusal(path, TWO) == "S1-S23"
    assert not saved_slot(path).exists()
    open_bundle(path, PAIR.trust).close()


def test_a_saved_slot_of_another_bundle_is_never_put_in(path):
    other = write_bundle(path.with_name("b"), make_parts(version="2.0.0"), PAIR, keys=[ONE])
    saved_slot(path).write_bytes(other.read_bytes()[BLOCK:END_OF_SLOT])
    raw = bytearray(path.read_bytes())
    raw[BLOCK] = 0
    path.write_bytes(raw)
    assert refusal(path, TWO, FormatRefused) == "S1-F31"
    assert saved_slot(path).exists()


def test_a_saved_slot_beside_a_sound_bundle_is_removed(path):
    saved_slot(path).write_bytes(b"of a former bundle of that name")
    sign_bundle(path, TWO)
    assert not saved_slot(path).exists()


def test_a_full_disk_is_input_output_that_failed(path, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sign_module, "write_file", fail)
    assert refusal(path, TWO, InputOutputFailed) == "S1-I02"


def test_a_link_is_not_signed(path):
    link = path.with_name("link")
    link.symlink_to(path)
    assert refusal(link, PrivateKey.new(), FormatRefused) == "S1-F01"
