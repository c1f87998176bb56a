"""The platform's databases: reachable, writable, of a version that the release runs on."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from packaging.version import Version

from s1ctl.errors import S1Error
from s1ctl.preflight.check import Check, Values
from s1ctl.preflight.collect import Collector
from s1ctl.preflight.finding import Fix, Judgement, Required, failed, passed, skipped
from s1ctl.preflight.needs import Needs
from s1ctl.site.facts import Fact

if TYPE_CHECKING:
    from psycopg2.extensions import connection

Connect = Callable[[], "AbstractContextManager[connection]"]


def collectors(databases: Mapping[str, Connect]) -> dict[str, Collector]:
    """List what is asked of each database; a connection is made only by its collector."""
    return {"pg.databases": lambda: _databases(databases)}


def _databases(databases: Mapping[str, Connect]) -> Fact:
    value = {name: _look(connect) for name, connect in databases.items()}
    return Fact(value=value, source=", ".join(sorted(databases)) or "no database")


def _look(connect: Connect) -> dict[str, Any]:
    """Connect once; why that failed is the measurement."""
    try:
        with connect() as database, database.cursor() as cursor:
            cursor.execute("SELECT pg_is_in_recovery(), pg_database_size(current_database())")
            is_replica, size = cursor.fetchone() or (None, 0)
            number = database.info.server_version
    except S1Error as error:
        return {"reason": error.message, "code": error.code, "hint": error.hint}
    version = f"{number // 10000}.{number % 10000}"
    return {"reason": None, "version": version, "is_replica": is_replica, "size": size}


def judge_connect(values: Values, needs: Needs) -> Judgement:
    """Judge whether each database takes our connection and is a primary."""
    if not needs.is_installed:
        return skipped("nothing is installed yet: the databases come with the release")
    databases: Any = values["pg.databases"]
    for name in needs.databases:
        state = databases.get(name) or {"reason": "it is not in the site file"}
        if state["reason"]:
            advice = state.get("hint", f"Write `databases.{name}` into the site file.")
            code = state.get("code")
            fix = Fix(command=f"s1ctl explain {code or 'pg.connect'}", where="this host", safe=True)
            return failed(f"{name}: {state['reason']}", advice, value=code, fix=fix)
        if state["is_replica"]:
            return failed(f"{name}: the server is a replica", "Name the primary instead.")
        if not needs.postgresql.contains(Version(state["version"])):
            required = Required(op="in", value=str(needs.postgresql), source=needs.source)
            text = f"{name}: PostgreSQL {state['version']}"
            return failed(text, f"Bring it to {needs.postgresql}.", required=required)
    seen = (f"{n}: PostgreSQL {databases[n]['version']}" for n in needs.databases)
    return passed("; ".join(seen) or "the release has no database")


CHECKS = (
    Check(
        id="pg.connect",
        title="every database takes our connection",
        why="Migrations and backups run from here.",
        severity="blocking",
        facts=("pg.databases",),
        judge=judge_connect,
    ),
)
