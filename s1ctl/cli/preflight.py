"""`s1ctl preflight`: is the site ready? Reads only."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from s1ctl.cli import context

if TYPE_CHECKING:
    from s1ctl.preflight.check import Check
    from s1ctl.preflight.finding import Finding

FAILED, ONLY_WARNINGS, NOT_EVALUATED = 3, 4, 5
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
    from s1ctl.cli.surroundings import make_context
    from s1ctl.operation.check import judge, needs_of
    from s1ctl.preflight.catalogue import CHECKS, select
    from s1ctl.shape import plain

    here = context.of(line)
    if list_checks:
        here.output.result(_list(CHECKS), {"checks": [_check_document(one) for one in CHECKS]})
        return
    surroundings = make_context(here)
    loaded = here.ledger.releases.loaded()
    newest = tuple(release.digest for release in loaded[-1:])
    needs = needs_of(surroundings, newest, None, phase=phase)
    findings = judge(surroundings, needs, select(needs.phase, only or ()))
    code = code_of(findings, is_strict=strict)
    data = {"schema": SCHEMA, "exit": code, "findings": [plain(one) for one in findings]}
    here.output.result(describe(findings), data)
    raise typer.Exit(code)


def code_of(findings: "tuple[Finding, ...]", *, is_strict: bool) -> int:
    """Say the exit code: 3 wins over 5, and both over 4."""
    blocking = {one.outcome for one in findings if one.severity == "blocking"}
    if "fail" in blocking:
        return FAILED
    if "error" in blocking:
        return NOT_EVALUATED
    is_warned = any(one.outcome in {"warn", "fail", "error"} for one in findings)
    return ONLY_WARNINGS if is_strict and is_warned else 0


def describe(findings: "tuple[Finding, ...]") -> list[str]:
    """Say every finding, those that ask for something last and with what to do."""
    quiet = [one for one in findings if one.outcome in {"pass", "skip"}]
    loud = [one for one in findings if one.outcome not in {"pass", "skip"}]
    lines = [_line(one) for one in quiet]
    for one in loud:
        lines += [_line(one), f"       {one.why}"]
        lines += [f"       {text}" for text in one.remediation]
        lines += [f"       run {one.fix.where}: {one.fix.command}"] if one.fix else []
    counts = [(word, sum(f.outcome == word for f in findings)) for word in OUTCOMES]
    return [*lines, ", ".join(f"{count} {word}" for word, count in counts if count)]


OUTCOMES = ("pass", "warn", "fail", "error", "skip")


def _line(finding: "Finding") -> str:
    seen = finding.observed.text if finding.observed else finding.title
    return f"{finding.outcome:<5}  {finding.id}: {seen}"


def _list(checks: "tuple[Check, ...]") -> list[str]:
    from s1ctl.cli.output import table

    return table([(one.id, one.severity, one.title) for one in checks])


def _check_document(check: "Check") -> dict[str, object]:
    return {
        "id": check.id,
        "title": check.title,
        "severity": check.severity,
        "phase": list(check.phases),
        "why": check.why,
    }
