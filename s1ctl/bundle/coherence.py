"""Whether the files of a release say what its manifest says: Compose file and migrations."""

from collections.abc import Callable
from pathlib import Path

from s1ctl.bundle.revisions import Migration, check_order, parse_migration
from s1ctl.errors import ContentsRefused, UsageError
from s1ctl.oci.digest import Digest
from s1ctl.release.compose import ComposeFile, make_jobs, make_units, parse_compose
from s1ctl.release.manifest import Job, ReleaseManifest, Revision, Schema, Unit

Read = Callable[[Digest], bytes]
ASK = "do not proceed; tell the vendor this code and the name of the bundle"


def check_coherence(manifest: ReleaseManifest, read: Read) -> None:
    """Parse the Compose file and each migration, and compare them with the manifest.

    Nothing of them is run. Raises `ContentsRefused`: S1-C31 the Compose file is not of the subset,
    S1-C32 units or jobs that are not its services, S1-C33 a lineage that the migrations do not
    have, S1-C60 to S1-C65 a migration.
    """
    _check_services(manifest, _parse(read(manifest.compose)))
    for schema in manifest.schemas:
        _check_lineage(manifest, schema, read)


def _parse(raw: bytes) -> ComposeFile:
    try:
        return parse_compose(raw, name="compose.yaml")
    except UsageError as error:
        told = error.message.replace("\n", "; ")
        raise ContentsRefused(_escaped(told), code="S1-C31", hint=ASK) from None


def _check_services(manifest: ReleaseManifest, compose: ComposeFile) -> None:
    """Compare what the site consents to by the manifest with what the Compose file would run."""
    images = {image.name for image in manifest.images}
    for name, service in compose.services.items():
        if service.image not in images:
            raise ContentsRefused(
                f"service `{name}` runs the image `{service.image}`, which the release lacks",
                code="S1-C32",
                hint=ASK,
            )
    source = manifest.compose
    made: tuple[Unit | Job, ...] = (*make_units(compose, source), *make_jobs(compose, source))
    said: tuple[Unit | Job, ...] = (*manifest.units, *manifest.jobs)
    differing = set(map(_essence, made)) ^ set(map(_essence, said))
    if differing:
        name = min(differing)[0]
        raise ContentsRefused(
            f"service `{name}` of the Compose file is not what the manifest says of it",
            code="S1-C32",
            hint=ASK,
        )


def _essence(item: Unit | Job) -> tuple[str, ...]:
    """Name what makes a unit or job: later versions of s1ctl may derive more from a service."""
    if isinstance(item, Unit):
        return (item.name, "unit", item.role, *item.images, *item.settings)
    return (item.name, "job", item.when, item.image, *item.settings)


def _check_lineage(manifest: ReleaseManifest, schema: Schema, read: Read) -> None:
    paths = {blob.digest: blob.path for blob in manifest.blobs}
    lineage: list[Migration] = []
    former: str | None = None
    for revision in schema.revisions:
        name = paths[revision.digest] or f"{revision.id}.py"
        found = parse_migration(read(revision.digest), name=name)
        if found.revision != revision or found.parent != former:
            raise ContentsRefused(
                f"`{name}` is {_place(found.revision, found.parent)}, and the manifest says "
                f"{_place(revision, former)}",
                code="S1-C33",
                hint=ASK,
            )
        lineage.append(found)
        former = revision.id
    check_order(lineage, Path("migrations", schema.database))


def _place(revision: Revision, parent: str | None) -> str:
    after = f"after `{_escaped(parent)}`" if parent else "the first"
    return f"`{_escaped(revision.id)}` ({revision.phase}, {revision.release}), {after}"


def _escaped(text: str) -> str:
    return text[:400].encode("unicode_escape").decode("ascii")
