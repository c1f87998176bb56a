"""Have the site judged for the releases of a plan."""

from collections.abc import Collection, Iterable, Sequence
from functools import reduce
from operator import and_

from packaging.specifiers import SpecifierSet

from s1ctl.database.reach import reading
from s1ctl.errors import NotEvaluated, NotReady, S1Error
from s1ctl.oci.digest import Digest
from s1ctl.operation.context import Context
from s1ctl.operation.databases import dsn_of
from s1ctl.operation.gather import setting_problems, setting_values
from s1ctl.plan.plan import Plan
from s1ctl.plan.presence import Presence
from s1ctl.plan.steps import CheckSite
from s1ctl.preflight import catalogue, engine, host, postgresql, registry, state
from s1ctl.preflight.check import Check, evaluate
from s1ctl.preflight.collect import collect
from s1ctl.preflight.finding import Finding, Phase
from s1ctl.preflight.needs import Needs
from s1ctl.preflight.postgresql import Connect
from s1ctl.release.compose import fill
from s1ctl.release.manifest import ReleaseManifest
from s1ctl.site.facts import Facts

MIB = 1 << 20


def check_plan(context: Context, plan: Plan) -> None:
    """Judge the site before an operation is opened. Raises as `check_site`."""
    for step in plan.stage:
        if isinstance(step, CheckSite):
            check_site(context, step.releases)


def check_site(
    context: Context, releases: tuple[Digest, ...], *, operation: str | None = None
) -> tuple[Finding, ...]:
    """Judge the site for the releases of a path, read-only.

    Raises `NotReady` S1-P30 when a blocking check failed, `NotEvaluated` S1-P31 when one could not
    be evaluated. `operation` is the one that asks, and so holds the lock.
    """
    needs = needs_of(context, releases, operation=operation)
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
        hint=_hint(first),
    )


def _hint(finding: Finding) -> str:
    advice = [text.rstrip(".:") for text in finding.remediation]
    command = finding.fix.command if finding.fix else f"s1ctl preflight --only {finding.id}"
    return "; ".join((*advice, f"run `{command}`"))


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
    *,
    operation: str | None = None,
    phase: Phase | None = None,
) -> Needs:
    """Add up what the releases need of this site."""
    manifests = [context.release(digest).manifest for digest in releases]
    is_installed = context.ledger.releases.installed() is not None
    chosen: Phase = phase or ("upgrade" if is_installed else "install")
    is_staged = chosen != "doctor" and _is_staged(context, manifests)
    return Needs(
        phase=chosen,
        site=context.site,
        source=", ".join(f"release {m.version}" for m in manifests) or "site file",
        engine=_joined(m.requires.engine for m in manifests),
        postgresql=_joined(m.requires.postgresql for m in manifests),
        memory_bytes=max((m.requires.memory_mib for m in manifests), default=0) * MIB,
        disk_bytes=_disk_bytes(context, manifests, is_staged=is_staged),
        ports=_ports(context, manifests),
        databases=tuple(sorted({s.database for m in manifests for s in m.schemas})),
        is_staged=is_staged,
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


def _is_staged(context: Context, manifests: Sequence[ReleaseManifest]) -> bool:
    access = context.site.registry
    references = [access.reference(i.repository, i.digest) for m in manifests for i in m.images]
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
    """List the ports at which edges answer; one that is a setting counts where it has a value."""
    edges = (
        (m, u.health.port) for m in manifests for u in m.units if u.role == "edge" and u.health
    )
    texts = [_port(context, manifest, str(port)) for manifest, port in edges]
    return tuple(sorted({int(text) for text in texts if text.isdigit()}))


def _port(context: Context, manifest: ReleaseManifest, text: str) -> str:
    try:
        return fill(text, setting_values(context, manifest)) if "$" in text else text
    except (S1Error, KeyError):
        return ""  # state.settings says what is wrong with it


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
