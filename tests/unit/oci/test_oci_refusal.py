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
    [(401, "S1-R06"), (403, "S1-R07"), (413, "S1-R13"), (507, "S1-R12"), (418, "S1-R12")]
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


def test_words_are_escaped_and_capped() -> None:
    words = first_words(b"\x1b[2J\xc3\xa4" + b"x" * 10_000)
    assert words.isascii()
    assert "\x1b" not in words
    assert len(words) < MAX_WORDS + 20


def test_who_lacks_a_password_is_told_where_it_is_given() -> None:
    assert "`registry.user`" in refuse_answer(answer(401), user=None).hint
    assert "`loader`" in refuse_answer(answer(401), user="loader").message
