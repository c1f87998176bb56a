"""A reader written from docs/bundle-format.md alone: it uses nothing of s1ctl to read."""

import base64
import hashlib
import json
import subprocess
import tarfile

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key

from s1ctl.bundle.build import build_bundle
from tests.support.bundles import make_vendor
from tests.support.recipes import write_project

pytestmark = pytest.mark.integration
VENDOR = make_vendor()


@pytest.fixture
def bundle(tmp_path):
    recipe = write_project(tmp_path / "project", is_multi_platform=True)
    return build_bundle(
        recipe, tmp_path / "acme.s1b", key=VENDOR.release_keys[0], roots=(VENDOR.root,)
    )


def canonical(data):
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def payload_of(envelope, *keys):
    payload, kind = base64.b64decode(envelope["payload"]), envelope["payloadType"]
    message = f"DSSEv1 {len(kind)} {kind} {len(payload)} ".encode() + payload
    for key, signature in zip(keys, envelope["signatures"], strict=True):
        load_der_public_key(key).verify(
            base64.b64decode(signature["sig"]), message, ec.ECDSA(hashes.SHA256())
        )
    return payload


def test_the_documented_format_is_what_is_written(bundle):
    with tarfile.open(bundle.path, "r:", format=tarfile.USTAR_FORMAT) as archive:
        members = archive.getmembers()
        read = {member.name: archive.extractfile(member).read() for member in members}
    slot = read["s1-bundle.json"]
    document = slot[: slot.rindex(b"}") + 1]
    header = json.loads(document)
    assert canonical(header) == document
    assert len(slot) == 65536
    assert set(slot[len(document) :]) == {0x20}

    root_key, release_key = VENDOR.root_keys[0].public, VENDOR.release_keys[0].public
    root = json.loads(payload_of(header["roots"][0], root_key.spki))
    named = base64.b64decode(root["keys"][root["roles"]["release"]["keys"][0]]["spki"])
    assert named == release_key.spki
    payload = payload_of(header["release"], named)
    assert "sha256:" + hashlib.sha256(payload).hexdigest() == bundle.digest

    statement = json.loads(payload)
    assert canonical(statement) == payload
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == "https://s1ctl.dev/release/v1"
    manifest = statement["predicate"]
    subjects = [(image["repository"], image["digest"]) for image in manifest["images"]]
    subjects.append(("compose.yaml", manifest["compose"]))
    assert statement["subject"] == [
        {"name": name, "digest": {"sha256": digest[7:]}} for name, digest in subjects
    ]

    names = [f"blobs/sha256/{blob['digest'][7:]}" for blob in manifest["blobs"]]
    assert [member.name for member in members] == [
        "s1-bundle.json", "oci-layout", "index.json", *names,
    ]  # fmt: skip
    for name, blob in zip(names, manifest["blobs"], strict=True):
        assert len(read[name]) == blob["size"]
        assert hashlib.sha256(read[name]).hexdigest() == blob["digest"][7:]
    sizes = {blob["digest"]: blob["size"] for blob in manifest["blobs"]}
    assert read["index.json"] == canonical(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [
                {
                    "mediaType": image["media_type"],
                    "digest": image["digest"],
                    "size": sizes[image["digest"]],
                    "annotations": {"org.opencontainers.image.ref.name": f"{image['name']}:1.1.0"},
                }
                for image in manifest["images"]
            ],
        }
    )


def test_every_byte_of_the_file_follows_from_the_documented_blocks(bundle):
    raw = bundle.path.read_bytes()
    with tarfile.open(bundle.path, "r:") as archive:
        members = archive.getmembers()
    again = b""
    for member in members:
        again += block(member.name, member.size)
        again += raw[member.offset_data :][: member.size] + bytes(-member.size % 512)
    assert again + bytes(1024) == raw


def block(name, size):
    fields = [
        name.encode().ljust(100, b"\0"),
        b"0000644\0", b"0000000\0", b"0000000\0",
        b"%011o\0" % size, b"00000000000\0", b" " * 8, b"0" + bytes(100),
        b"ustar\x0000", bytes(247),
    ]  # fmt: skip
    raw = b"".join(fields)
    return raw[:148] + b"%06o\0 " % sum(raw) + raw[156:]


def test_openssl_and_sha256sum_alone_check_the_signature(bundle, tmp_path):
    header = json.loads(bundle.path.read_bytes()[512:66048])
    envelope = header["release"]
    payload = base64.b64decode(envelope["payload"])
    (tmp_path / "message").write_bytes(
        b"DSSEv1 28 application/vnd.in-toto+json %d %b" % (len(payload), payload)
    )
    (tmp_path / "signature").write_bytes(base64.b64decode(envelope["signatures"][0]["sig"]))
    (tmp_path / "key.pem").write_bytes(VENDOR.release_keys[0].public.pem)
    words = [
        "openssl",
        "dgst",
        "-sha256",
        "-verify",
        "key.pem",
        "-signature",
        "signature",
        "message",
    ]
    done = subprocess.run(words, cwd=tmp_path, stdout=subprocess.PIPE, timeout=30, check=True)
    assert done.stdout == b"Verified OK\n"
