"""Signed envelopes (DSSE v1.0.2), and the one primitive: `verify_envelope`."""

import base64
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

from msgspec import field

from s1ctl.errors import NotVerified
from s1ctl.shape import ShapeError, Value, parse_value
from s1ctl.trust.keys import PrivateKey, PublicKey

MAX_SIGNATURES = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A payload, what it is said to be, and signatures in DER; nothing of it is verified."""

    payload_type: str
    payload: bytes
    signatures: tuple[bytes, ...]

    @property
    def message(self) -> bytes:
        """The bytes that are signed (DSSE protocol, "PAE")."""
        kind = self.payload_type.encode("utf-8")
        return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(self.payload), self.payload)


def verify_envelope(
    envelope: Envelope, keys: Collection[PublicKey], threshold: int, *, what: str = "it"
) -> bytes:
    """Hand back the payload if at least `threshold` distinct public keys of `keys` signed it.

    `what` is how a refusal calls it. Raises `NotVerified`: S1-S01 unsigned, S1-S02 too few, S1-S03
    a threshold beyond 1..keys.
    """
    if type(threshold) is not int or not 1 <= threshold <= len(set(keys)):
        raise refuse(f"a threshold is `{threshold}` of {len(set(keys))} keys", "S1-S03")
    if not envelope.signatures:
        raise refuse(f"{what} is not signed", "S1-S01")
    found = len(signers_of(envelope, keys))
    if found < threshold:
        raise refuse(
            f"{what} is signed by {found} of {threshold} trusted keys: the signatures are of other "
            "keys, or a byte was changed since",
            "S1-S02",
        )
    return envelope.payload


def signers_of(envelope: Envelope, keys: Collection[PublicKey]) -> tuple[PublicKey, ...]:
    """Find which of `keys` signed, each once however often it did."""
    found = {
        key: any(key.is_signed(signature, envelope.message) for signature in envelope.signatures)
        for key in sorted(keys, key=lambda key: key.fingerprint)
    }
    return tuple(key for key, is_signer in found.items() if is_signer)


def sign(payload_type: str, payload: bytes, keys: Collection[PrivateKey]) -> Envelope:
    """Make an envelope signed by each of `keys`."""
    envelope = Envelope(payload_type=payload_type, payload=payload, signatures=())
    return replace(envelope, signatures=tuple(key.sign(envelope.message) for key in keys))


def add_signature(envelope: Envelope, key: PrivateKey) -> Envelope:
    """Make the same envelope with one signature more."""
    return replace(envelope, signatures=(*envelope.signatures, key.sign(envelope.message)))


class _Signature(Value):
    sig: str


class _Document(Value):
    payload: str
    kind: str = field(name="payloadType")
    signatures: tuple[_Signature, ...]


def parse_envelope(data: object) -> Envelope:
    """Parse plain data; signatures are counted before any is looked at.

    Raises `NotVerified`: S1-S04 shape, S1-S05 over 64 signatures, S1-S06 base64 not canonical.
    """
    listed = data.get("signatures") if isinstance(data, dict) else None
    if isinstance(listed, list) and len(listed) > MAX_SIGNATURES:
        raise refuse(
            f"an envelope has {len(listed)} signatures; {MAX_SIGNATURES} are allowed", "S1-S05"
        )
    try:
        document = parse_value(data, _Document)
    except ShapeError:
        raise refuse("an envelope is malformed", "S1-S04") from None
    payload, *signatures = map(
        parse_base64, (document.payload, *(signature.sig for signature in document.signatures))
    )
    return Envelope(payload_type=document.kind, payload=payload, signatures=tuple(signatures))


def envelope_document(envelope: Envelope) -> dict[str, Any]:
    """Make the plain data that `parse_envelope` reads."""
    payload, *signatures = map(make_base64, (envelope.payload, *envelope.signatures))
    listed = [{"sig": signature} for signature in signatures]
    return {"payload": payload, "payloadType": envelope.payload_type, "signatures": listed}


def parse_base64(text: str) -> bytes:
    """Decode the one form that bytes have (RFC 4648, 3.5). Raises `NotVerified` S1-S06."""
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError:
        raw = b""
    if make_base64(raw) != text:
        raise refuse("base64 of a payload, signature or key is not in its one form", "S1-S06")
    return raw


def make_base64(raw: bytes) -> str:
    """Encode with the standard alphabet and padding."""
    return base64.b64encode(raw).decode("ascii")


def refuse(message: str, code: str) -> NotVerified:
    """Make the error for signatures that do not hold; what others wrote is escaped in it."""
    text = message[:300].encode("unicode_escape").decode("ascii")
    return NotVerified(
        text, code=code, hint=f"do not proceed; `s1ctl explain {code}` says what to do"
    )
