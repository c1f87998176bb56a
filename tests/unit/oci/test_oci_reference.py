import pytest

from s1ctl.errors import ContentsRefused
from s1ctl.oci.digest import Digest
from s1ctl.oci.reference import ImageReference, check_repository, check_tag

DIGEST = Digest("sha256:" + "a" * 64)


@pytest.mark.parametrize("name", ["a", "a/b", "a-b/c.d/e_f", "a__b", "a---b", "1/2", "x" * 255])
def test_a_repository_of_the_grammar_is_taken(name: str) -> None:
    assert check_repository(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "", "/", "a/", "/a", "a//b", "A", "aB/c", "..", "a/../b", "a/./b", "a..b", "a___b", "a@b",
        "a:b", "a b", "a\n", "-a", "a-", ".a", "a?b", "a%2fb", "ä", "x" * 256,
    ],
)  # fmt: skip
def test_a_repository_outside_the_grammar_is_refused(name: str) -> None:
    with pytest.raises(ContentsRefused) as refused:
        check_repository(name)
    assert refused.value.code == "S1-C40"


@pytest.mark.parametrize("tag", ["1.0.0", "v1", "_x", "Latest", "a" * 128])
def test_a_tag_of_the_grammar_is_taken(tag: str) -> None:
    assert check_tag(tag) == tag


@pytest.mark.parametrize("tag", ["", ".1", "-1", "a/b", "a:b", "a@b", "a b", "1\n", "a" * 129])
def test_a_tag_outside_the_grammar_is_refused(tag: str) -> None:
    with pytest.raises(ContentsRefused) as refused:
        check_tag(tag)
    assert refused.value.code == "S1-C41"


def test_a_refused_name_is_shown_escaped_and_short() -> None:
    with pytest.raises(ContentsRefused) as refused:
        check_repository("\x1b[2J" + "x" * 5000)
    assert "\x1b" not in refused.value.message
    assert len(refused.value.message) < 200


def test_a_reference_prints_with_its_digest() -> None:
    reference = ImageReference(host="localhost:5000", repository="acme/console", digest=DIGEST)
    assert str(reference) == f"localhost:5000/acme/console@{DIGEST}"


def test_a_reference_with_a_wrong_repository_cannot_be_made() -> None:
    with pytest.raises(ContentsRefused):
        ImageReference(host="localhost:5000", repository="../console", digest=DIGEST)
