"""Gather what the planner is told, and have it plan."""

from collections.abc import Collection, Iterable, Mapping

from packaging.version import Version

from s1ctl.errors import NoPath, NotReady, UsageError, Withdrawn
from s1ctl.ledger.releases import Installed, LoadedRelease
from s1ctl.oci.digest import Digest
from s1ctl.operation.context import Context
from s1ctl.operation.databases import (
    access_of,
    applied_texts,
    kept_databases,
    refuse_changed_texts,
)
from s1ctl.operation.demands import check_consent, check_tool
from s1ctl.operation.route import equivocation, find_route, refuse_twin
from s1ctl.operation.unknown_units import refuse_unknown_units
from s1ctl.plan.plan import Plan, SecretUse, Settings
from s1ctl.plan.planner import plan_change, plan_contract, plan_install, plan_upgrade
from s1ctl.plan.restore import Dump, choose_dumps, plan_restore
from s1ctl.plan.rollback import Point, plan_rollback
from s1ctl.plan.view import Current, ReleaseView, SiteView
from s1ctl.release.manifest import ReleaseManifest, Setting
from s1ctl.release.settings import Problem
from s1ctl.shape import changed
from s1ctl.site.resolve import ensure_secrets, resolve_release_settings

NO_REASONS: Mapping[str, str] = {}


def install_plan(context: Context, digest: Digest) -> Plan:
    """Plan the first release.

    Raises `UsageError` S1-U18 where one is installed, `SiteHeld` S1-N28 where one runs that the
    ledger does not know, `Withdrawn` S1-T21 where another release of its version is loaded.
    """
    installed = context.ledger.releases.installed()
    if installed is not None:
        raise UsageError(
            f"release {installed.version} is installed here",
            code="S1-U18",
            hint="run `s1ctl upgrade --to VERSION`",
        )
    view = release_view(context, digest)
    refuse_twin(context, view.version)
    refuse_unknown_units(context, view.manifest)
    return plan_install(site_view(context), view)


def upgrade_plan(
    context: Context,
    goal: Version,
    *,
    is_stage: bool = False,
    is_contract: bool = False,
    accepted: Mapping[str, str] = NO_REASONS,
) -> Plan:
    """Plan the path from the installed release to `goal`; `accepted` are gates with reasons.

    Raises `NoPath` S1-N01, S1-N02, S1-N20, S1-N21, S1-N27, `Withdrawn` S1-T20 and S1-T21, and what
    settings refuse; `ContentsRefused` S1-D17 where the path changes what a database has applied.
    """
    installed = installed_release(context)
    _refuse_lower(installed, goal, context.ledger.releases.loaded())
    route = find_route(context, installed.version, goal, accepted)
    digests = tuple(release.digest for release in route.releases)
    names = _declared(context, (installed.digest, *digests))
    views = tuple(release_view(context, digest, elsewhere=names) for digest in digests)
    plan = plan_upgrade(
        site_view(context, *views), views, route.legs, is_stage=is_stage, is_contract=is_contract
    )
    return changed(plan, accepted=route.accepted)


def rotate_plan(context: Context, secret: str) -> Plan:
    """Plan a new version of a generated secret for its users; the version is written at once.

    A version that was written and never used is taken again. Raises `UsageError` S1-U53 where the
    release has no such secret, S1-U54 where the site file names its source.
    """
    installed = installed_release(context)
    manifest = context.release(installed.digest).manifest
    setting = _generated(context, manifest, secret)
    used = installed.settings.secrets.get(secret)
    if used is not None and context.secrets.version(secret) <= used.version:
        context.secrets.renew(secret, chars=setting.generate or 0)
    renewed = _settings(context, manifest, renewed=secret).secrets[secret]
    others = {**installed.settings.secrets, secret: renewed}
    settings = Settings(values=installed.settings.values, secrets=others)
    view = recorded_view(context, installed.digest, settings)
    return plan_change("rotate", site_view(context), view)


def contract_plan(context: Context) -> Plan:
    """Plan the close of the installed release; empty where no contract is pending."""
    installed = installed_release(context)
    view = recorded_view(context, installed.digest, installed.settings)
    return plan_contract(site_view(context, view), view)


def rollback_plan(context: Context, point: str | None = None) -> Plan:
    """Plan the way back to a point; by default the one recorded before the installed release.

    Raises `NoPath` S1-N03 past a contract, S1-N05 and S1-N06 where there is nothing to go back to,
    S1-N25 for an unknown point, S1-N26 for one that lies ahead.
    """
    installed = installed_release(context)
    target = find_point(context, installed, point)
    now = recorded_view(context, installed.digest, installed.settings)
    former = _target_view(context, target)
    return plan_rollback(site_view(context), now, former, target)


def restore_plan(
    context: Context,
    point: str | None = None,
    *,
    backup: str | None = None,
    is_archived: bool = False,
) -> Plan:
    """Plan the way back to a point past contracts: their databases come from backups.

    For each it is the newest proven one that was made before the contract, so that as little as
    can be is lost; `backup` says another. Raises as `rollback_plan`, and `NoPath` S1-N22 where a
    rollback would do, S1-N23 where no backup serves.
    """
    installed = installed_release(context)
    target = find_point(context, installed, point)
    now = recorded_view(context, installed.digest, installed.settings)
    former = _target_view(context, target)
    site = site_view(context)
    chosen = choose_dumps(site, now, target, dumps(context), named=backup)
    return plan_restore(site, now, former, target, backups=chosen, is_archived=is_archived)


def find_point(context: Context, installed: Installed, name: str | None) -> Point:
    """Find a recorded point, or the one before the installed release.

    Raises `NoPath` S1-N06 and S1-N25.
    """
    if name is not None and context.ledger.points.find(name) is None:
        raise NoPath(
            f"there is no rollback point `{name}`",
            code="S1-N25",
            hint="run `s1ctl status` to see the points",
        )
    wanted = name or installed.point
    point = context.ledger.points.find(wanted) if wanted else None
    if point is None or point.release is None or point.settings is None:
        raise NoPath(
            f"no release was recorded before {installed.version}",
            code="S1-N06",
            hint="run `s1ctl history` to see what was installed here",
        )
    before = next(
        (
            i
            for i in context.ledger.releases.installs()
            if (i.digest, i.instances, i.settings) == (point.release, point.running, point.settings)
        ),
        None,
    )
    return Point(
        id=point.id,
        release=point.release,
        version=str(point.version),
        running=point.running,
        settings=point.settings,
        revisions=point.revisions,
        former_point=before.point if before else None,
    )


def dumps(context: Context) -> tuple[Dump, ...]:
    """List the backups as the planner sees them, newest first."""
    return tuple(
        Dump(id=b.id, database=b.database, revisions=b.revisions, is_proven=b.is_proven)
        for b in context.ledger.backups.all()
    )


def release_view(
    context: Context, digest: Digest, *, elsewhere: Collection[str] = ()
) -> ReleaseView:
    """Open a loaded release and resolve its settings; generates the secrets it lacks.

    `elsewhere` are settings that other releases of the path declare. Raises `Withdrawn` S1-T22,
    S1-T23, `NotReady` S1-U19 for settings, `PolicyRefused` S1-P01 for consent that is missing,
    `NoPath` S1-N20 where it needs another s1ctl.
    """
    release = context.admitted(digest)
    manifest = release.manifest
    check_tool(manifest)
    compose = context.compose(release)
    check_consent(context, compose, manifest.version)
    for schema in manifest.schemas:
        access_of(context, manifest, schema)
    settings = _settings(context, manifest, elsewhere=elsewhere)
    return ReleaseView(digest=digest, manifest=manifest, compose=compose, settings=settings)


def site_view(context: Context, *views: ReleaseView, is_asked: bool = True) -> SiteView:
    """Say how the site stands: ledger, databases where they are asked, points.

    Raises `ContentsRefused` S1-D17 where a view has another text of an applied revision.
    """
    site, installed = context.site, context.ledger.releases.installed()
    owned, newest = context.ledger.addresses.all(), context.ledger.points.newest()
    goals = tuple(view.manifest for view in views)
    asked = installed if is_asked else None
    texts = applied_texts(context, asked.digest, asked.settings, goals) if asked else {}
    refuse_changed_texts(texts, goals)
    return SiteView(
        name=site.name,
        target_id=context.target.target_id(),
        subnet=site.target.subnet,
        registry=site.registry,
        soak_s=site.policy.soak_s,
        current=_current(installed) if installed else None,
        is_backup_wanted=site.policy.backup.when == "always",
        addresses={name: (pair[0], pair[1]) for name, pair in owned.items()},
        applied={database: tuple(applied) for database, applied in texts.items()},
        services={name: each.service for name, each in site.databases.items() if each.service},
        kept=frozenset() if installed else kept_databases(context),
        next_point=int(newest.id[1:]) + 1 if newest else 1,
        next_backup=context.ledger.backups.next_number(),
    )


def setting_values(context: Context, manifest: ReleaseManifest) -> dict[str, str]:
    """Resolve the plain values of a release's settings, as far as they can be."""
    resolved = resolve_release_settings(
        manifest.settings, context.site, context.secrets, context.environment
    )
    return resolved.values


def setting_problems(
    context: Context, manifest: ReleaseManifest, *, elsewhere: Collection[str] = ()
) -> tuple[str, ...]:
    """Say what is wrong with the site's values for a release; `elsewhere` as in `release_view`."""
    resolved = resolve_release_settings(
        manifest.settings,
        context.site,
        context.secrets,
        context.environment,
        elsewhere=elsewhere,
        locate=context.locate,
    )
    return _placed(context, resolved.problems)


def _placed(context: Context, problems: tuple[Problem, ...]) -> tuple[str, ...]:
    """Say where in the site file each setting stands, or `values`, where it is missing."""
    return tuple(f"{context.locate(f'$.values.{p.name}')}: {p}" for p in problems)


def recorded_view(context: Context, digest: Digest, settings: Settings) -> ReleaseView:
    """Open a release with the settings that are recorded for it."""
    release = context.release(digest)
    return ReleaseView(
        digest=digest,
        manifest=release.manifest,
        compose=context.compose(release),
        settings=settings,
    )


def _target_view(context: Context, target: Point) -> ReleaseView:
    """See the release of a point; the way back to a withdrawn one is refused as any other."""
    context.admitted(target.release)
    return recorded_view(context, target.release, target.settings)


def _used_secrets(context: Context) -> Mapping[str, SecretUse]:
    """Say which secrets are in use; where nothing is installed, those that were last: data stays.

    A newer version than that was made for a rotation that was taken back.
    """
    newest = context.ledger.releases.installs(limit=1)
    return newest[0].settings.secrets if newest else {}


def _settings(
    context: Context,
    manifest: ReleaseManifest,
    *,
    renewed: str | None = None,
    elsewhere: Collection[str] = (),
) -> Settings:
    ensure_secrets(manifest.settings, context.site, context.secrets)
    used = {name: use.version for name, use in _used_secrets(context).items() if name != renewed}
    resolved = resolve_release_settings(
        manifest.settings,
        context.site,
        context.secrets,
        context.environment,
        in_use=used,
        elsewhere=elsewhere,
        locate=context.locate,
    )
    if resolved.problems:
        raise NotReady(
            f"release {manifest.version} and the site file disagree:\n"
            + "\n".join(_placed(context, resolved.problems)),
            code="S1-U19",
            hint="mend `values` in the site file",
        )
    secrets = {
        name: SecretUse(version=secret.version, fingerprint=secret.fingerprint)
        for name, secret in resolved.secrets.items()
    }
    return Settings(values=resolved.values, secrets=secrets)


def _declared(context: Context, digests: Iterable[Digest]) -> frozenset[str]:
    """Name every setting that one of the releases declares."""
    manifests = (context.release(digest).manifest for digest in digests)
    return frozenset(setting.name for manifest in manifests for setting in manifest.settings)


def _generated(context: Context, manifest: ReleaseManifest, name: str) -> Setting:
    """Find a secret that s1ctl generates."""
    secrets = {s.name: s for s in manifest.settings if s.kind == "secret"}
    if name not in secrets:
        raise UsageError(
            f"release {manifest.version} has no secret `{name}`",
            code="S1-U53",
            hint="run `s1ctl secret list`",
        )
    if name in context.site.values or not secrets[name].generate:
        raise UsageError(
            f"the secret `{name}` comes from the site file, not from s1ctl",
            code="S1-U54",
            hint="change it at its source, then run `s1ctl apply`",
        )
    return secrets[name]


def installed_release(context: Context) -> Installed:
    """Hand out what is installed. Raises `NoPath` S1-N05."""
    installed = context.ledger.releases.installed()
    if installed is None:
        raise NoPath(
            "nothing is installed here",
            code="S1-N05",
            hint="run `s1ctl install --bundle FILE`",
        )
    return installed


def _refuse_lower(installed: Installed, goal: Version, loaded: tuple[LoadedRelease, ...]) -> None:
    if goal < installed.version:
        raise Withdrawn(
            f"{goal} is lower than the installed {installed.version}",
            code="S1-T20",
            hint="go back with `s1ctl rollback`, which uses the recorded release",
        )
    for release in loaded:
        if release.version == goal == installed.version and release.digest != installed.digest:
            raise equivocation(
                goal, f"`{installed.digest}` is installed, `{release.digest}` is loaded"
            )


def _current(installed: Installed) -> Current:
    return Current(
        release=installed.digest,
        version=installed.version,
        instances=installed.instances,
        settings=installed.settings,
        point=installed.point,
    )
