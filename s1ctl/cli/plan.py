"""`s1ctl plan`: the path, every step, and why each hop is needed."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from s1ctl.cli import context
from s1ctl.errors import UsageError

if TYPE_CHECKING:
    from packaging.version import Version

    from s1ctl.bundle.media import Found
    from s1ctl.operation.context import Context
    from s1ctl.operation.route import Bundle
    from s1ctl.plan.plan import Plan

To = Annotated[str, typer.Option("--to", metavar="VERSION", help="The release to go to.")]
Contract = Annotated[
    bool,
    typer.Option(
        "--contract", help="Also take away what only the former release needed; no way back."
    ),
]
AcceptGate = Annotated[
    list[str] | None, typer.Option(metavar="GATE", help="Take this gate as passed, for `--reason`.")
]
Reason = Annotated[str, typer.Option(help="Why the gates are taken as passed.")]


def plan(
    line: typer.Context,
    *,
    to: To,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the plan for approval.")
    ] = None,
    stage: Annotated[bool, typer.Option("--stage", help="Only the stage.")] = False,
    contract: Contract = False,
    carry: Annotated[
        bool, typer.Option("--carry", help="Only list the bundles to bring, with their sizes.")
    ] = False,
    accept_gate: AcceptGate = None,
    reason: Reason = "",
) -> None:
    """Show the path and every step; changes nothing."""
    from s1ctl.cli import plan_text
    from s1ctl.cli.surroundings import make_context

    here = context.of(line)
    goal, accepted = parse_version(to), accepted_gates(accept_gate or [], reason)
    if carry:
        here.output.result(*carried(here, goal, accepted))
        return
    made = plan_to(
        make_context(here), goal, is_stage=stage, is_contract=contract, accepted=accepted
    )
    if out:
        plan_text.write_plan(made, out)
    here.output.result(plan_text.describe(made), plan_text.document(made))


def plan_to(
    surroundings: "Context",
    goal: "Version",
    *,
    is_stage: bool = False,
    is_contract: bool = False,
    accepted: Mapping[str, str],
) -> "Plan":
    """Plan the way to a release: an upgrade, or the installation where nothing is installed."""
    from s1ctl.operation.gather import install_plan, upgrade_plan

    loaded = [r for r in surroundings.ledger.releases.loaded() if r.version == goal]
    if surroundings.ledger.releases.installed() is None and not is_stage and loaded:
        return install_plan(surroundings, loaded[-1].digest)
    return upgrade_plan(
        surroundings, goal, is_stage=is_stage, is_contract=is_contract, accepted=accepted
    )


def carried(
    here: context.Here, goal: "Version", accepted: Mapping[str, str]
) -> tuple[list[str], dict[str, Any]]:
    """Say which bundles the path needs, in words and as plain data; media are searched too."""
    from s1ctl.cli.bundles import carry, search

    found = search(here, None)
    places = {item.version: item for item in found}
    bundles = carry(here, goal, accepted, found)
    rows = [(bundle, places.get(bundle.version)) for bundle in bundles]
    lacking = [bundle for bundle, place in rows if not bundle.is_loaded and place is None]
    return _carry_lines(rows, lacking), {
        "bundles": [_carry_document(bundle, place) for bundle, place in rows],
        "bytes_to_bring": sum(bundle.size_bytes for bundle in lacking),
    }


def _carry_lines(rows: "list[tuple[Bundle, Found | None]]", lacking: "list[Bundle]") -> list[str]:
    from s1ctl.cli.output import table
    from s1ctl.release.graph import megabytes

    if not rows:
        return ["nothing here knows of that release: ask the vendor for its bundle"]
    lines = table(
        [
            (str(bundle.version), megabytes(bundle.size_bytes), _where(bundle, place), bundle.why)
            for bundle, place in rows
        ]
    )
    total = megabytes(sum(bundle.size_bytes for bundle in lacking))
    end = f"to bring: {len(lacking)} of {len(rows)} bundles, {total}" if lacking else ""
    return [*lines, end or "nothing is to be brought"]


def _where(bundle: "Bundle", place: "Found | None") -> str:
    if bundle.is_loaded:
        return "loaded"
    return f"at {place.path}" if place else "to bring"


def _carry_document(bundle: "Bundle", place: "Found | None") -> dict[str, Any]:
    return {
        "version": str(bundle.version),
        "bytes": bundle.size_bytes or None,
        "is_loaded": bundle.is_loaded,
        "path": str(place.path) if place else None,
        "why": bundle.why,
    }


def accepted_gates(names: list[str], reason: str) -> dict[str, str]:
    """Give each accepted gate the reason. Raises `UsageError` S1-U114 where there is none."""
    if names and not reason.strip():
        raise UsageError(
            f"nothing says why gate `{names[0]}` is taken as passed",
            code="S1-U114",
            hint=f'give it: `--accept-gate {names[0]} --reason "…"`; it is recorded',
        )
    return dict.fromkeys(names, reason.strip())


def parse_version(text: str) -> "Version":
    """Parse a version. Raises `UsageError` S1-U91."""
    from packaging.version import InvalidVersion, Version

    try:
        return Version(text)
    except InvalidVersion:
        raise UsageError(
            f"`{text}` is not a version", code="S1-U91", hint="write it as `1.4.0`"
        ) from None
