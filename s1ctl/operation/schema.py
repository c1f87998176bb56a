"""The action of one migration revision, and what a contract needs before it."""

import shutil

from s1ctl.database.applied import is_begun_by
from s1ctl.database.layout import lay_out
from s1ctl.database.runner import OnWait, Order, apply_revision
from s1ctl.database.state import probe_revision
from s1ctl.database.wire import Waiting
from s1ctl.errors import StepFailed
from s1ctl.operation.action import Action, Record
from s1ctl.operation.databases import dsn_of
from s1ctl.operation.run import Run
from s1ctl.plan.presence import Presence
from s1ctl.plan.steps import ApplyRevision
from s1ctl.progress import Notify, Progress
from s1ctl.release.manifest import Schema
from s1ctl.release.verified import VerifiedRelease
from s1ctl.shape import plain
from s1ctl.site.secrets import Secret


def apply(step: ApplyRevision, run: Run) -> Action:
    """Apply one revision in a worker process; a rollback leaves it, `db undo` takes it back."""
    context = run.context
    release, schema = _schema(run, step)

    def probe() -> Presence:
        return probe_revision(_dsn(run, release, schema), schema, step.revision)

    def do(notify: Notify) -> Record:
        refuse_unproven(step, run, _dsn(run, release, schema))
        folder = context.work_folder(f"{run.operation.id}-{step.database}")
        try:
            lay_out(release, schema, folder)
            order = Order(
                dsn=_dsn(run, release, schema),
                schema=schema,
                revision=step.revision,
                folder=folder,
                operation=run.operation.id,
                plan=str(run.operation.plan.digest),
                fence=run.fence,
                max_stall_ms=context.site.policy.max_stall_ms,
                max_wait_s=context.site.policy.max_wait_s,
            )
            record = apply_revision(order, notify=notify, on_wait=_waiting(step, notify))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        result: Record = plain(record)
        return result

    return Action(probe=probe, do=do)


def refuse_unproven(step: ApplyRevision, run: Run, dsn: Secret) -> None:
    """Refuse a contract without a proven backup of the database as it is now in use.

    It was taken after the installed release was recorded, so that it has what that one wrote. A
    database that this very operation has begun holds nothing yet, nor does one of the platform's
    own in which no release was ever recorded. Raises `StepFailed` S1-O10, S1-O12.
    """
    releases = run.context.ledger.releases
    installed = releases.installed()
    if step.phase != "contract" or is_begun_by(dsn, run.operation.id):
        return
    if installed is None:
        if releases.installs(limit=1) or run.context.site.databases[step.database].url:
            raise _kept(step)
        return
    backups = run.context.ledger.backups.all()
    if not any(
        backup.database == step.database and backup.is_proven and backup.taken_at >= installed.at
        for backup in backups
    ):
        raise StepFailed(
            f"no backup of `{step.database}` that was taken after release {installed.version} was"
            " recorded is proven, and there is no other way back from a contract",
            code="S1-O10",
            hint=f"run `s1ctl backup create --database {step.database}`, prove it, then repeat",
        )


def _kept(step: ApplyRevision) -> StepFailed:
    return StepFailed(
        f"`{step.database}` holds what a former installation wrote, and contract {step.revision}"
        " would take some of it away without a proven backup",
        code="S1-O12",
        hint="first install the release that was here before: `s1ctl install --bundle FILE`",
    )


def _schema(run: Run, step: ApplyRevision) -> tuple[VerifiedRelease, Schema]:
    release = run.context.release(step.release)
    schema = next(s for s in release.manifest.schemas if s.database == step.database)
    return release, schema


def _dsn(run: Run, release: VerifiedRelease, schema: Schema) -> Secret:
    settings = run.settings(release.digest, None)
    return dsn_of(run.context, release.manifest, schema, settings)


def _waiting(step: ApplyRevision, notify: Notify) -> OnWait:
    def tell(event: Waiting) -> None:
        names = "; ".join(str(blocker) for blocker in event.blockers) or "somebody unknown"
        label = f"{step.database} {step.revision} waits for {names}"
        notify(Progress(label=label, done=event.waited_ms // 1000, total=0, unit="s"))

    return tell
