"""Actions of a rollout: replace a unit, stop one that is gone, watch the platform."""

from s1ctl.errors import StepFailed
from s1ctl.operation.action import Action, Record, always
from s1ctl.operation.reveal import former_settings, unit_settings
from s1ctl.operation.run import Run
from s1ctl.plan.plan import Hop
from s1ctl.plan.presence import Presence
from s1ctl.plan.steps import Instance, Retire, Roll, Soak, StopApps
from s1ctl.progress import Notify, Progress
from s1ctl.release.manifest import Role
from s1ctl.targets.settings import UnitSettings

LOOK_EVERY_S = 1.0
FAILURES_IN_A_ROW = 3


def roll(step: Roll, run: Run, hop: Hop | None) -> Action:
    """Replace the former instances by the new; undo puts the former back."""
    target = run.context.target

    def probe() -> Presence:
        release = run.context.release(step.to.release)
        return target.probe_roll(step, release, unit_settings(run, release, hop))

    def do(notify: Notify) -> Record:
        release = run.context.release(step.to.release)
        settings = unit_settings(run, release, hop)
        target.roll(step, release, settings, operation=run.operation.id, notify=notify)
        return {"containers": [p.container for p in step.to.placements]}

    def undo(notify: Notify) -> Record:
        former = run.context.release(step.former.release) if step.former else None
        settings = former_settings(run) if former else UnitSettings()
        target.unroll(step, former, settings, operation=run.operation.id, notify=notify)
        placements = step.former.placements if step.former else ()
        return {"containers": [p.container for p in placements]}

    return Action(probe=probe, do=do, undo=undo)


def retire(step: Retire, run: Run) -> Action:
    """Stop a unit that the release no longer has; undo starts it again."""
    target = run.context.target

    def probe() -> Presence:
        return target.probe_retire(step)

    def do(notify: Notify) -> Record:
        target.retire(step, notify=notify)
        return {"unit": step.former.unit}

    def undo(notify: Notify) -> Record:
        _start_again(run, step.former, step.role, notify)
        return {"unit": step.former.unit}

    return Action(probe=probe, do=do, undo=undo)


def stop_apps(step: StopApps, run: Run) -> Action:
    """Stop every app, so that nobody writes; undo starts them again, in the order of the step.

    The edge stays: while they are stopped it answers that nobody is there.
    """
    target = run.context.target
    units = [instance.unit for instance in step.instances]

    def probe() -> Presence:
        return target.probe_stop_apps(step)

    def do(notify: Notify) -> Record:
        target.stop_apps(step, notify=notify)
        return {"units": units}

    def undo(notify: Notify) -> Record:
        for instance in step.instances:
            _start_again(run, instance, "app", notify)
        return {"units": units}

    return Action(probe=probe, do=do, undo=undo)


def _start_again(run: Run, instance: Instance, role: Role, notify: Notify) -> None:
    release = run.context.release(instance.release)
    back = Roll(role=role, replace="rolling", to=instance)
    settings = former_settings(run)
    run.context.target.roll(back, release, settings, operation=run.operation.id, notify=notify)


def soak(step: Soak, run: Run) -> Action:
    """Watch every unit; one that fails three looks in a row fails the hop.

    The time of the wall does not count; the last look must find every unit well.
    """

    def do(notify: Notify) -> Record:
        failures: dict[str, int] = {}
        began = run.context.clock()
        elapsed = 0.0
        while elapsed < step.seconds or failures:
            for instance in step.instances:
                _look(run, instance, failures)
            run.context.sleep(LOOK_EVERY_S)
            elapsed = run.context.clock() - began
            done = min(int(elapsed), step.seconds)
            notify(Progress(label="soak", done=done, total=step.seconds, unit="s"))
        return {"seconds": step.seconds}

    return Action(probe=always, do=do)


def _look(run: Run, instance: Instance, failures: dict[str, int]) -> None:
    problem = run.context.target.ailment(instance)
    if problem is None:
        failures.pop(instance.unit, None)
        return
    failures[instance.unit] = failures.get(instance.unit, 0) + 1
    if failures[instance.unit] >= FAILURES_IN_A_ROW:
        raise StepFailed(
            f"`{instance.unit}` {instance.version} is not healthy: {problem}",
            code="S1-O04",
            hint="read its logs, then `s1ctl history`",
        )
