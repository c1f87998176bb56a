from pathlib import Path

import pytest

from s1ctl.bundle.recipe import read_recipe
from s1ctl.errors import InputOutputFailed, UsageError
from tests.support.recipes import change, write_project

RECIPE = """\
format: 1
product: example
channel: stable
version: 1.0.0
sequence: 100
requires: {s1ctl: ">=0.1", engine: ">=20.10.10", postgresql: ">=15", memory_mib: 512}
images:
  console: {oci-layout: ../images, name: "console:1.0.0", repository: console}
  other:
    registry: "https://registry.internal:5000"
    ca: ca.pem
    user: u
    password: "env:PW"
    name: "team/other:1.0.0"
    repository: other
compose: compose.yaml
settings:
  - {name: public_host, kind: text, default: localhost, note: "what users type"}
  - {name: db_password, kind: secret, generate: 32}
schemas:
  - database: console
    engine: postgresql
    access: {dbname: console, user: console, password: db_password, port: 5432}
    migrations: ../migrations/console
upgrade: {from: ">=1.0,<1.1", stop: false, known: [{version: 1.0.0, from: ""}]}
"""


@pytest.fixture
def read(tmp_path: Path):
    def write_and_read(*changes: tuple[str, str]):
        text = RECIPE
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / "recipe.yaml"
        path.write_text(text)
        return read_recipe(path)

    return write_and_read


def test_a_recipe_is_read_into_its_types(read, tmp_path):
    recipe = read()
    declared = recipe.declared
    assert str(declared.version) == "1.0.0"
    assert declared.images["console"].oci_layout == "../images"
    assert declared.images["other"].password == "env:PW"
    assert declared.schemas[0].access.port == 5432
    assert declared.upgrade.sources.contains("1.0.5")
    assert declared.requires.disk_mib == 0
    assert recipe.resolve("../images") == tmp_path / "../images"


def test_a_setting_may_be_required_and_then_has_no_default(read):
    setting = read(("default: localhost", "required: true")).declared.settings[0]
    assert setting.required
    assert setting.default is None


# Each case: what is changed, where the refusal points, and its code.
REFUSALS = {
    "an unknown key": (("sequence: 100", "sequence: 100\nsecuence: 1"), 6, 1, "S1-U02"),
    "another format": (("format: 1\n", "format: 2\n"), 1, 1, "S1-U03"),
    "a sequence of zero": (("sequence: 100", "sequence: 0"), 5, 1, "S1-U03"),
    "a version without quotes": (("version: 1.0.0\n", "version: 1.10\n"), 4, 1, "S1-U61"),
    "a whole number as version": (("version: 1.0.0\n", "version: 2\n"), 4, 1, "S1-U61"),
    "no version at all": (("version: 1.0.0\n", "version: latest\n"), 4, 1, "S1-U03"),
    "a version that is no tag": (("version: 1.0.0\n", "version: 1.0.0+x\n"), 4, 1, "S1-U61"),
    "a number as a range": (('postgresql: ">=15"', "postgresql: 15"), 6, 50, "S1-U61"),
    "a number as a system's versions": (
        ('postgresql: ">=15"', "os: {ubuntu: 22.04}"),
        6,
        55,
        "S1-U61",
    ),
    "a number as sources": (('from: ">=1.0,<1.1"', "from: 1.0"), 25, 11, "S1-U61"),
    "a number as known version": (("version: 1.0.0, from", "version: 1.0, from"), 25, 53, "S1-U61"),
    "an unknown key of an image": (("    ca: ca.pem", "    cert: ca.pem"), 11, 5, "S1-U02"),
    "a name with capitals": (("  other:", "  Other:"), 9, 3, "S1-U03"),
    "two sources": (("    ca: ca.pem", "    oci-layout: x"), 9, 3, "S1-U62"),
    "no source": (("oci-layout: ../images, ", ""), 8, 3, "S1-U62"),
    "a layout with a password": (("../images,", '../images, ca: "x",'), 8, 3, "S1-U62"),
    "a user without password": (('    password: "env:PW"\n', ""), 9, 3, "S1-U62"),
    "a password in the recipe": (('"env:PW"', "hunter2"), 13, 5, "S1-U03"),
    "a repository with dots": (("repository: console", "repository: ../x"), 8, 59, "S1-U69"),
    "a repository twice": (("repository: other", "repository: console"), 15, 5, "S1-U69"),
    "a repository in capitals": (("repository: console", "repository: X"), 8, 59, "S1-U69"),
    "a setting twice": (("name: db_password", "name: public_host"), 19, 6, "S1-U63"),
    "a default that is not of its kind": (("kind: text", "kind: port"), 18, 6, "S1-U63"),
    "a secret with a default": (("generate: 32", "default: x"), 19, 6, "S1-U63"),
    "a generated text": (("default: localhost", "generate: 8"), 18, 6, "S1-U63"),
    "a generated text with a default": (
        ("default: localhost", "default: localhost, generate: 8"),
        18,
        6,
        "S1-U63",
    ),
    "a setting without any value": (("default: localhost, ", ""), 18, 6, "S1-U63"),
    "a required setting with a default": (
        ("default: localhost", "default: localhost, required: true"),
        18,
        6,
        "S1-U63",
    ),
    "a password that is no setting": (("password: db_password", "password: db"), 23, 46, "S1-U64"),
    "a password that is no secret": (
        ("password: db_password", "password: public_host"),
        23,
        46,
        "S1-U64",
    ),
    "a time of issue without zone": (
        ("sequence: 100", 'sequence: 100\nissued: "2026-01-01"'),
        6,
        1,
        "S1-U03",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_it_is_refused_with_line_and_column(case, read):
    change, line, column, code = REFUSALS[case]
    with pytest.raises(UsageError) as caught:
        read(change)
    assert caught.value.code == code, caught.value
    assert f"recipe.yaml:{line}:{column}: " in caught.value.message
    assert caught.value.hint


def test_the_hint_for_a_version_without_quotes_is_to_quote_it(read):
    with pytest.raises(UsageError) as caught:
        read(("version: 1.0.0\n", "version: 1.10\n"))
    assert "quotes" in caught.value.hint


def test_a_database_twice_is_refused(read):
    start = RECIPE.index("  - database:")
    entry = RECIPE[start : RECIPE.index("upgrade:")]
    with pytest.raises(UsageError, match=r":25:5: database `console` occurs twice") as caught:
        read((entry, entry * 2))
    assert caught.value.code == "S1-U64"


def test_a_recipe_without_images_is_refused(read):
    start, end = RECIPE.index("images:"), RECIPE.index("compose:")
    with pytest.raises(UsageError, match="0 entries"):
        read((RECIPE[start:end], "images: {}\n"))
    with pytest.raises(UsageError, match="images"):
        read((RECIPE[start:end], ""))


def test_a_recipe_of_more_images_than_a_statement_has_subjects_is_refused(read):
    start, end = RECIPE.index("images:"), RECIPE.index("compose:")
    lines = [f"  i{n}: {{oci-layout: x, name: n, repository: r{n}}}\n" for n in range(1024)]
    with pytest.raises(UsageError, match="1024 entries"):
        read((RECIPE[start:end], "images:\n" + "".join(lines)))


@pytest.mark.parametrize("text", ["", "[]", "x", "images: 7", "requires: 3\nupgrade: {known: 1}"])
def test_what_is_no_recipe_at_all_is_refused(text, tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    with pytest.raises(UsageError):
        read_recipe(path)


def test_a_recipe_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"no recipe at `.*absent\.yaml`") as caught:
        read_recipe(tmp_path / "absent.yaml")
    assert caught.value.code == "S1-U60"


def test_a_recipe_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(InputOutputFailed) as caught:
        read_recipe(tmp_path)
    assert caught.value.code == "S1-I01"


@pytest.mark.parametrize(
    ("old", "new"), [("", ""), ("dead_end:", "dead-end:"), ("why: it", "because: it")]
)
def test_gates_and_dead_ends_are_read_and_a_key_that_nobody_knows_is_refused(tmp_path, old, new):
    recipe = write_project(tmp_path)
    known = 'upgrade: {from: ">=1.0,<1.1", known: [{version: 1.0.0, from: ""}]}'
    gates = "gates: [{check: host.memory, why: it needs more}]"
    change(recipe, known, f'upgrade: {{from: ">=1.0", dead_end: true, {gates}}}'.replace(old, new))
    if old:
        with pytest.raises(UsageError) as refused:
            read_recipe(recipe)
        assert refused.value.code in ("S1-U02", "S1-U03")
        return
    rules = read_recipe(recipe).declared.upgrade
    assert rules.dead_end
    assert [(gate.check, gate.why) for gate in rules.gates] == [("host.memory", "it needs more")]
