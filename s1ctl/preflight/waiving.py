"""Waivers applied to findings: what somebody answers for stops no operation. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence

from s1ctl.ledger.waivers import Waiver
from s1ctl.preflight.finding import Finding, Waived, names_of
from s1ctl.shape import changed

WORSE = {"warn": 1, "error": 2, "fail": 3}


def honour(findings: Sequence[Finding], waivers: Iterable[Waiver]) -> tuple[Finding, ...]:
    """Turn each finding that is waived into a skipped one; what was seen stays in it.

    A waiver covers what was seen when it was given: nothing else, no more of it, nothing worse.
    """
    given = {waiver.check: waiver for waiver in waivers}
    return tuple(_honoured(finding, given.get(finding.id)) for finding in findings)


def _honoured(finding: Finding, waiver: Waiver | None) -> Finding:
    if waiver is None or not finding.waivable or finding.outcome not in WORSE:
        return finding
    if not _covers(waiver, finding):
        return _not_waived(finding, waiver)
    who = f"{waiver.who} on {waiver.host}"
    waived = Waived(reason=waiver.reason, who=who, at=waiver.at.isoformat(timespec="seconds"))
    return changed(finding, outcome="skip", waived=waived)


def _covers(waiver: Waiver, finding: Finding) -> bool:
    """Compare what is not as wanted by name; of two alike one is another."""
    answered = Counter(waiver.about or (waiver.observed,))
    is_same = Counter(names_of(finding.observed)) <= answered
    return is_same and WORSE[finding.outcome] <= WORSE[waiver.outcome]


def _not_waived(finding: Finding, waiver: Waiver) -> Finding:
    """Say beside what is seen what the waiver was for."""
    if finding.observed is None:
        return finding
    text = f"{finding.observed.text}; the waiver of {waiver.who} was for something else:"
    observed = changed(finding.observed, text=f"{text} {waiver.observed}")
    return changed(finding, observed=observed)
