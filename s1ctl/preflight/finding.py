"""A finding: what one check saw, what was wanted, why it matters, and what to do."""

from typing import Annotated, Any, Literal

from msgspec import Meta

from s1ctl.shape import Value

Outcome = Literal["pass", "warn", "fail", "error", "skip"]
Severity = Literal["blocking", "advisory"]
Phase = Literal["install", "upgrade", "doctor"]


class Observed(Value):
    """What was measured; `text` says it in words."""

    text: str
    value: Any = None
    unit: str = ""


class Required(Value):
    """What was wanted, and who wants it."""

    op: Literal["<=", ">=", "==", "in", "is"]
    value: Any
    unit: str = ""
    source: str


class Fix(Value):
    """A command to copy; `safe` where nothing can be lost by it."""

    command: str
    where: str
    safe: bool


class Waived(Value):
    """Who answers for a check that did not pass, and why."""

    reason: str
    who: str
    at: str


class Judgement(Value):
    """What a check's judge says of the facts."""

    outcome: Outcome
    observed: Observed | None = None
    required: Required | None = None
    remediation: tuple[str, ...] = ()
    fix: Fix | None = None


class Finding(Value):
    """The result of one planned check (schema 1); `title` is the desired state.

    One that is waived has the outcome `skip`, and `observed` still says what was seen.
    """

    id: str
    version: int = 1
    title: str
    group: str
    phase: tuple[Phase, ...]
    target: str
    outcome: Outcome
    severity: Severity
    observed: Observed | None = None
    required: Required | None = None
    why: str
    remediation: tuple[str, ...] = ()
    fix: Fix | None = None
    docs: str
    evidence: tuple[str, ...] = ()
    waivable: bool = True
    waived: Waived | None = None
    duration_ms: Annotated[int, Meta(ge=0)] = 0
    started: str


def passed(text: str, value: Any = None, unit: str = "") -> Judgement:
    """Judge that all is as wanted."""
    return Judgement(outcome="pass", observed=Observed(text=text, value=value, unit=unit))


def skipped(reason: str) -> Judgement:
    """Judge that the check does not apply here, and why."""
    return Judgement(outcome="skip", observed=Observed(text=reason))


def failed(
    text: str,
    *remediation: str,
    value: Any = None,
    unit: str = "",
    required: Required | None = None,
    fix: Fix | None = None,
    outcome: Outcome = "fail",
) -> Judgement:
    """Judge that something is not as wanted, with what to do about it."""
    return Judgement(
        outcome=outcome,
        observed=Observed(text=text, value=value, unit=unit),
        required=required,
        remediation=remediation,
        fix=fix,
    )
