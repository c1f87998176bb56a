"""An OCI image layout: a directory of blobs with an index (image-spec, image-layout.md)."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, NoReturn, TypeVar

from s1ctl.errors import ContentsRefused, InputOutputFailed
from s1ctl.oci.digest import Digest
from s1ctl.oci.manifest import MAX_BYTES, Descriptor, Index, parse_manifest

REF_NAME = "org.opencontainers.image.ref.name"
_VERSION = re.compile(rb'"imageLayoutVersion"\s*:\s*"1\.0\.0"')
T = TypeVar("T")


class Layout:
    """A layout directory, read in place. Nothing is trusted: what `open` yields is not hashed."""

    def __init__(self, path: Path) -> None:
        """Read the index at `path`.

        Raises `InputOutputFailed` S1-I01 when it cannot be read, `ContentsRefused` S1-C48 when it
        is not a layout.
        """
        self._path = path
        if not _VERSION.search(self._bytes(path / "oci-layout")):
            self._refuse(f"`{path}` is not an OCI layout of version 1.0.0", "S1-C48")
        index = parse_manifest(self._bytes(path / "index.json"), None)
        if not isinstance(index, Index):
            self._refuse(f"`{path / 'index.json'}` is not an index", "S1-C48")
        self._index = index

    @property
    def names(self) -> tuple[str, ...]:
        """The reference names that the index gives, in its order."""
        return tuple(
            descriptor.annotations[REF_NAME]
            for descriptor in self._index.manifests
            if REF_NAME in descriptor.annotations
        )

    def resolve(self, name: str) -> Descriptor:
        """Find the manifest or index of reference name `name`, or of that digest.

        Raises `ContentsRefused` S1-C49: nothing, or more than one thing, has that name.
        """
        found = {
            descriptor.digest: descriptor
            for descriptor in self._index.manifests
            if name in (descriptor.digest, descriptor.annotations.get(REF_NAME))
        }
        if len(found) != 1:
            there = ", ".join(f"`{known}`" for known in self.names) or "no names"
            self._refuse(
                f"`{self._path}` holds {len(found)} images named `{name}`; it has {there}", "S1-C49"
            )
        return next(iter(found.values()))

    def read(self, digest: Digest) -> bytes:
        """Read a small blob (a manifest or config of at most 4 MiB), checked against its digest.

        Raises `ContentsRefused` S1-C51 when other bytes lie there.
        """
        raw = self._bytes(self._blob(digest))
        if Digest.of(raw) != digest:
            self._refuse(f"`{self._path}` holds other bytes under `{digest}`", "S1-C51")
        return raw

    def open(self, digest: Digest) -> BinaryIO:
        """Open a blob of any size; the caller hashes what it reads. Raises like `size`."""
        return self._attempt(self._blob(digest), lambda path: path.open("rb"))

    def size(self, digest: Digest) -> int:
        """Say how many bytes the blob has. Raises `ContentsRefused` S1-C50 where it is missing."""
        return self._attempt(self._blob(digest), lambda path: path.stat().st_size)

    def _blob(self, digest: Digest) -> Path:
        return self._path / "blobs" / "sha256" / digest.hex

    def _bytes(self, path: Path) -> bytes:
        with self._attempt(path, lambda path: path.open("rb")) as file:
            size = os.fstat(file.fileno()).st_size
            if size > MAX_BYTES:
                self._refuse(f"`{path}` has {size} bytes; {MAX_BYTES} are allowed", "S1-C42")
            return self._attempt(path, lambda _: file.read(MAX_BYTES))

    def _attempt(self, path: Path, act: Callable[[Path], T]) -> T:
        try:
            return act(path)
        except FileNotFoundError:
            self._refuse(f"`{path}` is missing", "S1-C50")
        except OSError as error:
            raise InputOutputFailed(
                f"`{path}` cannot be read: {error.strerror}",
                code="S1-I01",
                hint="check its owner and mode, and the medium it lies on",
            ) from None

    def _refuse(self, message: str, code: str) -> NoReturn:
        raise ContentsRefused(
            message,
            code=code,
            hint=f"write the layout again: `skopeo copy … oci:{self._path}:NAME`",
        )
