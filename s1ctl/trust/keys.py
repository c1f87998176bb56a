"""Signing keys: ECDSA P-256 with SHA-256, and nothing else."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from s1ctl.errors import InputOutputFailed, NotVerified, UsageError
from s1ctl.files import unreadable, write_file

_BROKEN = (ValueError, TypeError, UnsupportedAlgorithm)
_SPKI = serialization.PublicFormat.SubjectPublicKeyInfo
_NEW = "make a key with `s1ctl key new`"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key, as its SubjectPublicKeyInfo in DER, written in the one way there is."""

    spki: bytes

    def __post_init__(self) -> None:
        try:
            key = serialization.load_der_public_key(self.spki)
        except _BROKEN:
            key = None
        if not _is_p256(key) or _der(key) != self.spki:
            raise NotVerified("a public key is not one for P-256 in DER", code="S1-S10", hint=_NEW)

    @classmethod
    def parse_der(cls, raw: bytes) -> Self:
        """Parse a SubjectPublicKeyInfo. Raises `NotVerified` S1-S10."""
        return cls(raw)

    @classmethod
    def parse_pem(cls, raw: bytes) -> Self:
        """Parse `BEGIN PUBLIC KEY`. Raises `NotVerified` S1-S11 broken PEM, S1-S10 not P-256."""
        try:
            return cls(_der(serialization.load_pem_public_key(raw)))
        except _BROKEN:
            raise NotVerified("it is not a public key in PEM", code="S1-S11", hint=_NEW) from None

    @property
    def fingerprint(self) -> str:
        """The sha256 of the SPKI, 64 lower-case digits: the only name that a key has."""
        return hashlib.sha256(self.spki).hexdigest()

    @property
    def pem(self) -> bytes:
        """The key as `BEGIN PUBLIC KEY`."""
        key = serialization.load_der_public_key(self.spki)
        return key.public_bytes(serialization.Encoding.PEM, _SPKI)

    def is_signed(self, signature: bytes, message: bytes) -> bool:
        """Say whether this key made `signature` (DER) over `message`."""
        key: Any = serialization.load_der_public_key(self.spki)
        try:
            key.verify(signature, message, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            return False
        return True


class PrivateKey:
    """A private key."""

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key

    @classmethod
    def new(cls) -> Self:
        """Make a key from the system's randomness."""
        return cls(ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def read(cls, path: Path, passphrase: bytes | None) -> Self:
        """Read a PKCS#8 PEM file that only its owner may read.

        Raises `UsageError`: S1-S20 not a key, or locked by another passphrase, S1-S21 another
        curve or algorithm, S1-S22 others may read it; `InputOutputFailed` S1-I01.
        """
        try:
            mode, raw = path.stat().st_mode & 0o777, path.read_bytes()
        except OSError as error:
            raise unreadable(path, error) from None
        if mode & 0o077:
            message = f"`{path}` may be read by others (mode {mode:04o})"
            raise UsageError(message, code="S1-S22", hint=f"run `chmod 600 {path}`")
        try:
            key = serialization.load_pem_private_key(raw, passphrase or None)
        except _BROKEN:
            message = f"`{path}` is not a private key in PEM that this passphrase opens"
            raise UsageError(message, code="S1-S20", hint="set `S1CTL_KEY_PASSWORD`") from None
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not _is_p256(key.public_key()):
            raise UsageError(f"`{path}` is not a key for P-256", code="S1-S21", hint=_NEW)
        return cls(key)

    def write(self, path: Path, passphrase: bytes | None) -> None:
        """Write the key as PKCS#8 PEM, mode 0600. Atomic. Raises `InputOutputFailed` S1-I02."""
        lock: Any = serialization.NoEncryption()
        if passphrase:
            lock = serialization.BestAvailableEncryption(passphrase)
        form = serialization.PrivateFormat.PKCS8
        try:
            raw = self._key.private_bytes(serialization.Encoding.PEM, form, lock)
            write_file(path, raw, mode=0o600)
        except OSError as error:
            message = f"`{path}` cannot be written: {error.strerror}"
            raise InputOutputFailed(message, code="S1-I02", hint="check its folder") from None

    @property
    def public(self) -> PublicKey:
        """The public half."""
        return PublicKey(_der(self._key.public_key()))

    def sign(self, message: bytes) -> bytes:
        """Sign; DER. The same message gives the same signature (RFC 6979)."""
        return self._key.sign(message, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))


def _is_p256(key: object) -> bool:
    return isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name == "secp256r1"


def _der(key: Any) -> bytes:
    return bytes(key.public_bytes(serialization.Encoding.DER, _SPKI))
