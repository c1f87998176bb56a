"""Backups that somebody asks for: no hop, but the site is held meanwhile."""

from collections.abc import Iterator
from contextlib import contextmanager

from s1ctl.errors import InputOutputFailed, StepFailed, UsageError
from s1ctl.ledger.backups import Backup
from s1ctl.ledger.releases import Installed
from s1ctl.operation.backups import find_backup
from s1ctl.operation.context import Context
from s1ctl.operation.dumps import prove_dump, source_of, take_dump
from s1ctl.operation.gather import installed_release, recorded_view, site_view
from s1ctl.operation.holding import holding
from s1ctl.operation.operate import refuse_if_unfinished
from s1ctl.plan.plan import Plan
from s1ctl.plan.restore import plan_restore
from s1ctl.plan.rollback import Point
from s1ctl.progress import Notify
from s1ctl.release.manifest import ReleaseManifest

NAME = "backup"


def create_backups(context: Context, database: str | None, notify: Notify) -> tuple[Backup, ...]:
    """Dump one database of the installed release, or all, one after the other.

    Raises `UsageError` S1-U130, `NoPath` S1-N05, `SiteHeld`, and what `take_dump` raises.
    """
    installed = installed_release(context)
    release = context.release(installed.digest)
    names = _databases(release.manifest, database)
    made = []
    with _holding(context):
        for name in names:
            source = source_of(context, release, name, installed.settings)
            backup = context.ledger.backups.next_id()
            made.append(take_dump(context, source, backup, operation=None, notify=notify))
    return tuple(made)


def prove_backup(context: Context, backup: str, notify: Notify) -> Backup:
    """Restore a backup aside and compare. Raises `InputOutputFailed` where it is not the same."""
    installed = installed_release(context)
    found = find_backup(context, backup)
    release = context.release(installed.digest)
    _databases(release.manifest, found.database)
    with _holding(context):
        source = source_of(context, release, found.database, installed.settings)
        prove_dump(context, source, found, notify)
    return find_backup(context, backup)


def restore_here_plan(context: Context, backup: str, *, is_archived: bool) -> Plan:
    """Plan to put a backup in place under the release that is installed.

    Raises `UsageError` S1-U131 where that release cannot run on it.
    """
    installed = installed_release(context)
    found = find_backup(context, backup)
    view = recorded_view(context, installed.digest, installed.settings)
    _databases(view.manifest, found.database)
    site = site_view(context)
    applied = site.applied.get(found.database, ())
    _refuse_other_schema(found, view.manifest, installed, applied)
    here = Point(
        id=installed.point or "",
        release=installed.digest,
        version=str(installed.version),
        running=installed.instances,
        settings=installed.settings,
        revisions={},
        former_point=installed.point,
    )
    backups = {found.database: found.id}
    return plan_restore(site, view, view, here, backups=backups, is_archived=is_archived)


@contextmanager
def _holding(context: Context) -> Iterator[None]:
    """Hold the site; what fails is no step of an operation."""
    refuse_if_unfinished(context)
    with holding(context, NAME):
        refuse_if_unfinished(context)
        try:
            yield
        except StepFailed as error:
            raise InputOutputFailed(error.message, code=error.code, hint=error.hint) from error


def _databases(manifest: ReleaseManifest, wanted: str | None) -> tuple[str, ...]:
    names = tuple(schema.database for schema in manifest.schemas)
    if wanted is not None and wanted not in names:
        raise UsageError(
            f"release {manifest.version} has no database `{wanted}`; it has"
            f" {', '.join(f'`{name}`' for name in names) or 'none'}",
            code="S1-U130",
            hint="run `s1ctl db status`",
        )
    return names if wanted is None else (wanted,)


def _refuse_other_schema(
    backup: Backup, manifest: ReleaseManifest, installed: Installed, applied: tuple[str, ...]
) -> None:
    """Refuse a schema that lacks what the release needs, or has what nobody here knows."""
    schema = next(s for s in manifest.schemas if s.database == backup.database)
    needed = [r.id for r in schema.revisions if r.phase != "contract"]
    known = {*applied, *(revision.id for revision in schema.revisions)}
    missing = [name for name in needed if name not in backup.revisions]
    foreign = [name for name in backup.revisions if name not in known]
    if missing or foreign:
        what = f"lacks {missing[0]}" if missing else f"has {foreign[0]}"
        raise UsageError(
            f"release {installed.version} cannot run on backup {backup.id}: its schema {what}",
            code="S1-U131",
            hint=f"go back with it: `s1ctl rollback --restore --backup {backup.id}`",
        )
