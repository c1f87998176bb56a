"""Build a bundle from a recipe: read, prove, pin, write."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from s1ctl.bundle.archive import write_archive
from s1ctl.bundle.closure import check_closure, check_lists
from s1ctl.bundle.completeness import prove_compose
from s1ctl.bundle.contents import Ingredients, Piece, make_manifest, make_pieces
from s1ctl.bundle.images import read_image
from s1ctl.bundle.lockfile import (
    ImageLock,
    RevisionLock,
    check_images,
    check_revisions,
    image_lock_path,
    revision_lock_path,
    write_lock,
)
from s1ctl.bundle.recipe import Recipe, read_recipe
from s1ctl.bundle.revisions import read_lineage
from s1ctl.bundle.sources import open_source
from s1ctl.errors import InputOutputFailed, UsageError
from s1ctl.files import unreadable
from s1ctl.oci.digest import Digest
from s1ctl.progress import Notify, silent
from s1ctl.release.manifest import Image, ReleaseManifest
from s1ctl.release.verified import STATEMENT_TYPE, Header, header_json, statement_json
from s1ctl.trust.envelope import Envelope, sign
from s1ctl.trust.keys import PrivateKey
from s1ctl.trust.root import chain_json, first_root

EPOCH = "1970-01-01T00:00:00Z"
MAX_EPOCH_S = 253402300799  # 9999-12-31T23:59:59Z


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildReport:
    """What was built; `digest` is the identity of the release, whoever signs it."""

    path: Path
    digest: Digest
    manifest: ReleaseManifest = field(repr=False)
    size_bytes: int
    is_signed: bool
    warnings: tuple[str, ...]

    @property
    def images(self) -> tuple[Image, ...]:
        """The images with their digests."""
        return self.manifest.images


def build_bundle(
    recipe_path: Path,
    out: Path,
    *,
    key: PrivateKey | None,
    roots: tuple[Envelope, ...] = (),
    environment: Mapping[str, str] | None = None,
    source_date_epoch: str | None = None,
    update_lock: bool = False,
    notify: Notify = silent,
) -> BuildReport:
    """Build the bundle `out`, signed by `key` if there is one; equal inputs give equal bytes.

    `roots` is the whole chain of roots, oldest first. `environment` resolves the `env:` passwords
    of registries. `source_date_epoch` (seconds, as the variable of that name holds them) is the
    time of issue; without it the recipe says it, or it is 1970. Writes the lock files beside
    recipe and migrations. A failed build leaves neither file nor lock.

    Raises `UsageError` for recipe and Compose file, `ContentsRefused` for images and migrations,
    `InputOutputFailed`.
    """
    recipe = read_recipe(recipe_path)
    issued = _issued(recipe, source_date_epoch)
    _check_signer(recipe, key, roots)
    found = _read_ingredients(recipe, environment or {})
    locks = _check_locks(recipe, found, is_update=update_lock)
    pieces = make_pieces(found)
    manifest = make_manifest(recipe.declared, found, pieces=pieces, issued=issued)
    _check_as_a_reader(manifest, pieces)
    header = Header(
        roots=roots,
        release=sign(STATEMENT_TYPE, statement_json(manifest), [key] if key else []),
    )
    streams = {piece.blob.digest: piece.chunks for piece in pieces}
    size_bytes = write_archive(
        out,
        header=header_json(header),
        manifest=manifest,
        open_blob=lambda digest: streams[digest](),
        notify=notify,
    )
    _write_locks(locks, out)
    return BuildReport(
        path=out,
        digest=header.identity,
        manifest=manifest,
        size_bytes=size_bytes,
        is_signed=key is not None,
        warnings=_warnings(found, is_signed=key is not None),
    )


def _issued(recipe: Recipe, source_date_epoch: str | None) -> str:
    if source_date_epoch is None:
        return recipe.declared.issued or EPOCH
    is_number = source_date_epoch.isascii() and source_date_epoch.isdecimal()
    if not is_number or int(source_date_epoch[:20]) > MAX_EPOCH_S:
        raise UsageError(
            f"`SOURCE_DATE_EPOCH` is `{source_date_epoch[:40]}`, not a number of seconds",
            code="S1-U75",
            hint="set it by `export SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)`, or unset it",
        )
    return dt.datetime.fromtimestamp(int(source_date_epoch), dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _check_signer(recipe: Recipe, key: PrivateKey | None, roots: tuple[Envelope, ...]) -> None:
    """Refuse what no site would accept: another product's root, a key that the root lacks."""
    if not roots:
        return
    root = first_root(chain_json(roots), None).document
    if root.product != recipe.declared.product:
        raise recipe.document.refuse(
            "$.product",
            f"the product is `{recipe.declared.product}`, but the root is for `{root.product}`",
            code="S1-U77",
            hint="give the root of this product",
        )
    if key is None:
        return
    name = key.public.fingerprint
    if name not in root.roles.release.keys or not root.keys[name].covers(recipe.declared.sequence):
        raise recipe.document.refuse(
            "$.sequence",
            f"the root does not let the key `{name}` sign releases of sequence "
            f"{recipe.declared.sequence}",
            code="S1-U78",
            hint="sign with a release key of the root, or make a root that names this one",
        )


def _read_ingredients(recipe: Recipe, environment: Mapping[str, str]) -> Ingredients:
    """Read what is near and small first, so that a fault in it is told at once."""
    declared = recipe.declared
    compose = prove_compose(
        _read_compose(recipe), name=str(recipe.resolve(declared.compose)), recipe=declared
    )
    lineages = {
        schema.database: read_lineage(_folder(recipe, number), declared.version)
        for number, schema in enumerate(declared.schemas)
    }
    images = tuple(
        read_image(name, open_source(recipe, name, environment), declared.requires.engine)
        for name in declared.images
    )
    return Ingredients(images=images, compose=compose, lineages=lineages)


def _read_compose(recipe: Recipe) -> bytes:
    path = recipe.resolve(recipe.declared.compose)
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise recipe.document.refuse(
            "$.compose", f"there is no file `{path}`", code="S1-U65"
        ) from None
    except OSError as error:
        raise unreadable(path, error) from None


def _folder(recipe: Recipe, number: int) -> Path:
    """Find the migrations of a schema."""
    folder = recipe.resolve(recipe.declared.schemas[number].migrations)
    if not folder.is_dir():
        raise recipe.document.refuse(
            f"$.schemas[{number}].migrations", f"there is no folder `{folder}`", code="S1-U65"
        )
    return folder


def _check_locks(
    recipe: Recipe, found: Ingredients, *, is_update: bool
) -> dict[Path, ImageLock | RevisionLock]:
    """Compare with the lock files, and say what each is to hold now."""
    path = image_lock_path(recipe.path)
    digests = {image.name: image.root.digest for image in found.images}
    locks: dict[Path, ImageLock | RevisionLock] = {
        path: check_images(path, digests, is_update=is_update)
    }
    for schema in recipe.declared.schemas:
        path = revision_lock_path(recipe.resolve(schema.migrations))
        revisions = [migration.revision for migration in found.lineages[schema.database]]
        locks[path] = check_revisions(path, revisions, recipe.declared.version, is_update=is_update)
    return locks


def _check_as_a_reader(manifest: ReleaseManifest, pieces: tuple[Piece, ...]) -> None:
    """Prove that no site will find the release incomplete."""
    streams = {piece.blob.digest: piece.chunks for piece in pieces}
    check_lists(manifest)
    check_closure(manifest, lambda digest: b"".join(streams[digest]()))


def _write_locks(locks: Mapping[Path, ImageLock | RevisionLock], out: Path) -> None:
    try:
        for path, lock in locks.items():
            write_lock(path, lock)
    except InputOutputFailed:
        out.unlink(missing_ok=True)
        raise


def _warnings(found: Ingredients, *, is_signed: bool) -> tuple[str, ...]:
    empty = (
        f"database `{name}` has no migration" for name, all_ in found.lineages.items() if not all_
    )
    unsigned = () if is_signed else ("the bundle is not signed, and no site loads it so",)
    return (*found.compose.warnings, *empty, *unsigned)
