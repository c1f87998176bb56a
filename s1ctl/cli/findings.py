"""Findings in words: what passed by group, then what asks for something, failures last."""

import textwrap
from collections.abc import Iterable
from itertools import groupby
from typing import TYPE_CHECKING, get_args

from s1ctl.cli.output import table, width
from s1ctl.cli.progress import size

if TYPE_CHECKING:
    from s1ctl.preflight.check import Check
    from s1ctl.preflight.finding import Finding, Required

INDENT = " " * 7
QUIET = ("pass", "skip")
LOUD = ("waived", "warn", "error", "fail")


def describe(findings: "tuple[Finding, ...]") -> list[str]:
    """Say every finding in lines of 80 columns; only a command to copy may be longer."""
    quiet = [one for one in findings if _word(one) in QUIET]
    groups = list(dict.fromkeys(one.group for one in quiet))
    quiet.sort(key=lambda one: groups.index(one.group))
    lines: list[str] = []
    for group, members in groupby(quiet, key=lambda one: one.group):
        lines += [group, *(text for one in members for text in _quiet(one))]
    for word in LOUD:
        for one in findings:
            if _word(one) == word:
                lines += ["", *(_waived(one) if word == "waived" else _loud(one))]
    counts = [(word, sum(_word(f) == word for f in findings)) for word in (*QUIET, *LOUD)]
    return [*lines, "", ", ".join(f"{count} {word}" for word, count in counts if count)]


def _word(finding: "Finding") -> str:
    return "waived" if finding.waived else finding.outcome


def list_lines(checks: "Iterable[Check]") -> list[str]:
    """List checks: id, severity, for which phases, and what is wanted."""
    return table([(one.id, one.severity, _phases(one), one.title) for one in checks])


def check_document(check: "Check") -> dict[str, object]:
    """Make the plain data of a check."""
    return {
        "id": check.id,
        "title": check.title,
        "group": check.group,
        "severity": check.severity,
        "phase": list(check.phases),
        "why": check.why,
    }


def _quiet(finding: "Finding") -> list[str]:
    return _wrapped(f"  {finding.outcome} ", f"{finding.id}: {_seen(finding)}")


def _loud(finding: "Finding") -> list[str]:
    """Say what was wanted, what is, why it matters, and what to do."""
    lines = _wrapped(f"{finding.outcome:<7}", f"{finding.id}: {finding.title}")
    lines += _wrapped(f"{INDENT}seen: ", _seen(finding))
    lines += _wrapped(f"{INDENT}wanted: ", _wanted(finding.required)) if finding.required else []
    lines += _wrapped(f"{INDENT}why: ", finding.why)
    for text in finding.remediation:
        lines += _wrapped(f"{INDENT}do: ", text)
    if finding.fix:
        lines += [f"{INDENT}run on {finding.fix.where}:", f"{INDENT}  {finding.fix.command}"]
    return [*lines, f"{INDENT}more: {finding.docs}"]


def _waived(finding: "Finding") -> list[str]:
    """Say what is not as wanted, and who answers for it."""
    assert finding.waived is not None
    lines = _wrapped(f"{'waived':<7}", f"{finding.id}: {finding.title}")
    lines += _wrapped(f"{INDENT}seen: ", _seen(finding))
    lines += _wrapped(f"{INDENT}by: ", f"{finding.waived.who}, {finding.waived.at}")
    return [*lines, *_wrapped(f"{INDENT}reason: ", finding.waived.reason)]


def _seen(finding: "Finding") -> str:
    return finding.observed.text if finding.observed else finding.title


def _wanted(required: "Required") -> str:
    is_size = required.unit == "bytes"
    value = size(required.value) if is_size else f"{required.value} {required.unit}".rstrip()
    return f"{required.op} {value} ({required.source})"


def _phases(check: "Check") -> str:
    from s1ctl.preflight.finding import Phase

    return "always" if set(check.phases) == set(get_args(Phase)) else ", ".join(check.phases)


def _wrapped(first: str, text: str) -> list[str]:
    """Wrap at 80 columns; a word that is longer, such as a path, stays whole."""
    return textwrap.wrap(
        text,
        width(),
        initial_indent=first,
        subsequent_indent=" " * len(first),
        break_long_words=False,
        break_on_hyphens=False,
    )
