import json
from typing import Any

import pytest

from s1ctl.errors import ContentsRefused
from s1ctl.oci.manifest import (
    DOCKER_INDEX,
    DOCKER_MANIFEST,
    MAX_BYTES,
    MAX_DESCRIPTORS,
    OCI_INDEX,
    OCI_MANIFEST,
    Index,
    Manifest,
    parse_manifest,
)

CONFIG = {
    "mediaType": "application/vnd.oci.image.config.v1+json",
    "digest": "sha256:" + "c" * 64,
    "size": 7,
}
LAYER = {
    "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
    "digest": "sha256:" + "1" * 64,
    "size": 70,
}
CHILD = {
    "mediaType": OCI_MANIFEST,
    "digest": "sha256:" + "d" * 64,
    "size": 7,
    "platform": {"os": "linux", "architecture": "arm", "variant": "v7"},
}


def image(**changes: Any) -> bytes:
    data = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": CONFIG, "layers": [LAYER]}
    return to_json(data | changes)


def index(**changes: Any) -> bytes:
    return to_json({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [CHILD]} | changes)


def to_json(data: dict[str, Any]) -> bytes:
    return json.dumps({key: value for key, value in data.items() if value is not None}).encode()


def refusal(raw: bytes, media_type: str | None = None) -> str:
    with pytest.raises(ContentsRefused) as refused:
        parse_manifest(raw, media_type)
    assert refused.value.message.isprintable()
    return refused.value.code


def test_an_image_manifest_gives_its_config_and_layers() -> None:
    manifest = parse_manifest(image(), OCI_MANIFEST)
    assert isinstance(manifest, Manifest)
    assert [d.digest for d in manifest.descriptors] == [CONFIG["digest"], LAYER["digest"]]
    assert manifest.layers[0].size == 70


def test_an_index_gives_its_manifests_with_platforms() -> None:
    found = parse_manifest(index(), None)
    assert isinstance(found, Index)
    assert [str(d.platform) for d in found.descriptors] == ["linux/arm/v7"]


def test_docker_manifests_and_lists_are_read_too() -> None:
    config = CONFIG | {"mediaType": "application/vnd.docker.container.image.v1+json"}
    layer = LAYER | {"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip"}
    raw = image(mediaType=DOCKER_MANIFEST, config=config, layers=[layer])
    assert parse_manifest(raw, DOCKER_MANIFEST).media_type == DOCKER_MANIFEST
    listed = [CHILD | {"mediaType": DOCKER_MANIFEST}]
    found = parse_manifest(index(mediaType=DOCKER_INDEX, manifests=listed), None)
    assert found.media_type == DOCKER_INDEX


def test_an_oci_document_may_leave_out_its_media_type() -> None:
    assert parse_manifest(image(mediaType=None), None).media_type == OCI_MANIFEST
    assert parse_manifest(index(mediaType=None), OCI_INDEX).media_type == OCI_INDEX


def test_unknown_keys_are_left_alone() -> None:
    parse_manifest(image(annotations={"a": "b"}, artifactType="x/y", subject=CHILD), None)


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"\xff{}", b"\xef\xbb\xbf{}", b"[" * 200_000, b'{"a":NaN}', b'{"a":1,"a":2}'],
)
def test_what_is_not_json_is_refused(raw: bytes) -> None:
    assert refusal(raw) == "S1-C42"


def test_a_key_twice_anywhere_is_refused() -> None:
    assert refusal(image()[:-1] + b', "layers": []}') == "S1-C42"


def test_a_manifest_of_over_4_mib_is_refused() -> None:
    raw = image()
    assert parse_manifest(raw + b" " * (MAX_BYTES - len(raw)), None)
    assert refusal(raw + b" " * (MAX_BYTES - len(raw) + 1)) == "S1-C42"


def test_too_many_descriptors_are_refused() -> None:
    assert parse_manifest(image(layers=[LAYER] * MAX_DESCRIPTORS), None)
    assert refusal(image(layers=[LAYER] * (MAX_DESCRIPTORS + 1))) == "S1-C47"
    assert refusal(index(manifests=[CHILD] * (MAX_DESCRIPTORS + 1))) == "S1-C47"


@pytest.mark.parametrize(
    "raw",
    [
        b"[]",
        image(schemaVersion=1),
        image(schemaVersion=True),
        image(schemaVersion="2"),
        image(schemaVersion=None),
        image(config=None),
        image(layers=None),
        image(layers={}),
        index(manifests={}),
    ],
)
def test_a_manifest_of_another_shape_is_refused(raw: bytes) -> None:
    assert refusal(raw) == "S1-C43"


@pytest.mark.parametrize("size", [True, 7.0, -1, "7", 2**53, None])
def test_a_size_that_is_not_a_count_of_bytes_is_refused(size: object) -> None:
    assert refusal(image(layers=[LAYER | {"size": size}])) == "S1-C43"


@pytest.mark.parametrize(
    "digest",
    ["sha256:" + "A" * 64, "sha256:" + "a" * 63, "md5:" + "a" * 32, "sha256:../../x", 7, None],
)
def test_a_digest_that_is_not_one_is_refused(digest: object) -> None:
    assert refusal(image(layers=[LAYER | {"digest": digest}])) == "S1-C43"


def test_a_media_type_that_contradicts_its_descriptor_is_refused() -> None:
    assert refusal(image(), OCI_INDEX) == "S1-C44"
    assert refusal(image(), DOCKER_MANIFEST) == "S1-C44"
    assert refusal(image(mediaType=None), DOCKER_MANIFEST) == "S1-C44"


@pytest.mark.parametrize(
    "raw",
    [
        image(mediaType="application/vnd.docker.distribution.manifest.v1+json"),
        image(mediaType=["x"]),
        image(config=CONFIG | {"mediaType": "application/vnd.example"}),
        image(layers=[LAYER | {"mediaType": "text/plain"}]),
        image(layers=[LAYER | {"mediaType": OCI_MANIFEST}]),
        index(manifests=[CHILD | {"mediaType": LAYER["mediaType"]}]),
    ],
)
def test_an_unknown_media_type_is_refused(raw: bytes) -> None:
    assert refusal(raw) == "S1-C44"


def test_foreign_layers_are_refused() -> None:
    urls = {"urls": ["https://example.com/layer"]}
    assert refusal(image(layers=[LAYER | urls])) == "S1-C45"
    assert refusal(image(config=CONFIG | urls)) == "S1-C45"
    assert refusal(index(manifests=[CHILD | urls])) == "S1-C45"
    foreign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
    assert refusal(image(layers=[LAYER | {"mediaType": foreign}])) == "S1-C44"


def test_a_document_that_is_manifest_and_index_in_one_is_refused() -> None:
    assert refusal(image(manifests=[CHILD])) == "S1-C46"
    assert refusal(index(layers=[LAYER])) == "S1-C46"
