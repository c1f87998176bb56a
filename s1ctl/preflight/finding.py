"""A finding: what one check saw, what was wanted, why it matters, and what to do."""

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from msgspec import Meta

from s1ctl.shape import Value, changed

Outcome = Literal["pass", "warn", "fail", "error", "skip"]
Severity = Literal["blocking", "advisory"]
Phase = Literal["install", "upgrade", "doctor"]


class Observed(Value):
    """What was measured; `text` says it in words.

    `about` names each thing that is not as wanted, without what changes by itself, such as ages;
    where it is empty the text does.
    """

    text: str
    value: Any = None
    unit: str = ""
    about: tuple[str, ...] = ()


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
    about: Iterable[str] = (),
) -> Judgement:
    """Judge that something is not as wanted, with what to do about it."""
    return Judgement(
        outcome=outcome,
        observed=Observed(text=text, value=value, unit=unit, about=tuple(about)),
        required=required,
        remediation=remediation,
        fix=fix,
    )


def names_of(observed: Observed | None) -> tuple[str, ...]:
    """Name what an observation is about."""
    if observed is None:
        return ()
    return observed.about or (observed.text,)


def worst_of(found: Iterable[Judgement]) -> Judgement | None:
    """Pick the worst judgement, and the first of those; it is about what stops, or all warnings."""
    judgements = list(found)
    stopping = [one for one in judgements if one.outcome != "warn"]
    alike = stopping or judgements
    if not alike:
        return None
    worst = next((one for one in alike if one.outcome == "fail"), alike[0])
    assert worst.observed is not None
    about = tuple(name for one in alike for name in names_of(one.observed))
    return changed(worst, observed=changed(worst.observed, about=about))
