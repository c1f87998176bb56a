"""Take somebody's word for checks that did not pass, and remember whose it was."""

from collections.abc import Mapping, Sequence

from s1ctl.ledger.waivers import Waiver
from s1ctl.operation.context import Context
from s1ctl.preflight.finding import Finding, names_of
from s1ctl.preflight.needs import Needs
from s1ctl.preflight.waiving import WORSE


def waive(
    context: Context, needs: Needs, findings: Sequence[Finding], reasons: Mapping[str, str]
) -> tuple[Waiver, ...]:
    """Record a waiver for each named check that did not pass; one that did needs none."""
    digest = needs.releases[-1]
    version = str(context.release(digest).manifest.version)
    waivers = tuple(
        Waiver(
            check=finding.id,
            release=digest,
            version=version,
            outcome=finding.outcome,  # type: ignore[arg-type]
            observed=finding.observed.text if finding.observed else finding.title,
            reason=reasons[finding.id],
            who=context.holder.who,
            host=context.holder.host,
            at=context.now(),
            about=names_of(finding.observed),
        )
        for finding in findings
        if finding.id in reasons and finding.outcome in WORSE
    )
    for waiver in waivers:
        context.ledger.waivers.record(waiver)
    return waivers
