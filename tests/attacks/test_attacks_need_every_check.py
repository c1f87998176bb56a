"""Every check of the reading is needed: without it an attack is not refused as it must be."""

from collections.abc import Mapping

import pytest

from s1ctl.bundle.verify import verify_bundle
from s1ctl.errors import S1Error
from tests.support.attacks import Attack, Suspect, find_attacks, told
from tests.support.checks import Check, ends_of, find_checks, taken_away

VENDOR_SIDE = "the vendor's side: no bundle is read there"
FOLDER = "the vendor's folder of migrations, not a bundle"
PATHS = "a path over releases that were loaded: no bundle is read there"
STORE = "blobs of the release store, after the bundle was read"
NOT_REACHED: Mapping[str, str] = {
    "canonical._check_plain": VENDOR_SIDE,
    "canonical._check_plain #2": VENDOR_SIDE,
    "canonical._check_plain #3": VENDOR_SIDE,
    "canonical._check_plain #4": VENDOR_SIDE,
    "trust.keys.PublicKey.parse_pem S1-S11": VENDOR_SIDE,
    "trust.keys.PrivateKey.read": VENDOR_SIDE,
    "trust.keys.PrivateKey.read S1-S22": VENDOR_SIDE,
    "trust.keys.PrivateKey.read S1-S20": VENDOR_SIDE,
    "trust.keys.PrivateKey.read S1-S21": VENDOR_SIDE,
    "trust.keys.PrivateKey.write S1-I02": VENDOR_SIDE,
    "bundle.archive.write_archive S1-I02": VENDOR_SIDE,
    "bundle.archive._checked S1-C04": VENDOR_SIDE,
    "bundle.archive.pad_header S1-F30": VENDOR_SIDE,
    "strict_yaml.Document.check_keys": "the recipe, not a bundle",
    "strict_yaml.Document.parse #2": "`find_faults` tells all that a Compose file's types refuse",
    "strict_yaml.parse_yaml S1-U01": "the release's list has capped the Compose file at 1 MiB",
    "release.graph.choose_path": PATHS,
    "release.graph._Chart.__init__": PATHS,
    "release.graph._Chart.way": PATHS,
    "release.manifest._find": "a unit or image of a release that was read, asked by its name",
    "bundle.revisions._read": FOLDER,
    "bundle.revisions._read S1-C60": FOLDER,
    "bundle.revisions._order S1-C62": FOLDER,
    "bundle.revisions._order S1-C62 #2": FOLDER,
    "bundle.revisions._check_ids S1-C62": FOLDER,
    "release.verified.VerifiedRelease.small S1-C01": STORE,
    "release.verified.VerifiedRelease.small S1-C02": STORE,
    "trust.root.first_root S1-T02": "`trust init`, not a bundle",
    "trust.root.parse_chain S1-T01": "`trust init` and the ledger, not a bundle",
    "trust.root.walk_chain S1-T06": "`parse_header` has refused more than 1024 roots",
    "trust.envelope.verify_envelope S1-S03": "a root with such a threshold was refused before",
    "oci.manifest._parse_json S1-C42": "the release's list has capped manifests at 4 MiB",
    "oci.manifest._media_type S1-C44 #2": "the release's manifest knows only known kinds",
    "bundle.reader.Blobs.stream S1-C01": "`check_closure` has found every blob that is read",
    "bundle.container.BundleFile._read_once S1-I03": "a medium that fails, not an attack",
}
Suspects = Mapping[Attack, Suspect]


@pytest.fixture(scope="module")
def suspects(tmp_path_factory: pytest.TempPathFactory) -> Suspects:
    folder = tmp_path_factory.mktemp("suspects")
    made = {}
    for case in find_attacks():
        (folder / case.name).mkdir()
        made[case] = case.make(folder / case.name)
    return made


@pytest.fixture(scope="module")
def ended(suspects: Suspects) -> Mapping[Check, list[Attack]]:
    """Say which attacks end in which check."""
    found: dict[Check, list[Attack]] = {}
    for case, suspect in suspects.items():
        with pytest.raises(S1Error) as caught:
            verify_bundle(suspect.path, suspect.trust)
        for check in ends_of(caught.value):
            found.setdefault(check, []).append(case)
    return found


def is_refused_as_expected(case: Attack, suspect: Suspect) -> bool:
    try:
        verify_bundle(suspect.path, suspect.trust)
    except S1Error as error:
        found = (type(error), error.code) == (case.error, case.expected.code)
        return found and case.expected.says in told(error.message, suspect.path)
    except Exception:  # noqa: BLE001 - without a check the code behind it may fall over
        return False
    return False


def test_only_what_is_explained_is_the_end_of_no_attack(ended) -> None:
    assert {check.name for check in find_checks()} - {c.name for c in ended} == NOT_REACHED.keys()


@pytest.mark.parametrize("check", find_checks(), ids=lambda check: check.name.replace(" ", "-"))
def test_without_it_an_attack_is_not_refused_as_it_must_be(check, ended, suspects) -> None:
    if check.name in NOT_REACHED:
        return
    with taken_away(check):
        assert not all(is_refused_as_expected(case, suspects[case]) for case in ended[check])
    assert all(is_refused_as_expected(case, suspects[case]) for case in ended[check][:1])


def test_a_check_that_is_taken_away_spares_the_attacks_that_end_elsewhere(ended, suspects) -> None:
    first, *others = ended
    for other in others[:5]:
        with taken_away(other):
            case = next(case for case in ended[first] if case not in ended[other])
            assert is_refused_as_expected(case, suspects[case])
