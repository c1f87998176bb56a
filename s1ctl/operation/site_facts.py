"""Facts about what is installed, which only an operation's surroundings can tell. Read-only."""

from collections.abc import Iterable
from typing import Any

from packaging.version import Version

from s1ctl import __version__
from s1ctl.database.applied import read_truth
from s1ctl.database.reach import reading
from s1ctl.errors import NoPath, NotVerified, S1Error, Withdrawn
from s1ctl.ledger.releases import Installed
from s1ctl.oci.digest import Digest
from s1ctl.operation.context import Context
from s1ctl.operation.databases import access_of, dsn_of
from s1ctl.operation.route import find_route, list_carry
from s1ctl.plan.plan import Accepted, Settings
from s1ctl.plan.steps import Instance
from s1ctl.preflight.collect import Collector
from s1ctl.preflight.needs import Needs
from s1ctl.preflight.postgresql import Connect
from s1ctl.release.manifest import ReleaseManifest, Schema
from s1ctl.site.facts import Fact
from s1ctl.site.secrets import Secret

LOOKS, PAUSE_S = 3, 0.5
NO_SETTINGS = Settings(values={}, secrets={})


def collectors(
    context: Context, needs: Needs, accepted: tuple[Accepted, ...] = ()
) -> dict[str, Collector]:
    """List what is asked; `accepted` are the gates that somebody opened for the plan."""
    return {
        "state.hop": lambda: _hop(context, needs.releases, accepted),
        "state.lineages": lambda: _lineages(context),
        "pg.truths": lambda: _truths(context),
        "state.health": lambda: _health(context),
    }


# the path


def path_to(context: Context, goal: Digest) -> tuple[Digest, ...]:
    """List the releases of the path to a loaded one; it alone where no path is open yet."""
    installed = context.ledger.releases.installed()
    version = context.release(goal).manifest.version
    if installed is None or version <= installed.version:
        return (goal,)
    try:
        route = find_route(context, installed.version, version, {})
    except S1Error:
        return (goal,)  # state.hop says why
    return tuple(release.digest for release in route.releases)


def _hop(context: Context, releases: tuple[Digest, ...], accepted: tuple[Accepted, ...]) -> Fact:
    installed = context.ledger.releases.installed()
    goal = context.release(releases[-1]).manifest.version if releases else None
    value: dict[str, Any] = {
        "installed": str(installed.version) if installed else None,
        "goal": str(goal) if goal else None,
        "s1ctl": __version__,
        "path": [],
        "refusal": None,
    }
    if installed is not None and goal is not None and goal != installed.version:
        try:
            value["path"] = _path(context, installed.version, goal, accepted)
        except (NoPath, Withdrawn, NotVerified) as error:
            text = {"code": error.code, "message": error.message, "hint": error.hint}
            value["refusal"] = text
    return Fact(value=value, source="ledger, release store")


def _path(
    context: Context, start: Version, goal: Version, accepted: tuple[Accepted, ...]
) -> list[dict[str, Any]]:
    reasons = {each.gate: each.reason for each in accepted if Version(each.version) > start}
    carry = list_carry(context, start, goal, reasons)
    tools = {m.version: m.requires.s1ctl for m in _loaded(context)}
    return [
        {
            "version": str(each.version),
            "why": each.why,
            "bytes": each.size_bytes,
            "loaded": each.is_loaded,
            "needs_s1ctl": str(tools.get(each.version, "")),
            "runs_here": each.version not in tools
            or tools[each.version].contains(__version__, prereleases=True),
        }
        for each in carry
    ]


def _loaded(context: Context) -> Iterable[ReleaseManifest]:
    """Open every loaded release that can be, by sequence."""
    for loaded in context.ledger.releases.loaded():
        try:
            yield context.release(loaded.digest).manifest
        except S1Error:
            continue  # it cannot be a part of the path, nor explain a revision


# the databases


def _lineages(context: Context) -> Fact:
    installed = context.ledger.releases.installed()
    value: dict[str, Any] = {"installed": None, "databases": {}, "known": {}}
    if installed is not None:
        manifest = context.release(installed.digest).manifest
        value["installed"] = str(installed.version)
        value["databases"] = {
            schema.database: [
                {"id": r.id, "phase": r.phase, "digest": str(r.digest)} for r in schema.revisions
            ]
            for schema in manifest.schemas
        }
        value["known"] = {
            str(each.version): {s.database: [r.id for r in s.revisions] for s in each.schemas}
            for each in _loaded(context)
        }
    return Fact(value=value, source="release store")


def _truths(context: Context) -> Fact:
    installed = context.ledger.releases.installed()
    value: dict[str, Any] = {}
    if installed is not None:
        manifest = context.release(installed.digest).manifest
        value = {s.database: _truth(context, installed, manifest, s) for s in manifest.schemas}
    return Fact(value=value, source="s1ctl.alembic_version, s1ctl.applied")


def _truth(
    context: Context, installed: Installed, manifest: ReleaseManifest, schema: Schema
) -> dict[str, Any]:
    try:
        truth = read_truth(dsn_of(context, manifest, schema, installed.settings))
    except S1Error as error:
        return {"reason": error.message, "code": error.code, "hint": error.hint}
    applied = [[revision, digest] for revision, digest in truth.applied.items()]
    return {"reason": None, "heads": list(truth.heads), "applied": applied}


def connections(context: Context, needs: Needs) -> dict[str, Connect]:
    """Say how each database is connected to; one that comes with a release is left out.

    One that the site file lacks is not: to connect is then refused with S1-U17.
    """
    installed = context.ledger.releases.installed()
    now = context.release(installed.digest).manifest if installed else None
    found: dict[str, Connect] = {}
    for manifest in (context.release(digest).manifest for digest in needs.releases):
        for schema in manifest.schemas:
            access = context.site.databases.get(schema.database)
            if access is None or access.url is not None:
                found[schema.database] = _connect(context, manifest, schema, NO_SETTINGS)
    if installed is not None and now is not None:
        for schema in now.schemas:
            if schema.database in needs.databases:
                found[schema.database] = _connect(context, now, schema, installed.settings)
    return found


def _connect(
    context: Context, manifest: ReleaseManifest, schema: Schema, settings: Settings
) -> Connect:
    def dsn() -> Secret:
        access_of(context, manifest, schema)
        return dsn_of(context, manifest, schema, settings)

    return lambda: reading(dsn())


# the units


def _health(context: Context) -> Fact:
    installed = context.ledger.releases.installed()
    value = [_unit(context, each) for each in installed.instances] if installed else []
    return Fact(value=value, source="engine, health endpoints")


def _unit(context: Context, instance: Instance) -> dict[str, Any]:
    """Look a few times: one that is well once is well."""
    ailment = context.target.ailment(instance)
    for _ in range(LOOKS - 1):
        if ailment is None:
            break
        context.sleep(PAUSE_S)
        ailment = context.target.ailment(instance)
    containers = [placement.container for placement in instance.placements]
    return {
        "unit": instance.unit,
        "version": instance.version,
        "container": containers[0] if containers else "",
        "ailment": ailment,
    }
