from pathlib import Path

import pytest
from packaging.version import Version

from s1ctl.bundle.revisions import parse_migration, read_lineage
from s1ctl.errors import ContentsRefused, InputOutputFailed
from s1ctl.oci.digest import Digest

UP_AND_DOWN = "def upgrade():\n    pass\n\ndef downgrade():\n    pass\n"
V1 = Version("1.1.0")


def source(name, parent, *, phase="expand", release="1.0.0", body=UP_AND_DOWN):
    return (
        "from alembic import op\nimport sqlalchemy as sa\n"
        f"revision = {name!r}\ndown_revision = {parent!r}\n"
        f"phase = {phase!r}\nrelease = {release!r}\n{body}"
    )


@pytest.fixture
def lineage(tmp_path: Path):
    def write_and_read(*sources: str, release=V1):
        for number, text in enumerate(sources):
            (tmp_path / f"{9 - number}_step.py").write_text(text)
        return read_lineage(tmp_path, release)

    return write_and_read


def ids(migrations):
    return [migration.revision.id for migration in migrations]


def test_a_lineage_is_read_from_base_to_head_whatever_the_files_are_called(lineage):
    found = lineage(
        source("base", None),
        source("more", "base", release="1.1.0"),
        source("last", "more", phase="contract", release="1.1.0"),
    )
    assert ids(found) == ["base", "more", "last"]
    assert [migration.file for migration in found] == ["9_step.py", "8_step.py", "7_step.py"]
    assert found[0].revision.digest == Digest.of(found[0].raw)


def test_an_empty_folder_is_an_empty_lineage(lineage):
    assert lineage() == ()


def test_revisions_of_newer_releases_are_left_out(lineage):
    found = lineage(
        source("base", None), source("next", "base", release="1.2.0"), release=Version("1.1.9")
    )
    assert ids(found) == ["base"]


def test_phase_and_release_may_be_set_in_one_line_or_with_a_type():
    text = (
        "from s1ctl.database.ops import Backfill\n"
        'revision: str = "b"\ndown_revision: str | None = "a"\nbranch_labels = None\n'
        'phase, release = "backfill", "1.1.0"\nbackfill = Backfill(table="t")\n'
    )
    migration = parse_migration(text.encode(), name="b.py")
    assert migration.revision.phase == "backfill"
    assert migration.parent == "a"


def test_a_migration_is_parsed_and_never_run(tmp_path):
    text = source("base", None) + f"open({str(tmp_path / 'ran')!r}, 'w')\n"
    parse_migration(text.encode(), name="base.py")
    assert not (tmp_path / "ran").exists()


REFUSED_FILES = {
    "not Python": ("def", 1, "S1-C60"),
    "a zero byte": ("x = 1\0", 1, "S1-C60"),
    "no attributes": ("x = 1\n", 1, "S1-C61"),
    "a computed release": (
        source("a", None).replace("'1.0.0'", "'1.' + '0'"),
        1,
        "S1-C61",
    ),
    "an attribute inside a condition": (
        source("a", None).replace("phase =", "if True:\n    phase ="),
        1,
        "S1-C61",
    ),
    "an attribute set twice": (source("a", None, body="phase = 'contract'\n"), 7, "S1-C61"),
    "an unknown phase": (source("a", None, phase="grow"), 1, "S1-C61"),
    "no version as release": (source("a", None, release="soon"), 1, "S1-C61"),
    "a path as revision": (source("../a", None), 1, "S1-C61"),
    "a number as revision": (source("a", None).replace("'a'", "1"), 1, "S1-C61"),
    "two parents": (source("a", None).replace("= None", "= ('x', 'y')"), 1, "S1-C62"),
    "a branch label": (source("a", None, body="branch_labels = 'x'\n"), 1, "S1-C62"),
    "a dependency": (source("a", None, body="depends_on = ('x',)\n"), 1, "S1-C62"),
    "no upgrade": (source("a", None, body=""), 1, "S1-C63"),
    "an expand without downgrade": (
        source("a", None, body="def upgrade(): pass\n"),
        1,
        "S1-C63",
    ),
    "an enforce without downgrade": (
        source("a", None, phase="enforce", body="def upgrade(): pass\n"),
        1,
        "S1-C63",
    ),
    "a backfill without its value": (source("a", None, phase="backfill"), 1, "S1-C63"),
    "an import of os": ("import os\n" + source("a", None), 1, "S1-C65"),
    "an import inside a function": (
        source("a", None, body="def upgrade():\n    from subprocess import run\n"),
        8,
        "S1-C65",
    ),
    "an import that begins alike": ("import alembic_helpers\n", 1, "S1-C65"),
    "an import of s1ctl": ("from s1ctl.site import secrets\n", 1, "S1-C65"),
    "an import beside ops": ("from s1ctl.database import reach\n", 1, "S1-C65"),
    "a relative import": ("from . import other\n", 1, "S1-C65"),
    "a relative import that looks absolute": ("from .alembic import op\n", 1, "S1-C65"),
    "an import by name": ("x = __import__('os')\n", 1, "S1-C65"),
    "code from text": ("\nexec('import os')\n", 2, "S1-C65"),
}


@pytest.mark.parametrize("case", REFUSED_FILES)
def test_a_migration_file_is_refused_with_its_line(case):
    text, line, code = REFUSED_FILES[case]
    with pytest.raises(ContentsRefused) as caught:
        parse_migration(text.encode(), name="folder/0001.py")
    assert caught.value.code == code, caught.value
    assert caught.value.message.startswith(f"folder/0001.py:{line}: ")


def test_ops_may_be_imported_from_its_package():
    text = "from s1ctl.database import ops\nimport sqlalchemy.dialects.postgresql\n"
    parse_migration((text + source("a", None)).encode(), name="a.py")


@pytest.mark.parametrize("name", ["a b.py", "é.py", ".py", "-x.py", "a\n.py"])
def test_a_file_name_that_a_path_should_not_hold_is_refused(name):
    with pytest.raises(ContentsRefused) as caught:
        parse_migration(source("a", None).encode(), name=f"folder/{name}")
    assert caught.value.code == "S1-C60"


def test_a_migration_of_over_a_mebibyte_is_refused(lineage):
    with pytest.raises(ContentsRefused) as caught:
        lineage(source("a", None, body="#" * (1 << 20)))
    assert caught.value.code == "S1-C60"


REFUSED_LINEAGES = {
    "two bases": ([("a", None), ("b", None)], "`b` and `a` both follow `nothing`", "S1-C62"),
    "a branch": ([("a", None), ("b", "a"), ("c", "a")], "both follow `a`", "S1-C62"),
    "no base": ([("a", "b"), ("b", "a")], "leads to no base", "S1-C62"),
    "a missing parent": ([("a", None), ("c", "b")], "`c` follows `b`", "S1-C62"),
    "a revision twice": ([("a", None), ("a", "a")], "is revision `a` too", "S1-C62"),
    "a release that goes back": (
        [("a", None, "expand", "1.1.0"), ("b", "a", "expand", "1.0.0")],
        "`b` of release 1.0.0 follows `a` of 1.1.0",
        "S1-C64",
    ),
    "an expand before the contract of the former release": (
        [("a", None, "expand", "1.1.0"), ("b", "a", "contract", "1.0.0")],
        "`b` of release 1.0.0 follows `a` of 1.1.0",
        "S1-C64",
    ),
    "an expand after the contract of its own release": (
        [("a", None, "contract", "1.0.0"), ("b", "a", "expand", "1.0.0")],
        "`b` (expand) follows the contract `a`",
        "S1-C64",
    ),
}


@pytest.mark.parametrize("case", REFUSED_LINEAGES)
def test_a_lineage_is_refused(case, lineage):
    revisions, message, code = REFUSED_LINEAGES[case]
    texts = [
        source(name, parent, phase=(rest or ["expand"])[0], release=(rest or ["", "1.0.0"])[1])
        for name, parent, *rest in revisions
    ]
    with pytest.raises(ContentsRefused) as caught:
        lineage(*texts)
    assert caught.value.code == code
    assert message in caught.value.message


def test_a_newer_release_in_the_middle_of_the_lineage_is_refused(lineage):
    with pytest.raises(ContentsRefused) as caught:
        lineage(source("a", None, release="2.0"), source("b", "a", release="1.0"))
    assert caught.value.code == "S1-C64"


def test_a_migration_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "0001.py").mkdir()
    with pytest.raises(InputOutputFailed, match=r"0001\.py"):
        read_lineage(tmp_path, V1)
