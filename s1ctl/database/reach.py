"""How a database is reached: connection strings, connections, and what is wrong when none comes."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from urllib.parse import quote

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812
from psycopg2.extensions import parse_dsn

from s1ctl.database.faults import Fault, input_error, known_fault
from s1ctl.database.handshake import ask_sqlstate, is_plain
from s1ctl.errors import InputOutputFailed, S1Error, UsageError
from s1ctl.release.manifest import Schema
from s1ctl.site.secrets import Secret

CONNECT_TIMEOUT_S = 10
SILENT_TIMEOUT_MS = 30_000


def make_dsn(schema: Schema, host: str, password: Secret) -> Secret:
    """Make the connection string of a database that a data unit serves at `host`."""
    access = schema.access
    user, word = quote(access.user, safe=""), quote(password.reveal(), safe="")
    address = f"[{host}]" if ":" in host else host
    name = quote(access.dbname, safe="")
    return Secret(f"postgresql://{user}:{word}@{address}:{access.port}/{name}")


def make_url_dsn(url: Secret) -> Secret:
    """Check a connection string that the site gives. Raises `UsageError` S1-D10."""
    parse_place(url)
    return url


def ping(dsn: Secret) -> int:
    """Ask the server for its version, as a number (150004 is 15.4). Raises as `connect` does."""
    with reading(dsn) as database:
        return int(database.info.server_version)


def database_size(dsn: Secret) -> int:
    """Ask how many bytes the database takes on disk: more than its dump will."""
    with reading(dsn) as database, database.cursor() as cursor:
        cursor.execute("SELECT pg_database_size(current_database())")
        (size,) = cursor.fetchone() or (0,)
        return int(size)


@contextmanager
def reading(dsn: Secret) -> Iterator[Connection]:
    """Connect to look at something; a refusal is raised as `InputOutputFailed` S1-D01..D09."""
    try:
        with closing(connect(dsn, application="s1ctl")) as database:
            yield database
    except psycopg2.Error as error:
        raise input_error(error, place(dsn)) from None


def connect(dsn: Secret, *, application: str) -> Connection:
    """Open a connection in autocommit that notices dead peers; its work ends when we are gone.

    Raises `InputOutputFailed` S1-D01..D09, told apart by SQLSTATE.
    """
    parse_place(dsn)
    try:
        database = psycopg2.connect(
            dsn.reveal(), application_name=application, connect_timeout=CONNECT_TIMEOUT_S,
            keepalives_idle=10, keepalives_interval=5, keepalives_count=3,
            tcp_user_timeout=SILENT_TIMEOUT_MS,
        )  # fmt: skip
    except psycopg2.Error:
        raise _diagnose(dsn).error(InputOutputFailed) from None
    database.autocommit = True
    _settle(database)
    return database


def place(dsn: Secret) -> str:
    """Name a database without a secret: `NAME` at `HOST:PORT`."""
    parts = parse_place(dsn)
    return f"`{parts['dbname']}` at `{parts['host']}:{parts['port']}`"


def parse_place(dsn: Secret) -> dict[str, str]:
    """Take a connection string apart. Raises `UsageError` S1-D10 without quoting it."""
    try:
        parts = parse_dsn(dsn.reveal())
    except psycopg2.ProgrammingError:
        raise _unusable("it is not a PostgreSQL connection string") from None
    if not parts.get("host") or not parts.get("dbname") or not parts.get("user"):
        raise _unusable("it lacks the host, the database or the user")
    if "," in parts["host"]:
        raise _unusable("it names several hosts")
    port = parts.setdefault("port", "5432")
    if not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise _unusable("its port is not a number")
    return dict(parts)


def passwords_of(dsn: Secret) -> tuple[str, ...]:
    """Take the password out of a connection string, so that it can be masked elsewhere."""
    word = parse_place(dsn).get("password")
    return (word,) if word else ()


def _settle(database: Connection) -> None:
    """Drop limits that a role may carry; let the server end work whose client is gone."""
    with database.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute("SET lock_timeout = 0")
        cursor.execute("SET idle_in_transaction_session_timeout = 0")
        if database.info.server_version >= 140000:
            cursor.execute("SET client_connection_check_interval = '1s'")


def _diagnose(dsn: Secret) -> Fault:
    """Find out why no connection came: libpq says it in words only, the protocol by SQLSTATE."""
    parts, where = parse_place(dsn), place(dsn)
    try:
        state = ask_sqlstate(parts, Secret(parts.get("password", "")), CONNECT_TIMEOUT_S)
    except OSError as error:
        reason = error.strerror or "no answer in time"
        return Fault(
            code="S1-D01",
            message=f"{where}: it cannot be reached: {reason}",
            hint="check that the server runs, its address, and the firewall between",
        )
    try:
        return known_fault(state or "", where)
    except KeyError:
        pass
    told = f"SQLSTATE `{state}`" if state else "no SQLSTATE was given"
    means = "" if is_plain(parts) else "; the URL asks for TLS, so look at `sslmode` first"
    return Fault(
        code="S1-D09",
        message=f"{where}: no connection could be made ({told}){means}",
        hint="try the same URL with `psql`, and look at the server's log",
    )


def _unusable(reason: str) -> S1Error:
    return UsageError(
        f"the database's URL cannot be used: {reason}",
        code="S1-D10",
        hint="write it as `postgresql://USER:PASSWORD@HOST:PORT/DATABASE`",
    )
