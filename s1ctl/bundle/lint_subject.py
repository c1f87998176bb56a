"""What is linted: a recipe with what it names, or the contents of a bundle, in one form."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from packaging.specifiers import SpecifierSet

from s1ctl.bundle.container import check_members, open_file, read_slot
from s1ctl.bundle.images import read_image
from s1ctl.bundle.lint_layers import ImageFacts, Known, read_facts
from s1ctl.bundle.reader import Blobs
from s1ctl.bundle.recipe import Recipe, read_recipe
from s1ctl.bundle.revisions import Migration, parse_migration, read_lineage
from s1ctl.bundle.sources import open_source
from s1ctl.errors import ContentsRefused
from s1ctl.files import unreadable
from s1ctl.oci.manifest import Descriptor
from s1ctl.release.compose import ComposeFile, parse_compose
from s1ctl.release.manifest import Image, ReleaseManifest
from s1ctl.release.verified import parse_header, parse_unverified
from s1ctl.strict_yaml import Document, parse_yaml


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A release to lint. `migrations` are its own only, each with how its file is called."""

    name: str
    compose: ComposeFile
    document: Document
    references: Mapping[str, tuple[str, str]]
    images: Mapping[str, ImageFacts]
    databases: tuple[str, ...]
    migrations: tuple[tuple[str, Migration], ...]
    unread: tuple[str, ...] = field(default=())

    def place(self, service: str, key: str = "") -> str:
        """Say where a service's key stands in the Compose file."""
        return self.document.place(f"$.services.{service}{'.' if key else ''}{key}")


def open_subject(path: Path, environment: Mapping[str, str]) -> Subject:
    """Read what is to be linted; a bundle is looked at, and not verified.

    Raises as building and opening do: what cannot be read has no findings.
    """
    return _of_bundle(path) if _is_bundle(path) else _of_recipe(read_recipe(path), environment)


def _is_bundle(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return b"\0" in file.read(512)
    except OSError:
        return False


def _of_recipe(recipe: Recipe, environment: Mapping[str, str]) -> Subject:
    declared = recipe.declared
    path = recipe.resolve(declared.compose)
    raw = _read(path)
    known: Known = {}
    facts = {
        name: read_facts(
            read_image(name, open_source(recipe, name, environment), declared.requires.engine),
            known,
        )
        for name in declared.images
    }
    migrations = [
        (str(recipe.resolve(schema.migrations) / migration.file), migration)
        for schema in declared.schemas
        for migration in read_lineage(recipe.resolve(schema.migrations), declared.version)
    ]
    return Subject(
        name=str(recipe.path),
        compose=parse_compose(raw, name=str(path)),
        document=parse_yaml(raw, name=str(path)),
        references={
            name: (recipe.document.place(f"$.images.{name}.name"), image.name)
            for name, image in declared.images.items()
        },
        images=facts,
        databases=tuple(schema.database for schema in declared.schemas),
        migrations=tuple(
            pair for pair in migrations if pair[1].revision.release == declared.version
        ),
        unread=_unread(facts),
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from None


def _of_bundle(path: Path) -> Subject:
    file = open_file(path)
    try:
        document, slot_size = read_slot(file)
        manifest = parse_unverified(parse_header(document))
        members = check_members(file, slot_size, manifest)
        places = zip(members[3:], manifest.blobs, strict=True)
        blobs = Blobs(file=file, places={blob.digest: (member, blob) for member, blob in places})
        return _of_manifest(path, manifest, blobs)
    finally:
        file.close()


def _of_manifest(path: Path, manifest: ReleaseManifest, blobs: Blobs) -> Subject:
    raw = blobs.read(manifest.compose)
    paths = {blob.digest: blob.path or str(blob.digest) for blob in manifest.blobs}
    compose_name = paths[manifest.compose]
    known: Known = {}
    facts = {
        image.name: read_facts(
            read_image(image.name, _BundleSource(image=image, blobs=blobs), SpecifierSet(">=23")),
            known,
        )
        for image in manifest.images
    }
    return Subject(
        name=str(path),
        compose=parse_compose(raw, name=compose_name),
        document=parse_yaml(raw, name=compose_name),
        references={},
        images=facts,
        databases=tuple(schema.database for schema in manifest.schemas),
        migrations=tuple(
            (name, parse_migration(blobs.read(revision.digest), name=name))
            for schema in manifest.schemas
            for revision in schema.revisions
            if revision.release == manifest.version
            for name in (paths[revision.digest],)
        ),
        unread=_unread(facts),
    )


def _unread(facts: Mapping[str, ImageFacts]) -> tuple[str, ...]:
    return tuple(text for image in facts.values() for text in image.tree.unread)


@dataclass(frozen=True, slots=True, kw_only=True)
class _BundleSource:
    """An image in a bundle, as a source to read it from."""

    image: Image
    blobs: Blobs

    def resolve(self) -> Descriptor:
        return Descriptor(
            media_type=self.image.media_type,
            digest=self.image.digest,
            size=self.blobs.places[self.image.digest][1].size,
        )

    def read(self, descriptor: Descriptor, *, is_manifest: bool) -> bytes:  # noqa: ARG002
        return self.blobs.read(descriptor.digest)

    def size(self, descriptor: Descriptor) -> int:
        if descriptor.digest not in self.blobs.places:
            raise ContentsRefused(
                f"`{self.blobs.file.path}` has no blob `{descriptor.digest}`",
                code="S1-C01",
                hint="run `s1ctl bundle ls FILE`",
            )
        return self.blobs.places[descriptor.digest][1].size

    def stream(self, descriptor: Descriptor) -> Iterator[bytes]:
        return self.blobs.stream(descriptor.digest)
