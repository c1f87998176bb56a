"""The catalogue of checks, in the order in which they are shown, and the choice among them."""

from collections.abc import Collection, Sequence

from s1ctl.errors import UsageError
from s1ctl.preflight import engine, host, postgresql, registry, state
from s1ctl.preflight.check import Check
from s1ctl.preflight.finding import Finding, Phase

CHECKS: tuple[Check, ...] = (
    *state.CHECKS,
    *engine.CHECKS,
    *host.CHECKS,
    *registry.CHECKS,
    *postgresql.CHECKS,
)


def select(phase: Phase | None, only: Collection[str] = ()) -> tuple[Check, ...]:
    """Choose the checks of a phase (None: of any), or those of them named by id or group.

    Raises `UsageError` S1-U20 for a name that is none, S1-U21 when no check is left.
    """
    known = {check.id for check in CHECKS} | {check.group for check in CHECKS}
    unknown = sorted(set(only) - known)
    if unknown:
        raise UsageError(
            f"`{unknown[0]}` is no check and no group of checks",
            code="S1-U20",
            hint="run `s1ctl preflight --list`",
        )
    chosen = tuple(
        check
        for check in CHECKS
        if phase in (None, *check.phases) and (not only or {check.id, check.group} & set(only))
    )
    if not chosen:
        raise UsageError(
            f"no check for `{phase}` is among {', '.join(f'`{name}`' for name in only)}",
            code="S1-U21",
            hint="run `s1ctl preflight --list`, or leave out `--for`",
        )
    return chosen


def blocking(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Pick the findings that stop an operation: blocking ones that failed or gave an error."""
    return tuple(f for f in findings if f.severity == "blocking" and f.outcome in ("fail", "error"))
