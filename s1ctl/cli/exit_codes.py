"""Which error leaves the process with which number: what the operator does next."""

from s1ctl import errors

BUG = 1
USAGE = 2
INTERRUPTED = 130

EXIT_CODES: dict[type[errors.S1Error], int] = {
    errors.UsageError: USAGE,
    errors.NotReady: 3,
    errors.NotEvaluated: 5,
    errors.NotReady: 3,
    errors.NotEvaluated: 5,
    errors.FormatRefused: 10,
    errors.NotVerified: 11,
    errors.Withdrawn: 12,
    errors.ContentsRefused: 13,
    errors.PolicyRefused: 14,
    errors.InputOutputFailed: 20,
    errors.SiteHeld: 21,
    errors.NoPath: 22,
    errors.PlanDiffers: 23,
    errors.StepFailed: 30,
    errors.Inconclusive: 31,
}


def exit_code(error: errors.S1Error) -> int:
    """Find the number for an error by its nearest class."""
    return next(EXIT_CODES[kind] for kind in type(error).__mro__ if kind in EXIT_CODES)
