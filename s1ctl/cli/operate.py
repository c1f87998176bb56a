"""What the verbs that change a site have in common: show the plan, ask, apply it, tell the end."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from s1ctl.cli.context import Here
from s1ctl.errors import UsageError

if TYPE_CHECKING:
    from s1ctl.errors import S1Error
    from s1ctl.operation.context import Context
    from s1ctl.plan.plan import Plan
    from s1ctl.targets.probe import OpenLoop

    Price = Callable[[Context, Plan], "Cost"]

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a plan would lose, in words and for the journal; `refusal` where nobody accepted it."""

    lines: tuple[str, ...]
    data: "Mapping[str, object]"
    refusal: "S1Error | None"


def run_plan(
    here: Here,
    make_plan: "Callable[[Context], Plan]",
    *,
    approved: Path | None = None,
    is_dry: bool = False,
    is_yes: bool = False,
    probe: str | None = None,
    events: str | None = None,
    price: "Price | None" = None,
) -> int:
    """Plan, show, ask, apply, report; say the exit code. A plan without a step is only shown.

    `price` says what the plan would lose; where that is not accepted, nothing begins.
    """
    from s1ctl.cli import plan_text
    from s1ctl.cli.outcome import report
    from s1ctl.cli.surroundings import acting
    from s1ctl.cli.watch import watching
    from s1ctl.operation.check import check_plan
    from s1ctl.operation.foreign import refuse_foreign
    from s1ctl.operation.operate import apply_plan, refuse_if_unfinished

    with watching(here, events) as observe, acting(here, observe) as context:
        refuse_if_unfinished(context)
        plan = make_plan(context)
        if approved is not None:
            plan_text.check_approved(plan, approved)
        cost = price(context, plan) if price else None
        text = [*plan_text.describe(plan), *(cost.lines if cost else ())]
        if is_dry or plan.is_empty:
            lost = {"loss": cost.data} if cost else {}
            here.output.result(text, {**plan_text.document(plan), **lost})
            return 0
        if not here.output.is_json:
            here.output.say("\n".join(text), is_vital=not is_yes)
        if cost and cost.refusal:
            raise cost.refusal
        if not here.confirm("apply this plan?", is_yes=is_yes or approved is not None):
            raise typer.Abort
        check_plan(context, plan)
        refuse_foreign(context, plan)
        announced = cost.data if cost else None
        outcome = apply_plan(context, plan, watch=watch_of(probe), announced=announced)
        with context.interrupts.closing():
            return report(here, outcome)


def watch_of(url: str | None) -> "OpenLoop | None":
    """Make the open-loop client that asks `url` while an operation runs."""
    if url is None:
        return None
    from s1ctl.targets.probe import probe_url

    if not url.startswith(("http://", "https://")) or len(url.split("/")) < 3:
        raise UsageError(
            f"`--probe {url}` is not a URL",
            code="S1-U122",
            hint="give one that the platform answers, such as `--probe http://HOST:PORT/`",
        )
    return probe_url(url, rate_per_s=PROBE_RATE)
