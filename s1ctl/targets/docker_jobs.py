"""A site's jobs, by the steps of a plan."""

from s1ctl.plan.presence import Presence
from s1ctl.plan.steps import RunJob
from s1ctl.progress import Notify, silent
from s1ctl.targets.docker_blueprint import Blueprint
from s1ctl.targets.settings import Release, UnitSettings


class Jobs:
    """Runs jobs for one operation at a time: another one's container counts as none."""

    def __init__(self, blueprint: Blueprint) -> None:
        self._blueprint = blueprint

    def run(
        self,
        step: RunJob,
        release: Release,
        settings: UnitSettings,
        *,
        operation: str,
        notify: Notify = silent,
    ) -> None:
        """Run a job to its end; see `JobRunner.run`."""
        job = self._blueprint.job(step, release, settings, operation=operation, notify=notify)
        job.run()

    def probe(self, step: RunJob, release: Release, *, operation: str) -> Presence:
        """Say whether this operation's run of the job has ended well."""
        return self._blueprint.job(step, release, UnitSettings(), operation=operation).probe()

    def end(self, step: RunJob, release: Release, *, operation: str) -> bool:
        """Stop this operation's run of the job where it has not ended; say whether it ran."""
        return self._blueprint.job(step, release, UnitSettings(), operation=operation).end()
