"""A header: what must hold before anything that a release says is believed."""

import json

import msgspec
import pytest

from s1ctl.canonical import canonical_json
from s1ctl.errors import ContentsRefused, FormatRefused, NotVerified, S1Error, Withdrawn
from s1ctl.oci.digest import Digest
from s1ctl.release.verified import (
    PREDICATE,
    STATEMENT_TYPE,
    Header,
    VerifiedRelease,
    header_json,
    parse_header,
    statement_json,
    verify_header,
)
from s1ctl.trust.envelope import make_base64, sign
from s1ctl.trust.keys import PrivateKey
from s1ctl.trust.root import Key, Trust, sign_root
from tests.support.bundles import make_header, make_parts, make_vendor

VENDOR = make_vendor()
PARTS = make_parts(layer_bytes=10)


def next_root(**fields):
    document = msgspec.structs.replace(VENDOR.document, version=2, **fields)
    return sign_root(document, VENDOR.root_keys)


def verify(header, trust=VENDOR.trust):
    return verify_header(header_json(header), trust)


def refusal(header, kind, trust=VENDOR.trust):
    with pytest.raises(S1Error) as caught:
        verify(header, trust)
    assert type(caught.value) is kind
    return caught.value.code


def header_of(payload, payload_type=STATEMENT_TYPE, roots=(VENDOR.root,)):
    return Header(roots=roots, release=sign(payload_type, payload, VENDOR.release_keys))


def statement(**changes):
    return json.loads(statement_json(PARTS.manifest)) | changes


def test_a_signed_release_is_verified():
    digest, manifest, signers, root = verify(make_header(PARTS, VENDOR))
    assert digest == Digest.of(statement_json(PARTS.manifest))
    assert manifest == PARTS.manifest
    assert signers == (VENDOR.release_keys[0].public.fingerprint,)
    assert root == VENDOR.trust.root


def test_the_identity_does_not_depend_on_signatures():
    more = make_header(PARTS, VENDOR, (*VENDOR.release_keys, PrivateKey.new()))
    assert verify(more)[0] == verify(make_header(PARTS, VENDOR))[0]


def test_signers_are_the_trusted_ones_only():
    more = make_header(PARTS, VENDOR, (*VENDOR.release_keys, PrivateKey.new()))
    assert verify(more)[2] == (VENDOR.release_keys[0].public.fingerprint,)


def test_the_newest_root_of_the_bundle_decides():
    key = PrivateKey.new()
    name = key.public.fingerprint
    old = VENDOR.document
    release = msgspec.structs.replace(old.roles.release, keys=(name,))
    second = next_root(
        roles=msgspec.structs.replace(old.roles, release=release),
        keys={**old.keys, name: Key(spki=make_base64(key.public.spki), owner="")},
    )
    for signer, is_good in ((key, True), (VENDOR.release_keys[0], False)):
        release = make_header(PARTS, VENDOR, [signer]).release
        header = Header(roots=(VENDOR.root, second), release=release)
        if is_good:
            assert verify(header)[3].document.version == 2
        else:
            assert refusal(header, NotVerified) == "S1-S02"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"\xef\xbb\xbf{}",
        b'{"format":1,"format":1}',
        b'{"format":1.0}',
        b"[" * 100_000,
        b'{"a": 1}',
    ],
)
def test_a_header_that_is_not_canonical_json_is_refused(raw):
    with pytest.raises(FormatRefused) as caught:
        parse_header(raw)
    assert caught.value.code == "S1-F20"


@pytest.mark.parametrize(
    "changes",
    [{"format": 2}, {"format": True}, {"more": 1}, {"roots": {}}, {"roots": [{}] * 1025}],
)
def test_a_header_of_another_format_is_refused(changes):
    data = json.loads(header_json(make_header(PARTS, VENDOR)))
    with pytest.raises(FormatRefused) as caught:
        parse_header(canonical_json(data | changes))
    assert caught.value.code == "S1-F21"


def test_signatures_come_before_everything_that_they_cover():
    header = Header(roots=(VENDOR.root,), release=sign("other", b"nonsense", [PrivateKey.new()]))
    assert refusal(header, NotVerified) == "S1-S02"


def test_another_payload_type_is_refused():
    raw = statement_json(PARTS.manifest)
    assert refusal(header_of(raw, "application/json"), NotVerified) == "S1-S07"


@pytest.mark.parametrize(
    "changes",
    [
        {"_type": "https://in-toto.io/Statement/v0.1"},
        {"predicateType": "https://slsa.dev/provenance/v1"},
        {"predicateType": PREDICATE + "1"},
        {"predicateType": None},
        {"extra": 1},
    ],
)
def test_another_statement_is_refused(changes):
    assert refusal(header_of(canonical_json(statement(**changes))), NotVerified) == "S1-S07"


def test_a_root_signed_by_the_release_key_is_no_release():
    assert refusal(header_of(VENDOR.root.payload), NotVerified) == "S1-S07"


def test_a_statement_that_is_not_canonical_is_refused():
    raw = json.dumps(statement()).encode()
    assert refusal(header_of(raw), FormatRefused) == "S1-F22"


@pytest.mark.parametrize(
    "changes",
    [
        {"schema": 2},
        {"sequence": 0},
        {"sequence": "1"},
        {"version": "one"},
        {"unknown": 1},
        {"compose": "sha256:" + "A" * 64},
        {"compose": "md5:" + "0" * 32},
        {"compose": "sha256:../../" + "0" * 58},
    ],
)
def test_a_malformed_manifest_is_refused(changes):
    data = statement()
    data["predicate"] |= changes
    assert refusal(header_of(canonical_json(data)), FormatRefused) == "S1-F23"


def test_subjects_must_be_the_artefacts():
    assert refusal(header_of(canonical_json(statement(subject=[]))), ContentsRefused) == "S1-C03"


def test_another_channel_is_refused():
    trust = Trust(product="acme", channel="beta", root=VENDOR.trust.root)
    assert refusal(make_header(PARTS, VENDOR), NotVerified, trust) == "S1-T09"


def test_another_product_is_refused():
    other = make_header(make_parts(product="other", layer_bytes=10), VENDOR)
    assert refusal(other, NotVerified) == "S1-T08"
    trust = Trust(product="other", channel="stable", root=VENDOR.trust.root)
    assert refusal(other, NotVerified, trust) == "S1-T08"


@pytest.mark.parametrize(
    ("sequences", "is_good"), [((1, 99), 0), ((100, 100), 1), ((101, None), 0)]
)
def test_a_key_counts_for_its_sequences_only(sequences, is_good):
    keys = {
        name: msgspec.structs.replace(key, sequences=sequences)
        for name, key in VENDOR.document.keys.items()
    }
    header = make_header(PARTS, VENDOR)
    header = Header(roots=(VENDOR.root, next_root(keys=keys)), release=header.release)
    if is_good:
        assert verify(header)[1].sequence == 100
    else:
        assert refusal(header, NotVerified) == "S1-T07"


def test_a_release_below_the_floor_is_withdrawn():
    release = make_header(PARTS, VENDOR).release
    at = Header(roots=(VENDOR.root, next_root(floor=100)), release=release)
    below = Header(roots=(VENDOR.root, next_root(floor=101)), release=release)
    assert verify(at)[1].sequence == 100
    assert refusal(below, Withdrawn) == "S1-T22"


def test_a_revoked_release_is_withdrawn():
    header = make_header(PARTS, VENDOR)
    revoking = Header(
        roots=(VENDOR.root, next_root(revoked=(header.identity.hex,))), release=header.release
    )
    assert refusal(revoking, Withdrawn) == "S1-T23"


def release_with(blobs):
    digest, manifest, signers, root = verify(make_header(PARTS, VENDOR))
    return VerifiedRelease(
        digest=digest,
        manifest=manifest,
        signers=signers,
        root=root,
        header=b"",
        read_blob=blobs.__getitem__,
    )


def test_small_blobs_are_checked_whenever_they_are_read():
    compose = PARTS.manifest.compose
    assert release_with(PARTS.blobs).small(compose) == PARTS.blobs[compose]
    with pytest.raises(ContentsRefused) as caught:
        release_with({compose: b"lies"}).small(compose)
    assert caught.value.code == "S1-C02"


def test_layers_and_strangers_are_no_small_blobs():
    for digest in (PARTS.manifest.blobs[-1].digest, Digest.of(b"stranger")):
        with pytest.raises(ContentsRefused) as caught:
            release_with(PARTS.blobs).small(digest)
        assert caught.value.code == "S1-C01"
