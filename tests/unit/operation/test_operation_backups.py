"""What backups, contracts and restores need before they act; no database is asked."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from packaging.version import Version

from s1ctl.cli import restoring
from s1ctl.cli.backup import describe
from s1ctl.errors import Inconclusive, InputOutputFailed, StepFailed
from s1ctl.ledger.backups import Backup, Proof
from s1ctl.ledger.ledger import Ledger, open_ledger
from s1ctl.oci.digest import Digest
from s1ctl.operation import backups, schema
from s1ctl.operation.backing_up import _refuse_other_schema as refuse_other_schema
from s1ctl.operation.dumps import lost_rows
from s1ctl.plan.presence import Presence
from s1ctl.plan.steps import ApplyRevision, Archive, BackUp, RestoreBackup
from s1ctl.progress import silent
from s1ctl.shape import changed, plain
from s1ctl.site.config import DatabaseAccess
from s1ctl.site.secrets import Secret, SecretSource
from tests.support.ledgers import INSTANCE, PLAN, RELEASE, SETTINGS

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
DSN = Secret("postgresql://u:p@h/d")
CONTRACT = ApplyRevision(database="console", revision="0006", phase="contract", release=RELEASE)
RESTORE = RestoreBackup(backup="b0001", database="console", release=RELEASE)
BACKUP = Backup(
    id="b0001", database="console", release=RELEASE, operation="op-1", path="/gone",
    size_bytes=3, sha256=Digest.of(b"abc"), taken_at=NOW, counts={"public.t": 3},
    fingerprint=Digest.of(b"s"), server_version="15.4",
)  # fmt: skip


def proof_of(backup: Backup, *, matches: bool = True) -> Proof:
    return Proof(
        at=NOW, fingerprint=backup.fingerprint, counts=backup.counts, matches=matches, seconds=1
    )


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A run of an operation at a site whose release was recorded a minute before `NOW`."""
    ledger: Ledger = open_ledger(tmp_path / "state")
    ledger.releases.record_installed(
        digest=RELEASE, version=Version("1.1.0"), instances=(INSTANCE,), settings=SETTINGS,
        point=None, at=NOW - timedelta(minutes=1),
    )  # fmt: skip
    monkeypatch.setattr(schema, "is_begun_by", lambda _dsn, _operation: False)
    databases = {"console": DatabaseAccess(service="db")}
    site = SimpleNamespace(state=tmp_path / "state", databases=databases)
    context = SimpleNamespace(ledger=ledger, site=site, now=lambda: NOW + timedelta(minutes=9))
    operation = SimpleNamespace(id="op-1", plan=PLAN)
    return SimpleNamespace(context=context, operation=operation, fence=1)


@pytest.mark.parametrize(
    ("change", "matches"),
    [
        ({}, None),
        ({}, False),
        ({"taken_at": NOW - timedelta(minutes=2)}, True),
        ({"database": "ingest"}, True),
    ],
    ids=["not proven", "proven wrong", "before the rollout", "of another database"],
)
def test_a_contract_needs_a_proven_backup_of_its_database_from_after_the_rollout(
    run: Any, change: dict[str, Any], matches: Any
) -> None:
    backup = changed(BACKUP, **change)
    proof = None if matches is None else proof_of(backup, matches=matches)
    run.context.ledger.backups.record(changed(backup, proof=proof))
    with pytest.raises(StepFailed) as caught:
        schema.refuse_unproven(CONTRACT, run, DSN)
    assert caught.value.code == "S1-O10"


def test_a_contract_goes_on_with_a_proven_backup(run: Any) -> None:
    run.context.ledger.backups.record(changed(BACKUP, proof=proof_of(BACKUP)))
    schema.refuse_unproven(CONTRACT, run, DSN)


def test_what_is_no_contract_needs_no_backup(run: Any) -> None:
    schema.refuse_unproven(changed(CONTRACT, phase="expand"), run, DSN)


def test_a_database_that_this_operation_began_needs_no_backup(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "is_begun_by", lambda _dsn, operation: operation == "op-1")
    schema.refuse_unproven(CONTRACT, run, DSN)


def test_a_contract_does_not_meet_what_a_former_installation_left(run: Any) -> None:
    run.context.ledger.backups.record(changed(BACKUP, proof=proof_of(BACKUP)))
    run.context.ledger.releases.record_uninstalled(at=NOW)
    with pytest.raises(StepFailed, match="a former installation") as caught:
        schema.refuse_unproven(CONTRACT, run, DSN)
    assert caught.value.code == "S1-O12"


def test_a_first_installation_that_was_taken_back_is_begun_again(run: Any, tmp_path: Path) -> None:
    run.context.ledger = open_ledger(tmp_path / "other")
    schema.refuse_unproven(CONTRACT, run, DSN)
    run.context.site.databases["console"] = DatabaseAccess(url=SecretSource("env:URL"))
    with pytest.raises(StepFailed):
        schema.refuse_unproven(CONTRACT, run, DSN)


def test_a_backup_counts_as_taken_when_it_is_recorded_and_its_file_is_whole(run: Any) -> None:
    step = BackUp(backup="b0001", database="console", release=RELEASE)
    probe = backups.back_up(step, run).probe
    assert probe() is Presence.ABSENT
    run.context.ledger.backups.record(BACKUP)
    assert probe() is Presence.ABSENT
    path = run.context.site.state / "backups" / "b0001" / "console.dump"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"ab")
    assert probe() is Presence.ABSENT
    path.write_bytes(b"abc")
    assert probe() is Presence.PRESENT
    run.operation.id = "op-2"
    assert probe() is Presence.ABSENT


def test_a_backup_whose_file_has_other_bytes_of_the_same_length_is_taken_again(run: Any) -> None:
    run.context.ledger.backups.record(BACKUP)
    path = run.context.site.state / "backups" / "b0001" / "console.dump"
    path.parent.mkdir(parents=True)
    action = backups.back_up(BackUp(backup="b0001", database="console", release=RELEASE), run)
    path.write_bytes(b"abc")
    assert action.probe() is Presence.PRESENT
    path.write_bytes(b"abd")
    assert action.probe() is Presence.ABSENT


def test_a_backup_that_was_planned_without_a_name_is_refused(run: Any) -> None:
    step = BackUp(database="console", release=RELEASE, point="p0001")
    action = backups.back_up(step, run)
    assert action.probe() is Presence.ABSENT
    with pytest.raises(StepFailed) as caught:
        action.do(silent)
    assert caught.value.code == "S1-O11"


@pytest.mark.parametrize(("matches", "word"), [(None, "never proven"), (False, "not what")])
def test_nothing_is_restored_that_is_not_proven(run: Any, matches: Any, word: str) -> None:
    proof = None if matches is None else proof_of(BACKUP, matches=matches)
    run.context.ledger.backups.record(changed(BACKUP, proof=proof))
    with pytest.raises(InputOutputFailed) as caught:
        backups.restore(RESTORE, run).do(silent)
    assert caught.value.code == "S1-D63"
    assert word in caught.value.message


@pytest.mark.parametrize("database", ["ingest", "console"])
def test_a_backup_of_another_database_or_none_is_not_found(run: Any, database: str) -> None:
    if database == "ingest":
        run.context.ledger.backups.record(BACKUP)
    with pytest.raises(InputOutputFailed) as caught:
        backups.find_backup(run.context, "b0001", database)
    assert caught.value.code == "S1-D64"


def test_a_restore_that_was_not_archived_is_not_taken_back(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    hop = changed(PLAN.hops[0], steps=(RESTORE,))
    run.operation.plan = changed(PLAN, hops=(hop,))
    monkeypatch.setattr(backups, "_probe_restored", lambda *_: Presence.ABSENT)
    backups.refuse_past_restore(run)
    monkeypatch.setattr(backups, "_probe_restored", lambda *_: Presence.PRESENT)
    with pytest.raises(Inconclusive) as caught:
        backups.refuse_past_restore(run)
    assert caught.value.code == "S1-D66"
    kept = Archive(backup="b0002", database="console", release=RELEASE)
    run.operation.plan = changed(PLAN, hops=(changed(hop, steps=(kept, RESTORE)),))
    backups.refuse_past_restore(run)


def test_rows_that_go_are_told_by_table_and_only_where_some_go() -> None:
    live = {"a": 5, "b": 2, "new": 3, "less": 1, "empty": 0}
    assert lost_rows(live, {"a": 3, "b": 2, "less": 4}) == {"a": 2, "new": 3}


def test_the_list_says_age_size_rows_and_since_when_each_is_proven(tmp_path: Path) -> None:
    (tmp_path / "dump").write_bytes(b"abc")
    there = changed(BACKUP, path=str(tmp_path / "dump"), proof=proof_of(BACKUP))
    archive = changed(BACKUP, id="b0002", is_archive=True)
    failed = changed(BACKUP, id="b0003", operation=None, proof=proof_of(BACKUP, matches=False))
    lines = describe((failed, archive, there), at=NOW + timedelta(seconds=42))
    assert [line.split() for line in lines[1:]] == [
        ["b0003", "console", "42", "s", "gone", "3", "FAILED", "hand"],
        ["b0002", "console", "42", "s", "gone", "3", "no", "op-1,", "an", "archive"],
        ["b0001", "console", "42", "s", "3", "B", "3", "42", "s", "ago", "op-1"],
    ]


def revision(name: str, phase: str) -> Any:
    return SimpleNamespace(id=name, phase=phase)


@pytest.mark.parametrize(
    ("held", "word"),
    [(("0001",), "lacks 0002"), (("0001", "0002", "0009"), "has 0009"), ((), "lacks 0001")],
)
def test_a_backup_that_the_installed_release_cannot_run_on_is_refused(
    held: tuple[str, ...], word: str
) -> None:
    with pytest.raises(Exception, match=word):
        check_schema(held)


@pytest.mark.parametrize("held", [("0001", "0002"), ("0001", "0002", "0003")])
def test_a_backup_from_before_or_after_a_contract_fits_the_release_that_has_it(
    held: tuple[str, ...],
) -> None:
    check_schema(held)


def check_schema(held: tuple[str, ...]) -> None:
    revisions = (
        revision("0001", "expand"), revision("0002", "enforce"), revision("0003", "contract"),
    )  # fmt: skip
    lineage = SimpleNamespace(database="console", revisions=revisions)
    manifest: Any = SimpleNamespace(schemas=(lineage,))
    installed: Any = SimpleNamespace(version="1.1.0")
    backup = changed(BACKUP, revisions=held)
    refuse_other_schema(backup, manifest, installed, ("0001", "0002"))


def test_how_old_a_backup_is_is_not_known_when_the_clock_was_set_back(run: Any) -> None:
    assert backups._minutes_since(run.context, changed(BACKUP, taken_at=NOW)) == 9
    later = changed(BACKUP, taken_at=NOW + timedelta(days=1))
    assert backups._minutes_since(run.context, later) is None
    assert plain(changed(announcement(), minutes=None))["minutes"] is None


def announcement() -> backups.Announcement:
    return backups.Announcement(
        database="console", backup="b0001", taken_at=NOW.isoformat(), minutes=9, rows={"t": 2},
        live={"t": 2}, kept={"t": 0},
    )  # fmt: skip


def test_a_loss_of_an_unknown_time_says_so_and_never_that_it_is_none() -> None:
    known, unknown = announcement(), changed(announcement(), minutes=None)
    assert "taken 9 min ago" in restoring.describe(known)[0]
    assert "the writes of 9 min" in restoring.refusal([known]).message
    for text in (restoring.describe(unknown)[0], restoring.refusal([unknown]).message):
        assert "not known: the clock was set back" in text
        assert " min" not in text
