"""Keys: P-256 only, private ones behind 0600."""

import stat
import subprocess

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from s1ctl.errors import InputOutputFailed, NotVerified, UsageError
from s1ctl.trust.envelope import sign
from s1ctl.trust.keys import PrivateKey, PublicKey

SPKI = serialization.PublicFormat.SubjectPublicKeyInfo
DER, PEM = serialization.Encoding.DER, serialization.Encoding.PEM
OTHERS = [
    ec.generate_private_key(ec.SECP384R1()),
    ec.generate_private_key(ec.SECP256K1()),
    ed25519.Ed25519PrivateKey.generate(),
    rsa.generate_private_key(65537, 2048),
]


def pkcs8(key):
    return key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


@pytest.mark.parametrize("passphrase", [None, b"correct horse"])
def test_a_key_is_read_back_as_it_was_written(tmp_path, passphrase):
    key = PrivateKey.new()
    key.write(tmp_path / "key.pem", passphrase)
    assert stat.S_IMODE((tmp_path / "key.pem").stat().st_mode) == 0o600
    assert PrivateKey.read(tmp_path / "key.pem", passphrase).public == key.public


@pytest.mark.parametrize("passphrase", [None, b"wrong"])
def test_a_locked_key_opens_by_its_passphrase_only(tmp_path, passphrase):
    PrivateKey.new().write(tmp_path / "key.pem", b"right")
    with pytest.raises(UsageError) as caught:
        PrivateKey.read(tmp_path / "key.pem", passphrase)
    assert caught.value.code == "S1-S20"


def test_what_is_not_a_key_is_refused(tmp_path):
    (tmp_path / "key.pem").write_bytes(b"-----BEGIN PRIVATE KEY-----\nno\n")
    (tmp_path / "key.pem").chmod(0o600)
    with pytest.raises(UsageError) as caught:
        PrivateKey.read(tmp_path / "key.pem", None)
    assert caught.value.code == "S1-S20"


@pytest.mark.parametrize("other", OTHERS)
def test_private_keys_of_other_kinds_are_refused(tmp_path, other):
    (tmp_path / "key.pem").write_bytes(pkcs8(other))
    (tmp_path / "key.pem").chmod(0o600)
    with pytest.raises(UsageError) as caught:
        PrivateKey.read(tmp_path / "key.pem", None)
    assert caught.value.code == "S1-S21"


def test_a_private_key_that_others_may_read_is_refused(tmp_path):
    PrivateKey.new().write(tmp_path / "key.pem", None)
    (tmp_path / "key.pem").chmod(0o640)
    with pytest.raises(UsageError) as caught:
        PrivateKey.read(tmp_path / "key.pem", None)
    assert caught.value.code == "S1-S22"


def test_a_missing_key_is_input_that_failed(tmp_path):
    with pytest.raises(InputOutputFailed) as caught:
        PrivateKey.read(tmp_path / "key.pem", None)
    assert caught.value.code == "S1-I01"
    with pytest.raises(InputOutputFailed) as caught:
        PrivateKey.new().write(tmp_path / "no" / "key.pem", None)
    assert caught.value.code == "S1-I02"


@pytest.mark.parametrize("other", OTHERS)
def test_public_keys_of_other_kinds_are_refused(other):
    for parse, form in ((PublicKey.parse_der, DER), (PublicKey.parse_pem, PEM)):
        with pytest.raises(NotVerified) as caught:
            parse(other.public_key().public_bytes(form, SPKI))
        assert caught.value.code == "S1-S10"


def test_broken_pem_is_refused():
    for raw in (b"", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"):
        with pytest.raises(NotVerified) as caught:
            PublicKey.parse_pem(raw)
        assert caught.value.code == "S1-S11"


def test_one_key_has_one_form():
    """A compressed point would give the same key a second fingerprint."""
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    point = key.public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint
    )
    algorithm = bytes.fromhex("301306072a8648ce3d020106082a8648ce3d030107")
    bits = b"\x03" + bytes([len(point) + 1]) + b"\0" + point
    body = algorithm + bits
    compressed = b"\x30" + bytes([len(body)]) + body
    assert serialization.load_der_public_key(compressed).public_bytes(DER, SPKI) == (
        key.public_bytes(DER, SPKI)
    )
    for raw in (compressed, key.public_bytes(DER, SPKI) + b"\0"):
        with pytest.raises(NotVerified) as caught:
            PublicKey.parse_der(raw)
        assert caught.value.code == "S1-S10"


def test_pem_leads_back_to_the_key():
    key = PrivateKey.new().public
    assert PublicKey.parse_pem(key.pem) == key
    assert len(key.fingerprint) == 64


def test_the_same_message_gets_the_same_signature():
    key = PrivateKey.new()
    assert key.sign(b"x") == key.sign(b"x") != key.sign(b"y")


def test_openssl_accepts_our_signatures(tmp_path):
    key = PrivateKey.new()
    envelope = sign("text/plain", b"hello", [key])
    (tmp_path / "public.pem").write_bytes(key.public.pem)
    (tmp_path / "signature").write_bytes(envelope.signatures[0])
    (tmp_path / "message").write_bytes(b"DSSEv1 10 text/plain 5 hello")
    command = "openssl dgst -sha256 -verify public.pem -signature signature message"
    done = subprocess.run(
        command.split(), cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stdout) == (0, "Verified OK\n")
