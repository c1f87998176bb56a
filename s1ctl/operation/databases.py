"""The platform's databases as an operation reaches them."""

from collections.abc import Iterable, Mapping

from s1ctl.database.applied import read_truth
from s1ctl.database.reach import make_dsn, make_url_dsn
from s1ctl.errors import ContentsRefused, UsageError
from s1ctl.oci.digest import Digest
from s1ctl.operation.context import Context
from s1ctl.operation.reveal import reveal
from s1ctl.plan.plan import Settings
from s1ctl.release.manifest import ReleaseManifest, Schema
from s1ctl.shape import changed
from s1ctl.site.config import DatabaseAccess
from s1ctl.site.secrets import Secret


def access_of(context: Context, manifest: ReleaseManifest, schema: Schema) -> DatabaseAccess:
    """Find how the site file says the database is reached. Raises `UsageError` S1-U17."""
    access = context.site.databases.get(schema.database)
    if access is None:
        units = [u.name for u in manifest.units if u.role == "data"]
        raise UsageError(
            f"the site file does not say where database `{schema.database}` is",
            code="S1-U17",
            hint=f"add `databases: {{{schema.database}: {{service: {(units or ['UNIT'])[0]}}}}}`",
        )
    return access


def dsn_of(
    context: Context, manifest: ReleaseManifest, schema: Schema, settings: Settings
) -> Secret:
    """Make the connection string of a database, with the password that `settings` means."""
    access = access_of(context, manifest, schema)
    if access.url is not None:
        return make_url_dsn(access.url.resolve(context.environment))
    name = schema.access.password
    only = changed(settings, secrets={name: settings.secrets[name]})
    password = reveal(context, only).secrets[name]
    return make_dsn(schema, context.target.address(str(access.service)), password)


def applied_everywhere(
    context: Context, release: Digest | None, settings: Settings | None
) -> dict[str, tuple[str, ...]]:
    """List the applied revisions of every database of a release; nothing where there is none."""
    texts = applied_texts(context, release, settings)
    return {database: tuple(applied) for database, applied in texts.items()}


def applied_texts(
    context: Context, release: Digest | None, settings: Settings | None
) -> dict[str, dict[str, str]]:
    """List the applied revisions of every database of a release in order, each with its digest."""
    if release is None or settings is None:
        return {}
    manifest = context.release(release).manifest
    return {
        schema.database: read_truth(dsn_of(context, manifest, schema, settings)).applied
        for schema in manifest.schemas
    }


def refuse_changed_texts(
    texts: Mapping[str, Mapping[str, str]], manifests: Iterable[ReleaseManifest]
) -> None:
    """Refuse a release whose text of an applied revision is another than was applied.

    Raises `ContentsRefused` S1-D17.
    """
    for manifest in manifests:
        for schema in manifest.schemas:
            applied = texts.get(schema.database, {})
            for revision in schema.revisions:
                if applied.get(revision.id, revision.digest) != revision.digest:
                    raise ContentsRefused(
                        f"revision `{revision.id}` of `{schema.database}` was applied with the "
                        f"text `{applied[revision.id]}`, release {manifest.version} has "
                        f"`{revision.digest}`",
                        code="S1-D17",
                        hint="call the vendor: a published revision never changes",
                    )
