"""Actions on backups and passwords: dump, prove, archive, restore, change a password."""

from collections.abc import Iterator

from s1ctl.database.backup import check_dump
from s1ctl.database.password import probe_password
from s1ctl.database.password import set_password as give_password
from s1ctl.database.reach import make_dsn
from s1ctl.database.restore import is_restored
from s1ctl.database.snapshot import count_rows
from s1ctl.errors import Inconclusive, InputOutputFailed, StepFailed
from s1ctl.ledger.backups import Backup, Counts
from s1ctl.operation.action import Action, Record
from s1ctl.operation.context import Context
from s1ctl.operation.dumps import (
    Source,
    dump_path,
    lost_rows,
    prove_dump,
    restore_dump,
    source_of,
    take_dump,
)
from s1ctl.operation.run import Run
from s1ctl.plan.plan import Plan
from s1ctl.plan.presence import Presence
from s1ctl.plan.steps import (
    Archive,
    BackUp,
    ProveBackup,
    RestoreBackup,
    SecretUse,
    SetPassword,
)
from s1ctl.progress import Notify
from s1ctl.shape import Value, plain
from s1ctl.site.resolve import reveal_secrets
from s1ctl.site.secrets import Secret


class Announcement(Value):
    """What a restore would take from one database: `rows` of each table, and `minutes` of writes.

    `live` and `kept` are all rows of each table now, and in the backup; `minutes` is null where
    the clock was set back since.
    """

    database: str
    backup: str
    taken_at: str
    minutes: int | None
    rows: Counts
    live: Counts
    kept: Counts


def announce(context: Context, plan: Plan) -> tuple[Announcement, ...]:
    """Count, now, what the restores of a plan would take away; exact while nobody writes.

    Raises `InputOutputFailed` S1-D63, S1-D64 for a backup that cannot be relied on.
    """
    return tuple(
        _announcement(context, plan, step)
        for hop in plan.hops
        for step in hop.steps
        if isinstance(step, RestoreBackup)
    )


def back_up(step: BackUp, run: Run) -> Action:
    """Dump one database; what is recorded is there whole, and in its point where it has one."""
    context = run.context

    def probe() -> Presence:
        if not _is_taken(run, step.backup, step.database):
            return Presence.ABSENT
        point = context.ledger.points.find(step.point) if step.point else None
        is_known = step.point is None or (point is not None and step.database in point.backups)
        return Presence.PRESENT if is_known else Presence.ABSENT

    def do(notify: Notify) -> Record:
        _refuse_nameless(step)
        made = take_dump(
            context, _source(run, step), step.backup, operation=run.operation.id, notify=notify
        )
        if step.point is not None:
            context.ledger.points.record_backup(step.point, step.database, _record_of(made))
        return _record_of(made)

    return Action(probe=probe, do=do)


def prove(step: ProveBackup, run: Run) -> Action:
    """Restore a dump aside and compare; one that does not match fails the hop."""
    ledger = run.context.ledger

    def probe() -> Presence:
        found = ledger.backups.find(step.backup)
        return Presence.PRESENT if found and found.is_proven else Presence.ABSENT

    def do(notify: Notify) -> Record:
        backup = find_backup(run.context, step.backup, step.database)
        proof = prove_dump(run.context, _source(run, step), backup, notify)
        # Events and journal hold no fractions.
        told = {**plain(proof), "seconds": round(proof.seconds)}
        return {"backup": step.backup, "proof": told}

    return Action(probe=probe, do=do)


def archive(step: Archive, run: Run) -> Action:
    """Dump what a restore takes away; it is listed among the backups, and kept."""

    def probe() -> Presence:
        is_taken = _is_taken(run, step.backup, step.database)
        return Presence.PRESENT if is_taken else Presence.ABSENT

    def do(notify: Notify) -> Record:
        made = take_dump(
            run.context, _source(run, step), step.backup, operation=run.operation.id,
            notify=notify, is_archive=True,
        )  # fmt: skip
        return _record_of(made)

    return Action(probe=probe, do=do)


def restore(step: RestoreBackup, run: Run) -> Action:
    """Put a proven dump in the place of the live database; undo puts the archive there.

    A kill leaves what was there, or all of the dump. Where nothing was archived a restore is not
    taken back: `refuse_past_restore`.
    """
    context, operation = run.context, run.operation.id

    def probe() -> Presence:
        return _probe_restored(run, step)

    def do(notify: Notify) -> Record:
        backup = find_backup(context, step.backup, step.database)
        _refuse_unproven(backup)
        lost = restore_dump(
            context, _source(run, step), backup, operation=operation, fence=run.fence,
            notify=notify,
        )  # fmt: skip
        minutes = _minutes_since(context, backup)
        return {"backup": step.backup, "lost": lost, "minutes": minutes}

    def undo(notify: Notify) -> Record:
        if _probe_restored(run, step) is Presence.ABSENT:
            return {"backup": step.backup, "found": "not restored"}
        kept = _archive_of(run.operation.plan, step)
        if kept is None:
            raise _no_way_back(step)
        backup = find_backup(context, kept.backup, kept.database)
        restore_dump(
            context, _source(run, step), backup, operation=operation, fence=run.fence,
            notify=notify,
        )  # fmt: skip
        return {"backup": kept.backup}

    return Action(probe=probe, do=do, undo=undo)


def refuse_past_restore(run: Run) -> None:
    """Raise `Inconclusive` S1-D66 where a hop holds a restore that nothing can take back."""
    for step in restores_without_way_back(run.operation.plan):
        if _probe_restored(run, step) is not Presence.ABSENT:
            raise _no_way_back(step)


def restores_without_way_back(plan: Plan) -> Iterator[RestoreBackup]:
    """Name the restores of a plan for which nothing is archived."""
    for hop in plan.hops:
        for step in hop.steps:
            if isinstance(step, RestoreBackup) and _archive_of(plan, step) is None:
                yield step


def set_password(step: SetPassword, run: Run) -> Action:
    """Give the database's role another version of its secret; undo gives it the former one."""

    def probe() -> Presence:
        return probe_password(_dsn_with(run, step, step.to))

    def do(_: Notify) -> Record:
        _change(run, step, former=step.former, to=step.to)
        return _versions(step, step.to)

    def undo(_: Notify) -> Record:
        if probe_password(_dsn_with(run, step, step.former)) is not Presence.PRESENT:
            _change(run, step, former=step.to, to=step.former)
        return _versions(step, step.former)

    return Action(probe=probe, do=do, undo=undo)


def find_backup(context: Context, backup: str, database: str | None = None) -> Backup:
    """Find a recorded backup. Raises `InputOutputFailed` S1-D64."""
    found = context.ledger.backups.find(backup)
    if found is None or database not in (None, found.database):
        of = f" of `{database}`" if database else ""
        raise InputOutputFailed(
            f"there is no backup `{backup}`{of}",
            code="S1-D64",
            hint="run `s1ctl backup list`",
        )
    return found


def _announcement(context: Context, plan: Plan, step: RestoreBackup) -> Announcement:
    backup = find_backup(context, step.backup, step.database)
    _refuse_unproven(backup)
    installed = context.ledger.releases.installed()
    settings = installed.settings if installed else plan.settings[str(step.release)]
    source = source_of(context, context.release(step.release), step.database, settings)
    live = count_rows(source.dsn)
    return Announcement(
        database=step.database,
        backup=step.backup,
        taken_at=backup.taken_at.isoformat(),
        minutes=_minutes_since(context, backup),
        rows=lost_rows(live, backup.counts),
        live=live,
        kept=backup.counts,
    )


def _source(run: Run, step: BackUp | ProveBackup | Archive | RestoreBackup) -> Source:
    release = run.context.release(step.release)
    settings = run.settings(release.digest, None)
    return source_of(run.context, release, step.database, settings)


def _is_taken(run: Run, backup: str, database: str) -> bool:
    """Say whether this operation has recorded the dump, and its file is there as it was written."""
    found = run.context.ledger.backups.find(backup) if backup else None
    if found is None or (found.operation, found.database) != (run.operation.id, database):
        return False
    path = dump_path(run.context, backup, database)
    if not path.is_file() or path.stat().st_size != found.size_bytes:
        return False
    try:
        check_dump(path, found.sha256)
    except InputOutputFailed:
        return False
    return True


def _record_of(backup: Backup) -> dict[str, object]:
    """Make what journal and point hold of a backup: its counts stay in the ledger's table."""
    return {
        "backup": backup.id,
        "path": backup.path,
        "size_bytes": backup.size_bytes,
        "sha256": str(backup.sha256),
        "taken_at": backup.taken_at.isoformat(),
        "rows": backup.rows,
        "fingerprint": str(backup.fingerprint),
    }


def _refuse_nameless(step: BackUp) -> None:
    if not step.backup:
        raise StepFailed(
            f"the backup of `{step.database}` was planned by an older s1ctl, without a name",
            code="S1-O11",
            hint="let the hop be taken back, then plan again: `s1ctl upgrade`",
        )


def _refuse_unproven(backup: Backup) -> None:
    if not backup.is_proven:
        how = "was never proven" if backup.proof is None else "is not what was dumped"
        raise InputOutputFailed(
            f"backup {backup.id} of `{backup.database}` {how}",
            code="S1-D63",
            hint=f"run `s1ctl backup prove {backup.id}`",
        )


def _probe_restored(run: Run, step: RestoreBackup) -> Presence:
    try:
        source = _source(run, step)
        is_there = is_restored(source.dsn, operation=run.operation.id, backup=step.backup)
    except InputOutputFailed:
        return Presence.UNKNOWN
    return Presence.PRESENT if is_there else Presence.ABSENT


def _archive_of(plan: Plan, step: RestoreBackup) -> Archive | None:
    for hop in plan.hops:
        for other in hop.steps:
            if isinstance(other, Archive) and other.database == step.database:
                return other
    return None


def _no_way_back(step: RestoreBackup) -> Inconclusive:
    return Inconclusive(
        f"backup {step.backup} is in the place of `{step.database}`, and what was there before"
        " was not archived: this is not taken back",
        code="S1-D66",
        hint="mend what failed, then go on: `s1ctl resume`",
    )


def _minutes_since(context: Context, backup: Backup) -> int | None:
    """Say how old a backup is; one that was taken later than now tells of a clock set back."""
    seconds = (context.now() - backup.taken_at).total_seconds()
    return round(seconds / 60) if seconds >= 0 else None


def _change(run: Run, step: SetPassword, *, former: SecretUse, to: SecretUse) -> None:
    give_password(_dsn_with(run, step, former), _reveal(run, step, to))


def _dsn_with(run: Run, step: SetPassword, use: SecretUse) -> Secret:
    """Make the connection string of the step's role with one version of its secret."""
    context = run.context
    manifest = context.release(step.release).manifest
    schema = next(s for s in manifest.schemas if s.database == step.database)
    unit = context.site.databases[step.database].service
    return make_dsn(schema, context.target.address(str(unit)), _reveal(run, step, use))


def _reveal(run: Run, step: SetPassword, use: SecretUse) -> Secret:
    context = run.context
    known = reveal_secrets({step.secret: use}, context.site, context.secrets, context.environment)
    return known[step.secret]


def _versions(step: SetPassword, use: SecretUse) -> Record:
    return {"database": step.database, "secret": step.secret, "version": use.version}
