import pytest

from s1ctl.oci.challenge import Challenge, parse_challenge, parse_token


def test_a_bearer_challenge_is_read() -> None:
    header = 'Bearer realm="https://auth.test/token",service="reg",scope="repository:a/b:pull,push"'
    assert parse_challenge(header) == Challenge(
        scheme="bearer",
        realm="https://auth.test/token",
        service="reg",
        scope="repository:a/b:pull,push",
    )


def test_a_basic_challenge_is_read_whatever_its_case() -> None:
    assert parse_challenge('BASIC realm="x"') == Challenge(scheme="basic")


@pytest.mark.parametrize("header", [None, "", "Negotiate", "Digest realm=x"])
def test_other_schemes_are_not_ours(header: str | None) -> None:
    assert parse_challenge(header) is None


def test_quotes_and_spaces_in_a_challenge_are_understood() -> None:
    found = parse_challenge('Bearer realm="https://a/\\"t\\"" , service=plain')
    assert found == Challenge(scheme="bearer", realm='https://a/"t"', service="plain")


def test_the_token_address_holds_service_and_all_scopes() -> None:
    challenge = Challenge(scheme="bearer", realm="https://a/t?x=1", service="s&", scope="r:a:pull")
    assert challenge.token_url(("r:b:pull",)) == (
        "https://a/t?x=1&service=s%26&scope=r%3Aa%3Apull&scope=r%3Ab%3Apull"
    )


@pytest.mark.parametrize("raw", [b'{"token":"abc"}', b'{"access_token":"abc"}'])
def test_a_token_is_found_under_either_name(raw: bytes) -> None:
    assert parse_token(raw) == "abc"


@pytest.mark.parametrize(
    "raw",
    [b"", b"[]", b"{}", b'{"token":7}', b'{"token":"a\\r\\nb"}', b'{"token":""}', b"[" * 10**5],
)
def test_an_answer_without_a_usable_token_gives_none(raw: bytes) -> None:
    assert parse_token(raw) is None
