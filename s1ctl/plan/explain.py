"""Say a plan in words."""

from typing import assert_never

from s1ctl.plan.plan import Plan
from s1ctl.plan.steps import (
    AnyStep,
    ApplyRevision,
    BackUp,
    CheckSite,
    Instance,
    LoadRelease,
    Prepare,
    PullImages,
    RecordPoint,
    RecordRelease,
    Retire,
    Roll,
    Soak,
)


def explain_plan(plan: Plan) -> tuple[str, ...]:
    """Say the plan in lines of text: the path, every step with its number, the way back."""
    number = iter(range(1, 1 + len(plan.stage) + sum(len(hop.steps) for hop in plan.hops)))
    lines = [_title(plan)]
    if plan.stage:
        lines.append("stage: nothing that a user of the platform notices")
        lines += [f"  {next(number):>3}  {describe_step(step)}" for step in plan.stage]
    for hop in plan.hops:
        lines.append(f"hop to {hop.version}: {hop.why}")
        lines += [f"  {next(number):>3}  {describe_step(step)}" for step in hop.steps]
    return (*lines, _way_back(plan), f"plan digest {plan.digest}")


def describe_step(step: AnyStep) -> str:  # noqa: C901, PLR0911 - one case a step
    """Say one step in a line."""
    match step:
        case LoadRelease():
            return f"have release {step.version} loaded"
        case CheckSite():
            return "check the site"
        case PullImages():
            return f"have the {len(step.references)} images of {step.version} in the engine"
        case Prepare():
            return _prepare(step)
        case RecordPoint():
            return f"record rollback point {step.point} ({_running(step.running)})"
        case BackUp():
            return f"back up database {step.database} into point {step.point}"
        case ApplyRevision():
            return f"{step.phase} {step.database}: {step.revision}"
        case Roll():
            return _roll(step)
        case Retire():
            return f"stop {step.former.unit} {step.former.version}, which the release no longer has"
        case Soak():
            return f"watch the platform for {step.seconds} s"
        case RecordRelease():
            return f"record release {step.version} as installed"
        case _:
            assert_never(step)


def _title(plan: Plan) -> str:
    if not plan.hops:
        return f"{plan.verb} of {plan.site}: stage only"
    start = plan.start_version or "nothing"
    way = " -> ".join((start, *(hop.version for hop in plan.hops)))
    return f"{plan.verb} of {plan.site}: {way}"


def _prepare(step: Prepare) -> str:
    data = ", ".join(instance.unit for instance in step.data)
    return f"prepare network, volumes and secrets for {step.version}" + (
        f", and start {data}" if data else ""
    )


def _running(instances: tuple[Instance, ...]) -> str:
    return ", ".join(f"{i.unit} {i.version}" for i in instances) or "nothing runs"


def _roll(step: Roll) -> str:
    if step.former is None:
        return f"start {step.to.unit} {step.to.version}"
    versions = f"{step.to.unit} {step.former.version} -> {step.to.version}"
    if step.replace == "recreate":
        return f"replace {versions}: stop, then start; it does not answer in between"
    return f"replace {versions}, rolling"


def _way_back(plan: Plan) -> str:
    if plan.verb == "rollback":
        return "rows written since stay; what was added to the schema stays too, and does no harm"
    if plan.start is None:
        return "there is no release to go back to"
    if not plan.hops:
        return "the stage needs no way back"
    return "way back: `s1ctl rollback`, which loses no row; this plan has no point of no return"
