"""Make plans forward: install is an upgrade from nothing."""

import dataclasses
from typing import Literal

from s1ctl.plan.close import SchemaWork, back_up, close_steps, pending_contracts, prove, schema_work
from s1ctl.plan.passwords import password_steps
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
    RunJob,
    Soak,
)
from s1ctl.plan.units import ORDER, own_addresses, place_units, roll_order
from s1ctl.plan.view import Current, ReleaseView, SiteView
from s1ctl.release.graph import Leg
from s1ctl.release.manifest import When
from s1ctl.shape import changed


def plan_install(site: SiteView, view: ReleaseView) -> Plan:
    """Plan the first release of a site: the whole lineage in order, no backup, no soak."""
    leg = Leg(to=view.version, why="nothing is installed yet")
    return _plan("install", site, (view,), (leg,))


def plan_upgrade(
    site: SiteView,
    views: tuple[ReleaseView, ...],
    legs: tuple[Leg, ...],
    *,
    is_stage: bool = False,
    is_contract: bool = False,
) -> Plan:
    """Plan the hops of a path; with `is_stage` only what prepares them.

    The close of the last release is left for later, unless `is_contract`.
    """
    plan = _plan("upgrade", site, views, legs, is_contract=is_contract)
    return changed(plan, hops=()) if is_stage else plan


def plan_change(verb: Literal["apply", "rotate"], site: SiteView, view: ReleaseView) -> Plan:
    """Plan the installed release with other settings: only units that change, nothing where none.

    A database of the platform gets its new password before the units that use it.
    """
    why = "a secret has a new version"
    if verb == "apply":
        gone = ", ".join(sorted(site.down))
        why = f"{gone} does not run as recorded" if gone else "the site file says otherwise"
    plan = _plan(verb, site, (view,), (Leg(to=view.version, why=why),))
    effects = (s for hop in plan.hops for s in hop.steps)
    is_change = any(not isinstance(s, RecordPoint | Soak | RecordRelease) for s in effects)
    return plan if is_change else changed(plan, stage=(), hops=())


def plan_contract(site: SiteView, view: ReleaseView) -> Plan:
    """Plan the close of the installed release alone; nothing where no contract is pending."""
    hop = _close_hop(site, view)
    return Plan(
        verb="contract",
        site=site.name,
        target_id=site.target_id,
        start=view.digest,
        start_version=str(view.version),
        stage=(CheckSite(releases=(view.digest,)),) if hop else (),
        hops=(hop,) if hop else (),
        settings={str(view.digest): view.settings},
    )


def _plan(
    verb: Verb,
    site: SiteView,
    views: tuple[ReleaseView, ...],
    legs: tuple[Leg, ...],
    *,
    is_contract: bool = False,
) -> Plan:
    addresses = own_addresses(site, views)
    hops: list[Hop] = []
    prepares: list[Prepare] = []
    here = site
    for view, leg in zip(views, legs, strict=True):
        instances = place_units(here, view, here.current, addresses)
        prepares.append(_prepare(here, view, instances))
        hops.append(_hop(here, view, instances, leg))
        here = _after(here, view, instances, hops[-1])
    closing = _close_hop(here, views[-1]) if is_contract else None
    return Plan(
        verb=verb,
        site=site.name,
        target_id=site.target_id,
        start=site.current.release if site.current else None,
        start_version=str(site.current.version) if site.current else None,
        stage=_stage(site, views, prepares),
        hops=(*hops, closing) if closing else tuple(hops),
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
    current = site.current
    point = f"p{site.next_point:04d}"
    work = schema_work(site, view)
    data, apps, edges = _rolls(view, instances, current)
    closing = _closing(site, view, work)
    record = RecordPoint(
        point=point,
        release=current.release if current else None,
        running=current.instances if current else (),
    )
    last = RecordRelease(
        release=view.digest,
        version=str(view.version),
        instances=instances,
        former=current.release if current else None,
        point=point if current else None,
    )
    steps = (
        *closing,
        record,
        *password_steps(site, view.manifest.schemas, to=view.settings, release=view.digest),
        *_backups(site, view, work, data, point, done=_backed_up(closing)),
        *data,
        *work.steps,
        *_jobs(site, view, "before-roll"),
        *apps,
        *_retired(view, current),
        *edges,
        *_jobs(site, view, "after-roll"),
        *((Soak(seconds=site.soak_s, instances=instances),) if current else ()),
        last,
    )
    return Hop(to=view.digest, version=str(view.version), steps=steps, why=leg.why)


def _closing(site: SiteView, view: ReleaseView, work: SchemaWork) -> tuple[AnyStep, ...]:
    """Close the former release; its backup is this hop's too, so it has every database."""
    if site.current is None:
        return ()
    also = _known(site, view) if site.is_backup_wanted else ()
    return close_steps(site, work.closing, runs=site.current.release, brings=view.digest, also=also)


def _close_hop(site: SiteView, view: ReleaseView) -> Hop | None:
    """Close the release that is installed, as a hop of its own: it takes nothing else back."""
    pending = pending_contracts(site, view)
    if not pending:
        return None
    return Hop(
        to=view.digest,
        version=str(view.version),
        steps=close_steps(site, pending, runs=view.digest, brings=view.digest),
        why="what only the release before needed is taken away",
    )


Data = tuple[Roll, ...]


def _backups(
    site: SiteView,
    view: ReleaseView,
    work: SchemaWork,
    data: Data,
    point: str,
    *,
    done: frozenset[str],
) -> tuple[AnyStep, ...]:
    """Back up what the hop may harm; a database whose own unit is replaced is proven too."""
    units = {roll.to.unit for roll in data}
    replaced = tuple(d for d in _known(site, view) if site.services.get(d) in units)
    is_wanted = site.is_backup_wanted and (work.steps or data)
    wanted = _known(site, view) if is_wanted else replaced
    later = dataclasses.replace(site, next_backup=site.next_backup + len(done))
    lacking = (d for d in wanted if d not in done or d in replaced)
    backups = back_up(later, lacking, view.digest, point=point)
    return (*backups, *prove(b for b in backups if b.database in replaced))


def _backed_up(closing: tuple[AnyStep, ...]) -> frozenset[str]:
    return frozenset(step.database for step in closing if isinstance(step, BackUp))


def _known(site: SiteView, view: ReleaseView) -> tuple[str, ...]:
    """Name the databases in which something is."""
    if site.current is None:
        return ()
    names = (schema.database for schema in view.manifest.schemas)
    return tuple(name for name in names if site.applied.get(name))


def _jobs(site: SiteView, view: ReleaseView, when: When) -> tuple[RunJob, ...]:
    """Run the release's jobs when it comes; the same release with other settings runs none."""
    if site.current is not None and site.current.release == view.digest:
        return ()
    return tuple(
        RunJob(
            job=job.name,
            when=when,
            release=view.digest,
            version=str(view.version),
            container=_job_container(site, job.name, view),
        )
        for job in view.manifest.jobs
        if job.when == when
    )


def _job_container(site: SiteView, job: str, view: ReleaseView) -> str:
    version = str(view.version).replace("+", "_").replace("!", "_")
    return f"{site.name}-{job}-{version}"


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


def _after(
    site: SiteView, view: ReleaseView, instances: tuple[Instance, ...], hop: Hop
) -> SiteView:
    """Say how the site stands once the hop is done."""
    applied = dict(site.applied)
    for step in hop.steps:
        if isinstance(step, ApplyRevision):
            applied[step.database] = (*applied.get(step.database, ()), step.revision)
    current = Current(
        release=view.digest,
        version=view.version,
        instances=instances,
        settings=view.settings,
        point=f"p{site.next_point:04d}",
    )
    backups = sum(isinstance(step, BackUp) for step in hop.steps)
    return dataclasses.replace(
        site,
        current=current,
        applied=applied,
        next_point=site.next_point + 1,
        next_backup=site.next_backup + backups,
    )
