"""Have the site judged for the releases of a plan."""

from collections.abc import Collection, Iterable, Sequence
from functools import reduce
from operator import and_

from packaging.specifiers import SpecifierSet

from s1ctl.errors import NotEvaluated, NotReady, S1Error
from s1ctl.ledger.waivers import Waiver
from s1ctl.oci.digest import Digest
from s1ctl.oci.proxy import Proxies
from s1ctl.operation.context import Context
from s1ctl.operation.gather import setting_problems, setting_values
from s1ctl.operation.room import copies, disk_bytes, engine_root, inodes, lacking
from s1ctl.operation.site_facts import collectors, connections
from s1ctl.plan.plan import Accepted, Plan
from s1ctl.plan.steps import ApplyRevision, CheckSite
from s1ctl.preflight import (
    catalogue,
    certificates,
    clock,
    disks,
    engine,
    host,
    machine,
    mounts,
    postgresql,
    registry,
    state,
)
from s1ctl.preflight.check import Check, evaluate
from s1ctl.preflight.collect import collect
from s1ctl.preflight.finding import Finding, Phase
from s1ctl.preflight.needs import Needs
from s1ctl.preflight.waiving import honour
from s1ctl.release.compose import fill
from s1ctl.release.manifest import ReleaseManifest
from s1ctl.site.facts import Facts

MIB = 1 << 20
HOPPING = ("install", "upgrade")
ONLY_FOR_HOPS = (
    "state.hop", "state.health", "state.migrations", "pg.activity", "host.os", "clock.skew",
    "cert.expiry",
)  # fmt: skip


def check_plan(context: Context, plan: Plan) -> None:
    """Judge the site before an operation is opened. Raises as `check_site`."""
    for step in plan.stage:
        if isinstance(step, CheckSite):
            check_site(context, step.releases, plan)


def check_site(
    context: Context, releases: tuple[Digest, ...], plan: Plan, *, operation: str | None = None
) -> tuple[Finding, ...]:
    """Judge the site for the releases of a plan's path, read-only; what is waived stops nothing.

    Raises `NotReady` S1-P30 when a blocking check failed, `NotEvaluated` S1-P31 when one could not
    be evaluated. `operation` is the one that asks, and so holds the lock.
    """
    needs = needs_of(context, releases, operation=operation)
    checks = _concerning(plan, catalogue.select(needs.phase))
    findings = judge(context, needs, checks, accepted=plan.accepted)
    refuse(findings)
    return findings


def _concerning(plan: Plan, checks: Sequence[Check]) -> tuple[Check, ...]:
    """Leave out what would keep an operator from mending, and what the plan does not touch."""
    left_out = set() if plan.verb in HOPPING else set(ONLY_FOR_HOPS)
    if not any(isinstance(step, ApplyRevision) for hop in plan.hops for step in hop.steps):
        left_out.add("pg.activity")
    return tuple(check for check in checks if check.id not in left_out)


def judge(
    context: Context,
    needs: Needs,
    checks: Sequence[Check],
    *,
    accepted: tuple[Accepted, ...] = (),
) -> tuple[Finding, ...]:
    """Collect what the checks read, and judge it; waivers of the release are honoured."""
    facts = gather_facts(context, needs, checks, accepted=accepted)
    return honour(evaluate(checks, facts, needs), waivers_of(context, needs))


def waivers_of(context: Context, needs: Needs) -> tuple[Waiver, ...]:
    """List the waivers that were given for the release at the end of the path."""
    return context.ledger.waivers.of(needs.releases[-1]) if needs.releases else ()


def refuse(findings: Sequence[Finding]) -> None:
    """Raise for the blocking findings; a failure wins over an error."""
    stopping = catalogue.blocking(findings)
    failures = [f for f in stopping if f.outcome == "fail"]
    chosen = failures or list(stopping)
    if not chosen:
        return
    kind: type[S1Error] = NotReady if failures else NotEvaluated
    first = chosen[0]
    text = first.observed.text if first.observed else first.title
    more = f" (and {len(chosen) - 1} more)" if len(chosen) > 1 else ""
    raise kind(
        f"check {first.id}: {text}{more}",
        code="S1-P30" if failures else "S1-P31",
        hint=_hint(first),
    )


def _hint(finding: Finding) -> str:
    advice = [text.rstrip(".:") for text in finding.remediation]
    command = finding.fix.command if finding.fix else f"s1ctl preflight --only {finding.id}"
    return "; ".join((*advice, f"run `{command}`"))


def gather_facts(
    context: Context,
    needs: Needs,
    checks: Sequence[Check],
    *,
    accepted: tuple[Accepted, ...] = (),
) -> Facts:
    """Collect only the facts that the checks read."""
    known = connections(context, needs)
    asked = {
        **state.collectors(context.ledger),
        **engine.collectors(context.site.target.socket),
        **host.collectors(),
        **machine.collectors(),
        **mounts.collectors(context.site.state),
        **disks.collectors(_folders(needs), {n: c for n, c in known.items() if n in needs.copies}),
        **registry.collectors(context.site.registry, context.registry, images=needs.pulls),
        **certificates.collectors(
            context.site.registry, context.now, lambda url: Proxies.of(context.environment).to(url)
        ),
        **clock.collectors(
            context.site.target.socket,
            None if needs.is_staged else context.registry,
            known,
            context.now,
        ),
        **postgresql.collectors(known),
        **collectors(context, needs, accepted),
    }
    wanted = {name for check in checks for name in check.facts}
    return collect({n: c for n, c in asked.items() if n in wanted}, taken_at=context.now())


def needs_of(
    context: Context,
    releases: Collection[Digest],
    *,
    operation: str | None = None,
    phase: Phase | None = None,
) -> Needs:
    """Add up what the releases need of this site."""
    opened = [context.release(digest) for digest in releases]
    manifests = [release.manifest for release in opened]
    images = {i.digest: i for m in manifests for i in m.images}
    is_installed = context.ledger.releases.installed() is not None
    chosen: Phase = phase or ("upgrade" if is_installed else "install")
    pulls = tuple(images.values()) if chosen == "doctor" else lacking(context, opened)
    root, state_folder = engine_root(context), str(context.site.state)
    return Needs(
        phase=chosen,
        site=context.site,
        releases=tuple(releases),
        source=", ".join(f"release {m.version}" for m in manifests) or "site file",
        engine=_joined(m.requires.engine for m in manifests),
        postgresql=_joined(m.requires.postgresql for m in manifests),
        memory_bytes=max((m.requires.memory_mib for m in manifests), default=0) * MIB,
        disk_bytes=disk_bytes(root, state_folder, opened, () if chosen == "doctor" else pulls),
        inodes=inodes(root, state_folder, () if chosen == "doctor" else pulls),
        copies=copies(context, root, _dumped(context, chosen, manifests)),
        ports=_ports(context, manifests),
        own_ports=_own_ports(context),
        systems={f"release {m.version}": m.requires.os for m in manifests},
        images=tuple(images.values()),
        pulls=pulls,
        databases=tuple(sorted({s.database for m in manifests for s in m.schemas})),
        is_staged=bool(images) and not pulls,
        is_installed=is_installed,
        has_release=bool(manifests),
        operation=operation,
        problems=tuple(p for m in manifests for p in _problems(context, m, manifests)),
    )


def _joined(specifiers: Iterable[SpecifierSet]) -> SpecifierSet:
    return reduce(and_, specifiers, SpecifierSet())


def _problems(
    context: Context, manifest: ReleaseManifest, path: Sequence[ReleaseManifest]
) -> tuple[str, ...]:
    """Say what is wrong with the settings; a secret that does not resolve is a problem too.

    What another release of the path declares may be given, and what the installed one does.
    """
    installed = context.ledger.releases.installed()
    now = (context.release(installed.digest).manifest,) if installed else ()
    names = frozenset(s.name for m in (*path, *now) for s in m.settings)
    try:
        return setting_problems(context, manifest, elsewhere=names)
    except S1Error as error:
        return (f"{error.message} ({error.code}; {error.hint})",)


def _dumped(
    context: Context, phase: Phase, manifests: Sequence[ReleaseManifest]
) -> tuple[str, ...]:
    """Name the databases of the installed release that the upgrade dumps and proves before."""
    installed = context.ledger.releases.installed()
    if installed is None or phase != "upgrade" or not manifests:
        return ()
    schemas = [s for m in manifests for s in m.schemas]
    is_contract = any(r.phase == "contract" for s in schemas for r in s.revisions)
    if context.site.policy.backup.when != "always" and not is_contract:
        return ()
    return tuple(s.database for s in context.release(installed.digest).manifest.schemas)


def _folders(needs: Needs) -> tuple[str, ...]:
    """Name every folder that will be written to."""
    copied = (folder for folders in needs.copies.values() for folder in folders)
    return tuple(dict.fromkeys((*needs.disk_bytes, *needs.inodes, *copied)))


def _own_ports(context: Context) -> tuple[int, ...]:
    """List the ports that the installed edges hold, with the settings that they were given."""
    installed = context.ledger.releases.installed()
    if installed is None:
        return ()
    manifest = context.release(installed.digest).manifest
    texts = (
        fill(text, installed.settings.values) if "$" in text else text
        for text in _port_texts(manifest)
    )
    return tuple(sorted({int(text) for text in texts if text.isdigit()}))


def _ports(context: Context, manifests: Sequence[ReleaseManifest]) -> tuple[int, ...]:
    """List the ports at which edges answer; one that is a setting counts where it has a value."""
    texts = (_port(context, m, text) for m in manifests for text in _port_texts(m))
    return tuple(sorted({int(text) for text in texts if text.isdigit()}))


def _port_texts(manifest: ReleaseManifest) -> tuple[str, ...]:
    return tuple(str(u.health.port) for u in manifest.units if u.role == "edge" and u.health)


def _port(context: Context, manifest: ReleaseManifest, text: str) -> str:
    try:
        return fill(text, setting_values(context, manifest)) if "$" in text else text
    except (S1Error, KeyError):
        return ""  # state.settings says what is wrong with it
