"""The file of a bundle, opened once and compared with the container that it must be."""

import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from io import FileIO
from itertools import pairwise
from pathlib import Path

from s1ctl.bundle.archive import (
    BLOCK,
    END,
    HEADER_NAME,
    LAYOUT_JSON,
    MAX_SLOT,
    SLOT_STEP,
    Member,
    file_size,
    index_json,
    make_members,
    member_header,
    padding,
)
from s1ctl.errors import ContentsRefused, FormatRefused, InputOutputFailed
from s1ctl.release.manifest import Blob, ReleaseManifest

CHUNK = 1 << 20
AGAIN = "get the file again, and compare its sha256 with the vendor's"
COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd", b"PK\x03\x04")
SLOT_HEADERS = {
    member_header(HEADER_NAME, size): size
    for size in range(SLOT_STEP, MAX_SLOT + SLOT_STEP, SLOT_STEP)
}


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleFile:
    """A regular file, open; `pread` only, so that threads can share it."""

    path: Path
    raw: FileIO
    size: int

    def read(self, offset: int, size: int) -> bytes:
        """Read exactly `size` bytes at `offset`.

        Raises `FormatRefused` S1-F10 where the file ends before, `InputOutputFailed` S1-I03 where
        the medium does not give them.
        """
        chunks, found = [], 0
        while found < size:
            chunk = self._read_once(offset + found, size - found)
            if not chunk:
                raise _refused(f"`{self.path}` ends at byte {offset + found}", "S1-F10")
            chunks.append(chunk)
            found += len(chunk)
        return b"".join(chunks)

    def _read_once(self, offset: int, size: int) -> bytes:
        try:
            return os.pread(self.raw.fileno(), size, offset)
        except OSError as error:
            raise InputOutputFailed(
                f"`{self.path}` cannot be read at byte {offset}: {error.strerror}",
                code="S1-I03",
                hint="clean or replace the medium, or copy the file anew, then repeat",
            ) from None

    def chunks(self, member: Member, blob: Blob) -> Iterator[bytes]:
        """Yield the bytes of a blob, hashed while they are read; the last chunk only if all match.

        Raises `ContentsRefused` S1-C10, and like `read`.
        """
        hasher, done = hashlib.sha256(), 0
        while done < blob.size:
            chunk = self.read(member.offset + done, min(CHUNK, blob.size - done))
            hasher.update(chunk)
            done += len(chunk)
            if done < blob.size:
                yield chunk
        if hasher.hexdigest() != blob.digest.hex:
            raise ContentsRefused(
                f"`{self.path}` holds other bytes than were signed as `{blob.digest}` "
                f"({blob.kind}, from byte {member.offset})",
                code="S1-C10",
                hint=AGAIN,
            )
        if blob.size:
            yield chunk

    def close(self) -> None:
        """Close the file."""
        self.raw.close()


def open_file(path: Path, flags: int = os.O_RDONLY) -> BundleFile:
    """Open a regular file, once.

    Raises `FormatRefused` S1-F01 a link, S1-F02 no regular file; `InputOutputFailed` S1-I01.
    """
    try:
        # not blocking: to a pipe nobody may ever write
        descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise _unopened(path, error) from None
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise _not_regular(path)
    raw = FileIO(descriptor, "r+" if flags & os.O_RDWR else "r")
    return BundleFile(path=path, raw=raw, size=status.st_size)


def _unopened(path: Path, error: OSError) -> FormatRefused | InputOutputFailed:
    if error.errno == errno.ELOOP:
        return _refused(f"`{path}` is a link", "S1-F01", "name the file that the link points to")
    if error.errno in (errno.EISDIR, errno.ENXIO):
        return _not_regular(path)
    return InputOutputFailed(
        f"`{path}` cannot be opened: {error.strerror}",
        code="S1-I01",
        hint="check the path, its owner and mode, and that the medium is mounted",
    )


def _not_regular(path: Path) -> FormatRefused:
    return _refused(f"`{path}` is not a regular file", "S1-F02", "name the bundle's file itself")


def read_slot(file: BundleFile) -> tuple[bytes, int]:
    """Read the header document, without its padding, and the size of its slot.

    At most 16 MiB is read. Raises `FormatRefused`: S1-F03 compressed, S1-F04 no bundle, S1-F05
    another first member, S1-F06 padding, S1-F10 truncated.
    """
    first = file.read(0, min(BLOCK, file.size))
    if first.startswith(COMPRESSED):
        raise _refused(
            f"`{file.path}` is compressed; a bundle is not", "S1-F03", "unpack it, then repeat"
        )
    if not first.startswith(HEADER_NAME.encode()[: len(first)]):
        raise _refused(f"`{file.path}` is not a bundle", "S1-F04")
    if len(first) < BLOCK:
        raise _refused(f"`{file.path}` has only {file.size} bytes", "S1-F10")
    size = SLOT_HEADERS.get(first)
    if size is None:
        raise _refused(f"`{file.path}` begins with another header than a bundle's", "S1-F05")
    raw = file.read(BLOCK, size)
    document = raw[: raw.rfind(b"}") + 1]
    spaces = raw[len(document) :]
    if spaces != b" " * len(spaces) or len(spaces) >= SLOT_STEP:
        raise _refused(f"the header of `{file.path}` is not padded as it must be", "S1-F06")
    return document, size


def check_members(
    file: BundleFile, slot_size: int, manifest: ReleaseManifest
) -> tuple[Member, ...]:
    """Compare everything but the bytes of the blobs with what it must be; answer the members.

    Raises `FormatRefused`: S1-F10 truncated, S1-F11 bytes appended, S1-F12 a member's header or
    padding, S1-F13 oci-layout or index.json, S1-F14 the end.
    """
    members = make_members(slot_size, manifest)
    expected = file_size(members)
    if file.size < expected:
        raise _refused(f"`{file.path}` ends at byte {file.size} of {expected}", "S1-F10")
    if file.size > expected:
        raise _refused(f"`{file.path}` has {file.size - expected} bytes appended", "S1-F11")
    for former, member in pairwise(members):
        between = padding(former.size) + member_header(member.name, member.size)
        if file.read(former.offset + former.size, len(between)) != between:
            raise _refused(f"`{file.path}` has other bytes before `{member.name}`", "S1-F12")
    _check_generated(file, members, manifest)
    last = padding(members[-1].size) + END
    if file.read(file.size - len(last), len(last)) != last:
        raise _refused(f"`{file.path}` does not end as a bundle must", "S1-F14")
    return members


def _check_generated(
    file: BundleFile, members: tuple[Member, ...], manifest: ReleaseManifest
) -> None:
    for member, raw in zip(members[1:3], (LAYOUT_JSON, index_json(manifest)), strict=True):
        if file.read(member.offset, member.size) != raw:
            raise _refused(f"`{member.name}` in `{file.path}` is not what it must be", "S1-F13")


def _refused(message: str, code: str, hint: str = AGAIN) -> FormatRefused:
    return FormatRefused(message, code=code, hint=hint)
