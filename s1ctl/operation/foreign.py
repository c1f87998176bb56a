"""Names that a plan needs: somebody else's are found before anything begins."""

from collections.abc import Iterator

from s1ctl.operation.context import Context
from s1ctl.plan.plan import Plan
from s1ctl.plan.steps import Prepare, Roll, RunJob


def refuse_foreign(context: Context, plan: Plan) -> None:
    """Raise `InputOutputFailed` S1-E17 where a container or network of such a name is not ours."""
    context.target.refuse_foreign(tuple(dict.fromkeys(_containers(plan))))


def _containers(plan: Plan) -> Iterator[str]:
    steps = (*plan.stage, *(step for hop in plan.hops for step in hop.steps))
    for step in steps:
        match step:
            case Prepare():
                yield from (p.container for instance in step.data for p in instance.placements)
            case Roll():
                yield from (p.container for p in step.to.placements)
            case RunJob():
                yield step.container
