"""What the verbs that change a site have in common: show the plan, ask, apply it, tell the end."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from s1ctl.cli.context import Here

if TYPE_CHECKING:
    from s1ctl.operation.context import Context
    from s1ctl.plan.plan import Plan
    from s1ctl.targets.probe import OpenLoop

PROBE_RATE = 20.0

Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
Events = Annotated[
    str | None, typer.Option(metavar="FILE|FD", help="Also write events there, as NDJSON.")
]
Probe = Annotated[
    str | None, typer.Option(metavar="URL", help="Ask this URL all the time, and count.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the plan, and do nothing.")]
Bundles = Annotated[
    list[Path] | None,
    typer.Option(
        "--bundle",
        metavar="FILE|DIR",
        help="Load this bundle first, or what a folder has of the path; else media are searched.",
    ),
]


def run_plan(
    here: Here,
    make_plan: "Callable[[Context], Plan]",
    *,
    approved: Path | None = None,
    is_dry: bool = False,
    is_yes: bool = False,
    probe: str | None = None,
    events: str | None = None,
) -> int:
    """Plan, show, ask, apply, report; say the exit code. A plan without a step is only shown."""
    from s1ctl.cli import plan_text
    from s1ctl.cli.outcome import report
    from s1ctl.cli.surroundings import acting
    from s1ctl.cli.watch import watching
    from s1ctl.operation.check import check_plan
    from s1ctl.operation.operate import apply_plan, refuse_if_unfinished

    with watching(here, events) as observe, acting(here, observe) as context:
        refuse_if_unfinished(context)
        plan = make_plan(context)
        if approved is not None:
            plan_text.check_approved(plan, approved)
        if is_dry or plan.is_empty:
            here.output.result(plan_text.describe(plan), plan_text.document(plan))
            return 0
        if not here.output.is_json:
            here.output.say("\n".join(plan_text.describe(plan)))
        if not here.confirm("apply this plan?", is_yes=is_yes or approved is not None):
            raise typer.Abort
        check_plan(context, plan)
        return report(here, apply_plan(context, plan, watch=watch_of(probe)))


def watch_of(url: str | None) -> "OpenLoop | None":
    """Make the open-loop client that asks `url` while an operation runs."""
    if url is None:
        return None
    from s1ctl.targets.probe import probe_url

    return probe_url(url, rate_per_s=PROBE_RATE)
