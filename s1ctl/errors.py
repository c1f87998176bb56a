"""The errors an operator can meet, one class for each thing the operator does next."""


class S1Error(Exception):
    """A refusal or failure with a stable code, a sentence with its values, and a next command."""

    def __init__(self, message: str, *, code: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.hint = hint


class UsageError(S1Error):
    """A command line, site file or recipe that is wrong: fix the line that the message names."""


class NotReady(S1Error):
    """A preflight check failed: fix the site; nothing was changed."""


class NotEvaluated(S1Error):
    """A blocking check could not be evaluated: give it access."""


class FormatRefused(S1Error):
    """A bundle that is not one, or is damaged: get the file again."""


class NotVerified(S1Error):
    """A signature or root that is not trusted here: call the vendor."""


class Withdrawn(S1Error):
    """A release that is lower, revoked or below the floor: read the code."""


class ContentsRefused(S1Error):
    """Bytes that are not those that were signed, or contents that contradict themselves."""


class PolicyRefused(S1Error):
    """Something this site's own policy does not allow: site security decides."""


class InputOutputFailed(S1Error):
    """Media, disk, registry, engine, database or network failed: repair, then repeat."""


class SiteHeld(S1Error):
    """Another operation holds the site: wait, or read who holds it."""


class NoPath(S1Error):
    """No allowed path of versions, or a release of it is not loaded."""


class PlanDiffers(S1Error):
    """The plan is not the one that was approved: read the difference."""


class StepFailed(S1Error):
    """A step of an open operation failed in a way that is known: the hop is taken back."""


class Inconclusive(S1Error):
    """A step of an open operation whose outcome is not known: the operation pauses."""
