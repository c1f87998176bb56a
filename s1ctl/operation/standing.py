"""Where the databases stand in their lineages, and the way back for what was only added."""

import shutil
from dataclasses import dataclass

from s1ctl.database.applied import Truth, read_truth
from s1ctl.database.layout import lay_out
from s1ctl.database.runner import Order, undo_revision
from s1ctl.database.state import Standing, judge_state
from s1ctl.database.wire import RevisionRecord, Waiting
from s1ctl.errors import NoPath, UsageError
from s1ctl.operation.context import Context
from s1ctl.operation.databases import dsn_of
from s1ctl.operation.gather import installed_release
from s1ctl.operation.holding import holding
from s1ctl.operation.operate import refuse_if_unfinished
from s1ctl.progress import Notify
from s1ctl.release.manifest import Revision, Schema
from s1ctl.release.verified import VerifiedRelease

UNDOABLE = ("expand", "enforce")


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseStanding:
    """A database beside the lineage of the installed release.

    `pending` are revisions of that release; `newer` are applied ones of releases after it.
    """

    database: str
    standing: Standing
    applied: tuple[str, ...]
    pending: tuple[Revision, ...]
    newer: tuple[str, ...]

    @property
    def contracts(self) -> tuple[Revision, ...]:
        """The contracts that wait for somebody to ask for them."""
        return tuple(revision for revision in self.pending if revision.phase == "contract")


@dataclass(frozen=True, slots=True, kw_only=True)
class Undoing:
    """The newest revision of a database, and the release whose lineage ends in it."""

    schema: Schema
    revision: Revision
    release: VerifiedRelease


def standings(context: Context) -> tuple[DatabaseStanding, ...]:
    """Ask each database of the installed release where it stands. Raises `InputOutputFailed`."""
    installed = installed_release(context)
    manifest = context.release(installed.digest).manifest
    return tuple(
        _standing(schema, read_truth(dsn_of(context, manifest, schema, installed.settings)))
        for schema in manifest.schemas
    )


def _standing(schema: Schema, truth: Truth) -> DatabaseStanding:
    lineage = tuple(revision.id for revision in schema.revisions)
    state = judge_state(truth, lineage)
    return DatabaseStanding(
        database=schema.database,
        standing=state.standing,
        applied=tuple(truth.applied),
        pending=tuple(r for r in schema.revisions if r.id in state.pending),
        newer=tuple(name for name in truth.applied if name not in lineage),
    )


def find_undoing(context: Context, database: str | None) -> Undoing:
    """Find the newest revision of a database, where it may be taken back.

    Raises `UsageError` S1-U151 for the database's name, `NoPath` S1-N30 where nothing is applied
    or no loaded release knows it, S1-N31 while the installed release needs it, S1-N32 for a
    phase that has no way back.
    """
    installed = installed_release(context)
    manifest = context.release(installed.digest).manifest
    schema = _chosen(manifest.schemas, database)
    truth = read_truth(dsn_of(context, manifest, schema, installed.settings))
    found = _newest(context, schema.database, tuple(truth.applied))
    if found.revision.release <= installed.version:
        raise NoPath(
            f"`{schema.database}`: {found.revision.phase} {found.revision.id} belongs to "
            f"{found.revision.release}, and {installed.version} is installed",
            code="S1-N31",
            hint="run `s1ctl rollback` first: its release does without what came later",
        )
    if found.revision.phase not in UNDOABLE:
        raise NoPath(
            f"`{schema.database}`: {found.revision.id} is of phase {found.revision.phase}, "
            "which has no way back",
            code="S1-N32",
            hint="leave it: what was only added and filled does no harm",
        )
    return found


def undo(context: Context, undoing: Undoing, notify: Notify) -> RevisionRecord:
    """Take a revision back by its `downgrade()`, in a worker process, with the site held.

    Killed anywhere, it is simply run again. Raises `SiteHeld`, and what the worker raises.
    """
    refuse_if_unfinished(context)
    installed = installed_release(context)
    manifest = context.release(installed.digest).manifest
    schema = undoing.schema
    folder = context.work_folder(f"undo-{schema.database}")
    with holding(context, "undo") as fence:
        try:
            lay_out(undoing.release, schema, folder)
            order = Order(
                dsn=dsn_of(context, manifest, schema, installed.settings),
                schema=schema,
                revision=undoing.revision.id,
                folder=folder,
                operation="undo",
                plan="",
                fence=fence,
                max_stall_ms=context.site.policy.max_stall_ms,
                max_wait_s=context.site.policy.max_wait_s,
            )
            return undo_revision(order, notify=notify, on_wait=_deaf)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _chosen(schemas: tuple[Schema, ...], database: str | None) -> Schema:
    names = ", ".join(schema.database for schema in schemas) or "none"
    chosen = [s for s in schemas if database in (None, s.database)]
    if len(chosen) == 1:
        return chosen[0]
    what = "no database was named" if database is None else f"there is no database `{database}`"
    raise UsageError(
        f"{what}; the installed release has {names}",
        code="S1-U151",
        hint="name one: `s1ctl db undo DATABASE`",
    )


def _newest(context: Context, database: str, applied: tuple[str, ...]) -> Undoing:
    """Find the loaded release in whose lineage the applied revisions are the first ones."""
    for loaded in reversed(context.ledger.releases.loaded()):
        release = context.release(loaded.digest)
        for schema in release.manifest.schemas:
            lineage = tuple(revision.id for revision in schema.revisions)
            if schema.database == database and applied and lineage[: len(applied)] == applied:
                revision = schema.revisions[len(applied) - 1]
                return Undoing(schema=schema, revision=revision, release=release)
    newest = applied[-1] if applied else "nothing"
    raise NoPath(
        f"`{database}` stands at {newest}, which no loaded release has",
        code="S1-N30",
        hint="run `s1ctl load FILE` with the bundle whose release added it",
    )


def _deaf(_: Waiting) -> None:
    """Leave the waiting to the worker's limit."""
