"""A recipe or Compose file that is wrong: each fault through `bundle build`, with its line."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.cases import CASES, stand_of
from tests.support.loads import Said, s1ctl, watched
from tests.support.recipes import write_project

Provoke = Callable[..., Said]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_project(tmp_path_factory.mktemp("vendor") / "project").parent


@pytest.fixture
def provoke(project: Path, tmp_path: Path) -> Provoke:
    """Build with one file changed, and put it right again; nothing is written."""

    def provoke(file: str, *changes: tuple[str, str], raw: bytes | None = None) -> Said:
        path = project / file
        good = path.read_text()
        text = good
        for old, new in changes:
            assert old in text
            text = text.replace(old, new, 1)
        path.write_bytes(text.encode() if raw is None else raw)
        line = ("bundle", "build", project / "recipe.yaml", "-o", tmp_path / "x.s1b")
        try:
            said = watched(lambda: {"files": stand_of(project.parent)}, lambda: s1ctl(*line))
            assert said.after == said.before
        finally:
            path.write_text(good)
        assert list(tmp_path.iterdir()) == []
        return said

    return provoke


def test_unknown_keys_of_a_recipe_are_all_told_at_once(provoke: Provoke) -> None:
    changes = ("sequence: 110", "secuence: 110"), ("oci-layout:", "oci_layout:"), ("note:", "nte:")
    said = provoke("recipe.yaml", *changes)
    said.proves(CASES["recipe-unknown-keys"])
    told = [line.partition("recipe.yaml:")[2] for line in said.message.split("\n")]
    assert [line.partition(": ")[0] for line in told] == ["5:1", "8:13", "12:57"]
    assert "is `sequence` meant?" in told[0]
    assert "is `oci-layout` meant?" in told[1]


@pytest.mark.parametrize(
    ("old", "new", "place", "words"),
    [
        ("kind: text", "kind: string", "12:25", "one of `bool`, `int`, `port`, `secret`, `text`"),
        ("sequence: 110", "sequence: first", "5:1", "a whole number from 1 on, and is the text"),
        ("product: acme", "product: Acme", "2:1", "a name: a-z, 0-9, `_` and `-`"),
        ('engine: ">=20', 'engine: ">>20', "6:28", "a range such as"),
    ],
)
def test_a_value_of_a_recipe_is_told_with_what_may_stand_there(
    provoke: Provoke, old: str, new: str, place: str, words: str
) -> None:
    said = provoke("recipe.yaml", (old, new))
    said.proves(CASES["recipe-wrong-value"])
    assert f"recipe.yaml:{place}: " in said.message
    assert words in said.message


def test_a_key_that_a_recipe_lacks_is_told(provoke: Provoke) -> None:
    said = provoke("recipe.yaml", ("    engine: postgresql\n", ""), ("product: acme\n", ""))
    said.proves(CASES["recipe-missing-key"])
    assert "the key `product` is missing" in said.message
    assert "the key `engine` is missing in `schemas[0]`; it must be `postgresql`" in said.message


def test_a_version_without_quotes_is_told(provoke: Provoke) -> None:
    said = provoke("recipe.yaml", ("version: 1.1.0", "version: 1.10"))
    said.proves(CASES["recipe-version-without-quotes"])
    assert "recipe.yaml:4:1: " in said.message
    assert "quotes" in said.hint


@pytest.mark.parametrize("file", ["recipe.yaml", "compose.yaml"])
@pytest.mark.parametrize(
    ("text", "name", "said_at"),
    [
        ("a: 1\na: 2\n", "vendor-file-duplicate-key", "2:1: the key `a` occurs twice"),
        ("s:\n  a: 1\n  a: 2\n", "vendor-file-duplicate-key", "3:3: the key `a` occurs twice"),
        ("a: !!python/name:os.system x\n", "vendor-file-tag", "1:4: YAML tags are not allowed"),
        ("a: 1\nb: [x, !t y]\n", "vendor-file-tag", "2:8: YAML tags are not allowed"),
        ("a: 1\nb: &a [x]\n", "vendor-file-tag", "2:4: YAML anchors are not allowed"),
        ("a: x\nbc: [*a, *a]\n", "vendor-file-tag", "2:6: YAML aliases are not allowed"),
        ("a:\n\tb: 1\n", "vendor-file-tab", "2:1: found character '\\t'"),
        ("a:\n  b: 1\n  \tc: 2\n", "vendor-file-tab", "3:3: found character '\\t'"),
        ("a: [" * 99, "vendor-file-tab", "1:128: more than 32 levels"),
    ],
)
def test_what_is_not_plain_yaml_is_refused_with_its_line_and_column(
    provoke: Provoke, file: str, text: str, name: str, said_at: str
) -> None:
    rows = {
        "vendor-file-duplicate-key": CASES["vendor-file-duplicate-key"],
        "vendor-file-tag": CASES["vendor-file-tag"],
        "vendor-file-tab": CASES["vendor-file-tab"],
    }
    said = provoke(file, raw=text.encode())
    assert said.outcome == rows[name].outcome
    assert f"/{file}:{said_at}" in said.message


def test_keys_of_a_service_that_are_not_allowed_are_all_told_at_once(provoke: Provoke) -> None:
    changes = (
        ("    image: console\n", "    image: console\n    privileged: true\n"),
        ("    image: gateway\n", "    image: gateway\n    build: .\n"),
    )
    said = provoke("compose.yaml", *changes)
    said.proves(CASES["compose-keys-not-allowed"])
    assert (
        "compose.yaml:4:5: service `console`: the key `privileged` is not allowed" in said.message
    )
    assert "service `gateway`: the key `build` is not allowed" in said.message
    assert "`build`: images come from the bundle" in said.hint


@pytest.mark.parametrize(
    ("old", "new", "place", "words"),
    [
        (
            "role: app", "role: api", "8:15",
            "one of `app`, `data`, `edge` or `job`, and is the text `api`",
        ),
        (
            "image: console", "image: docker.io/console:1", "3:5",
            "the name of one of the recipe's images",
        ),
        ("secrets: [db_password]", "secrets: db_password", "7:5", "a list"),
        ("port: 8080", "port: 80800", "8:35", "a port from 1 to 65535"),
    ],
)  # fmt: skip
def test_a_value_of_a_compose_file_is_told_with_what_may_stand_there(
    provoke: Provoke, old: str, new: str, place: str, words: str
) -> None:
    said = provoke("compose.yaml", (old, new))
    said.proves(CASES["compose-wrong-value"])
    assert f"compose.yaml:{place}: " in said.message
    assert words in said.message


def test_a_volume_of_the_host_is_refused(provoke: Provoke) -> None:
    volumes = "    image: console\n    volumes: ['/var/run/docker.sock:/sock']\n"
    said = provoke("compose.yaml", ("    image: console\n", volumes))
    said.proves(CASES["compose-mounts-the-host"])
    assert "compose.yaml:4:15: " in said.message


def test_a_recipe_that_is_not_there_is_told(tmp_path: Path) -> None:
    said = s1ctl("bundle", "build", tmp_path / "none.yaml", "-o", tmp_path / "x.s1b")
    assert said.outcome == CASES["recipe-not-there"].outcome
    assert "none.yaml" in said.message
    assert list(tmp_path.iterdir()) == []
