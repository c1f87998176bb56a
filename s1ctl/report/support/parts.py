"""The parts of a bundle that ask something that may not answer: checks, engine, databases."""

from collections.abc import Callable

from s1ctl.database.describe import describe_database
from s1ctl.database.reach import make_url_dsn
from s1ctl.operation.check import gather_facts, needs_of
from s1ctl.operation.databases import dsn_of
from s1ctl.preflight.catalogue import select
from s1ctl.preflight.check import evaluate
from s1ctl.report.support.collect import Collector, Scope, Skipped
from s1ctl.report.support.host import collect_host
from s1ctl.report.support.platform import (
    collect_ledger,
    collect_logs,
    collect_site,
    collect_state,
)
from s1ctl.report.support.sources import Sources
from s1ctl.shape import plain
from s1ctl.site.secrets import Secret

LOG_LINES = 1000


def collectors_of(sources: Sources) -> dict[str, Collector]:
    """List the collectors, in the order in which they run: what cannot hang comes first."""
    return {
        "site": lambda scope: collect_site(scope, sources.site, sources.site_file, sources.fault),
        "ledger": lambda scope: collect_ledger(scope, sources.ledger),
        "state": lambda scope: collect_state(scope, sources.state),
        "logs": lambda scope: _logs(scope, sources),
        "host": collect_host,
        "engine": lambda scope: _engine(scope, sources),
        "checks": lambda scope: _checks(scope, sources),
        "pg": lambda scope: _databases(scope, sources),
    }


def _logs(scope: Scope, sources: Sources) -> None:
    usual = sources.usual_state / "logs"
    if sources.usual_state != sources.state and usual.is_dir():
        collect_logs(scope, usual, "logs/without-site-file", sources.since)
    collect_logs(scope, sources.state / "logs", "logs", sources.since)


def _engine(scope: Scope, sources: Sources) -> None:
    from s1ctl.targets import docker_support as support
    from s1ctl.targets.docker_engine import connect_engine

    engine, site = connect_engine(sources.socket), sources.name
    for name, document in support.describe_engine(engine).items():
        scope.document(f"engine/{name}.json", document)
    if site is None:
        scope.note("which containers are the site's is not known: its site file was not read")
        return
    since = int(sources.since.timestamp()) if sources.since else None
    images = set[str]()
    for name, document in support.describe_containers(engine, site):
        images.add(str(document["Config"].get("Image")))
        scope.document(f"engine/containers/{name}.json", document)
        said = engine.tail(name, lines=LOG_LINES, since=since, has_times=True)
        scope.text(f"engine/containers/{name}.log", said)
    scope.document("engine/networks.json", support.describe_networks(engine, site))
    scope.document("engine/volumes.json", support.describe_volumes(engine, site))
    scope.document("engine/images.json", support.describe_images(engine, images))


def _checks(scope: Scope, sources: Sources) -> None:
    """Judge the site as it is now: by the installed release, or else by the newest loaded one."""
    _need_ledger(sources)
    context = sources.context()
    installed = context.ledger.releases.installed()
    loaded = context.ledger.releases.loaded()
    release = (installed.digest,) if installed else tuple(one.digest for one in loaded[-1:])
    needs = needs_of(context, release, phase="doctor" if installed else None)
    checks = select(needs.phase)
    facts = gather_facts(context, needs, checks)
    scope.document("facts/facts.json", plain(facts))
    found = [plain(finding) for finding in evaluate(checks, facts, needs)]
    scope.document("checks/results.json", {"phase": needs.phase, "findings": found})


def _databases(scope: Scope, sources: Sources) -> None:
    found: dict[str, Callable[[], Secret]] = {}
    scope.attempt("the installed release's databases", lambda: _of_release(sources, found))
    _of_site(sources, found)
    if not found:
        raise Skipped(sources.fault or "no database is known here: nothing is installed")
    for name, dsn in found.items():
        scope.attempt(f"database {name}", lambda name=name, dsn=dsn: _database(scope, name, dsn()))  # type: ignore[misc]


def _database(scope: Scope, name: str, dsn: Secret) -> None:
    answers = describe_database(dsn, lambda what: scope.note(f"database {name}: {what}"))
    scope.document(f"pg/{name}.json", answers)


def _of_release(sources: Sources, found: dict[str, Callable[[], Secret]]) -> None:
    if sources.site is None or not sources.ledger.exists():
        return
    context = sources.context()
    installed = context.ledger.releases.installed()
    if installed is None:
        return
    manifest = context.release(installed.digest).manifest
    for schema in manifest.schemas:
        if schema.engine == "postgresql":
            found[schema.database] = lambda s=schema: dsn_of(  # type: ignore[misc]
                context, manifest, s, installed.settings
            )


def _of_site(sources: Sources, found: dict[str, Callable[[], Secret]]) -> None:
    """Add what the site file reaches by a URL: for that no release is needed."""
    for name, access in sources.site.databases.items() if sources.site else ():
        if access.url is not None and name not in found:
            key = f"databases.{name}.url"
            found[name] = lambda url=access.url, key=key: make_url_dsn(  # type: ignore[misc]
                url.resolve(sources.environment, name=key)
            )


def _need_ledger(sources: Sources) -> None:
    if sources.site is None:
        raise Skipped(sources.fault)
    if not sources.ledger.exists():
        raise Skipped(f"there is no ledger at `{sources.ledger}`: nothing was loaded here")
