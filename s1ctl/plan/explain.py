"""Say a plan in words."""

from collections.abc import Iterator
from typing import assert_never

from s1ctl.plan.plan import Hop, Plan
from s1ctl.plan.steps import (
    AnyStep,
    ApplyRevision,
    Archive,
    BackUp,
    CheckSite,
    Instance,
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


def explain_plan(plan: Plan) -> tuple[str, ...]:
    """Say the plan in lines of text: the path, every step with its number, the way back."""
    if plan.is_empty:
        return (_title(plan), _nothing(plan), f"plan digest {plan.digest}")
    number = iter(range(1, 1 + len(plan.stage) + sum(len(hop.steps) for hop in plan.hops)))
    no_return = _points_of_no_return(plan)
    lines = [_title(plan), *_accepted(plan)]
    if plan.stage:
        lines.append("stage: nothing that a user of the platform notices")
        lines += [f"  {next(number):>3}  {describe_step(step)}" for step in plan.stage]
    for hop in plan.hops:
        lines.append(_head(hop))
        for step in hop.steps:
            lines += no_return.pop(id(step), ())
            lines.append(f"  {next(number):>3}  {describe_step(step)}")
    return (*lines, _way_back(plan), f"plan digest {plan.digest}")


def describe_step(step: AnyStep) -> str:  # noqa: C901, PLR0911, PLR0912 - one case a step
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
            return f"back up database {step.database} as {step.backup}" + (
                f", for point {step.point}" if step.point else ""
            )
        case ProveBackup():
            return f"prove backup {step.backup} of {step.database}: restore it aside, and compare"
        case ApplyRevision():
            return f"{step.phase} {step.database}: {step.revision}"
        case RunJob():
            return f"run job {step.job} of {step.version} ({step.when})"
        case Roll():
            return _roll(step)
        case Retire():
            return f"stop {step.former.unit} {step.former.version}, which the release no longer has"
        case SetPassword():
            return f"give database {step.database} the password {_secret(step)}"
        case StopApps():
            return f"stop {_running(step.instances)}: nobody writes from here on"
        case Archive():
            return f"archive database {step.database} as {step.backup} before it is replaced"
        case RestoreBackup():
            return f"restore database {step.database} from {step.backup}"
        case Soak():
            return f"watch the platform for {step.seconds} s"
        case RecordRelease():
            return f"record release {step.version} as installed"
        case _:
            assert_never(step)


def _title(plan: Plan) -> str:
    if not plan.hops:
        return f"{plan.verb} of {plan.site}" + (": stage only" if plan.stage else "")
    start = plan.start_version or "nothing"
    versions = [hop.version for hop in plan.hops if _installs(hop)]
    way = " -> ".join((start, *versions))
    return f"{plan.verb} of {plan.site}: {way}"


def _nothing(plan: Plan) -> str:
    if plan.verb == "contract":
        return "nothing to do: no contract is pending"
    return "nothing to do: the site is as its file says"


def _installs(hop: Hop) -> bool:
    return any(isinstance(step, RecordRelease) for step in hop.steps)


def _accepted(plan: Plan) -> Iterator[str]:
    for gate in plan.accepted:
        yield f"gate {gate.gate} of {gate.version} is taken as passed: {gate.reason}"


def _head(hop: Hop) -> str:
    return f"{'hop to' if _installs(hop) else 'close of'} {hop.version}: {hop.why}"


def _points_of_no_return(plan: Plan) -> dict[int, tuple[str, ...]]:
    """Say before the first contract of each close, and the first restore, what it costs.

    Contracts of a database that held nothing take nothing from anybody: they have no backup.
    """
    texts: dict[int, tuple[str, ...]] = {}
    for hop in plan.hops:
        backups = {s.database: s.backup for s in hop.steps if isinstance(s, ProveBackup)}
        contracts = [
            s for s in hop.steps
            if isinstance(s, ApplyRevision) and s.phase == "contract" and s.database in backups
        ]  # fmt: skip
        restores = [s for s in hop.steps if isinstance(s, RestoreBackup)]
        if contracts:
            used = dict.fromkeys(backups[step.database] for step in contracts)
            texts[id(contracts[0])] = tuple(map(_loss, used))
        if restores:
            names = ", ".join(dict.fromkeys(step.backup for step in restores))
            texts[id(restores[0])] = (
                f"--- point of no return: every write made after {names} is lost from here on",
            )
    return texts


def _loss(backup: str) -> str:
    return (
        "--- point of no return: `s1ctl rollback` goes back no further than here; "
        f"a restore to backup {backup} loses every write made after it"
    )


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


def _secret(step: SetPassword) -> str:
    if step.to.version == step.former.version:
        return f"{step.secret}, which has another value now"
    return f"{step.secret}, version {step.former.version} -> {step.to.version}"


def _way_back(plan: Plan) -> str:  # noqa: PLR0911 - one case a verb
    if plan.verb == "rollback":
        return "rows written since stay; what was added to the schema stays too, and does no harm"
    if plan.verb == "restore":
        return "way back: none but an archive; writes made after the backup are gone"
    if plan.verb == "contract":
        return "way back: `s1ctl rollback --restore`, which loses later writes"
    if plan.start is None:
        return "there is no release to go back to"
    if not plan.hops:
        return "the stage needs no way back"
    if _points_of_no_return(plan):
        return (
            "way back: `s1ctl rollback` loses no row, down to the point of no return; "
            "past it `s1ctl rollback --restore`, which loses later writes"
        )
    return "way back: `s1ctl rollback`, which loses no row; this plan has no point of no return"
