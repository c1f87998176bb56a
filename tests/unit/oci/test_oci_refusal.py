import json

import pytest

from s1ctl.oci.refusal import MAX_WORDS, Answer, first_words, refuse_answer
from s1ctl.oci.retry import TemporarilyFailed


def answer(status: int, body: bytes = b"", **headers: str) -> Answer:
    return Answer(
        method="PUT",
        url="https://registry.test:5000/v2/a/b?_state=token",
        status=status,
        headers=headers,
        body=body,
    )


@pytest.mark.parametrize(
    ("status", "code"),
    [(401, "S1-R06"), (403, "S1-R07"), (413, "S1-R13"), (507, "S1-R29"), (418, "S1-R12")]
    + [(status, "S1-R10") for status in (408, 425, 429, 500, 502, 503, 504)],
)
def test_each_status_has_its_code(status: int, code: str) -> None:
    error = refuse_answer(answer(status), user="loader")
    assert error.code == code
    assert isinstance(error, TemporarilyFailed) == (code == "S1-R10")


def test_what_was_asked_and_answered_is_told_without_the_query() -> None:
    error = refuse_answer(answer(500, b"no space left on device\nmore"), user=None)
    assert error.message == (
        "`registry.test:5000` answered 500 to `PUT /v2/a/b`: no space left on device"
    )


def test_retry_after_is_handed_on() -> None:
    error = refuse_answer(answer(429, **{"Retry-After": "7"}), user=None)
    assert isinstance(error, TemporarilyFailed)
    assert error.after_s == 7


def test_the_registry_s_own_error_is_taken_from_its_json() -> None:
    assert first_words(b'{"errors":[{"code":"DENIED","message":"quota"}]}') == "DENIED quota"


@pytest.mark.parametrize("body", [b"", b"{}", b'{"errors":[]}', b'{"errors":[7]}', b"\xff\xfe"])
def test_bodies_of_other_forms_are_harmless(body: bytes) -> None:
    assert first_words(body).isprintable()


@pytest.mark.parametrize(
    "detail",
    [
        {"DriverName": "filesystem", "Enclosed": {"Op": "mkdir", "Path": "/x", "Err": 28}},
        {"Op": "write", "Path": "/x", "Err": 28},
        "write /x: no space left on device",
        "write /x: disk quota exceeded",
    ],
)
def test_a_full_disk_is_found_in_each_form_that_distribution_has(detail: object) -> None:
    body = {"errors": [{"code": "UNKNOWN", "message": "unknown error", "detail": detail}]}
    error = refuse_answer(answer(500, json.dumps(body).encode()), user=None)
    assert error.code == "S1-R29"
    assert error.message.endswith(("(No space left on device)", "(Disk quota exceeded)"))


@pytest.mark.parametrize("detail", [None, 7, "", [], {"Enclosed": 7}, {"Err": "28"}, {"Err": 5}])
def test_other_details_are_no_full_disk(detail: object) -> None:
    body = {"errors": [{"code": "UNKNOWN", "message": "unknown error", "detail": detail}]}
    assert refuse_answer(answer(500, json.dumps(body).encode()), user=None).code == "S1-R10"


def test_who_takes_nothing_but_answers_is_read_only() -> None:
    assert refuse_answer(answer(405), user=None).code == "S1-R25"


def test_words_are_escaped_and_capped() -> None:
    words = first_words(b"\x1b[2J\xc3\xa4" + b"x" * 10_000)
    assert words.isascii()
    assert "\x1b" not in words
    assert len(words) < MAX_WORDS + 20


def test_who_lacks_a_password_is_told_where_it_is_given() -> None:
    assert "`registry.user`" in refuse_answer(answer(401), user=None).hint
    assert "`loader`" in refuse_answer(answer(401), user="loader").message
