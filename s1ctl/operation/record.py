"""Actions that only remember: rollback points and the installed release."""

from packaging.version import Version

from s1ctl.ledger.points import RollbackPoint
from s1ctl.operation.action import Action, Record
from s1ctl.operation.databases import applied_everywhere
from s1ctl.operation.run import Run
from s1ctl.plan.presence import Presence
from s1ctl.plan.steps import RecordPoint, RecordRelease
from s1ctl.progress import Notify


def record_point(step: RecordPoint, run: Run) -> Action:
    """Record what runs, its settings and each database's revisions; no data is copied."""
    points = run.context.ledger.points

    def probe() -> Presence:
        return Presence.PRESENT if points.find(step.point) else Presence.ABSENT

    def do(_: Notify) -> Record:
        installed = run.context.ledger.releases.installed()
        point = RollbackPoint(
            id=step.point,
            release=step.release,
            version=installed.version if installed else None,
            settings=installed.settings if installed else None,
            running=step.running,
            revisions=_revisions(run, step),
            made_at=run.context.now(),
            operation=run.operation.id,
        )
        points.record(point)
        return {"point": step.point}

    return Action(probe=probe, do=do)


def _revisions(run: Run, step: RecordPoint) -> dict[str, tuple[str, ...]]:
    installed = run.context.ledger.releases.installed()
    settings = installed.settings if installed else None
    return applied_everywhere(run.context, step.release, settings)


def record_release(step: RecordRelease, run: Run) -> Action:
    """Write the ledger's row, then remove what is stopped: the former release's, and ended jobs.

    A kill between the two leaves the row without the clean-up; the probe sees that.
    """
    context = run.context

    def probe() -> Presence:
        if not is_recorded(step, run):
            return Presence.ABSENT
        left = context.target.stopped(step.instances)
        return Presence.ABSENT if left else Presence.PRESENT

    def do(_: Notify) -> Record:
        if not is_recorded(step, run):
            context.ledger.releases.record_installed(
                digest=step.release,
                version=Version(step.version),
                instances=step.instances,
                settings=run.settings(step.release, None),
                point=step.point,
                at=context.now(),
            )
        context.target.remove_stopped(step.instances)
        return {"release": step.release}

    return Action(probe=probe, do=do, is_final=True)


def is_recorded(step: RecordRelease, run: Run) -> bool:
    """Say whether the ledger has the release as the installed one, just as the step says."""
    installed = run.context.ledger.releases.installed()
    if installed is None:
        return False
    found = (installed.digest, installed.instances, installed.point)
    return found == (step.release, step.instances, step.point)
