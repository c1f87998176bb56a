"""Gather what the planner is told, and have it plan."""

from packaging.version import Version

from s1ctl.errors import NoPath, NotReady, PolicyRefused, UsageError, Withdrawn
from s1ctl.ledger.releases import Installed, LoadedRelease
from s1ctl.oci.digest import Digest
from s1ctl.operation.context import Context
from s1ctl.operation.databases import access_of, applied_everywhere
from s1ctl.plan.plan import Plan, SecretUse, Settings
from s1ctl.plan.planner import plan_install, plan_upgrade
from s1ctl.plan.rollback import Point, plan_rollback
from s1ctl.plan.view import Current, ReleaseView, SiteView
from s1ctl.release.compose import ComposeFile
from s1ctl.release.compose_rules import consents
from s1ctl.release.graph import Node, choose_path
from s1ctl.release.manifest import Edge, ReleaseManifest
from s1ctl.site.resolve import ensure_secrets, resolve_release_settings


def install_plan(context: Context, digest: Digest) -> Plan:
    """Plan the first release. Raises `UsageError` S1-U18 where one is installed."""
    installed = context.ledger.releases.installed()
    if installed is not None:
        raise UsageError(
            f"release {installed.version} is installed here",
            code="S1-U18",
            hint="run `s1ctl upgrade --to VERSION`",
        )
    return plan_install(site_view(context), release_view(context, digest))


def upgrade_plan(context: Context, goal: Version, *, is_stage: bool) -> Plan:
    """Plan the path from the installed release to `goal`.

    Raises `NoPath` S1-N01, S1-N02, `Withdrawn` S1-T20 and S1-T21, and what settings refuse.
    """
    installed = _installed(context)
    loaded = context.ledger.releases.loaded()
    _refuse_lower(installed, goal, loaded)
    by_version = {r.version: r for r in sorted(loaded, key=lambda r: r.sequence)}
    legs = choose_path(installed.version, goal, _nodes(context, by_version))
    views = tuple(release_view(context, by_version[leg.to].digest) for leg in legs)
    return plan_upgrade(site_view(context), views, legs, is_stage=is_stage)


def rollback_plan(context: Context) -> Plan:
    """Plan the way back to the point that was recorded before the installed release.

    Raises `NoPath` S1-N03 past a contract, S1-N05 and S1-N06 where there is nothing to go back to.
    """
    installed = _installed(context)
    point = context.ledger.points.find(installed.point) if installed.point else None
    if point is None or point.release is None or point.settings is None:
        raise NoPath(
            f"no release was recorded before {installed.version}",
            code="S1-N06",
            hint="run `s1ctl history` to see what was installed here",
        )
    before = next(
        (i for i in context.ledger.releases.installs() if i.digest == point.release), None
    )
    target = Point(
        id=point.id,
        release=point.release,
        version=str(point.version),
        running=point.running,
        settings=point.settings,
        revisions=point.revisions,
        former_point=before.point if before else None,
    )
    now = _planned_view(context, installed.digest, installed.settings)
    former = _planned_view(context, point.release, point.settings)
    return plan_rollback(site_view(context), now, former, target)


def release_view(context: Context, digest: Digest) -> ReleaseView:
    """Open a loaded release and resolve its settings; generates the secrets it lacks.

    Raises `NotReady` S1-U19 for settings, `PolicyRefused` S1-P01 for consent that is missing.
    """
    release = context.release(digest)
    manifest = release.manifest
    compose = context.compose(release)
    _check_consent(context, compose, manifest.version)
    for schema in manifest.schemas:
        access_of(context, manifest, schema)
    settings = _settings(context, manifest)
    return ReleaseView(digest=digest, manifest=manifest, compose=compose, settings=settings)


def site_view(context: Context) -> SiteView:
    """Say how the site stands: ledger, databases, points."""
    site, installed = context.site, context.ledger.releases.installed()
    owned, newest = context.ledger.addresses.all(), context.ledger.points.newest()
    applied = applied_everywhere(context, installed.digest, installed.settings) if installed else {}
    return SiteView(
        name=site.name,
        target_id=context.target.target_id(),
        subnet=site.target.subnet,
        registry=site.registry,
        soak_s=site.policy.soak_s,
        current=_current(installed) if installed else None,
        is_backup_wanted=site.policy.backup.when == "always",
        addresses={name: (pair[0], pair[1]) for name, pair in owned.items()},
        applied=applied,
        next_point=int(newest.id[1:]) + 1 if newest else 1,
    )


def setting_values(context: Context, manifest: ReleaseManifest) -> dict[str, str]:
    """Resolve the plain values of a release's settings, as far as they can be."""
    resolved = resolve_release_settings(
        manifest.settings, context.site, context.secrets, context.environment
    )
    return resolved.values


def setting_problems(context: Context, manifest: ReleaseManifest) -> tuple[str, ...]:
    """Say what is wrong with the site's values for a release."""
    resolved = resolve_release_settings(
        manifest.settings, context.site, context.secrets, context.environment
    )
    return resolved.problems


def _planned_view(context: Context, digest: Digest, settings: Settings) -> ReleaseView:
    release = context.release(digest)
    return ReleaseView(
        digest=digest,
        manifest=release.manifest,
        compose=context.compose(release),
        settings=settings,
    )


def _settings(context: Context, manifest: ReleaseManifest) -> Settings:
    ensure_secrets(manifest.settings, context.site, context.secrets)
    resolved = resolve_release_settings(
        manifest.settings, context.site, context.secrets, context.environment
    )
    if resolved.problems:
        raise NotReady(
            f"release {manifest.version} and the site file disagree: "
            + "; ".join(resolved.problems),
            code="S1-U19",
            hint="mend `values` in the site file",
        )
    secrets = {
        name: SecretUse(version=secret.version, fingerprint=secret.fingerprint)
        for name, secret in resolved.secrets.items()
    }
    return Settings(values=resolved.values, secrets=secrets)


def _check_consent(context: Context, compose: ComposeFile, version: Version) -> None:
    for name, service in compose.services.items():
        given = context.site.allow.get(name, ())
        missing = [consent for consent in consents(service) if consent not in given]
        if missing:
            raise PolicyRefused(
                f"unit `{name}` of {version} wants {', '.join(missing)}, "
                "to which this site has not consented",
                code="S1-P01",
                hint=f"if it may, add `allow: {{{name}: [{', '.join(missing)}]}}` to the site file",
            )


def _installed(context: Context) -> Installed:
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
    same = [r for r in loaded if r.version == goal == installed.version]
    if any(r.digest != installed.digest for r in same):
        raise Withdrawn(
            f"two different releases call themselves {goal}",
            code="S1-T21",
            hint="ask the vendor which of them is the right one; do not proceed",
        )


def _nodes(context: Context, loaded: dict[Version, LoadedRelease]) -> list[Node]:
    """Draw the map: loaded releases, and those that the newest of them knows of."""
    manifests = {v: context.release(r.digest).manifest for v, r in loaded.items()}
    nodes = [_node(m) for m in manifests.values()]
    newest = max(manifests.values(), key=lambda m: m.sequence, default=None)
    known = newest.upgrade.known if newest else ()
    return nodes + [_far_node(edge) for edge in known if edge.version not in manifests]


def _far_node(edge: Edge) -> Node:
    return Node(
        version=edge.version,
        sources=edge.sources,
        is_stop=edge.stop,
        size_bytes=edge.bytes,
        is_loaded=False,
    )


def _node(manifest: ReleaseManifest) -> Node:
    return Node(
        version=manifest.version,
        sources=manifest.upgrade.sources,
        is_stop=manifest.upgrade.stop,
        size_bytes=sum(blob.size for blob in manifest.blobs),
    )


def _current(installed: Installed) -> Current:
    return Current(
        release=installed.digest,
        version=installed.version,
        instances=installed.instances,
        settings=installed.settings,
        point=installed.point,
    )
