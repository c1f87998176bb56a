import subprocess
from pathlib import Path

import pytest

from tests.support.require import need

pytestmark = pytest.mark.e2e
BLOCK = 512


def slot_size(bundle: Path) -> int:
    """The size of the header's slot, as the first tar header says it."""
    with bundle.open("rb") as file:
        return int(file.read(BLOCK)[124:135], 8)


def test_two_builds_of_one_recipe_are_the_same_bytes(s1ctl, vendor, tmp_path: Path) -> None:
    again = tmp_path / "again.s1b"
    words = ("--key", vendor.key, "--root", vendor.root)
    s1ctl("bundle", "build", vendor.recipes["1.1.0"], "-o", again, *words)
    assert again.read_bytes() == vendor.bundles["1.1.0"].read_bytes()


def test_a_second_signature_leaves_every_byte_after_the_header_as_it_was(
    s1ctl, vendor, tmp_path: Path
) -> None:
    bundle = tmp_path / "shop.s1b"
    bundle.write_bytes(vendor.bundles["1.0.0"].read_bytes())
    size = BLOCK + slot_size(bundle)
    before = bundle.read_bytes()
    s1ctl("key", "new", tmp_path / "second.key", "--no-password")
    s1ctl("bundle", "sign", bundle, "--key", tmp_path / "second.key")
    after = bundle.read_bytes()
    assert after[size:] == before[size:]
    assert after[:size] != before[:size]


def test_a_bundle_is_verified_by_root_and_fingerprint(s1ctl, vendor) -> None:
    words = ("--root", vendor.root, "--fingerprint", vendor.fingerprint)
    assert s1ctl("bundle", "verify", vendor.bundles["1.0.0"], *words).startswith("verified: shop")


def test_another_tool_reads_a_bundle_as_an_oci_archive(vendor) -> None:
    need("skopeo")
    inspect = ["skopeo", "inspect", f"oci-archive:{vendor.bundles['1.0.0']}:all:1.0.0"]
    done = subprocess.run(inspect, capture_output=True, text=True, timeout=60, check=True)
    assert '"Architecture": "amd64"' in done.stdout


def test_a_changed_bundle_is_refused_with_its_code(s1ctl, vendor, tmp_path: Path) -> None:
    bundle = tmp_path / "shop.s1b"
    raw = bytearray(vendor.bundles["1.0.0"].read_bytes())
    raw[-100_000] ^= 1
    bundle.write_bytes(raw)
    words = ("--root", vendor.root, "--fingerprint", vendor.fingerprint)
    answer = s1ctl.data("bundle", "verify", bundle, *words, expected=13)
    assert answer["error"]["code"] == "S1-C10"
