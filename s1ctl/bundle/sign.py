"""Add a signature to a bundle in place: only the padded slot of its header changes."""

import fcntl
import os
from dataclasses import replace
from pathlib import Path

from s1ctl.bundle.archive import BLOCK, pad_header
from s1ctl.bundle.container import BundleFile, check_members, open_file, read_slot
from s1ctl.errors import FormatRefused, InputOutputFailed, NotVerified, UsageError
from s1ctl.files import sync_folder, write_file
from s1ctl.oci.digest import Digest
from s1ctl.release.verified import Header, header_json, parse_header, parse_unverified
from s1ctl.trust.envelope import MAX_SIGNATURES, add_signature, signers_of
from s1ctl.trust.keys import PrivateKey


def sign_bundle(path: Path, key: PrivateKey) -> Digest:
    """Add the signature of `key` to the bundle at `path`, and answer the release's identity.

    The old slot is saved beside the file as `FILE.slot` before the first byte changes, and removed
    when the new one is on disk. A run that was killed between leaves `FILE.slot`; the next one puts
    the old slot back if the new one is not whole, and goes on. Raises `UsageError`: S1-F30 no room,
    S1-S23 signed by that key already, S1-S24 64 signatures, S1-S25 being signed;
    `NotVerified` S1-S07 not a release; `FormatRefused`; `InputOutputFailed` S1-I01, S1-I02.
    """
    file = open_file(path, os.O_RDWR)
    try:
        _lock(file)
        _recover(file)
        header = _read_sound(file)
        _check_signable(path, header, key)
        signed = replace(header, release=add_signature(header.release, key))
        _exchange(file, header_json(signed))
        return header.identity
    except OSError as error:
        raise InputOutputFailed(
            f"`{path}` cannot be written: {error.strerror}",
            code="S1-I02",
            hint="check free space and mode, then run `s1ctl bundle sign` again",
        ) from None
    finally:
        file.close()


def _lock(file: BundleFile) -> None:
    try:
        fcntl.flock(file.raw.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UsageError(
            f"`{file.path}` is being signed by another process",
            code="S1-S25",
            hint="wait for it, then run `s1ctl bundle sign` again",
        ) from None


def saved_slot(path: Path) -> Path:
    """Name the file in which the old slot is kept while a new one is written."""
    return path.with_name(path.name + ".slot")


def _recover(file: BundleFile) -> None:
    """Finish or undo what a killed run began."""
    saved = saved_slot(file.path)
    if not saved.exists():
        return
    try:
        _read_sound(file)
    except (FormatRefused, NotVerified):
        _write_slot(file, _check_saved(file, saved))
    _remove(saved)


def _check_saved(file: BundleFile, saved: Path) -> bytes:
    """Answer the saved slot, if the rest of the file follows from it."""
    slot = saved.read_bytes()
    try:
        check_members(file, len(slot), parse_unverified(parse_header(slot.rstrip(b" "))))
    except (FormatRefused, NotVerified):
        raise FormatRefused(
            f"`{file.path}` is damaged, and `{saved.name}` is not of it",
            code="S1-F31",
            hint="build the bundle again",
        ) from None
    return slot


def _read_sound(file: BundleFile) -> Header:
    """Read the header; the whole container must agree with it."""
    document, slot_size = read_slot(file)
    header = parse_header(document)
    check_members(file, slot_size, parse_unverified(header))
    return header


def _check_signable(path: Path, header: Header, key: PrivateKey) -> None:
    if signers_of(header.release, [key.public]):
        raise _refused(f"`{path}` is signed by `{key.public.fingerprint}` already", "S1-S23")
    if len(header.release.signatures) >= MAX_SIGNATURES:
        raise _refused(f"`{path}` has {MAX_SIGNATURES} signatures, the most there can be", "S1-S24")


def _refused(message: str, code: str) -> UsageError:
    return UsageError(message, code=code, hint="run `s1ctl bundle show FILE`")


def _exchange(file: BundleFile, document: bytes) -> None:
    _, slot_size = read_slot(file)
    slot = pad_header(document, slot_size)
    saved = saved_slot(file.path)
    write_file(saved, file.read(BLOCK, slot_size))
    _write_slot(file, slot)
    _remove(saved)


def _write_slot(file: BundleFile, slot: bytes) -> None:
    done = 0
    while done < len(slot):
        done += os.pwrite(file.raw.fileno(), slot[done:], BLOCK + done)
    os.fsync(file.raw.fileno())


def _remove(saved: Path) -> None:
    saved.unlink()
    sync_folder(saved.parent)
