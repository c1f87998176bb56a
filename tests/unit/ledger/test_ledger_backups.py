"""Backups as the ledger knows them."""

from datetime import timedelta

import pytest

from s1ctl.ledger.backups import Backup, Proof, number_of
from s1ctl.ledger.ledger import Ledger
from s1ctl.oci.digest import Digest
from s1ctl.shape import changed
from tests.support.ledgers import NOW, RELEASE

BACKUP = Backup(
    id="b0001",
    database="console",
    release=RELEASE,
    operation="op-1",
    path="/var/lib/s1ctl/backups/b0001/console.dump",
    size_bytes=1000,
    sha256=Digest.of(b"dump"),
    taken_at=NOW,
    counts={"public.events": 3, "public.users": 2},
    fingerprint=Digest.of(b"schema"),
    server_version="15.4",
    revisions=("0001", "0002"),
)
PROOF = Proof(
    at=NOW + timedelta(minutes=1),
    fingerprint=BACKUP.fingerprint,
    counts=BACKUP.counts,
    matches=True,
    seconds=2.5,
)


def test_a_backup_is_found_as_it_was_recorded(ledger: Ledger) -> None:
    ledger.backups.record(BACKUP)
    assert ledger.backups.find("b0001") == BACKUP
    assert ledger.backups.find("b0002") is None
    assert BACKUP.rows == 5


def test_a_backup_is_proven_when_what_came_back_is_what_was_dumped(ledger: Ledger) -> None:
    ledger.backups.record(BACKUP)
    ledger.backups.record_proof("b0001", changed(PROOF, matches=False))
    found = ledger.backups.find("b0001")
    assert found is not None
    assert not found.is_proven
    ledger.backups.record_proof("b0001", PROOF)
    found = ledger.backups.find("b0001")
    assert found is not None
    assert (found.is_proven, found.proof) == (True, PROOF)


def test_a_dump_made_anew_has_no_proof(ledger: Ledger) -> None:
    ledger.backups.record(BACKUP)
    ledger.backups.record_proof("b0001", PROOF)
    ledger.backups.record(changed(BACKUP, size_bytes=1))
    found = ledger.backups.find("b0001")
    assert found is not None
    assert (found.size_bytes, found.proof) == (1, None)
    assert len(ledger.backups.all()) == 1


def test_nothing_is_proven_that_is_not_recorded(ledger: Ledger) -> None:
    with pytest.raises(KeyError):
        ledger.backups.record_proof("b0001", PROOF)
    ledger.backups.record(BACKUP)
    ledger.backups.remove("b0001")
    with pytest.raises(KeyError):
        ledger.backups.record_proof("b0001", PROOF)


def test_the_newest_backup_is_that_of_its_database_and_no_archive(ledger: Ledger) -> None:
    for backup in (
        BACKUP,
        changed(BACKUP, id="b0002"),
        changed(BACKUP, id="b0003", database="ingest"),
        changed(BACKUP, id="b0004", is_archive=True),
    ):
        ledger.backups.record(backup)
    newest = ledger.backups.newest("console")
    assert newest is not None
    assert newest.id == "b0002"
    assert ledger.backups.newest("other") is None
    assert [b.id for b in ledger.backups.all()] == ["b0004", "b0003", "b0002", "b0001"]


def test_an_id_is_never_given_twice(ledger: Ledger) -> None:
    assert (ledger.backups.next_number(), ledger.backups.next_id()) == (1, "b0001")
    ledger.backups.record(changed(BACKUP, id="b0007"))
    ledger.backups.remove("b0007")
    assert ledger.backups.find("b0007") is None
    assert ledger.backups.all() == ()
    assert ledger.backups.next_id() == "b0008"


@pytest.mark.parametrize(
    "text", ["", "b", "7", "b7", "b0000", "x0007", "b00007", "b-001", "b\u0661\u0661\u0661\u0661"]
)
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no id of a backup"):
        number_of(text)


def test_ids_have_four_digits_or_more() -> None:
    assert (number_of("b0012"), number_of("b12345")) == (12, 12345)
