"""`s1ctl preflight`: is the site ready? Reads only; a waiver is written into the ledger."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from s1ctl.cli import context
from s1ctl.cli.exit_codes import NOT_EVALUATED, NOT_READY, ONLY_WARNINGS
from s1ctl.errors import UsageError
from s1ctl.files import unreadable

if TYPE_CHECKING:
    from s1ctl.ledger.waivers import Waiver
    from s1ctl.oci.digest import Digest
    from s1ctl.operation.context import Context
    from s1ctl.preflight.check import Check
    from s1ctl.preflight.finding import Finding
    from s1ctl.preflight.needs import Needs
    from s1ctl.preflight.saved import Saved

SCHEMA = 1
ForPhase = Literal["install", "upgrade", "doctor"]
Names = Annotated[
    list[str] | None, typer.Option(metavar="CHECK|GROUP", help="Only these; may be repeated.")
]
Skipped = Annotated[
    list[str] | None, typer.Option(metavar="CHECK|GROUP", help="Not these; may be repeated.")
]
Waived = Annotated[
    list[str] | None,
    typer.Option(
        metavar="CHECK=REASON",
        help="Answer for a check that fails, for this release only; recorded, may be repeated.",
    ),
]
Save = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Also write what was collected, as JSON.")
]
From = Annotated[
    Path | None,
    typer.Option("--from", metavar="FILE", help="Judge what was saved, and ask nothing here."),
]


def preflight(
    line: typer.Context,
    *,
    phase: Annotated[
        ForPhase | None, typer.Option("--for", help="By default what would come next at this site.")
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(metavar="VERSION", help="For this loaded release; else the newest."),
    ] = None,
    only: Names = None,
    skip: Skipped = None,
    list_checks: Annotated[bool, typer.Option("--list", help="List the checks.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings count: exit 4.")] = False,
    waive: Waived = None,
    save: Save = None,
    source: From = None,
) -> None:
    """Check that the site is ready; changes nothing."""
    from s1ctl.preflight.catalogue import select

    here = context.of(line)
    checks = select(phase, only or (), skip or ())
    reasons = reasons_of(waive or [])
    if list_checks:
        _list(here, checks)
        return
    if source is not None:
        _refuse_beside_from({"--for": phase, "--to": to, "--waive": waive, "--save": save})
        saved = _read(source)
        findings = _judge(saved, only or (), skip or ())
        taken = f"facts of {saved.needs.site.name}, taken at {saved.facts.taken_at}"
        raise typer.Exit(_report(here, findings, about=(taken,), is_strict=strict))
    findings, waivers = _look(
        here, phase, to, names=(only or (), skip or ()), reasons=reasons, save=save
    )
    about = [f"recorded: {w.check} is waived for {w.version} by {w.who}" for w in waivers]
    about += [f"saved: {save}"] if save else []
    raise typer.Exit(
        _report(here, findings, about=about, waivers=waivers, save=save, is_strict=strict)
    )


def _list(here: context.Here, checks: "Sequence[Check]") -> None:
    from s1ctl.cli.findings import check_document, list_lines

    data = {"schema": SCHEMA, "checks": [check_document(one) for one in checks]}
    here.output.result(list_lines(checks), data)


def _look(
    here: context.Here,
    phase: ForPhase | None,
    to: str | None,
    *,
    names: tuple[Sequence[str], Sequence[str]],
    reasons: Mapping[str, str],
    save: Path | None,
) -> "tuple[tuple[Finding, ...], tuple[Waiver, ...]]":
    """Collect and judge at the site; hand out the waivers that were recorded now, too."""
    from s1ctl.cli.surroundings import look
    from s1ctl.operation.check import gather_facts, needs_of, waivers_of
    from s1ctl.operation.waive import waive
    from s1ctl.preflight.catalogue import select
    from s1ctl.preflight.check import evaluate
    from s1ctl.preflight.saved import write_saved
    from s1ctl.preflight.waiving import honour

    surroundings = look(here)
    needs = needs_of(surroundings, releases_of(surroundings, phase, to), phase=phase)
    checks = select(needs.phase, *names)
    _refuse_waivers(reasons, checks, needs)
    facts = gather_facts(surroundings, needs, checks)
    findings = evaluate(checks, facts, needs)
    recorded = waive(surroundings, needs, findings, reasons) if reasons else ()
    waivers = waivers_of(surroundings, needs)
    if save is not None:
        write_facts(save, write_saved(checks, needs, facts, waivers, mask=surroundings.mask))
    return honour(findings, waivers), recorded


def releases_of(surroundings: "Context", phase: str | None, to: str | None) -> "tuple[Digest, ...]":
    """Choose for what to check: the installed release for `doctor`, else the path to another.

    That is the newest loaded one, or the one of version `to`. Raises `NoPath` S1-N02.
    """
    from s1ctl.cli.plan import parse_version
    from s1ctl.errors import NoPath
    from s1ctl.operation.site_facts import path_to

    ledger = surroundings.ledger
    installed, loaded = ledger.releases.installed(), ledger.releases.loaded()
    if to is not None:
        goal = parse_version(to)
        names = ", ".join(str(release.version) for release in loaded) or "none"
        loaded = tuple(release for release in loaded if release.version == goal)
        if not loaded:
            raise NoPath(
                f"release {goal} is not loaded here; loaded: {names}",
                code="S1-N02",
                hint="run `s1ctl load FILE` with its bundle",
            )
    elif installed is not None and phase == "doctor":
        return (installed.digest,)
    return path_to(surroundings, loaded[-1].digest) if loaded else ()


def reasons_of(given: Sequence[str]) -> dict[str, str]:
    """Read `CHECK=REASON`, each check once and by its exact id.

    Raises `UsageError` S1-U163 without both, S1-U164 for what is no check, or one that cannot be
    waived.
    """
    from s1ctl.preflight.catalogue import CHECKS

    checks = {check.id: check for check in CHECKS}
    reasons: dict[str, str] = {}
    for text in given:
        name, _, reason = text.partition("=")
        if not name or not reason.strip() or name in reasons:
            what = "names a check twice" if name in reasons else "lacks the check or the reason"
            raise UsageError(
                f"`--waive {text}` {what}",
                code="S1-U163",
                hint='write it as `--waive CHECK="why it does no harm here"`, once for each check',
            )
        if name not in checks or not checks[name].is_waivable:
            raise _not_waivable(name, is_known=name in checks)
        reasons[name] = reason.strip()
    return reasons


def _not_waivable(name: str, *, is_known: bool) -> UsageError:
    if is_known:
        return UsageError(
            f"`{name}` cannot be waived: no reason makes good what it looks for",
            code="S1-U164",
            hint=f"mend it; `s1ctl explain {name}` says how",
        )
    return UsageError(
        f"`{name}` is no check; groups and patterns cannot be waived",
        code="S1-U164",
        hint="take an id of `s1ctl preflight --list`",
    )


def _refuse_waivers(reasons: Mapping[str, str], checks: "Sequence[Check]", needs: "Needs") -> None:
    """Raise `UsageError` S1-U165 for a waiver of a check that is not made, or for no release."""
    planned = {check.id for check in checks}
    for name in reasons:
        if name not in planned:
            raise UsageError(
                f"`{name}` is not among the checks of this run, so nothing was seen to answer for",
                code="S1-U165",
                hint="leave out the `--only`, `--skip` or `--for` that leaves it out",
            )
    if reasons and not needs.releases:
        raise UsageError(
            "a waiver holds for one release, and none is loaded here",
            code="S1-U165",
            hint="run `s1ctl load FILE` first",
        )


def _refuse_beside_from(options: Mapping[str, object]) -> None:
    for name, value in options.items():
        if value:
            raise UsageError(
                f"`{name}` does not go with `--from`: the file says for what it was collected",
                code="S1-U166",
                hint=f"leave out `{name}`, or run `s1ctl preflight {name} …` at the site itself",
            )


def _read(path: Path) -> "Saved":
    from s1ctl.preflight.saved import MAX_BYTES, read_saved

    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise unreadable(path, error) from None
    return read_saved(raw, name=str(path))


def _judge(saved: "Saved", only: Sequence[str], skip: Sequence[str]) -> "tuple[Finding, ...]":
    """Judge saved facts by the checks that were planned, or those of them that are named."""
    from s1ctl.preflight.catalogue import select
    from s1ctl.preflight.saved import judge_saved

    checks = select(None, only, skip)
    planned = tuple(check for check in checks if check.id in saved.checks)
    if not planned:
        raise UsageError(
            f"no check{' of ' + ', '.join(f'`{name}`' for name in only) if only else ''} is in"
            f" `{saved.name}`: it was saved for {', '.join(saved.checks) or 'none'}",
            code="S1-U21",
            hint="leave out `--only` and `--skip`, or save the facts anew",
        )
    return judge_saved(saved, planned)


def write_facts(path: Path, raw: bytes) -> None:
    """Write what was collected, for its owner only, and never over a file that is there."""
    from s1ctl.errors import InputOutputFailed
    from s1ctl.files import write_new_file

    try:
        write_new_file(path, raw, mode=0o600)
    except FileExistsError:
        raise UsageError(
            f"`{path}` is there already", code="S1-U167", hint="give `--save` another name"
        ) from None
    except OSError as error:
        raise InputOutputFailed(
            f"`{path}` cannot be written: {error.strerror}",
            code="S1-I02",
            hint=f"check its folder: `ls -ld {path.parent}`, `df -h {path.parent}`",
        ) from None


def _report(
    here: context.Here,
    findings: "tuple[Finding, ...]",
    *,
    about: Sequence[str] = (),
    waivers: "tuple[Waiver, ...]" = (),
    save: Path | None = None,
    is_strict: bool,
) -> int:
    """Say every finding, and what was written; the exit code is the same in text and JSON."""
    from s1ctl.cli.findings import describe
    from s1ctl.shape import plain

    code = code_of(findings, is_strict=is_strict)
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "exit": code,
        "findings": [plain(one) for one in findings],
        "waivers": [plain(one) for one in waivers],
        "saved": str(save) if save else None,
    }
    here.output.result([*describe(findings), *about], document)
    return code


def code_of(findings: "tuple[Finding, ...]", *, is_strict: bool) -> int:
    """Say the exit code: 3 wins over 5, and both over 4; what is waived does not count."""
    blocking = {one.outcome for one in findings if one.severity == "blocking"}
    if "fail" in blocking:
        return NOT_READY
    if "error" in blocking:
        return NOT_EVALUATED
    is_warned = any(one.outcome in {"warn", "fail", "error"} for one in findings)
    return ONLY_WARNINGS if is_strict and is_warned else 0
