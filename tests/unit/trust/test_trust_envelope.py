"""Envelopes: what is signed, by how many, and how it is written."""

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from s1ctl.errors import NotVerified
from s1ctl.trust.envelope import (
    MAX_SIGNATURES,
    Envelope,
    add_signature,
    envelope_document,
    parse_envelope,
    sign,
    signers_of,
    verify_envelope,
)
from s1ctl.trust.keys import PrivateKey

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
ONE, TWO, STRANGER = (PrivateKey.new() for _ in range(3))
KEYS = [ONE.public, TWO.public]


def refusal(envelope, keys=KEYS, threshold=1):
    with pytest.raises(NotVerified) as caught:
        verify_envelope(envelope, keys, threshold)
    return caught.value.code


def test_the_signed_bytes_are_those_of_the_specification():
    envelope = Envelope(
        payload_type="http://example.com/HelloWorld", payload=b"hello world", signatures=()
    )
    assert envelope.message == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"


def test_lengths_count_bytes():
    envelope = Envelope(payload_type="é", payload="ü".encode(), signatures=())
    assert envelope.message == "DSSEv1 2 é 2 ü".encode()


def test_enough_signatures_give_the_payload():
    envelope = sign("t", b"payload", [ONE, TWO])
    assert verify_envelope(envelope, KEYS, 2) == b"payload"
    assert set(signers_of(envelope, KEYS)) == set(KEYS)


def test_a_stranger_beside_a_trusted_key_does_no_harm():
    assert verify_envelope(sign("t", b"p", [STRANGER, ONE]), KEYS, 1) == b"p"


def test_an_unsigned_envelope_is_refused():
    assert refusal(sign("t", b"p", [])) == "S1-S01"


def test_too_few_signatures_are_refused():
    assert refusal(sign("t", b"p", [ONE]), threshold=2) == "S1-S02"
    assert refusal(sign("t", b"p", [STRANGER])) == "S1-S02"


def test_a_key_counts_once():
    twice = sign("t", b"p", [ONE, ONE])
    assert refusal(twice, threshold=2) == "S1-S02"
    r, s = decode_dss_signature(twice.signatures[0])
    other = encode_dss_signature(r, ORDER - s)
    assert ONE.public.is_signed(other, twice.message)
    both = Envelope(payload_type="t", payload=b"p", signatures=(twice.signatures[0], other))
    assert refusal(both, threshold=2) == "S1-S02"
    assert refusal(both, keys=[*KEYS, ONE.public], threshold=2) == "S1-S02"


def test_a_changed_payload_or_type_is_refused():
    envelope = sign("t", b"p", [ONE])
    for changed in ({"payload": b"q"}, {"payload_type": "u"}, {"payload_type": "t 1"}):
        fields = {"payload_type": "t", "payload": b"p", "signatures": envelope.signatures}
        assert refusal(Envelope(**{**fields, **changed})) == "S1-S02"


@pytest.mark.parametrize("signature", [b"", b"\0", b"0\x06\x02\x01\0\x02\x01\0", bytes(4096)])
def test_bytes_that_are_no_signature_are_refused(signature):
    assert refusal(Envelope(payload_type="t", payload=b"p", signatures=(signature,))) == "S1-S02"


@pytest.mark.parametrize("threshold", [0, -1, 3, True, False, "1", 1.0, None])
def test_a_threshold_that_is_no_number_from_one_to_the_keys_is_refused(threshold):
    assert refusal(sign("t", b"p", [ONE, TWO]), threshold=threshold) == "S1-S03"


def test_one_key_listed_twice_does_not_make_two():
    assert refusal(sign("t", b"p", [ONE]), keys=[ONE.public] * 2, threshold=2) == "S1-S03"


def test_an_envelope_is_parsed_as_it_was_written():
    envelope = add_signature(sign("t", b"p", [ONE]), TWO)
    assert parse_envelope(envelope_document(envelope)) == envelope


def parsing(data):
    with pytest.raises(NotVerified) as caught:
        parse_envelope(data)
    return caught.value.code


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        {},
        {"payload": "", "payloadType": "t"},
        {"payload": "", "payloadType": 1, "signatures": []},
        {"payload": "", "payloadType": "t", "signatures": [{"sig": "", "keyid": "x"}]},
        {"payload": "", "payloadType": "t", "signatures": "x"},
        {"payload": "", "payloadType": "t", "signatures": [], "more": 1},
    ],
)
def test_another_shape_is_refused(data):
    assert parsing(data) == "S1-S04"


def test_signatures_are_counted_before_they_are_looked_at():
    many = [{"sig": "?"}] * (MAX_SIGNATURES + 1)
    assert parsing({"payload": "?", "payloadType": "t", "signatures": many}) == "S1-S05"
    fits = many[1:]
    assert parsing({"payload": "", "payloadType": "t", "signatures": fits}) == "S1-S06"


@pytest.mark.parametrize(
    "text", ["QQ", "QR==", "QQ==\n", "Q Q==", "QQ==QQ==", "-_8=", "QQ=\u00bd", "=", "QQ==="]
)
def test_base64_has_one_form(text):
    assert parsing({"payload": text, "payloadType": "t", "signatures": []}) == "S1-S06"


def test_what_others_wrote_is_escaped_in_messages():
    with pytest.raises(NotVerified) as caught:
        verify_envelope(sign("t", b"p", [ONE]), KEYS, "\x1b[31m")
    assert "\x1b" not in caught.value.message
