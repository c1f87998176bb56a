"""Shell scripts that run PostgreSQL's own programs, in whatever image a vendor ships them.

Values come by the environment (`S1CTL_…`), never into a script's text.
"""

from s1ctl.database.inspection import INSPECTION

ADMIN = "s1ctl_admin"
PLACES = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 - the first that can be written is used

_PROGRAMS = """
set -eu
unset PGDATA PGSERVICE PGOPTIONS PGSSLMODE PGAPPNAME || true
for bin in /usr/local/pgsql/bin /usr/pgsql-*/bin /usr/lib/postgresql/*/bin; do
    if [ -x "$bin/pg_restore" ]; then PATH="$bin:$PATH"; fi
done
for place in PLACES "${HOME:-/tmp}"; do
    if work=$(mktemp -d "$place/s1ctl.XXXXXX" 2>/dev/null); then break; fi
done
: "${work:?no folder can be written}"
""".replace("PLACES", " ".join(PLACES))

# The dump is stdin, opened before root is given up: initdb refuses root.
PROVE_INNER = (
    _PROGRAMS
    + """
unset PGHOST PGPORT PGUSER PGPASSWORD PGPASSFILE PGDATABASE || true
heart=
end() {
    if [ -n "$heart" ]; then kill "$heart" 2>/dev/null || true; fi
    pg_ctl -D "$work/data" -m immediate stop >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap end EXIT
trap 'exit 143' TERM INT
failed() { tail -n 5 "$work/log" >&2; exit 3; }
(while :; do echo; sleep 20 </dev/null >/dev/null 2>&1; done) &
heart=$!
export PGHOST="$work" PGPORT=5432 PGUSER=s1ctl_admin
initdb -D "$work/data" -U "$PGUSER" -A trust -E UTF8 --locale=C -N >"$work/log" 2>&1 || failed
pg_ctl -D "$work/data" -l "$work/log" -w -t 120 -o "-k $work -c listen_addresses='' \\
-c fsync=off -c full_page_writes=off -c synchronous_commit=off -c autovacuum=off \\
-c wal_level=minimal -c max_wal_senders=0 -c jit=off -c max_parallel_workers=0 \\
-c shared_buffers=64MB -c max_wal_size=4GB -c logging_collector=off" start >/dev/null || failed
psql -qX -v ON_ERROR_STOP=1 -v "role=$S1CTL_ROLE" -d postgres <<'SQL'
SELECT format('CREATE ROLE %I LOGIN CREATEDB', :'role') \\gexec
SQL
create=--create into=postgres
case "$S1CTL_DBNAME" in postgres|template1) create= into="$S1CTL_DBNAME" ;; esac
pg_restore -U "$S1CTL_AS" --no-owner --no-privileges --no-publications --no-subscriptions \\
    --exit-on-error $create -d "$into"
kill "$heart" && heart=
export PGDATABASE="$S1CTL_DBNAME"
psql -qAtX -v ON_ERROR_STOP=1 <<'SQL'
"""
    + INSPECTION
    + "SQL\n"
)

# Root becomes the image's own database user; the script goes on as whoever that is.
PROVE = """
set -eu
if [ -n "${S1CTL_DUMP:-}" ]; then exec <"$S1CTL_DUMP"; fi
if [ "$(id -u)" != 0 ]; then exec sh -c "$S1CTL_SCRIPT"; fi
user=
for name in postgres pgsql _postgresql nobody; do
    if id -u "$name" >/dev/null 2>&1; then user=$name; break; fi
done
: "${user:?the image has no user postgres}"
if command -v gosu >/dev/null; then exec gosu "$user" sh -c "$S1CTL_SCRIPT"; fi
if command -v su-exec >/dev/null; then exec su-exec "$user" sh -c "$S1CTL_SCRIPT"; fi
if command -v setpriv >/dev/null && setpriv --help 2>&1 | grep -q reuid; then
    exec setpriv --reuid="$user" --regid="$(id -g "$user")" --clear-groups sh -c "$S1CTL_SCRIPT"
fi
exec su -s /bin/sh "$user" -c "$S1CTL_SCRIPT"
"""


_CLEAN = """
BEGIN;
SET LOCAL lock_timeout = '30s';
SET LOCAL client_min_messages = warning;
SELECT set_config('s1ctl.fence', :'fence', true);
DO $clean$
DECLARE
    greatest_fence bigint;
    command text;
BEGIN
    IF to_regclass('s1ctl.hold') IS NOT NULL THEN
        EXECUTE 'SELECT max(fence) FROM s1ctl.hold' INTO greatest_fence;
        IF greatest_fence > current_setting('s1ctl.fence')::bigint THEN
            RAISE 'another operation has taken the database over';
        END IF;
    END IF;
    FOR command IN
        SELECT format('DROP SCHEMA IF EXISTS %I CASCADE', nspname) FROM pg_namespace
        WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'public')
    LOOP EXECUTE command; END LOOP;
    FOR command IN  -- a sequence of a column goes with its table
        SELECT unnest(ARRAY(SELECT format('DROP %s IF EXISTS %s CASCADE', CASE c.relkind
            WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE'
            WHEN 'c' THEN 'TYPE' WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END, c.oid::regclass)
        FROM pg_class c WHERE c.relnamespace = to_regnamespace('public')
        AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f', 'c') AND NOT EXISTS (
            SELECT 1 FROM pg_depend d WHERE d.objid = c.oid AND d.classid = 'pg_class'::regclass
            AND (d.deptype = 'e' OR c.relkind = 'S' AND d.deptype IN ('a', 'i')))))
    LOOP EXECUTE command; END LOOP;
    FOR command IN
        SELECT unnest(ARRAY(SELECT format('DROP ROUTINE IF EXISTS %s CASCADE', p.oid::regprocedure)
        FROM pg_proc p WHERE p.pronamespace = to_regnamespace('public') AND NOT EXISTS (
            SELECT 1 FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')))
    LOOP EXECUTE command; END LOOP;
    FOR command IN
        SELECT unnest(ARRAY(SELECT format('DROP TYPE IF EXISTS %s CASCADE', t.oid::regtype)
        FROM pg_type t WHERE t.typnamespace = to_regnamespace('public')
        AND t.typtype IN ('d', 'e', 'r') AND NOT EXISTS (
            SELECT 1 FROM pg_depend d WHERE d.objid = t.oid AND d.deptype = 'e')))
    LOOP EXECUTE command; END LOOP;
    PERFORM lo_unlink(oid) FROM pg_largeobject_metadata;
END $clean$;
"""

_MARK = """
DO $mark$
BEGIN
    IF to_regclass('s1ctl.hold') IS NOT NULL THEN
        EXECUTE 'UPDATE s1ctl.hold SET fence = greatest(fence, $1)'
            USING current_setting('s1ctl.fence')::bigint;
    END IF;
END $mark$;
CREATE SCHEMA IF NOT EXISTS s1ctl;
CREATE TABLE IF NOT EXISTS s1ctl.restored (
    operation text, backup text, at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (operation, backup));
INSERT INTO s1ctl.restored (operation, backup) VALUES (:'operation', :'backup');
COMMIT;
"""

# One transaction: only the mark at its end commits, and it is sent only after a whole dump.
RESTORE = (
    _PROGRAMS
    + """
if [ -n "${S1CTL_SSLMODE:-}" ]; then export PGSSLMODE="$S1CTL_SSLMODE"; fi
trap 'rm -rf "$work"' EXIT
cat >"$work/clean" <<'SQL'
"""
    + _CLEAN
    + """SQL
cat >"$work/mark" <<'SQL'
"""
    + _MARK
    + """SQL
pg_restore --list "$S1CTL_DUMP" | grep -v ' COMMENT - EXTENSION ' >"$work/list"
{
    cat "$work/clean"
    if pg_restore --use-list="$work/list" --file=- "$S1CTL_DUMP"; then cat "$work/mark"
    else touch "$work/failed"; fi
} | psql -qAtX -v ON_ERROR_STOP=1 -v "operation=$S1CTL_OPERATION" -v "backup=$S1CTL_BACKUP" \\
    -v "fence=$S1CTL_FENCE" >/dev/null
if [ -e "$work/failed" ]; then exit 4; fi
"""
)
