"""A release that exists only verified, and the header document that it comes from."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from msgspec import Meta
from packaging.version import Version

from s1ctl.canonical import NotCanonical, canonical_json, parse_canonical
from s1ctl.errors import ContentsRefused, FormatRefused, NotVerified, Withdrawn
from s1ctl.oci.digest import Digest
from s1ctl.release.manifest import ReleaseManifest
from s1ctl.shape import ShapeError, Value, parse_value, plain
from s1ctl.trust.envelope import (
    Envelope,
    envelope_document,
    parse_envelope,
    signers_of,
    verify_envelope,
)
from s1ctl.trust.root import MAX_ROOTS, Root, Trust, TrustedRoot, roots_of, walk_chain

STATEMENT_TYPE = "application/vnd.in-toto+json"
STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://s1ctl.dev/release/v1"
MAX_SUBJECTS = 1024
ASK = "do not proceed; ask the vendor for this release again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The roots and the release envelope of a header document; none of it verified."""

    roots: tuple[Envelope, ...]
    release: Envelope

    @property
    def identity(self) -> Digest:
        """The sha256 of the payload, which names the release."""
        return Digest.of(self.release.payload)


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedRelease:
    """A release whose signatures held; made by `open_bundle`, `open_release`, `open_recorded`."""

    digest: Digest
    manifest: ReleaseManifest
    signers: tuple[str, ...]
    root: TrustedRoot
    header: bytes = field(repr=False)
    read_blob: Callable[[Digest], bytes] = field(repr=False, compare=False)

    @property
    def version(self) -> Version:
        """The version of the release."""
        return self.manifest.version

    def small(self, digest: Digest) -> bytes:
        """Read a blob that is not a layer, checked against its digest.

        Raises `ContentsRefused`: S1-C01 the release has no such small blob, S1-C02 other bytes.
        """
        if not any(b.digest == digest and b.kind != "oci-layer" for b in self.manifest.blobs):
            raise ContentsRefused(
                f"release {self.version} has no small blob `{digest}`", code="S1-C01", hint=ASK
            )
        raw = self.read_blob(digest)
        if Digest.of(raw) != digest:
            raise ContentsRefused(
                f"other bytes lie under `{digest}`",
                code="S1-C02",
                hint="load the bundle again; if this is the bundle, get the file again",
            )
        return raw


def verify_header(
    raw: bytes, trust: Trust
) -> tuple[Digest, ReleaseManifest, tuple[str, ...], TrustedRoot]:
    """Verify a header document, and only then look at what its release says.

    Order: header, roots, threshold of the release, kind of document, product, channel, sequences
    of the keys, floor, revoked. Answers identity, manifest, fingerprints of the trusted signers,
    newest root. Raises `FormatRefused` S1-F.., `NotVerified` S1-S.. and S1-T.., `Withdrawn` S1-T22
    and S1-T23.
    """
    header = parse_header(raw)
    root = walk_chain(trust.root, header.roots)
    manifest, signers = _verify_release(header, root.document, trust)
    _check_withdrawn(header.identity, manifest, root.document)
    return header.identity, manifest, signers, root


def verify_recorded(
    raw: bytes, trust: Trust
) -> tuple[Digest, ReleaseManifest, tuple[str, ...], TrustedRoot]:
    """Verify the header of a release that this site took in before, under any root it trusted.

    Neither floor nor revoked count, and a key counts that a later root dropped: what is installed
    must be known to be left. It may be no hop's target. Raises as `verify_header`, without
    `Withdrawn`.
    """
    header = parse_header(raw)
    root = walk_chain(trust.root, header.roots)
    newest, *older = roots_of(root)
    try:
        manifest, signers = _verify_release(header, newest, trust)
    except NotVerified:
        for document in older:
            with suppress(NotVerified):
                manifest, signers = _verify_release(header, document, trust)
                break
        else:
            raise
    return header.identity, manifest, signers, root


def _verify_release(
    header: Header, root: Root, trust: Trust
) -> tuple[ReleaseManifest, tuple[str, ...]]:
    """Verify the release by the keys of one root, and read it; answers its signers too."""
    role = root.roles.release
    keys = root.public_keys(role)
    payload = verify_envelope(header.release, keys, role.threshold, what="the release")
    manifest = _parse_statement(header.release.payload_type, payload)
    _check_addressee(manifest, trust)
    signers = tuple(
        key.fingerprint
        for key in signers_of(header.release, keys)
        if root.keys[key.fingerprint].covers(manifest.sequence)
    )
    if len(signers) < role.threshold:
        raise NotVerified(
            f"the keys that signed it do not count for sequence {manifest.sequence}",
            code="S1-T07",
            hint=ASK,
        )
    return manifest, signers


class _Document(Value):
    format: Literal[1]
    roots: Annotated[list[Any], Meta(max_length=MAX_ROOTS)]
    release: Any


def parse_header(raw: bytes) -> Header:
    """Parse a header document without its padding; nothing is verified.

    Raises `FormatRefused` S1-F20 not canonical JSON, S1-F21 not a header of format 1, and
    `NotVerified` S1-S04 to S1-S06.
    """
    try:
        data = parse_canonical(raw)
    except NotCanonical as error:
        raise FormatRefused(
            f"the header is not canonical JSON: {_shown(error)}",
            code="S1-F20",
            hint="get the file again",
        ) from None
    try:
        document = parse_value(data, _Document)
    except ShapeError:
        raise FormatRefused(
            "the header is not one of format 1",
            code="S1-F21",
            hint="use the s1ctl that is named with this bundle",
        ) from None
    roots = tuple(map(parse_envelope, document.roots))
    return Header(roots=roots, release=parse_envelope(document.release))


def header_json(header: Header) -> bytes:
    """Make the bytes that `parse_header` reads."""
    return canonical_json(
        {
            "format": 1,
            "roots": [envelope_document(root) for root in header.roots],
            "release": envelope_document(header.release),
        }
    )


def statement_json(manifest: ReleaseManifest) -> bytes:
    """Make the payload of a release: an in-toto statement about its images and Compose file."""
    return canonical_json(
        {
            "_type": STATEMENT,
            "predicateType": PREDICATE,
            "subject": _subjects(manifest),
            "predicate": plain(manifest),
        }
    )


def parse_unverified(header: Header) -> ReleaseManifest:
    """Read what a release says of itself without its signatures, for `show` and `sign`."""
    return _parse_statement(header.release.payload_type, header.release.payload)


def _parse_statement(payload_type: str, payload: bytes) -> ReleaseManifest:
    if payload_type != STATEMENT_TYPE:
        raise _other_document(f"`{_shown(payload_type)}`")
    try:
        data = parse_canonical(payload)
    except NotCanonical as error:
        raise FormatRefused(
            f"the statement is not canonical JSON: {_shown(error)}", code="S1-F22", hint=ASK
        ) from None
    if not isinstance(data, dict) or data.get("_type") != STATEMENT:
        raise _other_document("no in-toto statement of version 1")
    if data.get("predicateType") != PREDICATE:
        raise _other_document(f"a statement of the kind `{_shown(data.get('predicateType'))}`")
    try:
        manifest = parse_value(data.get("predicate"), ReleaseManifest)
    except ShapeError as error:
        raise FormatRefused(
            f"the release manifest is malformed at `{_shown(error.path)}`: {_shown(error)}",
            code="S1-F23",
            hint="use the s1ctl that is named with this bundle",
        ) from None
    _check_subjects(data, manifest)
    return manifest


def _other_document(what: str) -> NotVerified:
    return NotVerified(f"the signed document is {what}, not a release", code="S1-S07", hint=ASK)


def _check_subjects(data: dict[str, Any], manifest: ReleaseManifest) -> None:
    """Compare the subjects, by which other tools find the artefacts, with those of the manifest."""
    expected = _subjects(manifest)
    if data.keys() != {"_type", "predicate", "predicateType", "subject"}:
        raise _other_document("a statement with unknown keys")
    if len(expected) > MAX_SUBJECTS or data["subject"] != expected:
        raise ContentsRefused(
            "the subjects of the statement are not the artefacts of its release",
            code="S1-C03",
            hint=ASK,
        )


def _subjects(manifest: ReleaseManifest) -> list[dict[str, Any]]:
    images: Sequence[tuple[str, Digest]] = [(i.repository, i.digest) for i in manifest.images]
    artefacts = [*images, ("compose.yaml", manifest.compose)]
    return [{"name": name, "digest": {"sha256": digest.hex}} for name, digest in artefacts]


def _check_addressee(manifest: ReleaseManifest, trust: Trust) -> None:
    found = (manifest.product, manifest.channel)
    if found == (trust.product, trust.channel) and trust.product == trust.root.document.product:
        return
    is_channel = manifest.product == trust.product == trust.root.document.product
    raise NotVerified(
        f"the release is for `{'/'.join(found)}`, "
        f"not for this site's `{trust.product}/{trust.channel}`",
        code="S1-T09" if is_channel else "S1-T08",
        hint="ask the vendor for the bundle of this site's product and channel",
    )


def _check_withdrawn(identity: Digest, manifest: ReleaseManifest, root: Root) -> None:
    if manifest.sequence < root.floor:
        raise Withdrawn(
            f"release {manifest.version} has sequence {manifest.sequence}; "
            f"the vendor withdrew all below {root.floor}",
            code="S1-T22",
            hint="ask the vendor for a newer release",
        )
    if identity.hex in root.revoked:
        raise Withdrawn(
            f"release {manifest.version} (`{identity}`) was revoked by the vendor",
            code="S1-T23",
            hint="ask the vendor which release takes its place",
        )


def _shown(text: object) -> str:
    return str(text)[:120].encode("unicode_escape").decode("ascii")
