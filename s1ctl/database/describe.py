"""What a database says of itself, for people who cannot log in there: no row, no query's text."""

from collections.abc import Callable
from typing import Any

import psycopg2

from s1ctl.database.faults import make_fault
from s1ctl.database.reach import place, reading
from s1ctl.site.secrets import Secret

LIMIT_MS = 5000
_SECRETIVE = ("primary_conninfo", "ssl_passphrase_command")
QUERIES = {
    "settings": "SELECT name, setting, unit, source, pending_restart FROM pg_settings"
    " WHERE source NOT IN ('default', 'override', 'client') ORDER BY name",
    "server": "SELECT version() AS version, pg_is_in_recovery() AS is_replica,"
    " pg_postmaster_start_time()::text AS started, current_user AS role,"
    " (SELECT count(*) FROM pg_stat_activity) AS sessions",
    "sizes": "SELECT datname AS name, pg_database_size(oid) AS bytes FROM pg_database"
    " WHERE has_database_privilege(oid, 'CONNECT') ORDER BY 2 DESC LIMIT 50",
    "tables": "SELECT relid::regclass::text AS name, pg_total_relation_size(relid) AS bytes,"
    " n_live_tup AS rows, n_dead_tup AS dead_rows, last_autovacuum::text, last_autoanalyze::text"
    " FROM pg_stat_user_tables ORDER BY 2 DESC LIMIT 50",
    "activity": "SELECT pid, usename AS role, application_name, client_addr::text, backend_type,"
    " state, wait_event_type, wait_event, pg_blocking_pids(pid) AS blocked_by,"
    " round(extract(epoch FROM clock_timestamp() - xact_start)) ::bigint AS transaction_s,"
    " round(extract(epoch FROM clock_timestamp() - state_change))::bigint AS in_state_s"
    " FROM pg_stat_activity WHERE datname = current_database() ORDER BY xact_start NULLS LAST"
    " LIMIT 200",
    "locks": "SELECT pid, locktype, relation::regclass::text AS relation, mode, granted"
    " FROM pg_locks WHERE database = (SELECT oid FROM pg_database WHERE datname ="
    " current_database()) AND (NOT granted OR locktype = 'advisory') ORDER BY pid LIMIT 500",
    "invalid-indexes": "SELECT indexrelid::regclass::text AS name, indrelid::regclass::text"
    " AS table FROM pg_index WHERE NOT indisvalid ORDER BY 1",
    "not-validated": "SELECT conrelid::regclass::text AS table, conname AS name FROM"
    " pg_constraint WHERE NOT convalidated ORDER BY 1, 2",
    "prepared": "SELECT gid, prepared::text, owner FROM pg_prepared_xacts ORDER BY 2 LIMIT 50",
    "replication": "SELECT application_name, state, sync_state FROM pg_stat_replication",
    "extensions": "SELECT extname AS name, extversion AS version FROM pg_extension ORDER BY 1",
    "applied": "SELECT number, revision, release, digest, operation, fence, at::text"
    " FROM s1ctl.applied ORDER BY number",
    "heads": "SELECT version_num FROM s1ctl.alembic_version",
    "backfill": "SELECT revision, pass, seen, rows, done FROM s1ctl.backfill ORDER BY 1",
}


def describe_database(dsn: Secret, missing: Callable[[str], None]) -> dict[str, Any]:
    """Ask each question; one that is refused is told to `missing`. Raises `InputOutputFailed`.

    It waits for no lock, and no question takes longer than 5 s.
    """
    answers: dict[str, Any] = {"place": place(dsn)}
    with reading(dsn) as database, database.cursor() as cursor:
        cursor.execute(f"SET statement_timeout = {LIMIT_MS}; SET lock_timeout = {LIMIT_MS}")
        cursor.execute("SET default_transaction_read_only = on")
        for name, query in QUERIES.items():
            try:
                cursor.execute(query)
            except psycopg2.ProgrammingError as error:  # no such table: nothing was applied here
                missing(f"{name}: {make_fault(error, place(dsn)).message}")
                continue
            except psycopg2.extensions.QueryCanceledError:
                missing(f"{name}: no answer within {LIMIT_MS} ms")
                continue
            columns = [column.name for column in cursor.description or ()]
            rows = [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
            answers[name] = [_quiet(row) for row in rows] if name == "settings" else rows
    return answers


def _quiet(row: dict[str, Any]) -> dict[str, Any]:
    """Keep that a setting is set, where its value may hold a secret."""
    return {**row, "setting": "(set)"} if row["name"] in _SECRETIVE else row
