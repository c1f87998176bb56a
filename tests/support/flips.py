"""Every small change of a small bundle: each bit flipped, each truncation, members exchanged."""

import functools
import os
import tempfile
from collections.abc import Iterable, Iterator
from itertools import combinations
from pathlib import Path

from s1ctl.bundle import reader
from s1ctl.bundle.archive import BLOCK, make_members
from s1ctl.bundle.verify import verify_bundle
from s1ctl.cli.exit_codes import exit_code
from s1ctl.errors import S1Error
from s1ctl.release.verified import verify_header
from s1ctl.trust.keys import PublicKey
from s1ctl.trust.root import Trust, first_root
from tests.support.bundles import CHANNEL, PRODUCT, Parts, make_parts

REFUSED = {10, 11, 12, 13}


def small_parts() -> Parts:
    """Make the smallest release: one image of tiny layers, one service, no database."""
    parts = make_parts(images=("console",), layer_bytes=8)
    kept = tuple(blob for blob in parts.manifest.blobs if blob.kind != "migration")
    return parts.change(blobs=kept, schemas=(), settings=())


class Changed:
    """A bundle that is changed in place, looked at, and put right again."""

    def __init__(self, path: Path, trust: Trust) -> None:
        self.path = path
        self.raw = path.read_bytes()
        self._trust = trust
        self._file = os.open(path, os.O_RDWR)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def fault(self, what: str) -> str | None:
        """Say how the file is not refused as it must be; None where it is."""
        try:
            verify_bundle(self.path, self._trust)
        except S1Error as error:
            code = exit_code(error)
            return None if code in REFUSED and error.hint else f"{what}: exit {code}, {error}"
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a bug
            return f"{what}: {error!r}"
        return f"{what}: called good"

    def flips(self, places: Iterable[int]) -> Iterator[str | None]:
        """Flip every bit of the bytes at `places`."""
        for place in places:
            byte = self.raw[place]
            for bit in range(8):
                os.pwrite(self._file, bytes([byte ^ 1 << bit]), place)
                yield self.fault(f"bit {bit} of byte {place}")
            os.pwrite(self._file, bytes([byte]), place)

    def truncations(self) -> Iterator[str | None]:
        """Cut the file shorter and shorter, byte by byte."""
        for size in range(len(self.raw) - 1, -1, -1):
            os.truncate(self._file, size)
            yield self.fault(f"{size} bytes")
        os.pwrite(self._file, self.raw, 0)


def swapped(raw: bytes, parts: Parts, slot: int) -> Iterator[tuple[str, bytes]]:
    """Exchange every two members, each with its header."""
    members = make_members(slot, parts.manifest)
    for one, two in combinations(members, 2):
        first, second = raw[one.offset - BLOCK : one.end], raw[two.offset - BLOCK : two.end]
        between = raw[one.end : two.offset - BLOCK]
        yield (
            f"{one.name} and {two.name}",
            raw[: one.offset - BLOCK] + second + between + first + raw[two.end :],
        )


def remember() -> None:
    """Answer from memory what was proven before for the same bytes: most flips lie elsewhere."""
    headers: dict[bytes, object] = {}

    def verify_once(document: bytes, trust: Trust) -> object:
        if document not in headers:
            headers[document] = verify_header(document, trust)
        return headers[document]

    reader.verify_header = verify_once
    PublicKey.is_signed = functools.cache(PublicKey.is_signed)


def flip_all(raw: bytes, root: bytes, first: int, step: int) -> list[str]:
    """Flip every bit of every `step`th byte from `first` on; answer what was not refused.

    For a process of its own; `root` is the chain that the bundle is trusted by.
    """
    remember()
    trust = Trust(product=PRODUCT, channel=CHANNEL, root=first_root(root, None))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "small.bundle")
        path.write_bytes(raw)
        changed = Changed(path, trust)
        verify_bundle(path, trust)
        faults = [fault for fault in changed.flips(range(first, len(raw), step)) if fault]
        changed.close()
    return faults
