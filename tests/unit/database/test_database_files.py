"""Layout, scripts, connection strings and dumps, without a database."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from s1ctl.database import backup
from s1ctl.database.backup import dump_argv, local_dump, write_dump
from s1ctl.database.layout import lay_out
from s1ctl.database.passfile import make_passfile, passfile
from s1ctl.database.reach import make_dsn, make_url_dsn, place
from s1ctl.database.runner import Order, apply_revision
from s1ctl.database.script import RevisionScript, read_script
from s1ctl.database.wire import Request
from s1ctl.errors import ContentsRefused, InputOutputFailed, UsageError
from s1ctl.oci.digest import Digest
from s1ctl.progress import Progress, silent
from s1ctl.release.manifest import Access, Phase, Schema
from s1ctl.site.secrets import Secret
from tests.support.lineages import Lineage

HEAD = "revision, down_revision, phase, release = {id!r}, {previous!r}, {phase!r}, {release!r}\n"
UPGRADE = "def upgrade():\n    pass\n"
CANARY = "canary-password-7731"


def script(
    folder: Path, text: str, *, phase: Phase = "expand", head: str = HEAD, direction: str = "do"
) -> RevisionScript:
    lineage = Lineage().add("0001", phase, text, head=head)
    lay_out(lineage, lineage.schema, folder)
    return read_script(
        Request(
            dsn="", database="console", folder=str(folder), lineage=lineage.revisions,
            revision="0001", direction=direction, operation="o", plan="p", fence=1,  # type: ignore[arg-type]
            max_stall_ms=100, max_wait_ms=0,
        )
    )  # fmt: skip


def refusal(folder: Path, text: str, **options: object) -> str:
    with pytest.raises(ContentsRefused) as caught:
        script(folder, text, **options)  # type: ignore[arg-type]
    return caught.value.code


def test_migrations_are_laid_out_for_their_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "work" / "console"
    lineage = Lineage().add("0001", "expand", UPGRADE, head=HEAD)
    for _ in range(2):
        lay_out(lineage, lineage.schema, folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "0001.py").stat().st_mode & 0o777 == 0o600


def test_a_blob_that_is_not_the_signed_text_is_not_laid_out(tmp_path: Path) -> None:
    lineage = Lineage().add("0001", "expand", UPGRADE, head=HEAD)
    lineage.blobs[lineage.revisions[0].digest] = b"other"
    with pytest.raises(ContentsRefused) as caught:
        lay_out(lineage, lineage.schema, tmp_path)
    assert caught.value.code == "S1-D24"


@pytest.mark.parametrize("name", ["../x", "a/b", "", "x" * 101, "a\n"])
def test_a_revision_whose_name_is_no_file_name_is_refused(tmp_path: Path, name: str) -> None:
    lineage = Lineage().add(name, "expand", UPGRADE, head=HEAD)
    with pytest.raises(ContentsRefused) as caught:
        lay_out(lineage, lineage.schema, tmp_path)
    assert caught.value.code == "S1-D12"


def test_a_folder_that_cannot_be_written_is_told_as_such(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    lineage = Lineage().add("0001", "expand", UPGRADE, head=HEAD)
    with pytest.raises(InputOutputFailed) as caught:
        lay_out(lineage, lineage.schema, tmp_path / "file" / "console")
    assert caught.value.code == "S1-D11"


def test_a_revision_is_read(tmp_path: Path) -> None:
    read = script(tmp_path, UPGRADE)
    assert (read.previous, read.is_transactional, read.backfill) == (None, True, None)
    assert not script(tmp_path, "transactional = False\n" + UPGRADE).is_transactional


@pytest.mark.parametrize(
    "line",
    ["import os", "from subprocess import run", "import alembic, socket", "from . import other",
     "import sqlalchemyx", "import typing",
     "from s1ctl.site.secrets import Secret", "from s1ctl import errors"],
)  # fmt: skip
def test_a_revision_that_imports_something_else_is_refused(tmp_path: Path, line: str) -> None:
    assert refusal(tmp_path, f"{line}\n{UPGRADE}") == "S1-D26"
    assert refusal(tmp_path, f"def upgrade():\n    {line}\n") == "S1-D26"


@pytest.mark.parametrize(
    "line",
    ["revision = '0002'", "down_revision = '0000'", "phase = 'contract'", "release = '1.0.1'",
     "depends_on = 'x'", "branch_labels = 'x'"],
)  # fmt: skip
def test_a_revision_that_contradicts_the_release_is_refused(tmp_path: Path, line: str) -> None:
    assert refusal(tmp_path, f"{line}\n{UPGRADE}") == "S1-D25"


def test_a_revision_that_lacks_its_part_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, "") == "S1-D27"
    assert refusal(tmp_path, UPGRADE, phase="backfill") == "S1-D27"
    assert refusal(tmp_path, UPGRADE, direction="undo") == "S1-D27"
    assert refusal(tmp_path, "1 / 0") == "S1-D27"
    assert refusal(tmp_path, "def upgrade(:") == "S1-D27"


def test_a_release_is_compared_as_a_version(tmp_path: Path) -> None:
    assert script(tmp_path, f"release = '1.0'\n{UPGRADE}").revision.id == "0001"
    assert refusal(tmp_path, f"release = 'new'\n{UPGRADE}") == "S1-D25"


@pytest.mark.parametrize("phase", ["backfill", "contract"])
def test_only_expand_and_enforce_are_undone(tmp_path: Path, phase: Phase) -> None:
    both = UPGRADE + "def downgrade():\n    pass\n"
    assert refusal(tmp_path, both, phase=phase, direction="undo") == "S1-D28"


def test_a_changed_file_is_not_imported(tmp_path: Path) -> None:
    lineage = Lineage().add("0001", "expand", UPGRADE, head=HEAD)
    lay_out(lineage, lineage.schema, tmp_path)
    (tmp_path / "0001.py").write_text("raise SystemExit")
    request = Request(
        dsn="", database="console", folder=str(tmp_path), lineage=lineage.revisions,
        revision="0001", direction="do", operation="o", plan="p", fence=1,
        max_stall_ms=100, max_wait_ms=0,
    )  # fmt: skip
    with pytest.raises(ContentsRefused) as caught:
        read_script(request)
    assert caught.value.code == "S1-D24"


def schema(dbname: str = "console") -> Schema:
    access = Access(dbname=dbname, user="u:ser", password="pw")
    return Schema(database="console", engine="postgresql", access=access, revisions=())


def test_a_connection_string_never_prints() -> None:
    dsn = make_dsn(schema(), "10.0.0.3", Secret(CANARY))
    assert CANARY not in repr(dsn)
    assert CANARY in dsn.reveal()
    assert place(dsn) == "`console` at `10.0.0.3:5432`"
    assert place(make_dsn(schema(), "fd00::3", Secret(CANARY))) == "`console` at `fd00::3:5432`"


@pytest.mark.parametrize(
    "url",
    [f"postgresql://u:{CANARY}@h:x y/d", f"mysql://u:{CANARY}@h/d", f"postgresql://u:{CANARY}@/d",
     f"postgresql://:{CANARY}@h/d", f"postgresql://u:{CANARY}@h", CANARY,
     f"postgresql://u:{CANARY}@a:1,b/d", f"host=a,b port=1 user=u dbname=d password={CANARY}"],
)  # fmt: skip
def test_a_url_that_cannot_be_used_is_refused_without_being_quoted(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        make_url_dsn(Secret(url))
    assert caught.value.code == "S1-D10"
    assert CANARY not in caught.value.message + caught.value.hint
    assert caught.value.__cause__ is None


def test_a_revision_that_the_release_lacks_is_refused(tmp_path: Path) -> None:
    order = Order(
        dsn=make_dsn(schema(), "h", Secret("x")), schema=schema(), revision="0009",
        folder=tmp_path, operation="o", plan="p", fence=1,
    )  # fmt: skip
    with pytest.raises(UsageError) as caught:
        apply_revision(order, notify=silent, on_wait=lambda _: None)
    assert caught.value.code == "S1-D20"
    assert "Secret" not in repr(order)


def test_the_password_is_in_the_password_file_only() -> None:
    dsn = make_dsn(schema(), "h", Secret("a:b\\c"))
    assert make_passfile(dsn).reveal() == "h:5432:*:u\\:ser:a\\:b\\\\c\n"
    assert dump_argv(schema(), "h", "1-2-3") == (
        "pg_dump", "--format=custom", "--no-password", "--snapshot=1-2-3",
        "--host=h", "--port=5432", "--username=u:ser", "--dbname=console",
    )  # fmt: skip


def test_a_keys_passphrase_never_becomes_an_argument() -> None:
    with pytest.raises(UsageError) as caught:
        local_dump(Secret(f"postgresql://u@h/d?sslpassword={CANARY}"), "1-2-3")
    assert caught.value.code == "S1-D68"
    assert CANARY not in caught.value.message


def test_a_password_file_lies_under_work_and_what_a_kill_left_is_removed(tmp_path: Path) -> None:
    left = tmp_path / "work" / "s1ctl-pgpass-99999999-x"
    left.mkdir(parents=True)
    with passfile(make_dsn(schema(), "h", Secret("x")), tmp_path / "work") as path:
        assert path.parent.parent == tmp_path / "work"
        assert not left.exists()
    assert list((tmp_path / "work").iterdir()) == []


def test_a_databases_name_is_never_read_as_a_connection_string() -> None:
    assert dump_argv(schema("host=evil"), "h", "1-2-3")[-1] == "--dbname=dbname='host=evil'"


def test_a_dump_is_written_whole(tmp_path: Path) -> None:
    heard: list[Progress] = []
    path = tmp_path / "points" / "console.dump"
    record = write_dump([b"ab", b"c"], path, heard.append, expected_bytes=10)
    assert path.read_bytes() == b"abc"
    assert path.stat().st_mode & 0o777 == 0o600
    assert (record.size_bytes, record.sha256) == (3, Digest.of(b"abc"))
    assert [(progress.done, progress.total) for progress in heard] == [(2, 10), (3, 10)]


def test_a_dump_that_ends_early_leaves_the_former_file(tmp_path: Path) -> None:
    def broken() -> Iterator[bytes]:
        yield b"half"
        raise InputOutputFailed("gone", code="S1-D52", hint="")

    path = tmp_path / "console.dump"
    path.write_bytes(b"former")
    with pytest.raises(InputOutputFailed):
        write_dump(broken(), path, silent, expected_bytes=0)
    assert path.read_bytes() == b"former"
    assert [entry.name for entry in tmp_path.iterdir()] == ["console.dump"]


def test_a_dump_that_may_not_fit_is_not_begun(tmp_path: Path) -> None:
    def never() -> Iterator[bytes]:
        raise AssertionError
        yield b""

    with pytest.raises(InputOutputFailed) as caught:
        write_dump(never(), tmp_path / "b1" / "d", silent, expected_bytes=2**62)
    assert caught.value.code == "S1-D50"
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fills_up_is_told_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(backup.os, "fsync", full)
    with pytest.raises(InputOutputFailed, match="No space left") as caught:
        write_dump([b"x"], tmp_path / "d", silent, expected_bytes=0)
    assert caught.value.code == "S1-D51"
    assert list(tmp_path.iterdir()) == []
