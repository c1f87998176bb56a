"""Where the images of a bundle come from: an OCI layout directory, or a registry."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from s1ctl.bundle.recipe import ImageEntry, Recipe
from s1ctl.errors import InputOutputFailed
from s1ctl.oci.digest import Digest
from s1ctl.oci.layout import Layout
from s1ctl.oci.manifest import Descriptor
from s1ctl.oci.proxy import Proxies
from s1ctl.oci.registry import Registry

CHUNK_BYTES = 1 << 20
_REFERENCE = re.compile(
    r"(?P<repository>[^:@]+)(?::(?P<tag>[^:@]+))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)


class Source(Protocol):
    """One image where it lies now. Nothing is copied before it goes into the archive."""

    def resolve(self) -> Descriptor:
        """Find the image's root: its manifest or index."""

    def read(self, descriptor: Descriptor, *, is_manifest: bool) -> bytes:
        """Read a manifest, index or config, checked against its digest."""

    def size(self, descriptor: Descriptor) -> int:
        """Say how many bytes the blob has here."""

    def stream(self, descriptor: Descriptor) -> Iterator[bytes]:
        """Yield the bytes of a layer; who writes them checks them against the digest."""


def open_source(recipe: Recipe, name: str, environment: Mapping[str, str]) -> Source:
    """Open the source of the recipe's image `name`; `environment` resolves `env:` secrets."""
    image = recipe.declared.images[name]
    if image.oci_layout is not None:
        return LayoutSource(layout=Layout(recipe.resolve(image.oci_layout)), name=image.name)
    return _open_registry(recipe, name, image, environment)


def _open_registry(
    recipe: Recipe, name: str, image: ImageEntry, environment: Mapping[str, str]
) -> Source:
    reference = _REFERENCE.fullmatch(image.name)
    if reference is None or not (reference["tag"] or reference["digest"]):
        raise recipe.document.refuse(
            f"$.images.{name}.name",
            f"`{image.name}` is not a repository with a tag or digest",
            code="S1-U62",
            hint='write `name: "REPOSITORY:TAG"` or `name: "REPOSITORY@sha256:…"`',
        )
    source, key = image.password, f"images.{name}.password"
    registry = Registry(
        str(image.registry),
        ca=recipe.resolve(image.ca) if image.ca else None,
        user=image.user,
        password=source.resolve(environment, name=key) if source else None,
        proxies=Proxies.of(environment),
    )
    return RegistrySource(
        registry=registry,
        repository=reference["repository"],
        reference=reference["digest"] or reference["tag"],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LayoutSource:
    """An image in an OCI layout directory, read in place."""

    layout: Layout
    name: str

    def resolve(self) -> Descriptor:
        """Find the image by its reference name or digest."""
        return self.layout.resolve(self.name)

    def read(self, descriptor: Descriptor, *, is_manifest: bool) -> bytes:  # noqa: ARG002
        """Read a small blob; manifests lie among the others."""
        return self.layout.read(descriptor.digest)

    def size(self, descriptor: Descriptor) -> int:
        """Say how many bytes the file has."""
        return self.layout.size(descriptor.digest)

    def stream(self, descriptor: Descriptor) -> Iterator[bytes]:
        """Yield the file in place."""
        try:
            with self.layout.open(descriptor.digest) as file:
                while chunk := file.read(CHUNK_BYTES):
                    yield chunk
        except OSError as error:
            raise InputOutputFailed(
                f"layer `{descriptor.digest}` cannot be read: {error.strerror}",
                code="S1-I01",
                hint="check the medium that the layout lies on",
            ) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrySource:
    """An image in a registry, streamed from there."""

    registry: Registry
    repository: str
    reference: str

    def resolve(self) -> Descriptor:
        """Find the image by its tag or digest."""
        raw, media_type = self.registry.read_manifest(self.repository, self.reference)
        return Descriptor(media_type=media_type, digest=Digest.of(raw), size=len(raw))

    def read(self, descriptor: Descriptor, *, is_manifest: bool) -> bytes:
        """Read a manifest by its digest, or a small blob."""
        if not is_manifest:
            return self.registry.read_blob(self.repository, descriptor.digest)
        return self.registry.read_manifest(self.repository, descriptor.digest)[0]

    def size(self, descriptor: Descriptor) -> int:
        """Say what the descriptor says; the bytes are counted when they come."""
        return descriptor.size

    def stream(self, descriptor: Descriptor) -> Iterator[bytes]:
        """Yield the blob as it comes."""
        return self.registry.open_blob(self.repository, descriptor.digest)
