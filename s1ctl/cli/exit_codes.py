"""Every number with which the process may end: what the operator does next."""

from s1ctl import errors

DONE = 0
BUG = 1
USAGE = 2
NOT_READY, ONLY_WARNINGS, NOT_EVALUATED = 3, 4, 5
IO_FAILED = 20
TAKEN_BACK, PAUSED = 30, 31
INTERRUPTED = 130

EXIT_CODES: dict[type[errors.S1Error], int] = {
    errors.UsageError: USAGE,
    errors.NotReady: NOT_READY,
    errors.NotEvaluated: NOT_EVALUATED,
    errors.FormatRefused: 10,
    errors.NotVerified: 11,
    errors.Withdrawn: 12,
    errors.ContentsRefused: 13,
    errors.PolicyRefused: 14,
    errors.InputOutputFailed: IO_FAILED,
    errors.SiteHeld: 21,
    errors.NoPath: 22,
    errors.PlanDiffers: 23,
    errors.StepFailed: TAKEN_BACK,
    errors.Inconclusive: PAUSED,
}
ALL = frozenset({DONE, BUG, ONLY_WARNINGS, INTERRUPTED, *EXIT_CODES.values()})


def exit_code(error: errors.S1Error) -> int:
    """Find the number for an error by its nearest class; one that has none is a bug."""
    return next((EXIT_CODES[kind] for kind in type(error).__mro__ if kind in EXIT_CODES), BUG)
