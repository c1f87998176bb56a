"""The action of a job: a container of the release that runs once, to its end."""

from s1ctl.operation.action import Action, Record
from s1ctl.operation.reveal import unit_settings
from s1ctl.operation.run import Run
from s1ctl.plan.plan import Hop
from s1ctl.plan.presence import Presence
from s1ctl.plan.steps import RunJob
from s1ctl.progress import Notify


def run_job(step: RunJob, run: Run, hop: Hop | None) -> Action:
    """Run the job; its container is kept until the hop is recorded, so that a probe can tell.

    What it did stays when the hop is taken back: undo only ends one that still runs.
    """
    context, operation = run.context, run.operation.id

    def probe() -> Presence:
        return context.target.jobs.probe(step, context.release(step.release), operation=operation)

    def do(notify: Notify) -> Record:
        release = context.release(step.release)
        settings = unit_settings(run, release, hop)
        context.target.jobs.run(step, release, settings, operation=operation, notify=notify)
        return {"job": step.job, "container": step.container}

    def undo(_: Notify) -> Record:
        release = context.release(step.release)
        is_ended = context.target.jobs.end(step, release, operation=operation)
        return {"job": step.job, "ended": is_ended}

    return Action(probe=probe, do=do, undo=undo)
