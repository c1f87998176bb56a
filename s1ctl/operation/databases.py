"""The platform's databases as an operation reaches them."""

from s1ctl.database.applied import applied_revisions
from s1ctl.database.reach import make_dsn, make_url_dsn
from s1ctl.errors import UsageError
from s1ctl.oci.digest import Digest
from s1ctl.operation.context import Context
from s1ctl.operation.reveal import reveal
from s1ctl.plan.plan import Settings
from s1ctl.release.manifest import ReleaseManifest, Schema
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
    password = reveal(context, settings).secrets[schema.access.password]
    return make_dsn(schema, context.target.address(str(access.service)), password)


def applied_everywhere(
    context: Context, release: Digest | None, settings: Settings | None
) -> dict[str, tuple[str, ...]]:
    """List the applied revisions of every database of a release; nothing where there is none."""
    if release is None or settings is None:
        return {}
    manifest = context.release(release).manifest
    return {
        schema.database: applied_revisions(dsn_of(context, manifest, schema, settings))
        for schema in manifest.schemas
    }
