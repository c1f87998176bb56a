import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from s1ctl.bundle.build import build_bundle
from s1ctl.bundle.lockfile import image_lock_path
from s1ctl.errors import ContentsRefused, InputOutputFailed, UsageError
from s1ctl.oci.registry import Registry
from s1ctl.site.secrets import Secret
from tests.support.bundles import MANIFEST, Shelf, make_vendor, put_image
from tests.support.recipes import change, write_project
from tests.support.registry import PASSWORD, USER, RegistryServer
from tests.support.require import need

pytestmark = pytest.mark.integration
VENDOR = make_vendor()
KEY = VENDOR.release_keys[0]
ROOT = Path(__file__).parent.parent.parent


def connect(server: RegistryServer) -> Registry:
    password = Secret(server.password) if server.password else None
    return Registry(server.url, ca=server.ca, user=server.user, password=password)


def push(server: RegistryServer, *, layer_bytes: int = 20_000) -> None:
    """Push the images of the project as `console:1.1.0` and `gateway:1.1.0`."""
    registry = connect(server)
    for name in ("console", "gateway"):
        shelf = Shelf()
        image = put_image(shelf, name, version="1.1.0", layer_bytes=layer_bytes)
        for blob in shelf.listed.values():
            if blob.kind != "oci-manifest":
                registry.upload_blob(name, blob.digest, blob.size, [shelf.blobs[blob.digest]])
        registry.put_manifest(name, "1.1.0", shelf.blobs[image.digest], MANIFEST)


def use_registry(recipe: Path, server: RegistryServer) -> None:
    """Have the recipe take its images from the registry."""
    access = f'registry: "{server.url}"'
    if server.ca:
        access += f', ca: {server.ca}, user: {USER}, password: "env:PW"'
    change(recipe, "oci-layout: ../images", access)


@pytest.fixture
def recipe(tmp_path):
    return write_project(tmp_path / "project")


@pytest.fixture
def out(tmp_path):
    return tmp_path / "acme.s1b"


@pytest.mark.parametrize("kind", ["registry", "plain_registry"])
def test_a_bundle_from_a_registry_equals_one_from_a_layout(kind, recipe, out, tmp_path, request):
    server = request.getfixturevalue(kind)
    push(server)
    build_bundle(recipe, out, key=None, roots=(VENDOR.root,))
    use_registry(recipe, server)
    again = tmp_path / "again.s1b"
    build_bundle(recipe, again, key=None, roots=(VENDOR.root,), environment={"PW": PASSWORD})
    assert again.read_bytes() == out.read_bytes()


def test_a_layer_is_asked_for_once_and_a_bundle_without_changes_sends_nothing(
    plain_registry, recipe, out
):
    push(plain_registry)
    before = len(plain_registry.requests())
    use_registry(recipe, plain_registry)
    manifest = build_bundle(recipe, out, key=KEY).manifest
    asked = plain_registry.requests()[before:]
    assert {request.method for request in asked} <= {"GET", "HEAD"}
    for blob in manifest.blobs:
        if blob.kind == "oci-layer":
            fetched = [
                r for r in asked if r.method == "GET" and r.path.endswith(f"/blobs/{blob.digest}")
            ]
            assert len(fetched) == 1


def test_a_tag_that_moved_in_the_registry_is_refused_until_the_lock_is_updated(
    plain_registry, recipe, out
):
    push(plain_registry)
    use_registry(recipe, plain_registry)
    first = build_bundle(recipe, out, key=KEY).manifest.image("console").digest
    push(plain_registry, layer_bytes=777)
    with pytest.raises(UsageError) as caught:
        build_bundle(recipe, out, key=KEY)
    assert caught.value.code == "S1-U70"
    assert first in caught.value.message
    second = build_bundle(recipe, out, key=KEY, update_lock=True).manifest.image("console").digest
    assert json.loads(image_lock_path(recipe).read_text())["images"]["console"] == second != first


def test_a_tag_that_the_registry_lacks_is_named(plain_registry, recipe, out):
    use_registry(recipe, plain_registry)
    with pytest.raises(InputOutputFailed, match=r"`1\.1\.0` in `console`"):
        build_bundle(recipe, out, key=KEY)
    assert not out.exists()


def test_a_wrong_password_is_refused_and_not_repeated(registry, recipe, out):
    push(registry)
    use_registry(recipe, registry)
    with pytest.raises(InputOutputFailed) as caught:
        build_bundle(recipe, out, key=KEY, environment={"PW": "canary-wrong"})
    assert "canary" not in f"{caught.value.message}{caught.value.hint}"
    assert not out.exists()


@pytest.mark.parametrize("change_bytes", [lambda raw: raw[:-1] + b"?", lambda raw: raw[:-1]])
def test_a_layer_that_the_registry_damaged_leaves_no_bundle_and_no_lock(
    change_bytes, plain_registry, recipe, out
):
    push(plain_registry)
    use_registry(recipe, plain_registry)
    digest = next(digest for digest, size in plain_registry.blobs().items() if size == 20_000)
    hexadecimal = digest.removeprefix("sha256:")
    root = plain_registry.storage / "docker/registry/v2/blobs/sha256"
    data = root / hexadecimal[:2] / hexadecimal / "data"
    data.write_bytes(change_bytes(data.read_bytes()))
    with pytest.raises((ContentsRefused, InputOutputFailed), match=hexadecimal):
        build_bundle(recipe, out, key=KEY)
    assert list(out.parent.glob("*.s1b*")) == list(out.parent.glob(".*")) == []
    assert not image_lock_path(recipe).exists()


def test_builds_by_processes_with_other_hash_seeds_and_time_zones_are_equal(recipe, tmp_path):
    program = (
        "import sys, pathlib; from s1ctl.bundle.build import build_bundle;"
        "build_bundle(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), key=None,"
        " source_date_epoch='1767225600')"
    )
    built = []
    for seed, zone in (("1", "UTC"), ("2", "Asia/Tokyo")):
        out = tmp_path / f"{seed}.s1b"
        environment = {**os.environ, "PYTHONHASHSEED": seed, "TZ": zone, "PYTHONPATH": str(ROOT)}
        subprocess.run(
            [sys.executable, "-c", program, str(recipe), str(out)],
            env=environment,
            check=True,
            timeout=60,
        )
        built.append(out.read_bytes())
    assert built[0] == built[1]


def test_skopeo_reads_an_image_out_of_a_bundle_and_writes_what_is_built_again(
    recipe, out, tmp_path
):
    need("skopeo")
    project = tmp_path / "project"
    report = build_bundle(recipe, out, key=KEY, roots=(VENDOR.root,))
    seen = skopeo("inspect", "--raw", f"oci-archive:{out}:console:1.1.0")
    assert json.loads(seen)["layers"]
    for name in ("console", "gateway"):
        skopeo(
            "copy", "--preserve-digests",
            f"oci-archive:{out}:{name}:1.1.0", f"oci:{project}/copied:{name}:1.1.0",
        )  # fmt: skip
    change(recipe, "../images", "../copied")
    again = build_bundle(recipe, tmp_path / "again.s1b", key=None, roots=(VENDOR.root,))
    assert again.digest == report.digest


def skopeo(*words: str) -> str:
    done = subprocess.run(
        ["skopeo", "--insecure-policy", *words],
        stdout=subprocess.PIPE,
        check=True,
        timeout=60,
        text=True,
    )
    return done.stdout
