"""What spoils a bundle: the vendor, a good release, and ways to write another file than that."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import msgspec

from s1ctl.bundle.archive import make_members
from s1ctl.errors import S1Error
from s1ctl.oci.digest import Digest
from s1ctl.release.manifest import Blob
from s1ctl.trust.root import Trust
from tests.support.bundles import Parts, Vendor, make_parts, make_vendor, write_bundle

VENDOR = make_vendor()
PARTS = make_parts(layer_bytes=2000)


class Suspect(NamedTuple):
    """A file, and the trust of the site that opens it."""

    path: Path
    trust: Trust = VENDOR.trust


@dataclass(frozen=True)
class Attack:
    """How a suspect is made in an empty folder, and how it must be refused."""

    name: str
    error: type[S1Error]
    code: str
    make: Callable[[Path], Suspect]


ATTACKS: list[Attack] = []


def attack(error: type[S1Error], code: str) -> Callable[[Callable[[Path], Suspect]], object]:
    """List the function that makes a suspect; its name is that of the attack."""

    def register(make: Callable[[Path], Suspect]) -> Callable[[Path], Suspect]:
        ATTACKS.append(Attack(name=make.__name__, error=error, code=code, make=make))
        return make

    return register


def good(folder: Path, parts: Parts = PARTS, vendor: Vendor = VENDOR, **kind: object) -> Path:
    """Write a bundle that is signed as it should be."""
    return write_bundle(folder / "suspect.bundle", parts, vendor, **kind)


def spoil(folder: Path, change: Callable[[bytearray], object]) -> Suspect:
    """Write a good bundle and change its bytes, in place or by what `change` answers."""
    path = good(folder)
    raw = bytearray(path.read_bytes())
    changed = change(raw)
    path.write_bytes(changed if isinstance(changed, bytes | bytearray) else raw)
    return Suspect(path)


def member(number: int):
    """Find a member of the good bundle, negative from its end."""
    return make_members(64 << 10, PARTS.manifest)[number]


def with_blob(parts: Parts, old: Digest, raw: bytes, **fields: object) -> Parts:
    """Put other bytes in the place of a blob, and its new digest in the list of blobs."""
    digest = Digest.of(raw)
    blobs = {**parts.blobs, digest: raw}
    listed = tuple(
        Blob(**{**msgspec.structs.asdict(blob), "digest": digest, "size": len(raw), **fields})
        if blob.digest == old
        else blob
        for blob in parts.manifest.blobs
    )
    return Parts(manifest=msgspec.structs.replace(parts.manifest, blobs=listed), blobs=blobs)


def with_image(change: Callable[[dict], object]) -> Parts:
    """Change the manifest of the first image, and name it by its new digest."""
    image = PARTS.manifest.images[0]
    data = json.loads(PARTS.blobs[image.digest])
    change(data)
    raw = json.dumps(data).encode()
    parts = with_blob(PARTS, image.digest, raw)
    changed = msgspec.structs.replace(image, digest=Digest.of(raw))
    return parts.change(images=(changed, *parts.manifest.images[1:]))


def with_image_field(**fields: object) -> Parts:
    """Change what the release says of its first image."""
    first, *others = PARTS.manifest.images
    return PARTS.change(images=(msgspec.structs.replace(first, **fields), *others))
