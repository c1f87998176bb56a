import json
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from s1ctl.bundle.images import admits_below, read_image
from s1ctl.bundle.recipe import read_recipe
from s1ctl.bundle.sources import LayoutSource, open_source
from s1ctl.errors import ContentsRefused, InputOutputFailed, UsageError
from s1ctl.oci.layout import Layout
from s1ctl.release.manifest import Image
from tests.support.bundles import (
    CONFIG,
    INDEX,
    LAYER,
    MANIFEST,
    Shelf,
    descriptor,
    index_bytes,
    put_manifest,
    to_json,
)
from tests.support.recipes import change, write_layout, write_project

ANY = SpecifierSet()


class Bench:
    """A layout with one image `app:1`, made from a manifest that the test may spoil."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shelf = Shelf()

    def manifest(self, **changes):
        layer = self.shelf.put("oci-layer", b"layer")
        config = changes.pop("config_json", None) or {
            "os": "linux",
            "architecture": "arm",
            "variant": "v7",
            "rootfs": {"type": "layers", "diff_ids": [layer]},
        }
        raw = to_json(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": descriptor(
                    self.shelf, self.shelf.put("oci-config", to_json(config)), CONFIG
                ),
                "layers": [descriptor(self.shelf, layer, LAYER) | changes.pop("layer", {})],
                **changes,
            }
        )
        return self.shelf.put("oci-manifest", raw)

    def read(self, digest, media_type=MANIFEST, engines=ANY):
        image = Image(
            name="app", digest=digest, media_type=media_type, platforms=(), repository="a", tags=()
        )
        write_layout(self.folder, self.shelf, {"app:1": image})
        return read_image("app", LayoutSource(layout=Layout(self.folder), name="app:1"), engines)


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path / "layout")


def test_an_image_is_read_with_its_manifest_config_and_layers(bench):
    digest = bench.manifest()
    image = bench.read(digest)
    assert image.root.digest == digest
    assert list(image.manifests) == [digest]
    assert len(image.configs) == 1
    assert [layer.size for layer in image.layers] == [5]
    assert image.platforms == ("linux/arm/v7",)
    assert b"".join(image.source.stream(image.layers[0])) == b"layer"


def test_a_layer_that_is_in_an_image_twice_is_listed_once(bench):
    digest = put_manifest(bench.shelf, ["same", "same"], 10, "linux/amd64")
    assert len(bench.read(digest).layers) == 1


def test_attestations_beside_the_platforms_are_carried_but_are_no_platform(bench):
    image = bench.manifest()
    attestation = bench.manifest(
        layer={"mediaType": "application/vnd.in-toto+json"}, config_json={"any": "thing"}
    )
    index = bench.shelf.put(
        "oci-manifest",
        index_bytes(bench.shelf, [("linux/arm", image), ("unknown/unknown", attestation)]),
    )
    read = bench.read(index, INDEX)
    assert read.platforms == ("linux/arm",)
    assert set(read.manifests) == {index, image, attestation}


def test_an_image_without_a_platform_is_refused(bench):
    index = bench.shelf.put(
        "oci-manifest", index_bytes(bench.shelf, [("unknown/unknown", bench.manifest())])
    )
    with pytest.raises(ContentsRefused, match="has no platform") as caught:
        bench.read(index, INDEX)
    assert caught.value.code == "S1-C70"


def test_an_index_inside_an_index_is_followed(bench):
    inner = bench.shelf.put(
        "oci-manifest", index_bytes(bench.shelf, [("linux/arm", bench.manifest())])
    )
    outer = bench.shelf.put(
        "oci-manifest",
        to_json(
            {
                "schemaVersion": 2,
                "mediaType": INDEX,
                "manifests": [descriptor(bench.shelf, inner, INDEX)],
            }
        ),
    )
    assert len(bench.read(outer, INDEX).manifests) == 3


@pytest.mark.parametrize("engines", ["", ">=20.10.10", ">=22,<24", "!=20.10.0"])
def test_a_zstd_layer_is_refused_while_old_engines_are_admitted(engines, bench):
    digest = bench.manifest(layer={"mediaType": LAYER.replace("gzip", "zstd")})
    with pytest.raises(ContentsRefused) as caught:
        bench.read(digest, engines=SpecifierSet(engines))
    assert caught.value.code == "S1-C67"
    assert "requires.engine" in caught.value.message


def test_a_zstd_layer_is_fine_for_engines_that_unpack_it(bench):
    digest = bench.manifest(layer={"mediaType": LAYER.replace("gzip", "zstd")})
    assert bench.read(digest, engines=SpecifierSet(">=23"))


@pytest.mark.parametrize(
    ("versions", "admits"),
    [
        ("", True),
        (">=20.10.10", True),
        ("<24", True),
        ("<23", True),
        ("==22.*", True),
        ("~=22.1", True),
        (">22", True),
        (">22.9999999.1,<23", True),
        ("==22.06.1", True),
        ("!=20.10.1", True),
        (">=23", False),
        (">=23.0.1,<26", False),
        ("==25.*", False),
        ("===nonsense", False),
    ],
)
def test_it_is_found_whether_versions_admit_an_old_engine(versions, admits):
    assert admits_below(SpecifierSet(versions), Version("23")) is admits


REFUSED_MANIFESTS = {
    "another schema": ({"schemaVersion": 1}, "S1-C43"),
    "a layer to be had elsewhere": ({"layer": {"urls": ["https://e.example/l"]}}, "S1-C45"),
    "a layer of an unknown kind": ({"layer": {"mediaType": "text/plain"}}, "S1-C44"),
    "a layer with a wrong size": ({"layer": {"size": 6}}, "S1-C70"),
    "a config that is a list": ({"config_json": [1]}, "S1-C70"),
    "a config without layers": ({"config_json": {"os": "linux", "architecture": "a"}}, "S1-C70"),
    "a config with other layers": (
        {"config_json": {"os": "linux", "architecture": "a", "rootfs": {"diff_ids": []}}},
        "S1-C70",
    ),
}


@pytest.mark.parametrize("case", REFUSED_MANIFESTS)
def test_an_image_that_contradicts_itself_is_refused_by_name(case, bench):
    changes, code = REFUSED_MANIFESTS[case]
    with pytest.raises(ContentsRefused, match="image `app`") as caught:
        bench.read(bench.manifest(**changes))
    assert caught.value.code == code


def test_a_manifest_that_has_another_size_than_its_descriptor_says_is_refused(bench):
    digest = bench.manifest()
    index = json.loads(index_bytes(bench.shelf, [("linux/arm", digest)]))
    index["manifests"][0]["size"] += 1
    with pytest.raises(ContentsRefused, match="image `app` says") as caught:
        bench.read(bench.shelf.put("oci-manifest", to_json(index)), INDEX)
    assert caught.value.code == "S1-C70"


def test_an_image_of_endless_manifests_is_refused(bench):
    listed = [
        (f"linux/a{number}", bench.manifest(annotations={"n": str(number)}))
        for number in range(256)
    ]
    index = bench.shelf.put("oci-manifest", index_bytes(bench.shelf, listed))
    with pytest.raises(ContentsRefused, match="more than 256 manifests"):
        bench.read(index, INDEX)


@pytest.mark.parametrize("kind", ["oci-config", "oci-layer"])
def test_an_image_with_a_blob_missing_is_refused(kind, bench):
    digest = bench.manifest()
    lost = next(blob.digest for blob in bench.shelf.listed.values() if blob.kind == kind)
    del bench.shelf.blobs[lost]
    with pytest.raises(ContentsRefused, match=lost.hex):
        bench.read(digest)


def test_a_layer_that_cannot_be_read_is_named(bench):
    image = bench.read(bench.manifest())
    path = bench.folder / "blobs" / "sha256" / image.layers[0].digest.hex
    path.unlink()
    path.mkdir()
    with pytest.raises(InputOutputFailed):
        list(image.source.stream(image.layers[0]))


def test_a_name_that_the_layout_lacks_is_refused_with_those_that_it_has(tmp_path):
    recipe = write_project(tmp_path / "project", changes={'"console:1.1.0"': '"console:9"'})
    source = open_source(read_recipe(recipe), "console", {})
    with pytest.raises(ContentsRefused, match=r"`console:1\.1\.0`, `gateway:1\.1\.0`"):
        source.resolve()


REGISTRY = 'registry: "https://127.0.0.1:1", name: "{}"'


@pytest.mark.parametrize(
    ("name", "repository", "reference"),
    [
        ("team/app:1.0", "team/app", "1.0"),
        ("app@sha256:" + "a" * 64, "app", "sha256:" + "a" * 64),
        ("app:1@sha256:" + "a" * 64, "app", "sha256:" + "a" * 64),
    ],
)
def test_an_image_in_a_registry_is_named_by_tag_or_digest(name, repository, reference, tmp_path):
    source = open_source(registry_recipe(tmp_path, name), "console", {})
    assert source.repository == repository
    assert source.reference == reference


@pytest.mark.parametrize("name", ["team/app", "app", ":1", "@sha256:" + "a" * 64, "app@latest"])
def test_an_image_in_a_registry_without_tag_or_digest_is_refused_with_its_line(name, tmp_path):
    with pytest.raises(UsageError, match=r"recipe\.yaml:8:\d+: ") as caught:
        open_source(registry_recipe(tmp_path, name), "console", {})
    assert caught.value.code == "S1-U62"


def test_a_password_that_the_environment_lacks_is_refused(tmp_path):
    recipe = registry_recipe(tmp_path, 'app:1", user: u, password: "env:NOT_SET')
    with pytest.raises(InputOutputFailed) as caught:
        open_source(recipe, "console", {})
    assert caught.value.code == "S1-I10"


def registry_recipe(folder, name):
    path = write_project(folder / "project")
    change(path, 'oci-layout: ../images, name: "console:1.1.0"', REGISTRY.format(name))
    return read_recipe(path)
