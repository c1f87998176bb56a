"""Lint a recipe or bundle: what of the platform's contract can be seen, and what cannot."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from s1ctl.bundle.lint_edge import check_edges, unseen_edges
from s1ctl.bundle.lint_finding import UNSEEN, Finding
from s1ctl.bundle.lint_images import check_images
from s1ctl.bundle.lint_migrations import check_migrations, unseen_migrations
from s1ctl.bundle.lint_services import check_services
from s1ctl.bundle.lint_subject import Subject, open_subject


@dataclass(frozen=True, slots=True, kw_only=True)
class LintReport:
    """The findings, errors first, and what must be shown in another way."""

    name: str
    findings: tuple[Finding, ...]
    unseen: tuple[str, ...]

    @property
    def errors(self) -> int:
        """How many findings break the contract."""
        return sum(finding.severity == "error" for finding in self.findings)

    @property
    def warnings(self) -> int:
        """How many findings may be meant so."""
        return len(self.findings) - self.errors


def lint(path: Path, environment: Mapping[str, str]) -> LintReport:
    """Lint the recipe or bundle at `path`; `environment` resolves passwords of registries.

    Nothing is run, written or unpacked, and a bundle is not verified. Raises what building or
    opening would, where something cannot be read at all.
    """
    return judge(open_subject(path, environment))


def judge(subject: Subject) -> LintReport:
    """Judge what was read."""
    findings = [
        *check_services(subject),
        *check_edges(subject),
        *check_images(subject),
        *check_migrations(subject),
    ]
    unseen = [*unseen_edges(subject), *unseen_migrations(subject), *subject.unread]
    return LintReport(
        name=subject.name,
        findings=tuple(sorted(findings, key=lambda finding: finding.severity != "error")),
        unseen=(*UNSEEN, *unseen),
    )
