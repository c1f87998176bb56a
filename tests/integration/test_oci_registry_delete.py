"""Deleting from a real registry, and from one that allows no deletion."""

from pathlib import Path

import pytest

from s1ctl.errors import InputOutputFailed
from s1ctl.oci.digest import Digest
from s1ctl.oci.registry import Registry
from tests.support.answers import AnswerServer, Told
from tests.support.images import Image, make_image, make_layer, push_image
from tests.support.registry import IMPATIENT, RegistryServer
from tests.support.require import need

pytestmark = pytest.mark.integration
IMAGE = make_image([make_layer({"/one": b"one"})])
OTHER = make_image([make_layer({"/two": b"two"})])


def push(server: RegistryServer, image: Image, tag: str) -> Digest:
    push_image(server.url, "shop/web", image, tag=tag)
    return Digest(image.digest)


def test_a_manifest_goes_with_its_tags_and_no_other(plain_registry: RegistryServer) -> None:
    digest, other = push(plain_registry, IMAGE, "1.0.0"), push(plain_registry, OTHER, "2.0.0")
    push(plain_registry, IMAGE, "also")
    client = plain_registry.connect()
    assert client.delete_manifest("shop/web", digest)
    for reference in (digest, "1.0.0", "also"):
        assert client.has_manifest("shop/web", reference) is None
    assert client.has_manifest("shop/web", "2.0.0") == other


def test_what_is_gone_counts_as_deleted(plain_registry: RegistryServer) -> None:
    digest = push(plain_registry, IMAGE, "1.0.0")
    client = plain_registry.connect()
    assert client.delete_manifest("shop/web", digest)
    assert client.delete_manifest("shop/web", digest)
    assert client.delete_manifest("shop/none", digest)


def test_a_tag_alone_is_deleted_or_said_not_to_be_and_its_manifest_stays(
    plain_registry: RegistryServer,
) -> None:
    digest = push(plain_registry, IMAGE, "1.0.0")
    client = plain_registry.connect()
    is_gone = client.delete_tag("shop/web", "1.0.0")
    assert (client.has_manifest("shop/web", "1.0.0") is None) == is_gone
    assert client.has_manifest("shop/web", digest) == digest


def test_a_registry_that_allows_no_deletion_is_told_from_one_that_fails(tmp_path: Path) -> None:
    need("registry")
    server = RegistryServer(tmp_path / "registry")
    config = server.folder / "config.yml"
    config.write_text(config.read_text().replace("enabled: true", "enabled: false"))
    with server:
        digest = push(server, IMAGE, "1.0.0")
        assert not server.connect().delete_manifest("shop/web", digest)
        assert server.connect().has_manifest("shop/web", "1.0.0") == digest


@pytest.mark.parametrize(("status", "code"), [(401, "S1-R06"), (403, "S1-R07"), (500, "S1-R10")])
def test_another_refusal_of_a_deletion_is_raised(status: int, code: str) -> None:
    with AnswerServer(lambda _: Told(status=status)) as server:
        client = Registry(server.url, patience=IMPATIENT)
        with pytest.raises(InputOutputFailed) as failed:
            client.delete_manifest("shop/web", Digest(IMAGE.digest))
        assert failed.value.code == code
