"""A check: which facts it reads, and a pure judge. `evaluate` applies them in order."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from s1ctl.preflight.finding import Finding, Judgement, Observed, Phase, Severity
from s1ctl.preflight.needs import Needs
from s1ctl.site.facts import Fact, Facts

Values = Mapping[str, object]
ALWAYS: tuple[Phase, ...] = ("install", "upgrade", "doctor")


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check of the catalogue.

    `facts` are the names of those it reads; where one is unknown the outcome is `error`, and the
    judge is not asked. Where a check of `prerequisites` did not pass it is skipped.
    """

    id: str
    title: str
    why: str
    severity: Severity
    facts: tuple[str, ...]
    judge: Callable[[Values, Needs], Judgement]
    phases: tuple[Phase, ...] = ALWAYS
    prerequisites: tuple[str, ...] = ()
    is_waivable: bool = True

    @property
    def group(self) -> str:
        """The part of the site that it looks at."""
        return self.id.split(".", maxsplit=1)[0]


def evaluate(checks: Sequence[Check], facts: Facts, needs: Needs) -> tuple[Finding, ...]:
    """Judge facts by each check, in order; every planned check has a finding."""
    findings: dict[str, Finding] = {}
    for check in checks:
        findings[check.id] = _finding(check, _judge(check, facts, needs, findings), facts, needs)
    return tuple(findings.values())


def _judge(check: Check, facts: Facts, needs: Needs, findings: Mapping[str, Finding]) -> Judgement:
    for name in check.prerequisites:
        if name in findings and findings[name].outcome in ("fail", "error", "skip"):
            return Judgement(outcome="skip", observed=Observed(text=f"needs {name}"))
    unknown = [_error(name, facts.items.get(name)) for name in check.facts]
    errors = [text for text in unknown if text]
    if errors:
        return Judgement(outcome="error", observed=Observed(text="; ".join(errors)))
    return check.judge({name: facts.items[name].value for name in check.facts}, needs)


def _error(name: str, fact: Fact | None) -> str | None:
    if fact is None:
        return f"{name} was not collected"
    return f"{name}: {fact.error}" if fact.error else None


def _finding(check: Check, judgement: Judgement, facts: Facts, needs: Needs) -> Finding:
    return Finding(
        id=check.id,
        title=check.title,
        group=check.group,
        phase=check.phases,
        target=needs.site.name,
        outcome=judgement.outcome,
        severity=check.severity,
        observed=judgement.observed,
        required=judgement.required,
        why=check.why,
        remediation=judgement.remediation,
        fix=judgement.fix,
        docs=f"s1ctl explain {check.id}",
        evidence=tuple(f"{n}: {facts.items[n].source}" for n in check.facts if n in facts.items),
        waivable=check.is_waivable,
        duration_ms=sum(facts.items[n].took_ms for n in check.facts if n in facts.items),
        started=facts.taken_at,
    )
