"""What goes into a bundle, in its order: the release manifest, and where each blob comes from."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from s1ctl.bundle.completeness import ProvenCompose
from s1ctl.bundle.images import ImageContents
from s1ctl.bundle.recipe import RecipeDocument, SchemaEntry
from s1ctl.bundle.revisions import Migration
from s1ctl.oci.digest import Digest
from s1ctl.oci.manifest import Descriptor
from s1ctl.release.compose import make_jobs, make_units
from s1ctl.release.manifest import Blob, BlobKind, Image, ReleaseManifest, Schema

COMPOSE_PATH = "compose.yaml"
Lineages = Mapping[str, tuple[Migration, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingredients:
    """All that a recipe names, read and checked; `lineages` by database."""

    images: tuple[ImageContents, ...]
    compose: ProvenCompose
    lineages: Lineages


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A blob of the bundle, and how its bytes are had."""

    blob: Blob
    chunks: Callable[[], Iterable[bytes]]


def make_pieces(found: Ingredients) -> tuple[Piece, ...]:
    """List every blob once: manifests, configs, Compose file, migrations, and last the layers."""
    images = found.images
    pieces: dict[Digest, Piece] = {}
    for piece in (
        *(_small("oci-manifest", raw) for image in images for raw in image.manifests.values()),
        *(_small("oci-config", raw) for image in images for raw in image.configs.values()),
        _small("compose", found.compose.raw, path=COMPOSE_PATH),
        *_migrations(found.lineages),
        *(_layer(image, layer) for image in images for layer in image.layers),
    ):
        pieces.setdefault(piece.blob.digest, piece)
    return tuple(pieces.values())


def _small(kind: BlobKind, raw: bytes, *, path: str | None = None) -> Piece:
    blob = Blob(digest=Digest.of(raw), size=len(raw), kind=kind, path=path)
    return Piece(blob=blob, chunks=lambda: (raw,))


def _migrations(lineages: Lineages) -> Iterator[Piece]:
    for database, lineage in lineages.items():
        for migration in lineage:
            path = f"migrations/{database}/{migration.file}"
            yield _small("migration", migration.raw, path=path)


def _layer(image: ImageContents, layer: Descriptor) -> Piece:
    blob = Blob(digest=layer.digest, size=layer.size, kind="oci-layer")
    return Piece(blob=blob, chunks=lambda: image.source.stream(layer))


def make_manifest(
    declared: RecipeDocument, found: Ingredients, *, pieces: Iterable[Piece], issued: str
) -> ReleaseManifest:
    """Make the release manifest; its blobs are those of `pieces`."""
    source = found.compose.digest
    return ReleaseManifest(
        schema=1,
        product=declared.product,
        channel=declared.channel,
        version=declared.version,
        sequence=declared.sequence,
        issued=issued,
        requires=declared.requires,
        blobs=tuple(piece.blob for piece in pieces),
        images=tuple(_image(declared, image) for image in found.images),
        compose=source,
        units=make_units(found.compose.compose, source),
        jobs=make_jobs(found.compose.compose, source),
        settings=declared.settings,
        schemas=tuple(_schema(schema, found.lineages) for schema in declared.schemas),
        upgrade=declared.upgrade,
    )


def _image(declared: RecipeDocument, image: ImageContents) -> Image:
    entry = declared.images[image.name]
    return Image(
        name=image.name,
        digest=image.root.digest,
        media_type=image.root.media_type,  # type: ignore[arg-type]  # parse_manifest has checked it
        platforms=image.platforms,
        repository=entry.repository,
        tags=(str(declared.version),),
        ref=entry.name,
    )


def _schema(schema: SchemaEntry, lineages: Lineages) -> Schema:
    return Schema(
        database=schema.database,
        engine=schema.engine,
        access=schema.access,
        revisions=tuple(migration.revision for migration in lineages[schema.database]),
    )
