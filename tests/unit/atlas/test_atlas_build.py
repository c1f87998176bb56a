import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

Script = Callable[[str], ModuleType]

STANZAS = """\
Types: deb
# a comment
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates bookworm-backports
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://vendor.example
Suites: bookworm
Components: main
Signed-By: /usr/share/keyrings/vendor.gpg

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main
"""
LINES = """\
# deb http://old.example/debian bookworm main
deb [arch=amd64 signed-by=/k/vendor.gpg] http://vendor.example bookworm main
deb http://vendor.example bookworm stable
deb http://mirror.example/security bookworm-security main non-free
deb-src http://mirror.example/debian bookworm main
"""


def write_sources(folder: Path, *, lines: str = "", stanzas: str = "") -> Path:
    (folder / "sources.list.d").mkdir()
    (folder / "sources.list").write_text(lines)
    (folder / "sources.list.d" / "debian.sources").write_text(stanzas)
    return folder


def test_only_debian_s_own_main_entries_are_used(script: Script, tmp_path: Path) -> None:
    folder = write_sources(tmp_path, lines=LINES, stanzas=STANZAS)
    keyring = "[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]"
    assert script("debian").debian_sources(folder).splitlines() == [
        "deb http://mirror.example/security bookworm-security main",
        f"deb {keyring} http://mirror.example/debian bookworm main",
        f"deb {keyring} http://mirror.example/debian bookworm-updates main",
    ]


def test_a_host_without_debian_12_is_refused(script: Script, tmp_path: Path) -> None:
    folder = write_sources(tmp_path, lines="deb http://mirror.example/debian trixie main\n")
    with pytest.raises(script("layer").BuildError, match="bookworm main"):
        script("debian").debian_sources(folder)


def test_a_layer_s_digest_follows_from_its_files_alone(script: Script, tmp_path: Path) -> None:
    layer = script("layer")
    files = [layer.File(path="b", content=b"2"), layer.File(path="a", is_folder=True)]
    one = layer.Storage(tmp_path / "one").pack(files)
    two = layer.Storage(tmp_path / "two").pack(reversed(files))
    assert (one.digest, one.diff_id, one.size) == (two.digest, two.diff_id, two.size)
    packed = one.path.read_bytes()
    assert one.digest == f"sha256:{hashlib.sha256(packed).hexdigest()}"
    with tarfile.open(one.path) as archive:
        assert [(info.name, info.isdir(), info.mode) for info in archive] == [
            ("a", True, 0o755),
            ("b", False, 0o644),
        ]


def test_a_remembered_layer_that_is_gone_is_made_again(script: Script, tmp_path: Path) -> None:
    layer = script("layer")
    storage = layer.Storage(tmp_path)
    made = {"x": storage.pack([layer.File(path="x")])}
    storage.remember("key", made)
    assert storage.remembered("key") == made
    made["x"].path.unlink()
    assert storage.remembered("key") is None


def write_tar(path: Path, entries: dict[str, bytes | str]) -> Path:
    """Text is the target of a hard link."""
    with tarfile.open(path, "w") as archive:
        for name, value in entries.items():
            info = tarfile.TarInfo(f"./{name}")
            if isinstance(value, str):
                info.type, info.linkname = tarfile.LNKTYPE, f"./{value}"
                archive.addfile(info)
            else:
                info.size = len(value)
                archive.addfile(info, io.BytesIO(value))
    return path


def test_what_all_trees_share_is_the_bottom_and_the_rest_their_own(
    script: Script, tmp_path: Path
) -> None:
    rootfs = script("rootfs")
    one = write_tar(tmp_path / "1.tar", {"same": b"1", "status": b"a", "dev/null": b""})
    two = write_tar(tmp_path / "2.tar", {"same": b"1", "status": b"b", "more": b"2"})
    trees = [rootfs._read_tree(path) for path in (one, two)]
    bottom = rootfs._same_in_all(trees)
    assert bottom == {"same"}
    assert rootfs._own(trees[1], bottom) == {"status", "more"}


def test_a_hard_link_never_points_into_another_layer(script: Script, tmp_path: Path) -> None:
    rootfs = script("rootfs")
    one = write_tar(tmp_path / "1.tar", {"perl": b"1", "tool": b"1"})
    two = write_tar(tmp_path / "2.tar", {"perl": b"1", "perl5": "perl", "tool": b"1"})
    trees = [rootfs._read_tree(path) for path in (one, two)]
    assert rootfs._own(trees[1], rootfs._same_in_all(trees)) == {"perl", "perl5"}


def test_an_interrupted_build_leaves_the_former_layout(script: Script, tmp_path: Path) -> None:
    layout, layer = script("layout"), script("layer")
    storage = layer.Storage(tmp_path / "cache")
    out = tmp_path / "images"
    config = layout.ImageConfig(entrypoint=("/x",), stop_signal="SIGTERM", user="7:7", port=80)
    with layout.LayoutWriter(out) as writer:
        writer.add("x", "1.0.0", [storage.pack([])], config)
    before = (out / "index.json").read_bytes()
    with pytest.raises(RuntimeError), layout.LayoutWriter(out):
        raise RuntimeError
    assert (out / "index.json").read_bytes() == before
    index = json.loads(before)
    annotations = index["manifests"][0]["annotations"]
    assert annotations == {"org.opencontainers.image.ref.name": "x:1.0.0"}


def test_every_blob_of_a_layout_has_the_digest_of_its_name(script: Script, tmp_path: Path) -> None:
    layout, layer = script("layout"), script("layer")
    storage = layer.Storage(tmp_path / "cache")
    config = layout.ImageConfig(entrypoint=("/x",), stop_signal="SIGTERM")
    with layout.LayoutWriter(tmp_path / "images") as writer:
        writer.add("x", "1.0.0", [storage.pack([layer.File(path="x")])], config)
    blobs = list((tmp_path / "images" / "blobs" / "sha256").iterdir())
    assert len(blobs) == 3
    for blob in blobs:
        assert hashlib.sha256(blob.read_bytes()).hexdigest() == blob.name


def test_each_release_of_console_has_its_own_module_and_the_shared_ones(script: Script) -> None:
    build = script("build")
    files = [build.console_files(version) for version in build.RELEASES]
    assert len({tuple(each) for each in files}) == 1
    own = {name for name in files[0] if len({each[name] for each in files}) > 1}
    assert own == {"release.py"}
    assert len({each["release.py"] for each in files}) == len(build.RELEASES)
