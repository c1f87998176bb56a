"""What lint reads of images, and that a recipe and its bundle are judged alike."""

import io
import tarfile
from pathlib import Path

import pytest

from s1ctl.bundle.build import build_bundle
from s1ctl.bundle.images import read_image
from s1ctl.bundle.lint import LintReport, lint
from s1ctl.bundle.lint_layers import Folder, ImageFacts, read_facts
from s1ctl.bundle.sources import LayoutSource
from s1ctl.errors import UsageError
from s1ctl.oci.layout import Layout
from s1ctl.release.manifest import Requires
from tests.support.images import Layer, gzip_layer, make_image, write_layout

COMPOSE = """\
services:
  web:
    image: web
    user: "80:80"
    tmpfs: [/run/web]
    x-s1ctl: {health: {port: 80, ready: /ready, version: /version}}
"""
RECIPE = """\
format: 1
product: shop
channel: stable
version: "1.0.0"
sequence: 1
images: {web: {oci-layout: images, name: "web:latest", repository: web}}
compose: compose.yaml
schemas:
  - {database: shop, engine: postgresql, access: {dbname: a, user: a, password: p}, migrations: m}
settings: [{name: p, kind: secret, generate: 20}]
upgrade: {from: ""}
"""
REVISION = """\
from alembic import op

revision, down_revision = "0001", None
phase, release = "expand", "1.0.0"


def upgrade():
    op.drop_table("t")


def downgrade():
    pass
"""


def layer(*entries: tuple[str, str]) -> Layer:
    """Make a layer of `(path, what)`: `dir MODE UID`, `link TARGET`, or the text of a file."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path, what in entries:
            entry, (kind, *words) = tarfile.TarInfo(path), what.split(" ")
            if kind == "dir":
                entry.type, entry.mode, entry.uid = tarfile.DIRTYPE, int(words[0], 8), int(words[1])
            elif kind == "link":
                entry.type, entry.linkname = tarfile.SYMTYPE, words[0]
            else:
                entry.size = len(what)
            tar.addfile(entry, io.BytesIO(what.encode()))
    return gzip_layer(buffer.getvalue(), level=1)


def facts(tmp_path: Path, *layers: Layer) -> ImageFacts:
    folder = write_layout(tmp_path / "images", {"web:1": make_image(layers)})
    source = LayoutSource(layout=Layout(folder), name="web:1")
    return read_facts(read_image("web", source, Requires().engine), {})


def test_a_folder_has_the_mode_and_owner_of_the_last_layer(tmp_path: Path) -> None:
    tree = facts(tmp_path, layer(("./run/", "dir 755 0")), layer(("run", "dir 1777 5"))).tree
    assert tree.find("/run") == Folder(mode=0o1777, uid=5)
    assert tree.find("/run/web") is None


def test_a_folder_is_found_through_links(tmp_path: Path) -> None:
    entries = (("run/db", "dir 755 7"), ("var/run", "link /run"), ("run/x", "link ../run/db"))
    tree = facts(tmp_path, layer(*entries)).tree
    assert tree.find("/var/run/db") == tree.find("/var/run/x") == Folder(mode=0o755, uid=7)


def test_links_in_a_circle_lead_nowhere(tmp_path: Path) -> None:
    assert facts(tmp_path, layer(("a", "link b"), ("b", "link a"))).tree.find("/a") is None


def test_what_a_later_layer_removes_is_gone(tmp_path: Path) -> None:
    first = layer(
        ("a", "dir 755 0"), ("a/b", "dir 755 0"), ("c", "dir 755 0"), ("c/d", "dir 755 0"),
        ("usr/bin/pg_dump", "program"), ("etc/edge.conf", "listen 80;"),
    )  # fmt: skip
    second = layer(
        (".wh.a", "gone"), ("c/.wh..wh..opq", "gone"), ("usr/bin/.wh.pg_dump", "gone"),
        ("etc/edge.conf", "listen 81;"),
    )  # fmt: skip
    before, after = facts(tmp_path / "1", first).tree, facts(tmp_path / "2", first, second).tree
    assert before.programs
    assert not after.programs
    assert [after.find(path) for path in ("/a", "/a/b", "/c/d")] == [None, None, None]
    assert after.find("/c") is not None
    assert after.texts == {"etc/edge.conf": "listen 81;"}


def test_reading_an_image_writes_nothing(tmp_path: Path) -> None:
    facts(tmp_path, layer(("../../escaped", "dir 755 0"), ("etc/a.conf", "text")))
    assert [path.name for path in tmp_path.iterdir()] == ["images"]


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    write_layout(tmp_path / "images", {"web:latest": make_image([layer(("run", "dir 755 0"))])})
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "0001.py").write_text(REVISION)
    (tmp_path / "compose.yaml").write_text(COMPOSE)
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    return tmp_path / "recipe.yaml"


def ids(report: LintReport) -> set[str]:
    return {finding.id for finding in report.findings}


def test_a_recipe_is_read_with_images_and_migrations(recipe: Path) -> None:
    found = {"service.live", "service.stop", "service.tmpfs", "image.tag", "migration.phase"}
    assert ids(lint(recipe, {})) == found


def test_a_bundle_is_judged_as_its_recipe_but_for_the_names_of_images(recipe: Path) -> None:
    bundle = recipe.parent / "shop.s1b"
    build_bundle(recipe, bundle, key=None)
    assert ids(lint(bundle, {})) == ids(lint(recipe, {})) - {"image.tag"}


def test_a_recipe_that_cannot_be_read_is_refused_as_by_the_build(recipe: Path) -> None:
    recipe.write_text("format: 1\n")
    with pytest.raises(UsageError):
        lint(recipe, {})
