"""Turn a step into its action: the one place that knows every kind of step."""

from typing import assert_never

from s1ctl.operation import backups, jobs, record, rollout, schema, stage
from s1ctl.operation.action import Action
from s1ctl.operation.run import Item, Run
from s1ctl.plan.steps import (
    ApplyRevision,
    Archive,
    BackUp,
    CheckSite,
    LoadRelease,
    Prepare,
    ProveBackup,
    PullImages,
    RecordPoint,
    RecordRelease,
    RestoreBackup,
    Retire,
    Roll,
    RunJob,
    SetPassword,
    Soak,
    StopApps,
)


def action_for(item: Item, run: Run) -> Action:  # noqa: C901, PLR0911, PLR0912 - one case a step
    """Make the action of a step."""
    match item.step:
        case LoadRelease():
            return stage.load_release(item.step, run)
        case CheckSite():
            return stage.check_site(item.step, run)
        case PullImages():
            return stage.pull_images(item.step, run)
        case Prepare():
            return stage.prepare(item.step, run, item.hop)
        case RecordPoint():
            return record.record_point(item.step, run)
        case BackUp():
            return backups.back_up(item.step, run)
        case ProveBackup():
            return backups.prove(item.step, run)
        case ApplyRevision():
            return schema.apply(item.step, run)
        case Roll():
            return rollout.roll(item.step, run, item.hop)
        case Retire():
            return rollout.retire(item.step, run)
        case RunJob():
            return jobs.run_job(item.step, run, item.hop)
        case SetPassword():
            return backups.set_password(item.step, run)
        case Archive():
            return backups.archive(item.step, run)
        case RestoreBackup():
            return backups.restore(item.step, run)
        case StopApps():
            return rollout.stop_apps(item.step, run)
        case Soak():
            return rollout.soak(item.step, run)
        case RecordRelease():
            return record.record_release(item.step, run)
        case _:
            assert_never(item.step)
