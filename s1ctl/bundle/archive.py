"""The container: a canonical ustar file, of which every byte follows from header and blobs."""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import BinaryIO

from s1ctl.canonical import canonical_json
from s1ctl.errors import ContentsRefused, InputOutputFailed, UsageError
from s1ctl.files import sync_folder
from s1ctl.oci.digest import Digest
from s1ctl.progress import Notify, Progress, silent
from s1ctl.release.manifest import Blob, ReleaseManifest

BLOCK = 512
SLOT_STEP = 64 << 10
MAX_SLOT = 16 << 20
HEADER_NAME = "s1-bundle.json"
LAYOUT_NAME = "oci-layout"
INDEX_NAME = "index.json"
LAYOUT_JSON = b'{"imageLayoutVersion":"1.0.0"}'
END = bytes(2 * BLOCK)
_OCTAL_LIMIT = 8**11
OpenBlob = Callable[[Digest], Iterable[bytes]]


def write_archive(
    out: Path,
    *,
    header: bytes,
    manifest: ReleaseManifest,
    open_blob: OpenBlob,
    notify: Notify = silent,
) -> int:
    """Write the bundle `out` and answer its size in bytes.

    `header` is the header document, `manifest` that of its release; `open_blob` yields the bytes
    of each blob, asked for in the manifest's order, once each. Streams into a temporary neighbour,
    which takes the place of `out` at the end. Raises `ContentsRefused` S1-C04 when a blob's bytes
    are not those that the manifest names, `UsageError` S1-F30 when the header is over 16 MiB,
    `InputOutputFailed` S1-I02.
    """
    slot = pad_header(header)
    beside = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    try:
        beside.unlink(missing_ok=True)  # of a former run that was killed
        with beside.open("xb") as file:
            for member in _front(slot, manifest):
                file.write(member)
            _write_blobs(file, manifest, open_blob, notify)
            file.write(END)
            file.flush()
            os.fsync(file.fileno())
            size = file.tell()
        beside.replace(out)
        sync_folder(out.parent)
    except OSError as error:
        raise InputOutputFailed(
            f"`{out}` cannot be written: {error.strerror}",
            code="S1-I02",
            hint="check the folder's owner, mode and free space",
        ) from None
    finally:
        beside.unlink(missing_ok=True)
    return size


def _front(slot: bytes, manifest: ReleaseManifest) -> Iterator[bytes]:
    named = ((HEADER_NAME, slot), (LAYOUT_NAME, LAYOUT_JSON), (INDEX_NAME, index_json(manifest)))
    for name, raw in named:
        yield member_header(name, len(raw)) + raw + padding(len(raw))


def _write_blobs(
    file: BinaryIO, manifest: ReleaseManifest, open_blob: OpenBlob, notify: Notify
) -> None:
    total, done = sum(blob.size for blob in manifest.blobs), 0
    for blob in manifest.blobs:
        file.write(member_header(blob_name(blob.digest), blob.size))
        for chunk in _checked(blob, open_blob(blob.digest)):
            file.write(chunk)
            done += len(chunk)
            notify(Progress(label=manifest.title, done=done, total=total))
        file.write(padding(blob.size))


def _checked(blob: Blob, chunks: Iterable[bytes]) -> Iterator[bytes]:
    found, hasher = 0, hashlib.sha256()
    for chunk in chunks:
        found += len(chunk)
        if found > blob.size:
            break
        hasher.update(chunk)
        yield chunk
    if found != blob.size or hasher.hexdigest() != blob.digest.hex:
        raise ContentsRefused(
            f"the source of `{blob.digest}` gave other bytes",
            code="S1-C04",
            hint="check the source of that image or file, then build again",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A member of the archive: its name, and where its bytes begin."""

    name: str
    offset: int
    size: int

    @property
    def end(self) -> int:
        """Where the header of the next member begins."""
        return self.offset + self.size + len(padding(self.size))


def make_members(slot_size: int, manifest: ReleaseManifest) -> tuple[Member, ...]:
    """Compute where every member lies, in order; blobs come in the manifest's order from [3] on."""
    sizes = [
        (HEADER_NAME, slot_size),
        (LAYOUT_NAME, len(LAYOUT_JSON)),
        (INDEX_NAME, len(index_json(manifest))),
        *((blob_name(blob.digest), blob.size) for blob in manifest.blobs),
    ]
    ends = accumulate((BLOCK + size + len(padding(size)) for _, size in sizes), initial=0)
    return tuple(
        Member(name=name, offset=start + BLOCK, size=size)
        for (name, size), start in zip(sizes, ends, strict=False)
    )


def file_size(members: tuple[Member, ...]) -> int:
    """Compute the size of the file with these members."""
    return members[-1].end + len(END)


def blob_name(digest: Digest) -> str:
    """Name the member of a blob."""
    return f"blobs/sha256/{digest.hex}"


def member_header(name: str, size: int) -> bytes:
    """Make the 512 bytes before a member (POSIX.1-1988 ustar; sizes from 8 GiB on in base 256)."""
    octal = b"%011o\0" % size if size < _OCTAL_LIMIT else b"\x80" + size.to_bytes(11, "big")
    fields = (
        name.encode("ascii").ljust(100, b"\0"),
        b"0000644\0" + b"0000000\0" * 2,  # mode, owner, group
        octal,
        b"00000000000\0",  # mtime
        b" " * 8,  # the checksum counts itself as spaces
        b"0".ljust(101, b"\0"),  # a regular file, no link
        b"ustar\x0000",
    )
    block = b"".join(fields).ljust(BLOCK, b"\0")
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def padding(size: int) -> bytes:
    """Make the zeros that fill the last block of a member of `size` bytes."""
    return bytes(-size % BLOCK)


def pad_header(document: bytes, slot_size: int | None = None) -> bytes:
    """Pad a header document with spaces to `slot_size`, or to the next 64 KiB.

    Raises `UsageError` S1-F30: it is over 16 MiB or does not fit.
    """
    limit = MAX_SLOT if slot_size is None else slot_size
    if len(document) > limit:
        raise UsageError(
            f"the header has {len(document)} bytes; there is room for {limit}",
            code="S1-F30",
            hint="build the bundle again with all its keys, or with fewer blobs",
        )
    return document.ljust(slot_size or -(-len(document) // SLOT_STEP) * SLOT_STEP, b" ")


def index_json(manifest: ReleaseManifest) -> bytes:
    """Make the OCI index by which other tools find the images, as `NAME:VERSION`."""
    sizes = {blob.digest: blob.size for blob in manifest.blobs}
    missing = [image.name for image in manifest.images if image.digest not in sizes]
    if missing:
        raise ContentsRefused(
            f"the release has no manifest for its images {', '.join(missing[:5])}",
            code="S1-C05",
            hint="build the bundle again; in a bundle of others, tell the vendor this code",
        )
    return canonical_json(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [
                {
                    "mediaType": image.media_type,
                    "digest": image.digest,
                    "size": sizes[image.digest],
                    "annotations": {
                        "org.opencontainers.image.ref.name": f"{image.name}:{manifest.version}"
                    },
                }
                for image in manifest.images
            ],
        }
    )
