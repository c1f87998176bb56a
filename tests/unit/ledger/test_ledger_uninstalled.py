"""The ledger remembers that nothing is installed any more."""

from packaging.version import Version

from s1ctl.ledger.ledger import Ledger
from tests.support.ledgers import INSTANCE, NOW, RELEASE, SETTINGS


def install(ledger: Ledger) -> None:
    ledger.releases.record_installed(
        digest=RELEASE,
        version=Version("1.0.0"),
        instances=(INSTANCE,),
        settings=SETTINGS,
        point="p0001",
        at=NOW,
    )


def test_after_an_uninstall_nothing_is_installed_and_the_history_stays(ledger: Ledger) -> None:
    install(ledger)
    ledger.releases.record_uninstalled(at=NOW)
    assert ledger.releases.installed() is None
    assert ledger.releases.uninstalled_at() == NOW
    assert [one.version for one in ledger.releases.installs()] == [Version("1.0.0")]


def test_an_uninstall_is_recorded_once_and_not_where_nothing_was(ledger: Ledger) -> None:
    ledger.releases.record_uninstalled(at=NOW)
    assert ledger.releases.uninstalled_at() is None
    install(ledger)
    ledger.releases.record_uninstalled(at=NOW)
    ledger.releases.record_uninstalled(at=NOW)
    install(ledger)
    assert [one.number for one in ledger.releases.installs()] == [3, 1]


def test_what_is_installed_after_an_uninstall_counts(ledger: Ledger) -> None:
    install(ledger)
    ledger.releases.record_uninstalled(at=NOW)
    install(ledger)
    installed = ledger.releases.installed()
    assert installed is not None
    assert installed.version == Version("1.0.0")
    assert ledger.releases.uninstalled_at() is None
