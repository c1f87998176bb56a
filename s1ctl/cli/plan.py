"""`s1ctl plan`: the path, every step, and why each hop is needed."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from s1ctl.cli import context
from s1ctl.errors import UsageError

if TYPE_CHECKING:
    from packaging.version import Version

    from s1ctl.operation.context import Context
    from s1ctl.plan.plan import Plan

To = Annotated[str, typer.Option("--to", metavar="VERSION", help="The release to go to.")]


def plan(
    line: typer.Context,
    *,
    to: To,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the plan for approval.")
    ] = None,
    stage: Annotated[bool, typer.Option("--stage", help="Only the stage.")] = False,
) -> None:
    """Show the path and every step; changes nothing."""
    from s1ctl.cli import plan_text
    from s1ctl.cli.surroundings import make_context

    here = context.of(line)
    made = plan_to(make_context(here), parse_version(to), is_stage=stage)
    if out:
        plan_text.write_plan(made, out)
    here.output.result(plan_text.describe(made), plan_text.document(made))


def plan_to(surroundings: "Context", goal: "Version", *, is_stage: bool = False) -> "Plan":
    """Plan the way to a release: an upgrade, or the installation where nothing is installed."""
    from s1ctl.operation.gather import install_plan, upgrade_plan

    if surroundings.ledger.releases.installed() is not None or is_stage:
        return upgrade_plan(surroundings, goal, is_stage=is_stage)
    loaded = [r for r in surroundings.ledger.releases.loaded() if r.version == goal]
    if not loaded:
        return upgrade_plan(surroundings, goal, is_stage=is_stage)  # which says what is missing
    return install_plan(surroundings, loaded[-1].digest)


def parse_version(text: str) -> "Version":
    """Parse a version. Raises `UsageError` S1-U91."""
    from packaging.version import InvalidVersion, Version

    try:
        return Version(text)
    except InvalidVersion:
        raise UsageError(
            f"`{text}` is not a version", code="S1-U91", hint="write it as `1.4.0`"
        ) from None
