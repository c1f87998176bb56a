"""`s1ctl report`: one operation as a page for people who were not there."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from s1ctl.cli import context
from s1ctl.errors import InputOutputFailed, S1Error, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from s1ctl.ledger.operations import Operation
    from s1ctl.report.report import Evidence, ReleaseProof

LAST = "last"
SCHEMA = 1


def report(
    line: typer.Context,
    *,
    operation: Annotated[str, typer.Argument(metavar="OPERATION", help="`op-N`, or `last`.")],
    html: Annotated[Path, typer.Option("--html", metavar="FILE", help="Where the page goes.")],
) -> None:
    """Write one self-contained page: timeline, steps, checks, numbers, evidence.

    It is made from the plan and the journal, and holds no secret.
    """
    from datetime import UTC, datetime

    from s1ctl.cli.explain import read_entries
    from s1ctl.preflight.catalogue import CHECKS
    from s1ctl.report.page import render_page
    from s1ctl.report.report import make_report

    here = context.of(line)
    found = find(here, operation)
    made = make_report(
        found,
        here.ledger.operations.entries(found.id),
        _evidence(here, found),
        titles={check.id: check.title for check in CHECKS},
        reasons={code: entry["why"] for code, entry in read_entries().items()},
    )
    raw = render_page(made, made_at=datetime.now(UTC)).encode()
    _write(html, raw)
    text = [f"{html}: {found.verb} {found.id}, {made.verdict.lower()}; {len(raw):,} bytes"]
    broken = made.evidence.broken
    if broken is not None:
        text.append(f"journal entry {broken} is not as it was written; the page says so")
    here.output.result(
        text,
        {
            "schema": SCHEMA,
            "operation": found.id,
            "state": found.state,
            "file": str(html),
            "bytes": len(raw),
            "head": made.evidence.head,
            "broken": broken,
        },
    )


def find(here: context.Here, name: str) -> "Operation":
    """Find an operation by its id, or the `last` one. Raises `UsageError` S1-U111."""
    operations = here.ledger.operations
    found = next(iter(operations.history(1)), None) if name == LAST else operations.find(name)
    if found is None:
        raise UsageError(
            "nothing was done here yet" if name == LAST else f"there is no operation `{name}`",
            code="S1-U111",
            hint="run `s1ctl history`",
        )
    return found


def _evidence(here: context.Here, operation: "Operation") -> "Evidence":
    from s1ctl.report.report import Evidence

    return Evidence(
        head=here.ledger.operations.head(),
        broken=here.ledger.operations.verify_chain(),
        releases=tuple(_proofs(here, operation)),
    )


def _proofs(here: context.Here, operation: "Operation") -> "Iterator[ReleaseProof]":
    """Verify each release of the plan again, and name who signed it."""
    from s1ctl.ledger.store import open_release
    from s1ctl.plan.steps import LoadRelease
    from s1ctl.report.report import ReleaseProof

    plan = operation.plan
    named = {plan.start: plan.start_version or ""} if plan.start else {}
    named |= {step.release: step.version for step in plan.stage if isinstance(step, LoadRelease)}
    named |= {hop.to: hop.version for hop in plan.hops}
    for digest, version in named.items():
        try:
            release = open_release(digest, here.store, here.trust)
        except S1Error as error:
            yield ReleaseProof(version=version, digest=digest, fault=error.message)
        else:
            yield ReleaseProof(version=version, digest=digest, signers=release.signers)


def _write(path: Path, raw: bytes) -> None:
    from s1ctl.files import write_file

    try:
        write_file(path, raw)
    except OSError as error:
        raise InputOutputFailed(
            f"`{path}` cannot be written: {error.strerror}", code="S1-I02", hint="check its folder"
        ) from None
