"""The catalogue of checks, in the order in which they are shown, and the choice among them."""

from collections.abc import Collection, Sequence

from s1ctl.errors import UsageError
from s1ctl.preflight import (
    certificates,
    clock,
    databases,
    disks,
    engine,
    host,
    machine,
    mounts,
    platform,
    registry,
    state,
    storage,
)
from s1ctl.preflight.check import Check
from s1ctl.preflight.finding import Finding, Phase

CHECKS: tuple[Check, ...] = (
    *state.CHECKS,
    *engine.CHECKS,
    *storage.CHECKS,
    *machine.CHECKS,
    *disks.CHECKS,
    *mounts.CHECKS,
    *host.CHECKS,
    *registry.CHECKS,
    *clock.CHECKS,
    *certificates.CHECKS,
    *databases.CHECKS,
    *platform.CHECKS,
)


def select(
    phase: Phase | None, only: Collection[str] = (), skip: Collection[str] = ()
) -> tuple[Check, ...]:
    """Choose the checks of a phase (None: of any), or those of them named by id or group.

    Raises `UsageError` S1-U20 for a name that is none, S1-U21 when no check is left.
    """
    known = {check.id for check in CHECKS} | {check.group for check in CHECKS}
    unknown = sorted({*only, *skip} - known)
    if unknown:
        raise UsageError(
            f"`{unknown[0]}` is no check and no group of checks",
            code="S1-U20",
            hint="run `s1ctl preflight --list`",
        )
    chosen = tuple(
        check
        for check in CHECKS
        if phase in (None, *check.phases)
        and (not only or _is_named(check, only))
        and not _is_named(check, skip)
    )
    if not chosen:
        raise _none_left(phase, only, skip)
    return chosen


def _is_named(check: Check, names: Collection[str]) -> bool:
    return check.id in names or check.group in names


def _none_left(phase: Phase | None, only: Collection[str], skip: Collection[str]) -> UsageError:
    named, left_out = (", ".join(f"`{name}`" for name in names) for names in (only, skip))
    phased = f" for `{phase}`" if phase else ""
    among = f" of {named}" if named else ""
    return UsageError(
        f"no check{phased}{among} is left without {left_out}"
        if skip
        else f"no check{phased} is among {named}",
        code="S1-U21",
        hint="run `s1ctl preflight --list`, or leave out `--for`",
    )


def blocking(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Pick the findings that stop an operation: blocking ones that failed or gave an error."""
    return tuple(f for f in findings if f.severity == "blocking" and f.outcome in ("fail", "error"))
