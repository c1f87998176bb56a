import json
from pathlib import Path
from typing import Any

import pytest

from s1ctl.errors import ContentsRefused, InputOutputFailed
from s1ctl.oci.digest import Digest
from s1ctl.oci.layout import REF_NAME, Layout
from s1ctl.oci.manifest import MAX_BYTES, OCI_MANIFEST

MANIFEST = b'{"schemaVersion":2}'
DIGEST = Digest.of(MANIFEST)


def entry(name: str | None, digest: Digest = DIGEST) -> dict[str, Any]:
    annotations = {} if name is None else {"annotations": {REF_NAME: name}}
    return {"mediaType": OCI_MANIFEST, "digest": digest, "size": len(MANIFEST), **annotations}


def write_layout(folder: Path, *entries: dict[str, Any]) -> Path:
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    (blobs / DIGEST.hex).write_bytes(MANIFEST)
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": entries}))
    return folder


def test_a_name_and_a_digest_resolve(tmp_path: Path) -> None:
    layout = Layout(write_layout(tmp_path / "layout", entry("app:1"), entry(None)))
    assert layout.resolve("app:1").digest == DIGEST
    assert layout.resolve(DIGEST).media_type == OCI_MANIFEST
    assert layout.names == ("app:1",)


def test_blobs_are_read_in_place(tmp_path: Path) -> None:
    layout = Layout(write_layout(tmp_path / "layout"))
    assert layout.read(DIGEST) == MANIFEST
    assert layout.size(DIGEST) == len(MANIFEST)
    with layout.open(DIGEST) as file:
        assert file.read() == MANIFEST


def test_a_name_that_is_missing_or_ambiguous_is_refused(tmp_path: Path) -> None:
    other = Digest.of(b"other")
    layout = Layout(write_layout(tmp_path / "layout", entry("a"), entry("a", other)))
    for name in ("a", "b", ""):
        with pytest.raises(ContentsRefused) as refused:
            layout.resolve(name)
        assert refused.value.code == "S1-C49"


def test_a_blob_with_other_bytes_is_refused(tmp_path: Path) -> None:
    folder = write_layout(tmp_path / "layout")
    (folder / "blobs" / "sha256" / DIGEST.hex).write_bytes(b"other")
    with pytest.raises(ContentsRefused) as refused:
        Layout(folder).read(DIGEST)
    assert refused.value.code == "S1-C51"


def test_a_missing_blob_is_refused(tmp_path: Path) -> None:
    layout = Layout(write_layout(tmp_path / "layout"))
    for act in (layout.read, layout.size, layout.open):
        with pytest.raises(ContentsRefused) as refused:
            act(Digest.of(b"not there"))
        assert refused.value.code == "S1-C50"


def test_a_large_blob_is_not_read_into_memory(tmp_path: Path) -> None:
    folder = write_layout(tmp_path / "layout")
    with (folder / "blobs" / "sha256" / DIGEST.hex).open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(ContentsRefused) as refused:
        Layout(folder).read(DIGEST)
    assert refused.value.code == "S1-C42"


def test_a_directory_of_another_version_is_refused(tmp_path: Path) -> None:
    folder = write_layout(tmp_path / "layout")
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "2.0.0"}')
    with pytest.raises(ContentsRefused) as refused:
        Layout(folder)
    assert refused.value.code == "S1-C48"


def test_a_manifest_in_the_place_of_the_index_is_refused(tmp_path: Path) -> None:
    folder = write_layout(tmp_path / "layout")
    config = entry(None) | {"mediaType": "application/vnd.oci.image.config.v1+json"}
    document = {"schemaVersion": 2, "config": config, "layers": []}
    (folder / "index.json").write_text(json.dumps(document))
    with pytest.raises(ContentsRefused) as refused:
        Layout(folder)
    assert refused.value.code == "S1-C48"


def test_what_cannot_be_read_says_so(tmp_path: Path) -> None:
    folder = write_layout(tmp_path / "layout")
    (folder / "index.json").unlink()
    (folder / "index.json").mkdir()
    with pytest.raises(InputOutputFailed) as failed:
        Layout(folder)
    assert failed.value.code == "S1-I01"


def test_an_empty_directory_is_not_a_layout(tmp_path: Path) -> None:
    with pytest.raises(ContentsRefused) as refused:
        Layout(tmp_path)
    assert refused.value.code == "S1-C50"
