"""Take, prove and restore dumps of one database, wherever it is."""

import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from s1ctl.database.backup import check_dump, dump_argv, local_dump, write_dump
from s1ctl.database.fingerprint import write_description
from s1ctl.database.inspection import Restored, read_inspection
from s1ctl.database.local import run_local
from s1ctl.database.passfile import make_passfile
from s1ctl.database.reach import parse_place
from s1ctl.database.restore import (
    PROVE_ARGV,
    RESTORE_ARGV,
    description_path,
    find_description,
    first_difference,
    is_restored,
    prove_environment,
    restore_environment,
)
from s1ctl.database.snapshot import Snapshot, count_rows, holding_snapshot
from s1ctl.errors import InputOutputFailed, StepFailed
from s1ctl.files import write_file
from s1ctl.ledger.backups import Backup, Counts, Proof
from s1ctl.operation.context import Context
from s1ctl.operation.databases import access_of, dsn_of
from s1ctl.plan.plan import Settings
from s1ctl.progress import Notify, Progress
from s1ctl.release.manifest import Schema
from s1ctl.release.verified import VerifiedRelease
from s1ctl.site.secrets import Secret

PASSFILE = "pgpass"
DUMP = "/run/s1ctl/dump"
NOBODY = "nobody"
_NO_FILES: Mapping[str, Path] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A database of a release: how it is reached, and which unit serves it (None: a URL's)."""

    release: VerifiedRelease
    schema: Schema
    dsn: Secret
    unit: str | None

    @property
    def database(self) -> str:
        """The database's name in releases and site file."""
        return self.schema.database


def source_of(
    context: Context, release: VerifiedRelease, database: str, settings: Settings
) -> Source:
    """Find how a database of a release is reached with the password that `settings` means."""
    schema = next(s for s in release.manifest.schemas if s.database == database)
    return Source(
        release=release,
        schema=schema,
        dsn=dsn_of(context, release.manifest, schema, settings),
        unit=access_of(context, release.manifest, schema).service,
    )


def dump_path(context: Context, backup: str, database: str) -> Path:
    """Say where a dump lies."""
    return context.site.state / "backups" / backup / f"{database}.dump"


def take_dump(
    context: Context,
    source: Source,
    backup: str,
    *,
    operation: str | None,
    notify: Notify,
    is_archive: bool = False,
) -> Backup:
    """Dump, describe and count in one snapshot, then record it.

    A kill before the record leaves at most a file that the next run replaces. Raises
    `InputOutputFailed` S1-D50 to D53, S1-E13, `StepFailed` S1-E23.
    """
    path = dump_path(context, backup, source.database)
    taken_at = context.now()
    with holding_snapshot(source.dsn) as snapshot:
        chunks = _dump(context, source, snapshot.id)
        written = write_dump(chunks, path, notify, expected_bytes=snapshot.size_bytes)
    _write_beside(path, snapshot)
    installed = context.ledger.releases.installed()
    made = Backup(
        id=backup,
        database=source.database,
        release=installed.digest if installed else source.release.digest,
        operation=operation,
        path=str(path),
        size_bytes=written.size_bytes,
        sha256=written.sha256,
        taken_at=taken_at,
        counts=snapshot.counts,
        fingerprint=snapshot.description.fingerprint,
        server_version=snapshot.server_version,
        revisions=snapshot.revisions,
        is_archive=is_archive,
    )
    context.ledger.backups.record(made)
    return made


def prove_dump(context: Context, source: Source, backup: Backup, notify: Notify) -> Proof:
    """Restore a dump aside, compare, and record what came of it.

    In a throwaway container of the database's own image, without network; for a URL's database in
    a throwaway server of this host. Raises `StepFailed` S1-D62 that names the first difference,
    S1-D61, S1-E23, and `InputOutputFailed` S1-D60, S1-D52, S1-D53.
    """
    path, began = Path(backup.path), time.monotonic()
    check_dump(path, backup.sha256)
    label = f"restore {backup.id} of {backup.database} aside"
    with closing(_told(_prove(context, source, backup), label, notify)) as stream:
        restored = read_inspection(stream)
    difference = first_difference(
        restored,
        fingerprint=backup.fingerprint,
        counts=backup.counts,
        revisions=backup.revisions,
        described=find_description(path),
    )
    seconds = round(time.monotonic() - began, 1)
    proof = _proof(context, restored, seconds, is_match=difference is None)
    context.ledger.backups.record_proof(backup.id, proof)
    if difference is not None:
        raise StepFailed(
            f"backup {backup.id} of `{backup.database}` is not what was dumped: {difference}",
            code="S1-D62",
            hint="do not rely on it; take another: `s1ctl backup create`",
        )
    return proof


def restore_dump(
    context: Context, source: Source, backup: Backup, *, operation: str, fence: int, notify: Notify
) -> Counts:
    """Put a dump in the place of the live database, and say how many rows of each table went.

    One transaction on the server: a kill leaves what was there, or the whole dump with the mark
    that `is_restored` finds. Raises `StepFailed` S1-D65 where it is not there afterwards,
    S1-E23, and `InputOutputFailed` S1-D60, S1-D52, S1-D53.
    """
    check_dump(Path(backup.path), backup.sha256)
    before = count_rows(source.dsn)
    label = f"restore {backup.id} of {backup.database}"
    with closing(_told(_restore(context, source, backup, operation, fence), label, notify)) as said:
        for _ in said:
            pass
    is_there = is_restored(source.dsn, operation=operation, backup=backup.id)
    if not is_there or count_rows(source.dsn) != backup.counts:
        raise StepFailed(
            f"`{source.database}` does not hold what is in backup {backup.id}",
            code="S1-D65",
            hint="see that nobody writes into it, then run `s1ctl resume`",
        )
    return lost_rows(before, backup.counts)


def lost_rows(live: Counts, kept: Counts) -> Counts:
    """Say how many rows of each table go when `kept` takes the place of `live`."""
    gone = {table: rows - kept.get(table, 0) for table, rows in live.items()}
    return {table: rows for table, rows in sorted(gone.items()) if rows > 0}


def _dump(context: Context, source: Source, snapshot: str) -> Iterator[bytes]:
    if source.unit is None:
        return local_dump(source.dsn, snapshot, context.site.state / "work")
    host = parse_place(source.dsn)["host"]
    return _in_container(context, source, "dump", dump_argv(source.schema, host, snapshot))


def _prove(context: Context, source: Source, backup: Backup) -> Iterator[bytes]:
    """Run the proof. Its container's name follows from the backup, so that a kill leaves no trace.

    One that a kill has left ends by itself, and is removed by the next run.
    """
    where = parse_place(source.dsn)
    if source.unit is None:
        environment = prove_environment(where["dbname"], where["user"], None)
        return run_local(
            PROVE_ARGV, source.dsn, doing="proof", environment=environment,
            source=Path(backup.path), user=NOBODY, work=context.site.state / "work",
        )  # fmt: skip
    image, user = _image(context, source)
    return context.target.run_once(
        f"prove-{backup.id}", image, PROVE_ARGV, user=user, is_isolated=True,
        environment=prove_environment(where["dbname"], where["user"], DUMP),
        files={DUMP: Path(backup.path)},
    )  # fmt: skip


def _restore(
    context: Context, source: Source, backup: Backup, operation: str, fence: int
) -> Iterator[bytes]:
    dump = DUMP if source.unit is not None else backup.path
    environment = restore_environment(
        source.dsn, dump, operation=operation, backup=backup.id, fence=fence
    )
    if source.unit is None:
        return run_local(
            RESTORE_ARGV, source.dsn, doing="restore", environment=environment,
            work=context.site.state / "work",
        )  # fmt: skip
    files = {DUMP: Path(backup.path)}
    return _in_container(
        context, source, f"restore-{backup.id}", RESTORE_ARGV, environment=environment, files=files
    )


def _in_container(
    context: Context,
    source: Source,
    doing: str,
    argv: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    files: Mapping[str, Path] = _NO_FILES,
) -> Iterator[bytes]:
    """Run a client in a container of the data unit's own image, on the site's network."""
    image, user = _image(context, source)
    return context.target.run_once(
        f"{doing}-{source.database}",
        image,
        argv,
        environment={"PGPASSFILE": f"/run/secrets/{PASSFILE}", **(environment or {})},
        secrets={PASSFILE: make_passfile(source.dsn)},
        files=files,
        user=user,
    )


def _image(context: Context, source: Source) -> tuple[str, str]:
    """Find the image of the unit that serves a database, and the user for a one-shot container.

    Only a user known by number can be lent our files; root, who reads them anyway, stands in for
    any other.
    """
    unit = source.release.manifest.unit(str(source.unit))
    image = source.release.manifest.image(unit.images[0])
    reference = context.site.registry.reference(image.repository, image.digest)
    user = str(context.compose(source.release).services[unit.name].user or "")
    return reference, user if user.split(":", maxsplit=1)[0].isdigit() else "0"


def _told(chunks: Iterator[bytes], label: str, notify: Notify) -> Generator[bytes, None, None]:
    """Tell how long it takes, as often as something is heard; whoever stops listening ends it."""
    began = time.monotonic()
    notify(Progress(label=label, done=0, total=0, unit="s"))
    with closing(chunks):  # type: ignore[type-var]
        for chunk in chunks:
            notify(Progress(label=label, done=int(time.monotonic() - began), total=0, unit="s"))
            yield chunk


def _write_beside(path: Path, snapshot: Snapshot) -> None:
    try:
        write_file(description_path(path), write_description(snapshot.description), mode=0o600)
    except OSError as error:
        raise InputOutputFailed(
            f"`{description_path(path)}` cannot be written: {error.strerror}",
            code="S1-D51",
            hint="look at the disk, then repeat",
        ) from None


def _proof(context: Context, restored: Restored, seconds: float, *, is_match: bool) -> Proof:
    return Proof(
        at=context.now(),
        fingerprint=restored.description.fingerprint,
        counts=restored.counts,
        matches=is_match,
        seconds=seconds,
    )
