"""Roots: which keys sign releases, and which keys may say so. Rotation as in TUF 5.3."""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from msgspec import Meta

from s1ctl.canonical import NotCanonical, canonical_json, parse_canonical
from s1ctl.shape import ShapeError, Value, parse_value, plain
from s1ctl.trust.envelope import (
    Envelope,
    envelope_document,
    make_base64,
    parse_base64,
    parse_envelope,
    refuse,
    sign,
    verify_envelope,
)
from s1ctl.trust.keys import PrivateKey, PublicKey

ROOT_TYPE = "application/vnd.s1ctl.root.v1+json"
MAX_ROOTS = 1024
Hex = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
Sequenced = Annotated[int, Meta(ge=0)]


class Role(Value):
    """`threshold` distinct keys of `keys` must sign."""

    threshold: Annotated[int, Meta(ge=1)]
    keys: Annotated[tuple[Hex, ...], Meta(min_length=1, max_length=64)]


class Roles(Value):
    """Who signs roots, and who signs releases."""

    root: Role
    release: Role


class Key(Value):
    """A key; as a release key it counts from the first to the last of its sequence numbers."""

    scheme: Literal["ecdsa-p256-sha256"] = "ecdsa-p256-sha256"
    spki: str
    owner: str
    sequences: tuple[Sequenced, Sequenced | None] = (1, None)

    def covers(self, sequence: int) -> bool:
        """Say whether the key counts for a release of this sequence number."""
        first, last = self.sequences
        return first <= sequence and (last is None or sequence <= last)


class Root(Value):
    """The payload of a root envelope."""

    type: Literal["root"] = "root"
    version: Annotated[int, Meta(ge=1)]
    product: str
    roles: Roles
    keys: dict[Hex, Key]
    floor: Sequenced = 0
    revoked: tuple[Hex, ...] = ()
    issued: str = ""
    note: str = ""

    def public_keys(self, role: Role) -> tuple[PublicKey, ...]:
        """List the keys of `role`."""
        return tuple(PublicKey(parse_base64(self.keys[name].spki)) for name in role.keys)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedRoot:
    """A root that this site trusts, and the envelopes that led to it, its own the last."""

    document: Root
    envelopes: tuple[Envelope, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """What a site trusts: releases of one product and channel, under one root."""

    product: str
    channel: str
    root: TrustedRoot


def first_root(raw: bytes, fingerprint: str | None) -> TrustedRoot:
    """Trust the root in `raw` whose payload has the sha256 `fingerprint`, and what follows it.

    `None`: the first, for a chain that this site has kept. Raises `NotVerified`: S1-T01 not a
    chain of roots, S1-T02 no root has that fingerprint, and what `walk_chain` raises.
    """
    chain = parse_chain(raw)
    for place, envelope in enumerate(chain):
        if fingerprint in (None, _fingerprint(envelope)):
            return walk_chain(_trust(envelope), chain[place + 1 :])
    raise refuse(f"no root in it has the fingerprint `{fingerprint}`", "S1-T02")


def walk_chain(trusted: TrustedRoot, offered: Sequence[Envelope]) -> TrustedRoot:
    """Walk from the trusted root to the newest one offered, each checked by both thresholds.

    Raises `NotVerified`: S1-S.., S1-T01, S1-T03 another product, S1-T04 a fork, S1-T05 a version
    skipped, S1-T06 over 1024 roots.
    """
    if len(offered) > MAX_ROOTS:
        raise refuse(f"it has {len(offered)} roots; {MAX_ROOTS} are allowed", "S1-T06")
    for envelope in offered:
        claimed = _parse(envelope)  # only decides which checks apply
        if claimed.product != trusted.document.product:
            raise refuse(f"a root of the product `{claimed.product[:64]}` is offered", "S1-T03")
        if claimed.version > trusted.document.version:
            trusted = _follow(trusted, claimed, envelope)
        else:
            _check_known(trusted, claimed.version, envelope)
    return trusted


def roots_of(trusted: TrustedRoot) -> tuple[Root, ...]:
    """List every root that led to the trusted one, newest first."""
    return tuple(_parse(envelope) for envelope in reversed(trusted.envelopes))


def _follow(trusted: TrustedRoot, claimed: Root, envelope: Envelope) -> TrustedRoot:
    current = trusted.document
    role = current.roles.root
    said = f"root {claimed.version}, seen from root {current.version},"
    verify_envelope(envelope, current.public_keys(role), role.threshold, what=said)
    following = _trust(envelope).document
    if following.version != current.version + 1:
        raise refuse(f"root {following.version} comes after {current.version}", "S1-T05")
    return TrustedRoot(document=following, envelopes=(*trusted.envelopes, envelope))


def _check_known(trusted: TrustedRoot, version: int, envelope: Envelope) -> None:
    """Compare with the root of that version, unless it is older than all that this site has."""
    known = trusted.envelopes[::-1][trusted.document.version - version :][:1]
    if known and known[0].payload != envelope.payload:
        ours, theirs = map(_fingerprint, (known[0], envelope))
        raise refuse(
            f"there are two different roots {version}: `{ours}` is trusted, and it has `{theirs}`",
            "S1-T04",
        )
    _trust(envelope)


def _fingerprint(envelope: Envelope) -> str:
    return hashlib.sha256(envelope.payload).hexdigest()


def _trust(envelope: Envelope) -> TrustedRoot:
    """Check a root by its own keys."""
    root = _parse(envelope)
    role = root.roles.root
    said = f"root {root.version}, seen by itself,"
    verify_envelope(envelope, root.public_keys(role), role.threshold, what=said)
    return TrustedRoot(document=root, envelopes=(envelope,))


def _parse(envelope: Envelope) -> Root:
    try:
        root = parse_value(parse_canonical(envelope.payload), Root)
    except (NotCanonical, ShapeError) as error:
        raise refuse(f"a root is malformed: {error}", "S1-T01") from None
    named = {name: PublicKey(parse_base64(key.spki)) for name, key in root.keys.items()}
    for role in (root.roles.root, root.roles.release):
        is_sound = role.threshold <= len(set(role.keys)) == len(role.keys)
        if not is_sound or not named.keys() >= set(role.keys):
            raise refuse("a root's thresholds and keys do not fit", "S1-S03")
    if envelope.payload_type != ROOT_TYPE or any(k.fingerprint != n for n, k in named.items()):
        raise refuse("a root has another type, or a key another name", "S1-T01")
    return root


class _Chain(Value):
    format: Literal[1]
    roots: Annotated[tuple[Any, ...], Meta(min_length=1, max_length=MAX_ROOTS)]


def parse_chain(raw: bytes) -> tuple[Envelope, ...]:
    """Parse `{"format":1,"roots":[DSSE,…]}`, oldest root first. Raises S1-T01."""
    try:
        chain = parse_value(parse_canonical(raw.rstrip(b"\n")), _Chain)
    except (NotCanonical, ShapeError) as error:
        raise refuse(f"it is not a chain of roots: {error}", "S1-T01") from None
    return tuple(map(parse_envelope, chain.roots))


def chain_json(envelopes: Sequence[Envelope]) -> bytes:
    """Make the bytes that `parse_chain` reads: a `root.json`, and what a site keeps."""
    return canonical_json({"format": 1, "roots": [envelope_document(e) for e in envelopes]})


def make_root(
    *,
    product: str,
    root_keys: Sequence[PublicKey],
    release_keys: Sequence[PublicKey],
    thresholds: tuple[int, int] = (1, 1),
    owner: str = "",
    issued: str = "",
) -> Root:
    """Make the first root of `product`; `thresholds` are those of root and release."""
    root_role, release_role = (
        Role(threshold=threshold, keys=tuple(key.fingerprint for key in keys))
        for threshold, keys in zip(thresholds, (root_keys, release_keys), strict=True)
    )
    return Root(
        version=1,
        product=product,
        roles=Roles(root=root_role, release=release_role),
        keys={
            key.fingerprint: Key(spki=make_base64(key.spki), owner=owner)
            for key in (*root_keys, *release_keys)
        },
        issued=issued,
    )


def sign_root(root: Root, keys: Collection[PrivateKey]) -> Envelope:
    """Make the envelope of a root, signed by `keys`: those of its own and of the former root."""
    return sign(ROOT_TYPE, canonical_json(plain(root)), keys)
