"""Make plans forward: install is an upgrade from nothing."""

import dataclasses

from s1ctl.errors import NoPath
from s1ctl.plan.plan import Hop, Plan, Verb
from s1ctl.plan.steps import (
    AnyStep,
    ApplyRevision,
    BackUp,
    CheckSite,
    Instance,
    LoadRelease,
    Prepare,
    PullImages,
    RecordPoint,
    RecordRelease,
    Retire,
    Roll,
    Soak,
)
from s1ctl.plan.units import ORDER, own_addresses, place_units, roll_order
from s1ctl.plan.view import Current, ReleaseView, SiteView
from s1ctl.release.graph import Leg
from s1ctl.shape import changed


def plan_install(site: SiteView, view: ReleaseView) -> Plan:
    """Plan the first release of a site: the whole lineage in order, no backup, no soak."""
    leg = Leg(to=view.version, why="nothing is installed yet")
    return _plan("install", site, (view,), (leg,))


def plan_upgrade(
    site: SiteView, views: tuple[ReleaseView, ...], legs: tuple[Leg, ...], *, is_stage: bool = False
) -> Plan:
    """Plan the hops of a path; with `is_stage` only what prepares them."""
    plan = _plan("upgrade", site, views, legs)
    return changed(plan, hops=()) if is_stage else plan


def _plan(
    verb: Verb, site: SiteView, views: tuple[ReleaseView, ...], legs: tuple[Leg, ...]
) -> Plan:
    addresses = own_addresses(site, views)
    hops: list[Hop] = []
    prepares: list[Prepare] = []
    here = site
    for view, leg in zip(views, legs, strict=True):
        instances = place_units(here, view, here.current, addresses)
        prepares.append(_prepare(here, view, instances))
        hops.append(_hop(here, view, instances, leg))
        here = _after(here, view, instances)
    return Plan(
        verb=verb,
        site=site.name,
        target_id=site.target_id,
        start=site.current.release if site.current else None,
        start_version=str(site.current.version) if site.current else None,
        stage=_stage(site, views, prepares),
        hops=tuple(hops),
        settings={str(v.digest): v.settings for v in views},
        addresses=addresses,
    )


def _stage(
    site: SiteView, views: tuple[ReleaseView, ...], prepares: list[Prepare]
) -> tuple[AnyStep, ...]:
    loads = (LoadRelease(release=v.digest, version=str(v.version)) for v in views)
    pulls = (pull_step(site, v) for v in views)
    check = CheckSite(releases=tuple(v.digest for v in views))
    return (*loads, check, *pulls, *prepares)


def pull_step(site: SiteView, view: ReleaseView) -> PullImages:
    """Make the step that has a release's images in the engine."""
    return PullImages(
        release=view.digest,
        version=str(view.version),
        references=tuple(site.reference(image) for image in view.manifest.images),
    )


def _prepare(site: SiteView, view: ReleaseView, instances: tuple[Instance, ...]) -> Prepare:
    known = {i.unit for i in site.current.instances} if site.current else set()
    roles = {u.name: u.role for u in view.manifest.units}
    data = tuple(i for i in instances if roles[i.unit] == "data" and i.unit not in known)
    return Prepare(release=view.digest, version=str(view.version), data=data)


def _hop(site: SiteView, view: ReleaseView, instances: tuple[Instance, ...], leg: Leg) -> Hop:
    point = f"p{site.next_point:04d}"
    current = site.current
    record = RecordPoint(
        point=point,
        release=current.release if current else None,
        running=current.instances if current else (),
    )
    revisions = _revisions(site, view)
    data, apps, edges = _rolls(view, instances, current)
    backups = _backups(site, view, point) if revisions or data else ()
    last = RecordRelease(
        release=view.digest,
        version=str(view.version),
        instances=instances,
        former=current.release if current else None,
        point=point if current else None,
    )
    soak = (Soak(seconds=site.soak_s, instances=instances),) if current else ()
    steps = (
        record,
        *backups,
        *data,
        *revisions,
        *apps,
        *_retired(view, current),
        *edges,
        *soak,
        last,
    )
    return Hop(to=view.digest, version=str(view.version), steps=steps, why=leg.why)


def _backups(site: SiteView, view: ReleaseView, point: str) -> tuple[BackUp, ...]:
    if site.current is None or not site.is_backup_wanted:
        return ()
    return tuple(
        BackUp(point=point, database=schema.database, release=view.digest)
        for schema in view.manifest.schemas
        if site.applied.get(schema.database)
    )


def _revisions(site: SiteView, view: ReleaseView) -> tuple[ApplyRevision, ...]:
    """List what is not applied yet; contracts only at install, else they stay pending.

    Raises `NoPath` S1-N04 when an expansion lies behind a pending contract.
    """
    steps: list[ApplyRevision] = []
    for schema in view.manifest.schemas:
        done = site.applied.get(schema.database, ())
        pending: str | None = None
        for revision in schema.revisions:
            if revision.id in done:
                continue
            if revision.phase == "contract" and site.current is not None:
                pending = pending or revision.id
                continue
            if pending is not None:
                raise _contract_first(schema.database, pending, revision.id)
            steps.append(
                ApplyRevision(
                    database=schema.database,
                    revision=revision.id,
                    phase=revision.phase,
                    release=view.digest,
                )
            )
    return tuple(steps)


Rolls = tuple[tuple[Roll, ...], tuple[Roll, ...], tuple[Roll, ...]]


def _rolls(view: ReleaseView, instances: tuple[Instance, ...], current: Current | None) -> Rolls:
    """List the units that change, as data, apps, edges; new data units are prepared, not rolled."""
    by_unit = {i.unit: i for i in instances}
    rolls: list[Roll] = []
    for unit in roll_order(view.manifest.units):
        former = current.instance(unit.name) if current else None
        if by_unit[unit.name] == former or (unit.role == "data" and former is None):
            continue
        manner = "recreate" if unit.role == "data" else unit.replace
        rolls.append(Roll(role=unit.role, replace=manner, to=by_unit[unit.name], former=former))
    data, apps, edges = (tuple(r for r in rolls if r.role == role) for role in ORDER)
    return data, apps, edges


def _retired(view: ReleaseView, current: Current | None) -> tuple[Retire, ...]:
    names = {unit.name for unit in view.manifest.units}
    gone = (i for i in (current.instances if current else ()) if i.unit not in names)
    return tuple(Retire(role="app", former=instance) for instance in gone)


def _after(site: SiteView, view: ReleaseView, instances: tuple[Instance, ...]) -> SiteView:
    """Say how the site stands once the hop is done."""
    applied = dict(site.applied)
    for schema in view.manifest.schemas:
        before = applied.get(schema.database, ())
        new = (
            r.id
            for r in schema.revisions
            if r.id not in before and (r.phase != "contract" or site.current is None)
        )
        applied[schema.database] = (*before, *new)
    current = Current(
        release=view.digest,
        version=view.version,
        instances=instances,
        settings=view.settings,
        point=f"p{site.next_point:04d}",
    )
    return dataclasses.replace(
        site, current=current, applied=applied, next_point=site.next_point + 1
    )


def _contract_first(database: str, contract: str, revision: str) -> NoPath:
    return NoPath(
        f"`{database}`: revision {revision} comes after the pending contract {contract}",
        code="S1-N04",
        hint="run `s1ctl db contract` first, when nobody wants to go back any more",
    )
