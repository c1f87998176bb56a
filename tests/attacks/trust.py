"""Bundles whose roots or release this site must not follow."""

import msgspec

from s1ctl.errors import FormatRefused, NotVerified, Withdrawn
from s1ctl.release.verified import Header
from s1ctl.trust.keys import PrivateKey
from s1ctl.trust.root import Trust, make_root, sign_root
from tests.support.attacks import PARTS, VENDOR, Suspect, attack, good
from tests.support.bundles import make_header, make_parts, make_vendor

STRANGER = make_vendor(product="other")
NEW = PrivateKey.new()


def next_root(**fields):
    return msgspec.structs.replace(VENDOR.document, version=2, **fields)


def rotated(**fields):
    document = make_root(
        product="acme",
        root_keys=[NEW.public],
        release_keys=[key.public for key in VENDOR.release_keys],
    )
    return msgspec.structs.replace(document, **{"version": 2, **fields})


def with_roots(folder, *roots, keys=None):
    header = make_header(PARTS, VENDOR, keys)
    return Suspect(good(folder, header=Header(roots=roots, release=header.release)))


@attack(NotVerified, "S1-T03")
def chain_of_another_product(folder):
    return with_roots(folder, STRANGER.root)


@attack(NotVerified, "S1-S02")
def next_root_signed_only_by_the_former(folder):
    return with_roots(folder, VENDOR.root, sign_root(rotated(), VENDOR.root_keys))


@attack(NotVerified, "S1-S02")
def next_root_signed_only_by_itself(folder):
    return with_roots(folder, VENDOR.root, sign_root(rotated(), [NEW]))


@attack(NotVerified, "S1-T05")
def version_skipped(folder):
    return with_roots(folder, VENDOR.root, sign_root(rotated(version=3), [*VENDOR.root_keys, NEW]))


@attack(NotVerified, "S1-T04")
def another_first_root(folder):
    other = msgspec.structs.replace(VENDOR.document, note="fork")
    return with_roots(folder, sign_root(other, VENDOR.root_keys))


@attack(FormatRefused, "S1-F21")
def too_many_roots(folder):
    return with_roots(folder, *[VENDOR.root] * 1025)


@attack(NotVerified, "S1-S02")
def key_removed_by_the_newest_root(folder):
    document = make_root(
        product="acme",
        root_keys=[key.public for key in VENDOR.root_keys],
        release_keys=[NEW.public],
    )
    second = sign_root(msgspec.structs.replace(document, version=2), VENDOR.root_keys)
    return with_roots(folder, VENDOR.root, second)


@attack(NotVerified, "S1-T07")
def key_outside_its_sequences(folder):
    keys = {
        name: msgspec.structs.replace(key, sequences=(1, 99))
        for name, key in VENDOR.document.keys.items()
    }
    second = sign_root(next_root(keys=keys), VENDOR.root_keys)
    return with_roots(folder, VENDOR.root, second)


@attack(Withdrawn, "S1-T22")
def below_the_floor(folder):
    return with_roots(folder, VENDOR.root, sign_root(next_root(floor=101), VENDOR.root_keys))


@attack(Withdrawn, "S1-T23")
def revoked(folder):
    identity = make_header(PARTS, VENDOR).identity
    second = sign_root(next_root(revoked=(identity.hex,)), VENDOR.root_keys)
    return with_roots(folder, VENDOR.root, second)


@attack(NotVerified, "S1-T09")
def wrong_channel(folder):
    return Suspect(good(folder, make_parts(channel="beta", layer_bytes=10)))


@attack(NotVerified, "S1-T08")
def wrong_product(folder):
    return Suspect(good(folder, make_parts(product="other", layer_bytes=10)))


@attack(NotVerified, "S1-S02")
def everything_of_another_vendor(folder):
    """The bundle is sound in itself, but a bundle never vouches for itself."""
    impostor = make_vendor()
    header = make_header(PARTS, impostor)
    return Suspect(good(folder, header=Header(roots=(), release=header.release)))


@attack(NotVerified, "S1-T04")
def roots_of_another_vendor(folder):
    return Suspect(good(folder, vendor=make_vendor()))


@attack(NotVerified, "S1-T08")
def site_of_another_product(folder):
    trust = Trust(product="other", channel="stable", root=VENDOR.trust.root)
    return Suspect(good(folder), trust)
