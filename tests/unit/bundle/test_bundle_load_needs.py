import json
from dataclasses import dataclass

import pytest

from s1ctl.bundle.needs import make_needs
from s1ctl.errors import ContentsRefused
from s1ctl.oci.digest import Digest
from s1ctl.release.manifest import ReleaseManifest
from tests.support.bundles import Parts, make_parts


@dataclass
class Release:
    """The two things of a verified release that matter here."""

    manifest: ReleaseManifest
    blobs: dict[Digest, bytes]

    def small(self, digest: Digest) -> bytes:
        return self.blobs[digest]


def release_of(parts: Parts) -> Release:
    return Release(manifest=parts.manifest, blobs=parts.blobs)


def test_a_shared_layer_is_one_blob_of_several_repositories() -> None:
    parts = make_parts(layer_bytes=5000)
    needs = make_needs(release_of(parts), "site")
    shared = [need for need in needs.blobs if len(need.repositories) == 2]
    assert [need.repositories for need in shared] == [("site/acme/console", "site/acme/gateway")]
    kinds = {"oci-layer", "oci-config"}
    expected = {blob.digest for blob in parts.manifest.blobs if blob.kind in kinds}
    assert {need.digest for need in needs.blobs} == expected
    assert needs.unique_bytes == sum(len(parts.blobs[digest]) for digest in expected)


def test_the_largest_blob_comes_first() -> None:
    sizes = [need.size for need in make_needs(release_of(make_parts()), "").blobs]
    assert sizes == sorted(sizes, reverse=True)


def test_children_come_before_their_index() -> None:
    parts = make_parts(is_multi_platform=True)
    order = [need.digest for need in make_needs(release_of(parts), "").manifests]
    for image in parts.manifest.images:
        for child in json.loads(parts.blobs[image.digest])["manifests"]:
            assert order.index(child["digest"]) < order.index(image.digest)


def test_tags_name_the_images_under_the_prefix() -> None:
    parts = make_parts()
    tags = make_needs(release_of(parts), "site/a").tags
    assert [str(tag) for tag in tags] == [
        "site/a/acme/console:1.0.0",
        "site/a/acme/gateway:1.0.0",
    ]
    assert [tag.manifest.digest for tag in tags] == [i.digest for i in parts.manifest.images]


def test_an_empty_prefix_leaves_repositories_as_they_are() -> None:
    tags = make_needs(release_of(make_parts()), "").tags
    assert str(tags[0]) == "acme/console:1.0.0"


def test_a_prefix_that_is_none_is_refused() -> None:
    with pytest.raises(ContentsRefused) as refused:
        make_needs(release_of(make_parts()), "../other")
    assert refused.value.code == "S1-C40"


def test_the_same_image_twice_is_needed_once() -> None:
    parts = make_parts()
    twice = parts.change(images=(*parts.manifest.images, parts.manifest.images[0]))
    one, two = (make_needs(release_of(each), "site") for each in (parts, twice))
    assert one.blobs == two.blobs
    assert one.manifests == two.manifests
