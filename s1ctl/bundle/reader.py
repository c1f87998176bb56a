"""Open a bundle: it exists only verified."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from s1ctl.bundle.archive import Member
from s1ctl.bundle.closure import check_closure, check_lists
from s1ctl.bundle.coherence import check_coherence
from s1ctl.bundle.container import BundleFile, check_members, open_file, read_slot
from s1ctl.errors import ContentsRefused
from s1ctl.oci.digest import Digest
from s1ctl.release.manifest import Blob, ReleaseManifest
from s1ctl.release.verified import (
    Header,
    VerifiedRelease,
    parse_header,
    parse_unverified,
    verify_header,
)
from s1ctl.trust.root import Trust


@dataclass(frozen=True, slots=True, kw_only=True)
class Blobs:
    """The blobs of an open file, each at its place."""

    file: BundleFile
    places: Mapping[Digest, tuple[Member, Blob]]

    def stream(self, digest: Digest) -> Iterator[bytes]:
        """Yield a blob by chunks of at most 1 MiB; see `Bundle.stream`."""
        if digest not in self.places:
            raise ContentsRefused(
                f"`{self.file.path}` has no blob `{digest}`",
                code="S1-C01",
                hint="run `s1ctl bundle ls FILE`",
            )
        return self.file.chunks(*self.places[digest])

    def read(self, digest: Digest) -> bytes:
        """Read a small blob."""
        return b"".join(self.stream(digest))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A bundle whose signatures, container and small blobs were checked; its layers not yet."""

    path: Path
    release: VerifiedRelease
    size: int
    blobs: Blobs = field(repr=False)

    def stream(self, digest: Digest) -> Iterator[bytes]:
        """Yield a blob by chunks of at most 1 MiB, hashed while it is read; threads may share.

        The last chunk comes only when all bytes matched: raises `ContentsRefused` S1-C10 instead,
        S1-C01 for a blob that is not there, `InputOutputFailed` S1-I03 when the medium fails.
        """
        return self.blobs.stream(digest)

    def close(self) -> None:
        """Close the file."""
        self.blobs.file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_bundle(path: Path, trust: Trust) -> Bundle:
    """Open the bundle at `path` and check all of it but the bytes of its layers.

    The file is opened once and read in place; nothing is written. Signatures come before anything
    that they cover. Raises `FormatRefused`, `NotVerified`, `Withdrawn`, `ContentsRefused`, and
    `InputOutputFailed` where the medium fails.
    """
    file = open_file(path)
    try:
        return _verify(file, trust)
    except BaseException:
        file.close()
        raise


def _verify(file: BundleFile, trust: Trust) -> Bundle:
    document, slot_size = read_slot(file)
    digest, manifest, signers, root = verify_header(document, trust)
    check_lists(manifest)
    members = check_members(file, slot_size, manifest)
    places = zip(members[3:], manifest.blobs, strict=True)
    blobs = Blobs(file=file, places={blob.digest: (member, blob) for member, blob in places})
    for blob in manifest.blobs:
        if blob.kind != "oci-layer":
            blobs.read(blob.digest)
    check_closure(manifest, blobs.read)
    check_coherence(manifest, blobs.read)
    release = VerifiedRelease(
        digest=digest,
        manifest=manifest,
        signers=signers,
        root=root,
        header=document,
        read_blob=blobs.read,
    )
    return Bundle(path=file.path, release=release, size=file.size, blobs=blobs)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnverifiedHeader:
    """What a file says of itself. Nobody vouches for it: only to be shown, marked as such."""

    document: bytes = field(repr=False)
    header: Header
    slot_size: int
    size: int

    @property
    def manifest(self) -> ReleaseManifest:
        """Parse what the payload says; where it can be, it is verified first."""
        return parse_unverified(self.header)


def read_header_unverified(path: Path) -> UnverifiedHeader:
    """Read the header of the bundle at `path` for `show`, `ls` and `sign`; verifies nothing."""
    file = open_file(path, os.O_RDONLY)
    try:
        document, slot_size = read_slot(file)
    finally:
        file.close()
    header = parse_header(document)
    return UnverifiedHeader(
        document=document,
        header=header,
        slot_size=slot_size,
        size=file.size,
    )
