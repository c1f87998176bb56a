"""Containers that are sound, around signatures that are not."""

from dataclasses import replace

from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from s1ctl.bundle.archive import pad_header, write_archive
from s1ctl.canonical import canonical_json
from s1ctl.errors import FormatRefused, NotVerified
from s1ctl.release.verified import STATEMENT_TYPE, Header, header_json, statement_json
from s1ctl.trust.envelope import envelope_document, sign
from s1ctl.trust.keys import PrivateKey
from tests.support.attacks import PARTS, VENDOR, Suspect, attack, good
from tests.support.bundles import make_header, make_vendor

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
PAIR = make_vendor(releases=2, thresholds=(1, 2))


def written(folder, document, trust=VENDOR.trust):
    """Write a bundle with a header document of any kind."""
    raw = document if isinstance(document, bytes) else header_json(document)
    path = folder / "suspect.bundle"
    write_archive(
        path, header=raw, manifest=PARTS.manifest, open_blob=lambda digest: [PARTS.blobs[digest]]
    )
    assert len(pad_header(raw)) < path.stat().st_size
    return Suspect(path, trust)


def release(**changes):
    header = make_header(PARTS, VENDOR)
    return replace(header, release=replace(header.release, **changes))


def document(**changes):
    """Make a header document whose release envelope has other fields."""
    header = make_header(PARTS, VENDOR)
    envelope = envelope_document(header.release)
    data = {"format": 1, "roots": [envelope_document(VENDOR.root)], "release": envelope | changes}
    return canonical_json(data)


@attack(NotVerified, "S1-S01")
def unsigned(folder):
    return written(folder, make_header(PARTS, VENDOR, []))


@attack(NotVerified, "S1-S02")
def too_few_signatures(folder):
    return Suspect(good(folder, vendor=PAIR, keys=PAIR.release_keys[:1]), PAIR.trust)


@attack(NotVerified, "S1-S02")
def the_same_key_twice(folder):
    return Suspect(good(folder, vendor=PAIR, keys=PAIR.release_keys[:1] * 2), PAIR.trust)


@attack(NotVerified, "S1-S02")
def one_signature_in_its_two_forms(folder):
    header = make_header(PARTS, PAIR, PAIR.release_keys[:1])
    r, s = decode_dss_signature(header.release.signatures[0])
    both = (*header.release.signatures, encode_dss_signature(r, ORDER - s))
    header = replace(header, release=replace(header.release, signatures=both))
    return written(folder, header, PAIR.trust)


@attack(NotVerified, "S1-S02")
def unknown_key(folder):
    return Suspect(good(folder, keys=[PrivateKey.new()]))


@attack(NotVerified, "S1-S02")
def signed_by_the_root_key(folder):
    return Suspect(good(folder, keys=VENDOR.root_keys))


@attack(NotVerified, "S1-S02")
def payload_changed(folder):
    payload = statement_json(PARTS.manifest).replace(b'"sequence":100', b'"sequence":101')
    return written(folder, release(payload=payload))


@attack(NotVerified, "S1-S02")
def payload_type_changed(folder):
    return written(folder, release(payload_type="application/vnd.in-toto+json "))


@attack(NotVerified, "S1-S07")
def signed_document_of_another_type(folder):
    envelope = sign("text/plain", statement_json(PARTS.manifest), VENDOR.release_keys)
    return written(folder, Header(roots=(VENDOR.root,), release=envelope))


@attack(NotVerified, "S1-S07")
def signed_statement_of_another_kind(folder):
    payload = statement_json(PARTS.manifest).replace(
        b"s1ctl.dev/release/v1", b"slsa.dev/provenance/v1"
    )
    envelope = sign(STATEMENT_TYPE, payload, VENDOR.release_keys)
    return written(folder, Header(roots=(VENDOR.root,), release=envelope))


@attack(NotVerified, "S1-S05")
def a_hundred_thousand_signatures(folder):
    return written(folder, document(signatures=[{"sig": ""}] * 100_000))


@attack(NotVerified, "S1-S06")
def base64_with_a_newline(folder):
    text = envelope_document(make_header(PARTS, VENDOR).release)["payload"]
    return written(folder, document(payload=text + "\n"))


@attack(NotVerified, "S1-S06")
def base64_of_the_url_kind(folder):
    return written(folder, document(signatures=[{"sig": "-_8="}]))


@attack(NotVerified, "S1-S04")
def signature_with_a_key_id(folder):
    return written(folder, document(signatures=[{"sig": "", "keyid": "x"}]))


@attack(FormatRefused, "S1-F20")
def header_with_white_space(folder):
    return written(folder, b" " + document())


@attack(FormatRefused, "S1-F20")
def header_with_a_key_twice(folder):
    return written(folder, b'{"format":1,' + document()[1:])


@attack(FormatRefused, "S1-F20")
def header_nested_without_end(folder):
    return written(folder, b'{"format":' + b"[" * 200_000 + b"]" * 200_000 + b"}")


@attack(FormatRefused, "S1-F21")
def header_of_a_later_format(folder):
    return written(folder, document().replace(b'{"format":1,', b'{"format":2,'))


@attack(FormatRefused, "S1-F22")
def statement_with_white_space(folder):
    payload = statement_json(PARTS.manifest).replace(b'"schema":1', b'"schema": 1')
    envelope = sign(STATEMENT_TYPE, payload, VENDOR.release_keys)
    return written(folder, Header(roots=(VENDOR.root,), release=envelope))
