"""What is installed, and the way to what is wanted: path, revisions, health. Pure."""

from collections.abc import Mapping
from typing import Any

from s1ctl.preflight.check import Check, Values
from s1ctl.preflight.finding import Fix, Judgement, Observed, Required, failed, passed, skipped
from s1ctl.preflight.needs import Needs

LEDGER = "ledger"
NOTHING = skipped("nothing is installed yet")
STATUS = Fix(command="s1ctl db status", where="this host", safe=True)
FEW = 3


def judge_hop(values: Values, needs: Needs) -> Judgement:
    """Judge whether an allowed path leads from the installed release to the one that is wanted."""
    hop: Any = values["state.hop"]
    if hop["installed"] is None:
        return NOTHING
    if hop["goal"] is None:
        return skipped("no release is loaded that could be gone to")
    if hop["goal"] == hop["installed"]:
        return skipped(f"release {hop['installed']} is installed, and no newer one is loaded")
    if hop["refusal"]:
        refusal = hop["refusal"]
        fix = Fix(command=f"s1ctl explain {refusal['code']}", where="this host", safe=True)
        return failed(refusal["message"], refusal["hint"], value=refusal["code"], fix=fix)
    return _judge_path(hop, needs)


def _judge_path(hop: Any, needs: Needs) -> Judgement:
    way = " -> ".join((hop["installed"], *(one["version"] for one in hop["path"])))
    required = Required(op="is", value="a path of loaded releases", source=needs.source)
    missing = [one["version"] for one in hop["path"] if not one["loaded"]]
    if missing:
        return failed(
            f"the path {way} needs what is not loaded: {', '.join(missing)}",
            f"Bring the bundle of {', of '.join(missing)}, and load it:",
            value=missing,
            required=required,
            fix=Fix(command="s1ctl load FILE", where="this host", safe=True),
        )
    for one in hop["path"]:
        if not one["runs_here"]:
            return failed(
                f"the path is {way}; {one['version']} needs s1ctl `{one['needs_s1ctl']}`,"
                f" and this is {hop['s1ctl']}",
                "Install that s1ctl beside this one, and go on with it.",
                value=hop["s1ctl"],
                required=Required(
                    op="in", value=one["needs_s1ctl"], source=f"release {one['version']}"
                ),
                fix=Fix(command="s1ctl --version", where="this host", safe=True),
            )
    return passed(f"the path is {way}", value=[one["version"] for one in hop["path"]])


def judge_migrations(values: Values, _: Needs) -> Judgement:
    """Judge whether each database stands where the installed release left it."""
    lineages: Any = values["state.lineages"]
    truths: Any = values["pg.truths"]
    if lineages["installed"] is None:
        return NOTHING
    if not lineages["databases"]:
        return skipped("the installed release has no database")
    seen = []
    for name, lineage in lineages["databases"].items():
        found = _judge_lineage(name, lineage, truths[name], lineages)
        if found.outcome != "pass":
            return found
        assert found.observed is not None
        seen.append(found.observed.text)
    return passed("; ".join(seen))


def _judge_lineage(name: str, lineage: Any, truth: Any, lineages: Any) -> Judgement:
    if truth["reason"]:
        return Judgement(
            outcome="error",
            observed=Observed(text=f"{name}: {truth['code']}: {truth['reason']}"),
            remediation=(truth["hint"],),
            fix=Fix(command="s1ctl preflight --only pg.connect", where="this host", safe=True),
        )
    applied = [revision for revision, _ in truth["applied"]]
    wanted = [one["id"] for one in lineage]
    if truth["heads"] != applied[-1:]:
        return _by_others(name, truth["heads"], applied, lineages)
    if applied == wanted[: len(applied)]:
        return _changed(name, lineage, truth) or _behind(name, lineage, len(applied), lineages)
    if applied[: len(wanted)] == wanted:
        return _changed(name, lineage, truth) or _ahead(name, wanted, applied, lineages)
    stranger = next(id_ for id_, one in zip(applied, [*wanted, ""], strict=False) if id_ != one)
    return _unknown(name, stranger, applied, lineages)


def _by_others(name: str, heads: list[str], applied: list[str], lineages: Any) -> Judgement:
    last = applied[-1] if applied else "nothing"
    strangers = [one for one in heads if not _is_known(name, one, lineages["known"])]
    unknown = f", unknown to every loaded release: {', '.join(strangers)}" if strangers else ""
    return failed(
        f"{name}: the database's head is {', '.join(heads) or 'nothing'}{unknown}; the last"
        f" revision that s1ctl applied is {last}, so somebody else has changed it",
        "Find out who did it and what else was changed; then call the vendor.",
        value=heads,
        required=Required(op="is", value=last, source="s1ctl.applied"),
        fix=STATUS,
    )


def _changed(name: str, lineage: Any, truth: Any) -> Judgement | None:
    digests = dict(truth["applied"])
    for one in lineage:
        if digests.get(one["id"], one["digest"]) != one["digest"]:
            return failed(
                f"{name}: revision {one['id']} was applied with another text than the installed"
                " release has",
                "Call the vendor: a published revision never changes.",
                value=digests[one["id"]],
                required=Required(op="is", value=one["digest"], source="installed release"),
                fix=STATUS,
            )
    return None


def _behind(name: str, lineage: Any, count: int, lineages: Any) -> Judgement:
    """Let contracts wait; all else of the installed release was applied when it was installed."""
    pending = [one for one in lineage[count:] if one["phase"] != "contract"]
    head = lineage[count - 1]["id"] if count else "nothing"
    if not pending:
        waiting = len(lineage) - count
        more = f", {waiting} contract{'s' * (waiting > 1)} pending" if waiting else ""
        return passed(f"{name}: at {head}{more}")
    names = ", ".join(f"{one['phase']} {one['id']}" for one in pending[:FEW])
    more = f" and {len(pending) - FEW} more" if len(pending) > FEW else ""
    return failed(
        f"{name}: behind: it is at {head}, and release {lineages['installed']} has {names}{more}"
        " after it",
        f"See that `databases.{name}` of the site file names the right database, and whether an"
        " older backup was restored by hand: what runs does not fit it.",
        value=head,
        required=Required(op="is", value=lineage[-1]["id"], source=_release(lineages)),
        fix=STATUS,
    )


def _ahead(name: str, wanted: list[str], applied: list[str], lineages: Any) -> Judgement:
    """Accept what a hop has added that was taken back; its release must be known here."""
    newer = applied[len(wanted) :]
    release = _owner(name, applied, lineages["known"])
    if release is not None:
        return passed(
            f"{name}: at {applied[-1]} of {release}, of which {lineages['installed']} is unaware"
        )
    strangers = [one for one in newer if not _is_known(name, one, lineages["known"])]
    if strangers and len(strangers) < len(newer):
        return _unknown(name, strangers[0], applied, lineages)
    return failed(
        f"{name}: ahead: it has {', '.join(newer[:FEW])}, which no release that is loaded here has",
        "Load the bundle of the release that added it; if nobody knows of one, call the vendor:",
        value=applied[-1],
        required=Required(op="is", value=wanted[-1] if wanted else "", source=_release(lineages)),
        fix=Fix(command="s1ctl load FILE", where="this host", safe=True),
    )


def _unknown(name: str, stranger: str, applied: list[str], lineages: Any) -> Judgement:
    return failed(
        f"{name}: unknown: revision {stranger} is not of the lineage of release"
        f" {lineages['installed']}",
        f"See that `databases.{name}` of the site file names the right database; if it does, call"
        " the vendor: another branch or product was applied to it.",
        value=applied[-1],
        required=Required(op="is", value="a revision of the lineage", source=_release(lineages)),
        fix=STATUS,
    )


def _owner(name: str, applied: list[str], known: Mapping[str, Any]) -> str | None:
    """Name the oldest loaded release whose lineage begins with all that is applied."""
    for version, databases in known.items():
        if databases.get(name, [])[: len(applied)] == applied:
            return version
    return None


def _is_known(name: str, revision: str, known: Mapping[str, Any]) -> bool:
    return any(revision in databases.get(name, ()) for databases in known.values())


def _release(lineages: Any) -> str:
    return f"release {lineages['installed']}"


def judge_health(values: Values, needs: Needs) -> Judgement:
    """Judge whether every unit that should run does, says that it is ready, and its version."""
    units: Any = values["state.health"]
    if not needs.is_installed:
        return NOTHING
    if needs.operation is not None:
        return skipped("it was judged before the operation began")
    ill = [one for one in units if one["ailment"]]
    if ill:
        first, more = ill[0], f"; and {len(ill) - 1} more" * (len(ill) > 1)
        container = first["container"]
        return failed(
            f"{first['unit']} {first['version']}: {first['ailment']}{more}",
            f"Have {', '.join(one['unit'] for one in ill)} mended before something else is"
            " changed; begin with what it says:",
            value=[one["unit"] for one in ill],
            about=(f"{one['unit']} {one['version']}: `{one['container']}`" for one in ill),
            required=Required(op="is", value=f"ready, version {first['version']}", source=LEDGER),
            fix=Fix(command=f"docker logs --tail 20 {container}", where="this host", safe=True),
        )
    return passed(
        "ready: " + ", ".join(f"{one['unit']} {one['version']}" for one in units)
        if units
        else "the installed release has no units"
    )


CHECKS = (
    Check(
        id="state.hop",
        title="an allowed path leads to the release that is wanted",
        why="Only hops that the vendor has tested are gone, and no required stop is skipped.",
        severity="blocking",
        facts=("state.hop",),
        judge=judge_hop,
        phases=("install", "upgrade"),
        is_waivable=False,
    ),
    Check(
        id="state.migrations",
        title="every database stands where the installed release left it",
        why="A revision applied to another schema than it was written for can destroy data.",
        severity="blocking",
        facts=("state.lineages", "pg.truths"),
        judge=judge_migrations,
        prerequisites=("pg.connect",),
        is_waivable=False,
    ),
    Check(
        id="state.health",
        title="every unit that runs is ready, and is what was recorded",
        why="After a change nobody could tell its faults from those that were there before.",
        severity="blocking",
        facts=("state.health",),
        judge=judge_health,
        prerequisites=("engine.reachable",),
    ),
)
