"""Actions on databases: dumps, and one migration revision at a time."""

import shutil
from collections.abc import Iterator

from s1ctl.database.backup import (
    DumpRecord,
    dump_argv,
    local_dump,
    make_passfile,
    write_dump,
)
from s1ctl.database.layout import lay_out
from s1ctl.database.reach import database_size
from s1ctl.database.runner import OnWait, Order, apply_revision
from s1ctl.database.state import probe_revision
from s1ctl.database.wire import Waiting
from s1ctl.operation.action import Action, Record
from s1ctl.operation.databases import access_of, dsn_of
from s1ctl.operation.run import Run
from s1ctl.plan.presence import Presence
from s1ctl.plan.steps import ApplyRevision, BackUp
from s1ctl.progress import Notify, Progress
from s1ctl.release.manifest import Schema
from s1ctl.release.verified import VerifiedRelease
from s1ctl.shape import plain
from s1ctl.site.secrets import Secret

PASSFILE = "pgpass"


def apply(step: ApplyRevision, run: Run) -> Action:
    """Apply one revision in a worker process; a rollback leaves it, `db undo` takes it back."""
    context = run.context
    release, schema = _schema(run, step)

    def probe() -> Presence:
        return probe_revision(_dsn(run, release, schema), schema, step.revision)

    def do(notify: Notify) -> Record:
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
            )
            record = apply_revision(order, notify=notify, on_wait=_waiting(step, notify))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        result: Record = plain(record)
        return result

    return Action(probe=probe, do=do)


def back_up(step: BackUp, run: Run) -> Action:
    """Dump one database into its point; a dump is there whole or not at all."""
    context = run.context
    release, schema = _schema(run, step)
    path = context.site.state / "points" / step.point / f"{step.database}.dump"

    def probe() -> Presence:
        point = context.ledger.points.find(step.point)
        is_known = point is not None and step.database in point.backups
        return Presence.PRESENT if is_known and path.exists() else Presence.ABSENT

    def do(notify: Notify) -> Record:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        dsn = _dsn(run, release, schema)
        chunks = _dump(run, release, schema, dsn)
        dump: DumpRecord = write_dump(chunks, path, notify, expected_bytes=database_size(dsn))
        record: dict[str, object] = plain(dump)
        context.ledger.points.record_backup(step.point, step.database, record)
        return record

    return Action(probe=probe, do=do)


def _dump(run: Run, release: VerifiedRelease, schema: Schema, dsn: Secret) -> Iterator[bytes]:
    """Run `pg_dump`: in a container of the data unit's own image, or here for a URL."""
    context = run.context
    access = access_of(context, release.manifest, schema)
    if access.service is None:
        return local_dump(dsn)
    unit = release.manifest.unit(access.service)
    image = release.manifest.image(unit.images[0])
    host = context.target.address(access.service)
    return context.target.run_once(
        f"dump-{schema.database}",
        context.site.registry.reference(image.repository, image.digest),
        dump_argv(schema, host),
        environment={"PGPASSFILE": f"/run/secrets/{PASSFILE}"},
        secrets={PASSFILE: make_passfile(dsn)},
        user=context.compose(release).services[unit.name].user or "",
    )


def _schema(run: Run, step: ApplyRevision | BackUp) -> tuple[VerifiedRelease, Schema]:
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
