"""A bundle is also an OCI layout in a tar: a foreign reader finds its images."""

import json
import subprocess

import pytest

from tests.support.bundles import make_parts, make_vendor, write_bundle
from tests.support.require import need

pytestmark = pytest.mark.integration


@pytest.fixture
def skopeo():
    need("skopeo")
    return "skopeo"


@pytest.mark.parametrize("is_multi_platform", [False, True])
def test_skopeo_inspects_an_image_of_a_bundle(tmp_path, skopeo, is_multi_platform):
    parts = make_parts(is_multi_platform=is_multi_platform)
    path = write_bundle(tmp_path / "a.bundle", parts, make_vendor())
    for image in parts.manifest.images:
        command = [skopeo, "--tmpdir", tmp_path, "--override-arch", "amd64", "inspect"]
        done = subprocess.run(
            [*command, f"oci-archive:{path}:{image.name}:1.0.0"],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        found = json.loads(done.stdout)
        assert found["Digest"] == image.digest
        assert len(found["Layers"]) == 2
