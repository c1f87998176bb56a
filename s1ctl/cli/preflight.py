"""`s1ctl preflight`: is the site ready? Reads only."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from s1ctl.cli import context
from s1ctl.cli.exit_codes import NOT_EVALUATED, NOT_READY, ONLY_WARNINGS

if TYPE_CHECKING:
    from s1ctl.ledger.ledger import Ledger
    from s1ctl.oci.digest import Digest
    from s1ctl.preflight.finding import Finding

SCHEMA = 1


def preflight(
    line: typer.Context,
    *,
    phase: Annotated[
        Literal["install", "upgrade", "doctor"] | None,
        typer.Option("--for", help="By default what would come next at this site."),
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(metavar="CHECK|GROUP", help="Only these; may be repeated.")
    ] = None,
    list_checks: Annotated[bool, typer.Option("--list", help="List the checks.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings count: exit 4.")] = False,
) -> None:
    """Check that the site is ready; changes nothing."""
    from s1ctl.cli.findings import check_document, describe, list_lines
    from s1ctl.cli.surroundings import look
    from s1ctl.operation.check import judge, needs_of
    from s1ctl.preflight.catalogue import select
    from s1ctl.shape import plain

    here = context.of(line)
    checks = select(phase, only or ())
    if list_checks:
        data = {"schema": SCHEMA, "checks": [check_document(one) for one in checks]}
        here.output.result(list_lines(checks), data)
        return
    surroundings = look(here)
    needs = needs_of(surroundings, releases_of(here.ledger, phase), phase=phase)
    findings = judge(surroundings, needs, select(needs.phase, only or ()))
    code = code_of(findings, is_strict=strict)
    document = {"schema": SCHEMA, "exit": code, "findings": [plain(one) for one in findings]}
    here.output.result(describe(findings), document)
    raise typer.Exit(code)


def releases_of(ledger: "Ledger", phase: str | None) -> "tuple[Digest, ...]":
    """Choose for which release to check: the installed one for `doctor`, else the newest loaded."""
    installed = ledger.releases.installed()
    if installed is not None and phase == "doctor":
        return (installed.digest,)
    loaded = ledger.releases.loaded()
    return tuple(release.digest for release in loaded[-1:])


def code_of(findings: "tuple[Finding, ...]", *, is_strict: bool) -> int:
    """Say the exit code: 3 wins over 5, and both over 4."""
    blocking = {one.outcome for one in findings if one.severity == "blocking"}
    if "fail" in blocking:
        return NOT_READY
    if "error" in blocking:
        return NOT_EVALUATED
    is_warned = any(one.outcome in {"warn", "fail", "error"} for one in findings)
    return ONLY_WARNINGS if is_strict and is_warned else 0
