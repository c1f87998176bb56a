"""Dumps of a real PostgreSQL."""

import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from s1ctl.database.backup import dump_argv, local_dump, write_dump
from s1ctl.database.passfile import make_passfile
from s1ctl.database.reach import database_size
from s1ctl.database.snapshot import holding_snapshot
from s1ctl.errors import InputOutputFailed
from s1ctl.oci.digest import Digest
from s1ctl.progress import silent
from s1ctl.release.manifest import Access, Schema
from tests.support.postgres import Database

pytestmark = pytest.mark.integration


def test_a_dump_is_whole_private_and_restores(postgres: Database, tmp_path: Path) -> None:
    postgres.execute("CREATE TABLE t AS SELECT i FROM generate_series(1, 1000) i")
    path = tmp_path / "point" / "console.dump"
    size = database_size(postgres.dsn())
    with holding_snapshot(postgres.dsn()) as snapshot:
        stream = local_dump(postgres.dsn(), snapshot.id)
        record = write_dump(stream, path, silent, expected_bytes=size)
    raw = path.read_bytes()
    assert (record.size_bytes, record.sha256) == (len(raw), Digest.of(raw))
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["console.dump"]
    postgres.execute("DROP TABLE t")
    subprocess.run(
        ["pg_restore", "--no-owner", f"--dbname={postgres.dsn().reveal()}", path], check=True
    )
    assert postgres.one("SELECT count(*) FROM t") == 1000


def test_a_dump_that_fails_leaves_no_file_and_tells_no_secret(
    postgres: Database, tmp_path: Path
) -> None:
    dsn = postgres.dsn(password="canary-password-7731")
    with pytest.raises(InputOutputFailed) as caught:
        write_dump(local_dump(dsn, "1-1-1"), tmp_path / "console.dump", silent, expected_bytes=0)
    assert caught.value.code == "S1-D52"
    assert "canary" not in caught.value.message
    assert list(tmp_path.iterdir()) == []


def test_pg_dump_has_no_secret_in_environment_and_arguments(
    postgres: Database, tmp_path: Path
) -> None:
    postgres.execute("CREATE TABLE t (i int)")
    seen: list[bytes] = []
    lock = postgres.connect("lock")
    lock.cursor().execute("LOCK TABLE t IN ACCESS EXCLUSIVE MODE")

    def look() -> None:
        for _ in range(200):
            for entry in Path("/proc").iterdir():
                if entry.name.isdigit() and _is_dump(entry, postgres):
                    seen.append((entry / "environ").read_bytes())
                    seen.append((entry / "cmdline").read_bytes())
                    return
            time.sleep(0.05)

    def looked() -> None:
        look()
        lock.rollback()

    watcher = threading.Thread(target=looked)
    watcher.start()
    with closing(postgres.connect()) as held:
        cursor = held.cursor()
        cursor.execute("SELECT pg_export_snapshot()")
        (snapshot,) = cursor.fetchone() or ("",)
        stream = local_dump(postgres.dsn(), snapshot)
        write_dump(stream, tmp_path / "d", silent, expected_bytes=0)
    watcher.join(30)
    lock.close()
    assert len(seen) == 2
    assert postgres.password.encode() not in b"".join(seen)


def test_whoever_stops_listening_ends_pg_dump(postgres: Database) -> None:
    postgres.execute(
        "CREATE TABLE t AS SELECT i, md5(i::text) || md5((i * 7)::text) AS x"
        " FROM generate_series(1, 200000) i"
    )
    with holding_snapshot(postgres.dsn()) as snapshot:
        stream: Iterator[bytes] = local_dump(postgres.dsn(), snapshot.id)
        next(stream)
        stream.close()  # type: ignore[attr-defined]
    deadline = time.monotonic() + 10
    while postgres.one("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pg_dump'"):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_the_containers_command_and_password_file_work(postgres: Database, tmp_path: Path) -> None:
    access = Access(dbname=postgres.name, user=postgres.user, password="pw", port=postgres.port)
    schema = Schema(database="console", engine="postgresql", access=access, revisions=())
    passfile = tmp_path / "pgpass"
    passfile.touch(mode=0o600)
    passfile.write_text(make_passfile(postgres.dsn()).reveal())
    with holding_snapshot(postgres.dsn()) as snapshot:
        done = subprocess.run(
            dump_argv(schema, postgres.host, snapshot.id),
            env={"PATH": "/usr/bin:/bin", "PGPASSFILE": str(passfile)},
            stdout=subprocess.PIPE, check=True,
        )  # fmt: skip
    assert done.stdout.startswith(b"PGDMP")


def _is_dump(entry: Path, database: Database) -> bool:
    try:
        line = (entry / "cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return b"pg_dump\0--format=custom" in line and database.name.encode() in line
