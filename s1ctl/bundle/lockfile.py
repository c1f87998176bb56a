"""Lock files: what was built once is built again, or somebody says so.

`RECIPE.lock` pins the digest of each image of one recipe. `revisions.lock` in a folder of
migrations pins the digest of each revision that was ever built, for all releases that share it.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from packaging.version import Version

from s1ctl.errors import ContentsRefused, InputOutputFailed, UsageError
from s1ctl.files import unreadable, write_file
from s1ctl.oci.digest import Digest
from s1ctl.release.manifest import Revision
from s1ctl.shape import ShapeError, T, Value, parse_value, plain


class ImageLock(Value):
    """The digests of a recipe's images, by name."""

    format: int
    images: dict[str, Digest]


class LockedRevision(Value):
    """A revision as it was built: the release that it came with, and its file's digest."""

    release: Version
    digest: Digest


class RevisionLock(Value):
    """Every revision of a lineage that was ever built, by its id."""

    format: int
    revisions: dict[str, LockedRevision]


def image_lock_path(recipe: Path) -> Path:
    """Say where the lock of a recipe lies."""
    return recipe.with_name(recipe.name + ".lock")


def revision_lock_path(folder: Path) -> Path:
    """Say where the lock of a folder of migrations lies."""
    return folder / "revisions.lock"


def check_images(path: Path, found: Mapping[str, Digest], *, is_update: bool) -> ImageLock:
    """Compare images with the lock at `path`, and say what the lock is to hold now.

    Raises `UsageError` S1-U70 where a name has moved and `is_update` does not allow it.
    """
    locked = _read(path, ImageLock) or ImageLock(format=1, images={})
    for name, digest in found.items():
        former = locked.images.get(name, digest)
        if former != digest and not is_update:
            raise UsageError(
                f"image `{name}` is locked at `{former}` in `{path}`, but is now `{digest}`",
                code="S1-U70",
                hint="if it was rebuilt on purpose, run the build again with `--update-lock`",
            )
    return ImageLock(format=1, images=dict(found))


def check_revisions(
    path: Path, found: Sequence[Revision], release: Version, *, is_update: bool
) -> RevisionLock:
    """Compare a lineage with the lock at `path`, and say what the lock is to hold now.

    What belongs to the release that is built may change where `is_update` allows it; what an
    earlier release brought may not change at all, since sites have applied it. Raises
    `ContentsRefused` S1-C66.
    """
    locked = _read(path, RevisionLock) or RevisionLock(format=1, revisions={})
    now = {
        revision.id: LockedRevision(release=revision.release, digest=revision.digest)
        for revision in found
    }
    kept = {}
    for name, former in locked.revisions.items():
        if former.release > release:
            kept[name] = former
        elif now.get(name) != former and not (is_update and former.release == release):
            raise _changed(path, name, former, now.get(name))
    return RevisionLock(format=1, revisions=kept | now)


def _changed(
    path: Path, name: str, former: LockedRevision, now: LockedRevision | None
) -> ContentsRefused:
    became = f"is now `{now.digest}` of release {now.release}" if now else "is gone"
    return ContentsRefused(
        f"revision `{name}` was built as `{former.digest}` of release {former.release}, "
        f"and {became} (`{path}`)",
        code="S1-C66",
        hint="restore its file, and put the change into a new revision; a revision of the release "
        "that is being made may be changed with `--update-lock`",
    )


def write_lock(path: Path, lock: ImageLock | RevisionLock) -> None:
    """Write a lock file, in a form that is read well in a difference, unless it says so already."""
    raw = json.dumps(plain(lock), indent=2, sort_keys=True).encode() + b"\n"
    try:
        if not path.exists() or path.read_bytes() != raw:
            write_file(path, raw)
    except OSError as error:
        raise InputOutputFailed(
            f"`{path}` cannot be written: {error.strerror}",
            code="S1-I02",
            hint="check owner, mode and free space of its folder",
        ) from None


def _read(path: Path, kind: type[T]) -> T | None:
    try:
        data = json.loads(path.read_bytes())
        if isinstance(data, dict) and data.get("format") != 1:
            raise ShapeError(f"its format is `{data.get('format')}`, not 1", "$.format")
        return parse_value(data, kind)
    except FileNotFoundError:
        return None
    except (ValueError, ShapeError) as error:
        raise UsageError(
            f"`{path}` is not a lock file: {error}",
            code="S1-U71",
            hint="restore it from version control",
        ) from None
    except OSError as error:
        raise unreadable(path, error) from None
