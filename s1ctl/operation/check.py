"""Have the site judged for the releases of a plan."""

from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import AbstractContextManager
from functools import reduce
from operator import and_
from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet

from s1ctl.database.reach import reading
from s1ctl.errors import NotEvaluated, NotReady, S1Error
from s1ctl.oci.digest import Digest
from s1ctl.operation.context import Context
from s1ctl.operation.databases import dsn_of
from s1ctl.operation.gather import setting_problems, setting_values
from s1ctl.plan.plan import Plan
from s1ctl.plan.presence import Presence
from s1ctl.plan.steps import PullImages
from s1ctl.preflight import catalogue, engine, host, postgresql, registry, state
from s1ctl.preflight.check import Check, evaluate
from s1ctl.preflight.collect import collect
from s1ctl.preflight.finding import Finding, Phase
from s1ctl.preflight.needs import Needs
from s1ctl.release.compose import fill
from s1ctl.release.manifest import ReleaseManifest
from s1ctl.site.facts import Facts

if TYPE_CHECKING:
    from psycopg2.extensions import connection

MIB = 1 << 20


def check_site(
    context: Context, releases: tuple[Digest, ...], plan: Plan, *, operation: str | None = None
) -> tuple[Finding, ...]:
    """Judge the site for a plan, read-only.

    Raises `NotReady` S1-P30 when a blocking check failed, `NotEvaluated` S1-P31 when one could not
    be evaluated. `operation` is the one that asks, and so holds the lock.
    """
    needs = needs_of(context, releases, plan, operation=operation)
    findings = judge(context, needs, catalogue.select(needs.phase))
    refuse(findings)
    return findings


def judge(context: Context, needs: Needs, checks: Sequence[Check]) -> tuple[Finding, ...]:
    """Collect what the checks read, and judge it."""
    return evaluate(checks, gather_facts(context, needs, checks), needs)


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
        hint=first.fix.command if first.fix else "run `s1ctl preflight` to see all of them",
    )


def gather_facts(context: Context, needs: Needs, checks: Sequence[Check]) -> Facts:
    """Collect only the facts that the checks read."""
    collectors = {
        **state.collectors(context.ledger),
        **engine.collectors(context.site.target.socket),
        **host.collectors(tuple(needs.disk_bytes)),
        **registry.collectors(context.site.registry, context.registry),
        **postgresql.collectors(_databases(context, needs)),
    }
    wanted = {name for check in checks for name in check.facts}
    return collect({n: c for n, c in collectors.items() if n in wanted}, taken_at=context.now())


def needs_of(
    context: Context,
    releases: Collection[Digest],
    plan: Plan | None,
    *,
    operation: str | None = None,
    phase: Phase | None = None,
) -> Needs:
    """Add up what the releases need of this site."""
    manifests = [context.release(digest).manifest for digest in releases]
    is_installed = context.ledger.releases.installed() is not None
    return Needs(
        phase=phase or ("upgrade" if is_installed else "install"),
        site=context.site,
        source=", ".join(f"release {m.version}" for m in manifests) or "site file",
        engine=_joined(m.requires.engine for m in manifests),
        postgresql=_joined(m.requires.postgresql for m in manifests),
        memory_bytes=max((m.requires.memory_mib for m in manifests), default=0) * MIB,
        disk_bytes=_disk_bytes(context, manifests, is_staged=_is_staged(context, plan)),
        ports=_ports(context, manifests),
        databases=tuple(sorted({s.database for m in manifests for s in m.schemas})),
        is_staged=_is_staged(context, plan),
        is_installed=is_installed,
        operation=operation,
        problems=tuple(p for m in manifests for p in setting_problems(context, m)),
    )


def _joined(specifiers: Iterable[SpecifierSet]) -> SpecifierSet:
    return reduce(and_, specifiers, SpecifierSet())


def _is_staged(context: Context, plan: Plan | None) -> bool:
    pulls = [step for step in plan.stage if isinstance(step, PullImages)] if plan else []
    references = [reference for step in pulls for reference in step.references]
    try:
        return bool(references) and all(
            context.target.has_image(reference) is Presence.PRESENT for reference in references
        )
    except S1Error:
        return False


def _disk_bytes(
    context: Context, manifests: Sequence[ReleaseManifest], *, is_staged: bool
) -> dict[str, int]:
    """Say what each folder will take: images unpacked about threefold, dumps, what is asked for."""
    layers = sum(b.size for m in manifests for b in m.blobs if b.kind == "oci-layer")
    asked = max((m.requires.disk_mib for m in manifests), default=0) * MIB
    return {
        _engine_root(context): 0 if is_staged else max(asked, 3 * layers),
        str(context.site.state): asked // 4,
    }


def _engine_root(context: Context) -> str:
    root = context.target.facts().get("engine.root")
    return str(root.value) if root and root.value else str(context.site.state)


def _ports(context: Context, manifests: Sequence[ReleaseManifest]) -> tuple[int, ...]:
    """List the ports at which edges answer; a setting is filled in where it has a value."""
    ports: set[int] = set()
    for manifest in manifests:
        values = setting_values(context, manifest)
        for unit in manifest.units:
            text = (
                fill(str(unit.health.port), values) if unit.role == "edge" and unit.health else ""
            )
            ports |= {int(text)} if text.isdigit() else set()
    return tuple(sorted(ports))


Connect = Callable[[], "AbstractContextManager[connection]"]


def _databases(context: Context, needs: Needs) -> dict[str, Connect]:
    """Say how each database of the installed release is connected to."""
    installed = context.ledger.releases.installed()
    if installed is None or not needs.databases:
        return {}
    manifest = context.release(installed.digest).manifest
    schemas = {s.database: s for s in manifest.schemas}

    def connect(name: str) -> Connect:
        return lambda: reading(dsn_of(context, manifest, schemas[name], installed.settings))

    return {name: connect(name) for name in needs.databases if name in schemas}
