"""The platform's databases as an operation reaches them."""

from collections.abc import Iterable, Mapping

from s1ctl.database.applied import Truth, read_truth
from s1ctl.database.reach import make_dsn, make_url_dsn
from s1ctl.database.state import judge_state
from s1ctl.errors import ContentsRefused, InputOutputFailed, NotReady, UsageError
from s1ctl.oci.digest import Digest
from s1ctl.operation.context import Context
from s1ctl.operation.reveal import reveal
from s1ctl.plan.plan import Settings
from s1ctl.release.manifest import ReleaseManifest, Schema
from s1ctl.shape import changed
from s1ctl.site.config import DatabaseAccess
from s1ctl.site.secrets import Secret, SecretSource


def access_of(context: Context, manifest: ReleaseManifest, schema: Schema) -> DatabaseAccess:
    """Find how the site file says the database is reached. Raises `UsageError` S1-U17."""
    access = context.site.databases.get(schema.database)
    if access is None:
        units = [u.name for u in manifest.units if u.role == "data"]
        raise UsageError(
            f"{context.locate('$.databases')}: nothing says where database `{schema.database}` is",
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
        return make_url_dsn(
            access.url.resolve(context.environment, name=f"databases.{schema.database}.url")
        )
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
    context: Context,
    release: Digest | None,
    settings: Settings | None,
    goals: Iterable[ReleaseManifest] = (),
) -> dict[str, dict[str, str]]:
    """List the applied revisions of every database of a release in order, each with its digest.

    Raises `NotReady` S1-D18 and `InputOutputFailed` S1-D04 for a database on which the revisions
    of `goals` cannot be applied.
    """
    if release is None or settings is None:
        return {}
    manifest = context.release(release).manifest
    truths = {
        schema.database: read_truth(dsn_of(context, manifest, schema, settings))
        for schema in manifest.schemas
    }
    for goal in goals:
        for schema in goal.schemas:
            if schema.database in truths:
                _refuse_unfit(truths[schema.database], schema, goal)
    return {database: truth.applied for database, truth in truths.items()}


def _refuse_unfit(truth: Truth, schema: Schema, goal: ReleaseManifest) -> None:
    state = judge_state(truth, tuple(revision.id for revision in schema.revisions))
    if state.standing == "unknown":
        raise NotReady(
            f"`{schema.database}` is not in the lineage of release {goal.version}: Alembic's table"
            f" says {_names(truth.heads)}, and {_names(tuple(truth.applied))} were applied",
            code="S1-D18",
            hint="put `s1ctl.alembic_version` back as `s1ctl db status` shows what was applied, or"
            " call the vendor",
        )
    if state.pending and truth.is_read_only:
        raise InputOutputFailed(
            f"`{schema.database}` is read-only: a standby, or set so, and release {goal.version}"
            f" has {len(state.pending)} revisions for it",
            code="S1-D04",
            hint="name the primary server, or have `default_transaction_read_only` set off",
        )


def _names(revisions: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in revisions) or "nothing"


def kept_databases(context: Context) -> frozenset[str]:
    """Name the databases that hold what a former installation wrote, where nothing is installed.

    Those of the platform's own are known from the ledger: their volumes were kept where points
    were. Others are asked. Raises `InputOutputFailed`.
    """
    databases = context.site.databases
    foreign = {
        name
        for name, access in databases.items()
        if access.url is not None and _has_revisions(context, name, access.url)
    }
    was_kept = context.ledger.releases.installs(limit=1) and context.ledger.points.newest()
    own = {name for name, access in databases.items() if access.service and was_kept}
    return frozenset(own | foreign)


def _has_revisions(context: Context, name: str, url: SecretSource) -> bool:
    found = url.resolve(context.environment, name=f"databases.{name}.url")
    return bool(read_truth(make_url_dsn(found)).applied)


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
