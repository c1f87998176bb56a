"""Roots: the first one, the way to the next one, and every way that is refused."""

import hashlib
import io
import tokenize
from pathlib import Path

import msgspec
import pytest

import s1ctl.trust
from s1ctl.canonical import canonical_json
from s1ctl.errors import NotVerified
from s1ctl.shape import plain
from s1ctl.trust.envelope import sign
from s1ctl.trust.keys import PrivateKey
from s1ctl.trust.root import (
    ROOT_TYPE,
    chain_json,
    first_root,
    make_root,
    parse_chain,
    sign_root,
    walk_chain,
)
from tests.support.bundles import make_vendor

VENDOR = make_vendor(roots=2, thresholds=(2, 1))
NEW_KEYS = (PrivateKey.new(), PrivateKey.new())


def fingerprint(envelope):
    return hashlib.sha256(envelope.payload).hexdigest()


def next_root(former=None, keys=NEW_KEYS, **fields):
    """Make the document of the next root, whose root role is held by `keys`."""
    former = former or VENDOR.document
    document = make_root(
        product=former.product,
        root_keys=[key.public for key in keys],
        release_keys=[key.public for key in VENDOR.release_keys],
        thresholds=(len(keys), 1),
    )
    return msgspec.structs.replace(document, **{"version": former.version + 1, **fields})


def walk(*envelopes):
    return walk_chain(VENDOR.trust.root, (VENDOR.root, *envelopes))


def refusal(*envelopes):
    with pytest.raises(NotVerified) as caught:
        walk(*envelopes)
    return caught.value.code


def signed(data):
    return sign(ROOT_TYPE, canonical_json(data), (*VENDOR.root_keys, *NEW_KEYS))


def test_a_root_is_trusted_by_its_full_fingerprint():
    trusted = first_root(VENDOR.root_json, fingerprint(VENDOR.root))
    assert trusted.document == VENDOR.document


@pytest.mark.parametrize("text", ["", "0" * 64, fingerprint(VENDOR.root)[:63]])
def test_another_fingerprint_is_refused(text):
    with pytest.raises(NotVerified) as caught:
        first_root(VENDOR.root_json, text)
    assert caught.value.code == "S1-T02"


def test_a_first_root_must_be_signed_by_its_own_threshold():
    raw = chain_json([sign_root(VENDOR.document, VENDOR.root_keys[:1])])
    with pytest.raises(NotVerified) as caught:
        first_root(raw, fingerprint(VENDOR.root))
    assert caught.value.code == "S1-S02"


def test_a_fingerprint_in_the_middle_of_a_chain_trusts_what_follows():
    second = sign_root(next_root(), (*VENDOR.root_keys, *NEW_KEYS))
    third = sign_root(next_root(next_root()), NEW_KEYS)
    raw = chain_json([VENDOR.root, second, third])
    trusted = first_root(raw, fingerprint(second))
    assert trusted.document.version == 3
    assert trusted.envelopes == (second, third)
    kept = chain_json(trusted.envelopes)
    assert first_root(kept, None) == trusted


def test_a_root_signed_by_both_thresholds_is_followed():
    following = sign_root(next_root(), (*VENDOR.root_keys, *NEW_KEYS))
    trusted = walk(following)
    assert trusted.document.version == 2
    assert trusted.envelopes == (VENDOR.root, following)


def test_a_site_ahead_of_the_bundle_keeps_its_root():
    ahead = walk(sign_root(next_root(), (*VENDOR.root_keys, *NEW_KEYS)))
    assert walk_chain(ahead, [VENDOR.root]) == ahead
    assert walk_chain(ahead, []) == ahead


def test_a_root_signed_only_by_the_former_keys_is_refused():
    assert refusal(sign_root(next_root(), VENDOR.root_keys)) == "S1-S02"


def test_a_root_signed_only_by_its_own_keys_is_refused():
    assert refusal(sign_root(next_root(), NEW_KEYS)) == "S1-S02"


def test_a_root_signed_by_too_few_former_keys_is_refused():
    assert refusal(sign_root(next_root(), (VENDOR.root_keys[0], *NEW_KEYS))) == "S1-S02"


def test_release_keys_do_not_sign_roots():
    assert refusal(sign_root(next_root(), (*VENDOR.release_keys, *NEW_KEYS))) == "S1-S02"


def test_a_skipped_version_is_refused():
    keys = (*VENDOR.root_keys, *NEW_KEYS)
    assert refusal(sign_root(next_root(version=3), keys)) == "S1-T05"


def test_a_fork_is_refused():
    other = msgspec.structs.replace(VENDOR.document, note="another first root")
    fork = sign_root(other, VENDOR.root_keys)
    with pytest.raises(NotVerified) as caught:
        walk_chain(VENDOR.trust.root, [fork])
    assert caught.value.code == "S1-T04"
    for envelope in (fork, VENDOR.trust.root.envelopes[0]):
        assert f"`{hashlib.sha256(envelope.payload).hexdigest()}`" in caught.value.message


def test_a_root_of_another_product_is_refused():
    keys = (*VENDOR.root_keys, *NEW_KEYS)
    assert refusal(sign_root(next_root(product="other"), keys)) == "S1-T03"


def test_a_known_root_with_a_broken_signature_is_refused():
    assert refusal(sign_root(VENDOR.document, VENDOR.root_keys[:1])) == "S1-S02"


def test_roots_older_than_all_that_the_site_has_are_passed_over():
    second = sign_root(next_root(), (*VENDOR.root_keys, *NEW_KEYS))
    started_late = first_root(chain_json([second]), fingerprint(second))
    assert walk_chain(started_late, [VENDOR.root, second]) == started_late


def test_too_many_roots_are_refused():
    assert refusal(*[VENDOR.root] * 1024) == "S1-T06"


def change(role, **fields):
    data = plain(next_root())
    data["roles"][role] |= fields
    return data


@pytest.mark.parametrize("threshold", [0, -1, True, "1", None])
def test_a_threshold_of_another_kind_is_refused(threshold):
    assert refusal(signed(change("release", threshold=threshold))) == "S1-T01"


def test_a_threshold_beyond_the_keys_is_refused():
    assert refusal(signed(change("root", threshold=3))) == "S1-S03"
    assert refusal(signed(change("release", threshold=2))) == "S1-S03"


def test_one_key_named_twice_is_refused():
    name = NEW_KEYS[0].public.fingerprint
    assert refusal(signed(change("root", keys=[name, name]))) == "S1-S03"


def test_a_role_with_an_unknown_key_is_refused():
    assert refusal(signed(change("release", keys=["0" * 64]))) == "S1-S03"


def test_a_key_under_another_name_is_refused():
    """One key under two names would meet a threshold of two alone."""
    data = plain(next_root())
    data["keys"]["0" * 64] = data["keys"][NEW_KEYS[0].public.fingerprint]
    data["roles"]["root"]["keys"] = [NEW_KEYS[0].public.fingerprint, "0" * 64]
    assert refusal(signed(data)) == "S1-T01"


def test_an_envelope_of_another_type_is_no_root():
    raw = canonical_json(plain(next_root()))
    assert refusal(sign("text/plain", raw, (*VENDOR.root_keys, *NEW_KEYS))) == "S1-T01"


@pytest.mark.parametrize("raw", [b"", b"{}", b'{"version":1}', b"[1]", b'{ "type":"root"}'])
def test_a_root_of_another_shape_is_refused(raw):
    assert refusal(sign(ROOT_TYPE, raw, NEW_KEYS)) == "S1-T01"


@pytest.mark.parametrize(
    "raw", [b"", b"{}", b'{"format":1,"roots":[]}', b'{"format":true,"roots":[{}]}', b"\xff"]
)
def test_what_is_not_a_chain_is_refused(raw):
    with pytest.raises(NotVerified) as caught:
        parse_chain(raw)
    assert caught.value.code == "S1-T01"


def test_the_package_stays_small():
    """Whoever audits it can read it in one sitting: code, without docstrings and blank lines."""
    files = Path(s1ctl.trust.__file__).parent.glob("*.py")
    assert sum(code_lines(path.read_text()) for path in files) < 350


def code_lines(text):
    skipped = {
        tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.COMMENT,
        tokenize.ENDMARKER, tokenize.STRING,
    }  # fmt: skip
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return len({token.start[0] for token in tokens if token.type not in skipped})
