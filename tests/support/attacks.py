"""What spoils a bundle: the vendor, a good release, and ways to write another file than that.

Each attack is a folder `tests/attacks/SECTION/NAME/`: `make.py` writes the suspect into an empty
folder, `expected.yaml` says how it must be refused.
"""

import importlib
import io
import json
import re
import tarfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import msgspec

from s1ctl import errors
from s1ctl.bundle.archive import BLOCK, make_members, write_archive
from s1ctl.canonical import canonical_json
from s1ctl.errors import S1Error
from s1ctl.oci.digest import Digest
from s1ctl.release.manifest import Blob
from s1ctl.release.verified import STATEMENT_TYPE, Header, header_json, statement_json
from s1ctl.shape import Value, plain
from s1ctl.strict_yaml import parse_yaml
from s1ctl.trust.envelope import Envelope, envelope_document, sign
from s1ctl.trust.keys import PrivateKey
from s1ctl.trust.root import ROOT_TYPE, Root, Trust, make_root, sign_root
from tests.support.bundles import Parts, Vendor, make_header, make_parts, make_vendor, write_bundle

ATTACKS = Path(__file__).parents[1] / "attacks"
SECTIONS = ("container", "envelope", "trust", "contents")
VENDOR = make_vendor()
PAIR = make_vendor(releases=2, thresholds=(1, 2))
STRANGER = make_vendor(product="other")
NEW = PrivateKey.new()
PARTS = make_parts(layer_bytes=2000)
IMAGE = PARTS.manifest.images[0]
IMAGE_MANIFEST = json.loads(PARTS.blobs[IMAGE.digest])
CONFIG = Digest(IMAGE_MANIFEST["config"]["digest"])
LAYER = Digest(IMAGE_MANIFEST["layers"][0]["digest"])
UNIT = PARTS.manifest.units[0]


class Suspect(NamedTuple):
    """A file, and the trust of the site that opens it."""

    path: Path
    trust: Trust = VENDOR.trust


class Expected(Value):
    """How an attack must be refused: the error's class and code, the exit code, and words of it.

    In `says` stands FILE for the suspect's path, and DIGEST for any 64 hexadecimal digits.
    """

    error: str
    code: str
    exit: int
    says: str


@dataclass(frozen=True)
class Attack:
    """A folder below `tests/attacks/`; read when it is asked."""

    section: str
    name: str

    @cached_property
    def make(self) -> Callable[[Path], Suspect]:
        """Say how the suspect is made in an empty folder."""
        module = importlib.import_module(f"tests.attacks.{self.section}.{self.name}.make")
        return module.make

    @cached_property
    def expected(self) -> Expected:
        """Say how it must be refused."""
        path = ATTACKS / self.section / self.name / "expected.yaml"
        return parse_yaml(path.read_bytes(), name=str(path)).parse(Expected)

    @property
    def error(self) -> type[S1Error]:
        """The class of the error."""
        return getattr(errors, self.expected.error)


def find_attacks() -> tuple[Attack, ...]:
    """List every attack, section by section."""
    return tuple(
        Attack(section, path.parent.name)
        for section in SECTIONS
        for path in sorted((ATTACKS / section).glob("*/make.py"))
    )


def told(message: str, path: Path) -> str:
    """Write a message as `says` has it: without what differs from run to run."""
    return re.sub(r"[0-9a-f]{64}", "DIGEST", message.replace(str(path), "FILE"))


# Containers.


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


def header_field(number: int, start: int, raw: bytes) -> Callable[[bytearray], None]:
    """Spoil a field of a member's header, with the checksum that then is right."""

    def change(file: bytearray) -> None:
        at = member(number).offset - BLOCK
        block = bytearray(file[at : at + BLOCK])
        block[start : start + len(raw)] = raw
        block[148:156] = b" " * 8
        block[148:156] = b"%06o\0 " % sum(block)
        file[at : at + BLOCK] = block

    return change


def packed(folder: Path, form: int, headers: dict[str, str]) -> Suspect:
    """Pack the good members by Python's `tarfile`."""
    path = good(folder)
    raw = path.read_bytes()
    with tarfile.open(path, "w", format=form, pax_headers=headers) as archive:
        for number in range(3 + len(PARTS.manifest.blobs)):
            part = member(number)
            info = tarfile.TarInfo(part.name)
            info.size = part.size
            archive.addfile(info, io.BytesIO(raw[part.offset :]))
    return Suspect(path)


# Envelopes.


def written(folder: Path, document: bytes | Header, trust: Trust = VENDOR.trust) -> Suspect:
    """Write the good container with a header document of any kind."""
    raw = document if isinstance(document, bytes) else header_json(document)
    path = folder / "suspect.bundle"
    write_archive(
        path, header=raw, manifest=PARTS.manifest, open_blob=lambda digest: [PARTS.blobs[digest]]
    )
    return Suspect(path, trust)


def document(**changes: object) -> bytes:
    """Make a header document whose release envelope has other fields."""
    return canonical_json(header_data(**changes))


def header_data(**changes: object) -> dict[str, object]:
    """Make the plain data of a header document whose release envelope has other fields."""
    envelope = envelope_document(make_header(PARTS, VENDOR).release)
    roots = [envelope_document(VENDOR.root)]
    return {"format": 1, "roots": roots, "release": envelope | changes}


def with_envelope(**changes: object) -> Header:
    """Make the good header, whose release envelope was changed after it was signed."""
    header = make_header(PARTS, VENDOR)
    return replace(header, release=replace(header.release, **changes))


def signed(folder: Path, payload: bytes, kind: str = STATEMENT_TYPE) -> Suspect:
    """Write the good container round any document, signed by the vendor's release key."""
    envelope = sign(kind, payload, VENDOR.release_keys)
    return written(folder, Header(roots=(VENDOR.root,), release=envelope))


def with_statement(folder: Path, change: Callable[[dict], object]) -> Suspect:
    """Write the good container round its statement, changed and then signed."""
    data = json.loads(statement_json(PARTS.manifest))
    change(data)
    return signed(folder, canonical_json(data))


# Roots.


def next_root(**fields: object) -> Root:
    """Make the vendor's second root, with the same keys."""
    return msgspec.structs.replace(VENDOR.document, version=2, **fields)


def rotated(**fields: object) -> Root:
    """Make the vendor's second root, with another root key."""
    root = make_root(
        product="acme",
        root_keys=[NEW.public],
        release_keys=[key.public for key in VENDOR.release_keys],
    )
    return msgspec.structs.replace(root, **{"version": 2, **fields})


def with_roots(
    folder: Path, *roots: Envelope, keys: object = None, trust: Trust = VENDOR.trust
) -> Suspect:
    """Write the good release behind these roots."""
    header = make_header(PARTS, VENDOR, keys)
    return Suspect(good(folder, header=Header(roots=roots, release=header.release)), trust)


def with_root_data(folder: Path, change: Callable[[dict], object]) -> Suspect:
    """Bring a second root that the vendor's root key signed, whatever it says."""
    data = plain(next_root())
    change(data)
    second = sign(ROOT_TYPE, canonical_json(data), VENDOR.root_keys)
    return with_roots(folder, VENDOR.root, second)


def with_release_key(folder: Path, spki: bytes) -> Suspect:
    """Bring a second root whose release key is any bytes."""
    import base64
    import hashlib

    def change(data: dict) -> None:
        name = hashlib.sha256(spki).hexdigest()
        data["keys"][name] = {"spki": base64.b64encode(spki).decode(), "owner": ""}
        data["roles"]["release"]["keys"] = [name]

    return with_root_data(folder, change)


def signed_root(**fields: object) -> Envelope:
    """Sign a second root by the vendor's root keys."""
    return sign_root(next_root(**fields), VENDOR.root_keys)


# Contents.


def without(digest: Digest) -> Parts:
    """Leave a blob out."""
    kept = tuple(blob for blob in PARTS.manifest.blobs if blob.digest != digest)
    return PARTS.change(blobs=kept)


def change_blob(digest: Digest, **fields: object) -> Parts:
    """Change what the release says of a blob."""
    return PARTS.change(
        blobs=tuple(
            msgspec.structs.replace(blob, **fields) if blob.digest == digest else blob
            for blob in PARTS.manifest.blobs
        )
    )


def added(raw: bytes, kind: str, path: str | None = None) -> Parts:
    """Add a blob."""
    blob = Blob(digest=Digest.of(raw), size=len(raw), kind=kind, path=path)
    parts = PARTS.change(blobs=(blob, *PARTS.manifest.blobs))
    parts.blobs[blob.digest] = raw
    return parts


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
    data = json.loads(PARTS.blobs[IMAGE.digest])
    change(data)
    return with_image_bytes(json.dumps(data).encode())


def with_image_bytes(raw: bytes) -> Parts:
    """Put any bytes in the place of the first image's manifest."""
    parts = with_blob(PARTS, IMAGE.digest, raw)
    changed = msgspec.structs.replace(IMAGE, digest=Digest.of(raw))
    return parts.change(images=(changed, *parts.manifest.images[1:]))


def with_image_field(**fields: object) -> Parts:
    """Change what the release says of its first image."""
    first, *others = PARTS.manifest.images
    return PARTS.change(images=(msgspec.structs.replace(first, **fields), *others))


def with_config(raw: bytes) -> Parts:
    """Put any bytes in the place of the first image's config."""
    described = {"digest": Digest.of(raw), "size": len(raw)}
    return with_blob(with_image(lambda m: m["config"].update(described)), CONFIG, raw)


def with_unit(**fields: object) -> Parts:
    """Change what the release says of its first unit."""
    first, *others = PARTS.manifest.units
    return PARTS.change(units=(msgspec.structs.replace(first, **fields), *others))


def with_compose(raw: bytes) -> Parts:
    """Put any bytes in the place of the Compose file."""
    parts = with_blob(PARTS, PARTS.manifest.compose, raw)
    source = Digest.of(raw)
    units = tuple(msgspec.structs.replace(unit, source=source) for unit in parts.manifest.units)
    return parts.change(compose=source, units=units)


def with_migration(raw: bytes, number: int = 0, **fields: object) -> Parts:
    """Put any bytes in the place of a migration."""
    (schema,) = PARTS.manifest.schemas
    former = schema.revisions[number]
    parts = with_blob(PARTS, former.digest, raw)
    revisions = list(schema.revisions)
    revisions[number] = msgspec.structs.replace(former, digest=Digest.of(raw), **fields)
    return parts.change(schemas=(msgspec.structs.replace(schema, revisions=tuple(revisions)),))


def migration(old: str, new: str, number: int = 0) -> Parts:
    """Change the text of a migration."""
    raw = PARTS.blobs[PARTS.manifest.schemas[0].revisions[number].digest]
    assert old.encode() in raw
    return with_migration(raw.replace(old.encode(), new.encode()), number)


def compose(old: str, new: str) -> Parts:
    """Change the text of the Compose file."""
    raw = PARTS.blobs[PARTS.manifest.compose]
    assert old.encode() in raw
    return with_compose(raw.replace(old.encode(), new.encode(), 1))
