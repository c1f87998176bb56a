import pytest
from packaging.version import Version

from s1ctl.bundle.lockfile import check_images, check_revisions, write_lock
from s1ctl.errors import ContentsRefused, InputOutputFailed, UsageError
from s1ctl.oci.digest import Digest
from s1ctl.release.manifest import Revision

OLD, NEW = Digest.of(b"old"), Digest.of(b"new")
V10, V11 = Version("1.0"), Version("1.1")


def revision(name, digest=OLD, release=V10):
    return Revision(id=name, phase="expand", release=release, digest=digest)


@pytest.fixture
def image_lock(tmp_path):
    path = tmp_path / "recipe.yaml.lock"
    write_lock(path, check_images(path, {"console": OLD}, is_update=False))
    return path


@pytest.fixture
def revision_lock(tmp_path):
    path = tmp_path / "revisions.lock"
    write_lock(path, check_revisions(path, [revision("a")], V10, is_update=False))
    return path


def test_a_name_that_has_moved_is_refused_with_both_digests_and_the_option(image_lock):
    with pytest.raises(UsageError) as caught:
        check_images(image_lock, {"console": NEW}, is_update=False)
    assert caught.value.code == "S1-U70"
    assert OLD in caught.value.message
    assert NEW in caught.value.message
    assert "--update-lock" in caught.value.hint


def test_a_name_may_move_when_somebody_says_so(image_lock):
    write_lock(image_lock, check_images(image_lock, {"console": NEW}, is_update=True))
    assert check_images(image_lock, {"console": NEW}, is_update=False).images == {"console": NEW}


def test_a_new_image_is_locked_and_one_that_is_gone_is_not_any_more(image_lock):
    assert check_images(image_lock, {"gateway": NEW}, is_update=False).images == {"gateway": NEW}


def test_a_lock_that_says_so_already_is_not_written_again(image_lock):
    before = image_lock.stat().st_ino
    write_lock(image_lock, check_images(image_lock, {"console": OLD}, is_update=False))
    assert image_lock.stat().st_ino == before


@pytest.mark.parametrize("is_update", [False, True])
@pytest.mark.parametrize(
    "found",
    [[revision("a", NEW)], [revision("b")], [revision("a", release=V11)]],
    ids=["changed", "gone", "moved to another release"],
)
def test_what_an_earlier_release_brought_never_changes(found, is_update, revision_lock):
    with pytest.raises(ContentsRefused) as caught:
        check_revisions(revision_lock, found, V11, is_update=is_update)
    assert caught.value.code == "S1-C66"
    assert OLD in caught.value.message


def test_a_changed_revision_is_refused_with_both_digests(revision_lock):
    with pytest.raises(ContentsRefused) as caught:
        check_revisions(revision_lock, [revision("a", NEW)], V10, is_update=False)
    assert OLD in caught.value.message
    assert NEW in caught.value.message
    assert "--update-lock" in caught.value.hint


def test_a_revision_of_the_release_that_is_made_may_change_when_somebody_says_so(revision_lock):
    lock = check_revisions(revision_lock, [revision("a", NEW)], V10, is_update=True)
    assert lock.revisions["a"].digest == NEW


def test_building_an_older_release_again_keeps_what_newer_ones_have_locked(revision_lock):
    later = check_revisions(
        revision_lock, [revision("a"), revision("b", NEW, V11)], V11, is_update=False
    )
    write_lock(revision_lock, later)
    assert check_revisions(revision_lock, [revision("a")], V10, is_update=False) == later


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"format":2,"images":{}}', '{"format":1,"images":{"a":"md5:x"}}', "\xff"],
)
def test_a_lock_file_that_is_none_is_refused(text, image_lock):
    image_lock.write_bytes(text.encode("latin-1"))
    with pytest.raises(UsageError) as caught:
        check_images(image_lock, {}, is_update=True)
    assert caught.value.code == "S1-U71"


def test_a_lock_that_can_neither_be_read_nor_written_is_named(tmp_path):
    (tmp_path / "x.lock").mkdir()
    with pytest.raises(InputOutputFailed, match=r"x\.lock"):
        check_images(tmp_path / "x.lock", {}, is_update=False)
    lock = check_images(tmp_path / "y.lock", {}, is_update=False)
    with pytest.raises(InputOutputFailed, match=r"y\.lock"):
        write_lock(tmp_path / "absent" / "y.lock", lock)
