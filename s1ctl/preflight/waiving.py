"""Waivers applied to findings: what somebody answers for stops no operation. Pure."""

from collections.abc import Iterable, Sequence

from s1ctl.ledger.waivers import Waiver
from s1ctl.preflight.finding import Finding, Waived
from s1ctl.shape import changed

WORSE = {"warn": 1, "error": 2, "fail": 3}


def honour(findings: Sequence[Finding], waivers: Iterable[Waiver]) -> tuple[Finding, ...]:
    """Turn each finding that is waived into a skipped one; what was seen stays in it.

    A waiver covers nothing worse than what was seen when it was given.
    """
    given = {waiver.check: waiver for waiver in waivers}
    return tuple(_honoured(finding, given.get(finding.id)) for finding in findings)


def _honoured(finding: Finding, waiver: Waiver | None) -> Finding:
    if waiver is None or not finding.waivable or finding.outcome not in WORSE:
        return finding
    if WORSE[finding.outcome] > WORSE[waiver.outcome]:
        return finding
    who = f"{waiver.who} on {waiver.host}"
    waived = Waived(reason=waiver.reason, who=who, at=waiver.at.isoformat(timespec="seconds"))
    return changed(finding, outcome="skip", waived=waived)
