"""What is asked of the platform's databases: read-only, over connections that are soon closed."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from s1ctl.errors import S1Error
from s1ctl.preflight.collect import Collector
from s1ctl.site.facts import Fact

if TYPE_CHECKING:
    from psycopg2.extensions import connection, cursor

Connect = Callable[[], "AbstractContextManager[connection]"]
Look = Callable[["cursor"], dict[str, Any]]
STATEMENT_TIMEOUT_S = 8
MOST_ROWS = 50

_ROLE = """
SELECT current_user::text, has_database_privilege(current_database(), 'CREATE'),
    current_schema()::text, current_database()::text
"""
# What belongs to an extension is the extension's; a sequence of a column goes with its table.
_SCHEMAS = """
SELECT n.nspname::text, has_schema_privilege(n.oid, 'CREATE'), pg_get_userbyid(n.nspowner)::text
FROM pg_namespace n
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    AND (n.nspname = current_schema() OR EXISTS (
        SELECT FROM pg_class c WHERE c.relnamespace = n.oid AND c.relkind IN ('r', 'p')
        AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
            AND d.objid = c.oid AND d.deptype = 'e')))
ORDER BY 1
"""
_FOREIGN = """
SELECT n.nspname::text, c.relname::text, pg_get_userbyid(c.relowner)::text, count(*) OVER ()
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT pg_has_role(c.relowner, 'USAGE')
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
        AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY 1, 2 LIMIT %s
"""
# A role that may not see another's times and kinds still sees its user and locks; what has no
# user is of the server itself. Autovacuum gives way by itself.
_CLIENT = "usename IS NOT NULL AND coalesce(backend_type, 'client backend') = 'client backend'"
_TRANSACTIONS = f"""
SELECT a.pid, coalesce(a.application_name, ''), coalesce(a.usename, '')::text,
    coalesce(a.state, ''), extract(epoch FROM clock_timestamp() - a.xact_start)::int,
    CASE WHEN a.state LIKE 'idle in transaction%'
        THEN extract(epoch FROM clock_timestamp() - a.state_change)::int END,
    (SELECT array_agg(DISTINCT l.relation::regclass::text) FROM pg_locks l
        JOIN pg_class c ON c.oid = l.relation JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE l.pid = a.pid AND l.granted AND l.locktype = 'relation' AND c.relkind <> 'i'
        AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
        AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()))
FROM pg_stat_activity a
WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()
    AND {_CLIENT}
ORDER BY 5 DESC NULLS LAST, 1
"""  # noqa: S608 - a constant
_PREPARED = """
SELECT gid, owner::text, extract(epoch FROM clock_timestamp() - prepared)::int
FROM pg_prepared_xacts WHERE database = current_database() ORDER BY prepared LIMIT %s
"""
_CAPACITY = f"""
SELECT current_setting('max_connections')::int,
    current_setting('superuser_reserved_connections')::int
        + coalesce(current_setting('reserved_connections', true), '0')::int,
    (SELECT count(*)::int FROM pg_stat_activity WHERE {_CLIENT}),
    (SELECT datconnlimit FROM pg_database WHERE datname = current_database()),
    (SELECT count(*)::int FROM pg_stat_activity
        WHERE datname = current_database() AND {_CLIENT}),
    (SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user),
    (SELECT count(*)::int FROM pg_stat_activity
        WHERE usename = current_user AND {_CLIENT}),
    pg_database_size(current_database())
"""  # noqa: S608 - a constant


def collectors(databases: Mapping[str, Connect]) -> dict[str, Collector]:
    """List what is asked of each database; a connection is made only by its collector."""
    looks: dict[str, Look] = {
        "pg.databases": _server,
        "pg.privileges": _privileges,
        "pg.activity": _activity,
        "pg.capacity": _capacity,
    }
    return {name: _collector(databases, look) for name, look in looks.items()}


def _collector(databases: Mapping[str, Connect], look: Look) -> Collector:
    def collect() -> Fact:
        value = {name: _ask(connect, look) for name, connect in databases.items()}
        return Fact(value=value, source=", ".join(sorted(databases)) or "no database")

    return collect


def _ask(connect: Connect, look: Look) -> dict[str, Any]:
    """Connect once; why that failed is the measurement."""
    try:
        with connect() as database, database.cursor() as cursor:
            cursor.execute("SET default_transaction_read_only = on")
            cursor.execute("SET statement_timeout = %s", (f"{STATEMENT_TIMEOUT_S}s",))
            return {"reason": None, **look(cursor)}
    except S1Error as error:
        return {"reason": error.message, "code": error.code, "hint": error.hint}


def _server(cursor: "cursor") -> dict[str, Any]:
    cursor.execute("SELECT pg_is_in_recovery(), pg_database_size(current_database())")
    is_replica, size = cursor.fetchone() or (None, 0)
    number = cursor.connection.info.server_version
    version = f"{number // 10000}.{number % 10000}"
    return {"version": version, "is_replica": is_replica, "size": size}


def _privileges(cursor: "cursor") -> dict[str, Any]:
    cursor.execute(_ROLE)
    user, may_create, schema, name = cursor.fetchone() or ("", False, None, "")
    cursor.execute(_SCHEMAS)
    schemas = [[name, may, owner] for name, may, owner in cursor.fetchall()]
    cursor.execute(_FOREIGN, (MOST_ROWS,))
    rows = cursor.fetchall()
    return {
        "user": user,
        "name": name,
        "may_create": may_create,
        "schema": schema,
        "schemas": schemas,
        "foreign": [[schema, table, owner] for schema, table, owner, _ in rows],
        "foreign_count": rows[0][3] if rows else 0,
    }


def _activity(cursor: "cursor") -> dict[str, Any]:
    cursor.execute(_TRANSACTIONS)
    names = ("pid", "application", "user", "state", "age_s", "idle_s", "tables")
    found = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    is_open = (one for one in found if one["age_s"] is not None or one["tables"])
    cursor.execute(_PREPARED, (MOST_ROWS,))
    prepared = [{"name": gid, "user": user, "age_s": age} for gid, user, age in cursor.fetchall()]
    return {
        "us": cursor.connection.info.user,
        "transactions": [{**one, "tables": one["tables"] or []} for one in is_open][:MOST_ROWS],
        "prepared": prepared,
    }


def _capacity(cursor: "cursor") -> dict[str, Any]:
    cursor.execute(_CAPACITY)
    row = cursor.fetchone()
    assert row is not None
    most, reserved, used, *limits, size = row
    return {
        "max": most,
        "reserved": reserved,
        "used": used,
        "limits": [
            {"of": of, "max": limit, "used": taken}
            for of, limit, taken in (("database", *limits[:2]), ("user", *limits[2:]))
            if limit >= 0
        ],
        "size": size,
    }
