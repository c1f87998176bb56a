"""The close of a release: its contracts, and the proven backups that come before them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from s1ctl.errors import NoPath
from s1ctl.oci.digest import Digest
from s1ctl.plan.steps import AnyStep, ApplyRevision, BackUp, ProveBackup
from s1ctl.plan.view import ReleaseView, SiteView
from s1ctl.release.manifest import Revision, Schema

Pending = tuple[tuple[str, Revision], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaWork:
    """What a hop does to the databases: `closing` is the former release's, before all else."""

    closing: Pending
    steps: tuple[ApplyRevision, ...]


def schema_work(site: SiteView, view: ReleaseView) -> SchemaWork:
    """List what is not applied yet; a database that has nothing gets its whole lineage in order.

    Contracts of the release that runs come first where the hop has a schema step; all others stay
    pending, and so do the last ones of a database that was kept, of which no backup is proven.
    Raises `NoPath` S1-N04 for a step behind a contract that cannot run before it.
    """
    steps: list[ApplyRevision] = []
    for schema in view.manifest.schemas:
        todo = _todo(site, schema)
        if not _is_fresh(site, schema.database):
            _refuse_out_of_order(site, schema.database, todo)
            todo = [revision for revision in todo if revision.phase != "contract"]
        elif schema.database in site.kept:
            todo = _without_last_contracts(todo)
        steps += [_apply(schema.database, revision, view.digest) for revision in todo]
    return SchemaWork(closing=pending_contracts(site, view) if steps else (), steps=tuple(steps))


def pending_contracts(site: SiteView, view: ReleaseView) -> Pending:
    """List the contracts that may run now: the release that needed them not is the one that runs.

    They are those at which a lineage stands, so that no order changes.
    """
    return tuple(
        (schema.database, revision)
        for schema in view.manifest.schemas
        if not _is_fresh(site, schema.database)
        for revision in _leading_contracts(site, schema)
    )


def close_steps(
    site: SiteView,
    pending: Pending,
    *,
    runs: Digest,
    brings: Digest,
    also: Iterable[str] = (),
) -> tuple[AnyStep, ...]:
    """Back up, prove, contract; databases of `also` are backed up with them.

    `runs` is the release that is closed, whose databases these are; `brings` the one that has the
    revisions, which may know of more contracts than that.
    """
    if not pending:
        return ()
    contracted = tuple(dict.fromkeys(database for database, _ in pending))
    backups = back_up(site, (*contracted, *also), runs)
    proofs = prove(tuple(b for b in backups if b.database in contracted))
    contracts = (_apply(database, revision, brings) for database, revision in pending)
    return (*backups, *proofs, *contracts)


def back_up(
    site: SiteView, databases: Iterable[str], release: Digest, *, point: str | None = None
) -> tuple[BackUp, ...]:
    """Back up each database once, under the next free numbers."""
    return tuple(
        BackUp(backup=f"b{number:04d}", database=database, release=release, point=point)
        for number, database in enumerate(dict.fromkeys(databases), start=site.next_backup)
    )


def prove(backups: Iterable[BackUp]) -> tuple[ProveBackup, ...]:
    """Prove each backup."""
    return tuple(
        ProveBackup(backup=each.backup, database=each.database, release=each.release)
        for each in backups
    )


def _todo(site: SiteView, schema: Schema) -> list[Revision]:
    done = site.applied.get(schema.database, ())
    return [revision for revision in schema.revisions if revision.id not in done]


def _without_last_contracts(todo: list[Revision]) -> list[Revision]:
    """Leave the contracts at the end pending; `db contract` backs up and proves before them."""
    kept = list(todo)
    while kept and kept[-1].phase == "contract":
        kept.pop()
    return kept


def _is_fresh(site: SiteView, database: str) -> bool:
    return site.current is None or not site.applied.get(database)


def _leading_contracts(site: SiteView, schema: Schema) -> Iterator[Revision]:
    for revision in _todo(site, schema):
        if revision.phase != "contract" or not _may_run(site, revision):
            return
        yield revision


def _may_run(site: SiteView, contract: Revision) -> bool:
    """Say whether the release that runs lives with the contract."""
    return site.current is not None and contract.release <= site.current.version


def _refuse_out_of_order(site: SiteView, database: str, todo: list[Revision]) -> None:
    """Refuse an addition behind a contract that cannot be done first."""
    additions = [i for i, revision in enumerate(todo) if revision.phase != "contract"]
    for i, revision in enumerate(todo[: max(additions, default=0)]):
        is_late = any(number < i for number in additions) or not _may_run(site, revision)
        if revision.phase == "contract" and is_late:
            raise _contract_first(site, database, revision, todo[additions[-1]])


def _apply(database: str, revision: Revision, release: Digest) -> ApplyRevision:
    return ApplyRevision(
        database=database, revision=revision.id, phase=revision.phase, release=release
    )


def _contract_first(
    site: SiteView, database: str, contract: Revision, addition: Revision
) -> NoPath:
    running = site.current.version if site.current else "nothing"
    return NoPath(
        f"`{database}`: {addition.phase} {addition.id} comes after contract {contract.id}, which "
        f"cannot run before {contract.release} does, and {running} is installed",
        code="S1-N04",
        hint=f"go by that release: `s1ctl upgrade --to {contract.release}`",
    )
