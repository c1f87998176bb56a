"""A database behind TLS: what its URL asks holds for every program that is run for it."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from s1ctl.database.backup import local_dump
from s1ctl.database.local import run_local
from s1ctl.database.restore import RESTORE_ARGV, is_restored, restore_environment
from s1ctl.database.snapshot import count_rows, holding_snapshot
from s1ctl.errors import InputOutputFailed
from s1ctl.site.secrets import Secret
from tests.support.postgres import Database, Server
from tests.support.registry import make_certificates
from tests.support.require import need

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def tls_server() -> Iterator[Server]:
    """A server with a certificate for 127.0.0.1."""
    need("postgres")
    folder = Path(tempfile.mkdtemp(prefix="s1ctl-postgres-"))
    make_certificates(folder, ("127.0.0.1",))
    (folder / "server.key").chmod(0o600)
    if os.geteuid() == 0:
        shutil.chown(folder / "server.key", "postgres")
    files = {"ssl_cert_file": folder / "server.crt", "ssl_key_file": folder / "server.key"}
    server = Server(folder, {"ssl": "on", **{key: str(path) for key, path in files.items()}})
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def database(tls_server: Server) -> Iterator[Database]:
    made = tls_server.make_database()
    made.execute("CREATE TABLE t AS SELECT i FROM generate_series(1, 10) i")
    yield made
    tls_server.drop_database(made)


def proven_by(database: Database, ca: Path) -> Secret:
    return Secret(f"{database.dsn().reveal()}?sslmode=verify-full&sslrootcert={ca}")


def restore(dsn: Secret, dump: Path) -> None:
    told = restore_environment(dsn, str(dump), operation="op-1", backup="b0001", fence=7)
    list(run_local(RESTORE_ARGV, dsn, doing="restore", environment=told))


def test_a_restore_goes_only_to_the_server_that_the_url_asks_for(
    tls_server: Server, database: Database, tmp_path: Path
) -> None:
    dsn = proven_by(database, tls_server.folder / "ca.crt")
    with holding_snapshot(dsn) as snapshot:
        (tmp_path / "dump").write_bytes(b"".join(local_dump(dsn, snapshot.id)))
    database.execute("DELETE FROM t")
    make_certificates(tmp_path, ("127.0.0.1",))
    with pytest.raises(InputOutputFailed, match="certificate verify failed") as caught:
        restore(proven_by(database, tmp_path / "ca.crt"), tmp_path / "dump")
    assert caught.value.code == "S1-D52"
    assert count_rows(dsn) == {"public.t": 0}
    restore(dsn, tmp_path / "dump")
    assert count_rows(dsn) == {"public.t": 10}
    assert is_restored(dsn, operation="op-1", backup="b0001")


def test_a_server_that_another_authority_has_signed_is_not_talked_to(
    database: Database, tmp_path: Path
) -> None:
    make_certificates(tmp_path, ("127.0.0.1",))
    with pytest.raises(InputOutputFailed, match="look at `sslmode` first") as caught:
        count_rows(proven_by(database, tmp_path / "ca.crt"))
    assert caught.value.code == "S1-D09"
