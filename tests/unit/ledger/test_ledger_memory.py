"""Roots, releases, addresses and points."""

from datetime import timedelta

import msgspec
import pytest
from packaging.version import Version

from s1ctl.canonical import canonical_json
from s1ctl.errors import NotVerified
from s1ctl.ledger.ledger import Ledger
from s1ctl.ledger.points import RollbackPoint
from s1ctl.oci.digest import Digest
from tests.support.ledgers import INSTANCE, NOW, RELEASE, SETTINGS

POINT = RollbackPoint(
    id="p-1",
    release=RELEASE,
    version=Version("1.0.0"),
    settings=SETTINGS,
    running=(INSTANCE,),
    revisions={"console": ("0001", "0002")},
    made_at=NOW,
    operation="op-1",
)


def chain(*roots: int) -> bytes:
    return canonical_json({"format": 1, "roots": [{"payload": str(root)} for root in roots]})


def test_no_root_is_trusted_at_first(ledger: Ledger) -> None:
    assert ledger.trust.root("acme") is None


def test_the_root_remembered_last_is_trusted(ledger: Ledger) -> None:
    ledger.trust.remember("acme", chain(1))
    ledger.trust.remember("other", chain(9))
    ledger.trust.remember("acme", chain(1, 2))
    assert ledger.trust.root("acme") == chain(1, 2)
    assert ledger.trust.products() == ("acme", "other")


def test_a_shorter_chain_does_not_set_the_root_back(ledger: Ledger) -> None:
    for offered in (chain(1, 2, 3), chain(1, 2), chain(1), chain(1, 2, 3)):
        ledger.trust.remember("acme", offered)
        assert ledger.trust.root("acme") == chain(1, 2, 3)


@pytest.mark.parametrize("roots", [(2,), (1, 3), (1, 3, 4), (2, 1, 2)])
def test_a_chain_that_leads_another_way_is_refused(ledger: Ledger, roots: tuple[int, ...]) -> None:
    ledger.trust.remember("acme", chain(1, 2))
    with pytest.raises(NotVerified) as caught:
        ledger.trust.remember("acme", chain(*roots))
    assert caught.value.code == "S1-T12"
    assert ledger.trust.root("acme") == chain(1, 2)


def test_loaded_releases_are_told_by_sequence(ledger: Ledger) -> None:
    for sequence, version in ((7, "1.10.0"), (3, "1.9.0"), (7, "1.10.0")):
        ledger.releases.record_loaded(
            digest=Digest.of(version.encode()),
            product="acme",
            channel="stable",
            version=Version(version),
            sequence=sequence,
            at=NOW,
        )
    loaded = ledger.releases.loaded()
    assert [(one.version, one.sequence) for one in loaded] == [
        (Version("1.9.0"), 3),
        (Version("1.10.0"), 7),
    ]
    assert (loaded[0].product, loaded[0].channel, loaded[0].loaded_at) == ("acme", "stable", NOW)
    ledger.releases.forget_loaded(loaded[0].digest)
    assert ledger.releases.loaded() == loaded[1:]


def test_nothing_is_installed_at_first(ledger: Ledger) -> None:
    assert ledger.releases.installed() is None


def test_the_release_recorded_last_is_the_installed_one(ledger: Ledger) -> None:
    for version, point in (("1.0.0", None), ("2.0.0", "p-1"), ("1.0.0", None)):
        recorded = ledger.releases.record_installed(
            digest=Digest.of(version.encode()),
            version=Version(version),
            instances=(INSTANCE,),
            settings=SETTINGS,
            point=point,
            at=NOW,
        )
        assert ledger.releases.installed() == recorded
    assert [str(one.version) for one in ledger.releases.installs()] == ["1.0.0", "2.0.0", "1.0.0"]
    assert recorded.instances == (INSTANCE,)
    assert recorded.settings == SETTINGS


def test_addresses_are_kept_until_they_are_given_anew(ledger: Ledger) -> None:
    ledger.addresses.record({"web/1": ("10.97.0.4", "10.97.0.5"), "api/1": ("10.97.0.6",)})
    ledger.addresses.record({"api/1": ("10.97.0.8", "10.97.0.9")})
    assert ledger.addresses.all() == {
        "api/1": ("10.97.0.8", "10.97.0.9"),
        "web/1": ("10.97.0.4", "10.97.0.5"),
    }


def test_a_point_is_found_as_it_was_recorded(ledger: Ledger) -> None:
    ledger.points.record(POINT)
    assert ledger.points.find("p-1") == POINT
    assert ledger.points.find("p-2") is None


def test_a_point_before_the_first_install_has_no_release(ledger: Ledger) -> None:
    point = msgspec.structs.replace(POINT, release=None, version=None, settings=None, running=())
    ledger.points.record(point)
    assert ledger.points.newest() == point


def test_a_point_recorded_again_keeps_its_place(ledger: Ledger) -> None:
    later = msgspec.structs.replace(POINT, id="p-2", made_at=NOW - timedelta(days=1))
    ledger.points.record(POINT)
    ledger.points.record(later)
    ledger.points.record(msgspec.structs.replace(POINT, operation="op-2"))
    assert [(point.id, point.operation) for point in ledger.points.all()] == [
        ("p-2", "op-1"),
        ("p-1", "op-2"),
    ]
    assert ledger.points.newest() == later


def test_backups_are_added_to_a_point(ledger: Ledger) -> None:
    ledger.points.record(POINT)
    ledger.points.record_backup("p-1", "console", {"size": 1})
    ledger.points.record_backup("p-1", "audit", {"size": 2})
    found = ledger.points.find("p-1")
    assert found
    assert found.backups == {"console": {"size": 1}, "audit": {"size": 2}}
    with pytest.raises(KeyError):
        ledger.points.record_backup("p-2", "console", {})


def test_a_removed_point_is_gone(ledger: Ledger) -> None:
    ledger.points.record(POINT)
    ledger.points.remove("p-1")
    assert ledger.points.newest() is None
