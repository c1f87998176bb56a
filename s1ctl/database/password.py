"""The password of the role that a platform uses: the server never sees it in clear text."""

import psycopg2
from psycopg2.extensions import encrypt_password, make_dsn

from s1ctl.database.faults import step_error
from s1ctl.database.reach import connect, place, reading
from s1ctl.errors import InputOutputFailed, StepFailed
from s1ctl.plan.presence import Presence
from s1ctl.site.secrets import Secret

ALGORITHM = "scram-sha-256"
REFUSED = "S1-D02"


def with_password(dsn: Secret, password: Secret) -> Secret:
    """Make the same connection string with another password."""
    return Secret(make_dsn(dsn.reveal(), password=password.reveal()))


def set_password(dsn: Secret, password: Secret) -> None:
    """Give the role of `dsn` another password, as that role; open connections stay open.

    What is sent is a SCRAM verifier (RFC 5803), so that no log of the server holds the password.
    Raises `InputOutputFailed` S1-D01 to D09, `StepFailed`, and S1-D67 when the server does not let
    it in with the new one.
    """
    try:
        with reading(dsn) as database, database.cursor() as cursor:
            cursor.execute("SELECT current_user")
            (role,) = cursor.fetchone() or ("",)
            verifier = encrypt_password(password.reveal(), role, database, ALGORITHM)
            cursor.execute("ALTER ROLE CURRENT_USER PASSWORD %s", (verifier,))
    except psycopg2.Error as error:
        raise step_error(error, place(dsn)) from None
    if probe_password(with_password(dsn, password)) is Presence.ABSENT:
        raise StepFailed(
            f"{place(dsn)} does not know the password that it was given",
            code="S1-D67",
            hint="look at the server's `pg_hba.conf`: it must ask for SCRAM passwords",
        )


def probe_password(dsn: Secret) -> Presence:
    """Say whether the server lets the role in by the password of `dsn`.

    A server that asks for no password cannot tell, which counts as ABSENT: setting it again is
    harmless.
    """
    try:
        database = connect(dsn, application="s1ctl")
    except InputOutputFailed as error:
        return Presence.ABSENT if error.code == REFUSED else Presence.UNKNOWN
    try:
        return Presence.PRESENT if database.info.used_password else Presence.ABSENT
    finally:
        database.close()
