"""The archive: one way in, the same bytes for the same files, and a gate at the end."""

import gzip
import io
import json
import tarfile
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from s1ctl.errors import InputOutputFailed, PolicyRefused, UsageError
from s1ctl.ledger.ledger import open_ledger
from s1ctl.masking.encodings import forms_of
from s1ctl.masking.redact import Known, Redactor
from s1ctl.masking.rules import MASK
from s1ctl.report.support import lines as reading
from s1ctl.report.support.collect import Collector, Scope, Skipped, collect
from s1ctl.report.support.gate import check_archive
from s1ctl.report.support.lines import capped, lines_of, lines_of_path, read_ends
from s1ctl.report.support.make import make_support_bundle, preview_support_bundle
from s1ctl.report.support.platform import collect_ledger, shown
from s1ctl.report.support.sources import Sources, find_sources
from s1ctl.report.support.writer import BundleWriter
from s1ctl.site.config import read_site
from s1ctl.site.known import gather_known

CANARY = "canary-9b1f-never"
SITE = """\
version: 1
name: north
target: {{kind: docker, network: 10.97.0.0/24, socket: {folder}/no.sock}}
registry: {{url: "http://127.0.0.1:5000", user: u, password: "file:{folder}/word"}}
trust: {{product: p, channel: stable}}
state_dir: {folder}/state
values: {{key: "env:THE_KEY", run: "cmd:printf from-a-command"}}
databases: {{main: {{url: "file:{folder}/url"}}}}
"""


def redactor(*values: str) -> Redactor:
    return Redactor(Known(form for value in values for form in forms_of(value)))


def silent(_: str) -> None:
    return


def members(path: Path) -> dict[str, str]:
    with tarfile.open(path) as archive:
        return {m.name: archive.extractfile(m).read().decode() for m in archive}  # type: ignore[union-attr]


def put(writer: BundleWriter, files: dict[str, bytes]) -> None:
    for name, raw in files.items():
        writer.add(name, lines_of([raw]))


def written(folder: Path, files: dict[str, bytes], by: Redactor) -> Path:
    """Write an archive as it is, without the gate."""
    spool = folder / f"spool-{len(list(folder.iterdir()))}"
    spool.mkdir()
    writer = BundleWriter(by, spool)
    put(writer, files)
    writer.write(spool / "a.tar.gz")
    return spool / "a.tar.gz"


def test_the_same_files_make_the_same_bytes_in_any_order(tmp_path: Path) -> None:
    files = {"b/2": b"two\n", "a": b"one\n", "b/1": f"{CANARY}\n".encode()}
    first = written(tmp_path, files, redactor(CANARY))
    second = written(tmp_path, dict(reversed(files.items())), redactor(CANARY))
    assert first.read_bytes() == second.read_bytes()
    assert first.stat().st_mode & 0o777 == 0o600
    with tarfile.open(first) as archive:
        assert archive.getnames() == ["a", "b/1", "b/2"]
        assert {(m.mtime, m.uid, m.gid, m.uname, m.mode) for m in archive} == {(0, 0, 0, "", 0o600)}


def test_names_are_masked_too_and_stay_inside(tmp_path: Path) -> None:
    files = {
        f"x/{CANARY}.log": b"",
        f"x/{CANARY}{CANARY}.log": b"",
        "../../etc/y": b"",
        "x/ü z": b"",
    }
    found = members(written(tmp_path, files, redactor(CANARY)))
    assert set(found) == {f"x/{MASK}.log", f"x/{MASK}{MASK}.log", "etc/y", "x/ü_z"}


def test_two_files_of_one_masked_name_are_both_there(tmp_path: Path) -> None:
    found = members(
        written(
            tmp_path, {CANARY: b"1\n", "other-canary": b"2\n"}, redactor(CANARY, "other-canary")
        )
    )
    assert found == {MASK: "1\n", f"{MASK}-2": "2\n"}


@pytest.mark.parametrize(
    ("name", "raw", "rule"),
    [
        ("log", f"x {CANARY} y\n".encode(), "known-value"),
        ("log", b"x Y2FuYXJ5LTliMWYtbmV2ZXI= y\n", "known-value"),
        (f"{CANARY}.log", b"", "known-value"),
        ("log", b"-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----\n", "private-key"),
        ("log", b"postgresql://u:hunter2@h/d\n", "url-password"),
        ("log", b"ghp_abcdefghijklmnopqrstuvwxyz0123456789\n", "cloud-token"),
    ],
)
def test_the_gate_finds_what_was_not_masked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, raw: bytes, rule: str
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Redactor, "line", lambda _, text, __: text)
        path = written(tmp_path, {name: raw, "fine": b"fine\n"}, redactor(CANARY))
    with pytest.raises(PolicyRefused) as refused:
        check_archive(path, redactor(CANARY))
    assert refused.value.code == "S1-P60"
    assert f"`{rule}`" in refused.value.message
    assert CANARY not in refused.value.message
    assert ("`log`" in refused.value.message) == (name == "log")


def test_the_gate_lets_a_masked_archive_pass(tmp_path: Path) -> None:
    raw = f"x {CANARY} y\npostgresql://u:hunter2@h/d\n".encode()
    check_archive(written(tmp_path, {"log": raw}, redactor(CANARY)), redactor(CANARY))


def test_a_line_over_the_limit_is_masked_whole(tmp_path: Path) -> None:
    long = b"x" * reading.LINE_BYTES + CANARY.encode() + b"\nafter\n"
    chunks = [long[at : at + 1000] for at in range(0, len(long), 1000)]
    assert list(lines_of(chunks)) == [reading.LONG, b"after\n"]
    assert list(lines_of([b"x" * reading.LINE_BYTES, b"xx"])) == [reading.LONG]


def test_of_a_large_file_head_and_tail_are_kept_and_no_half_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "HEAD_BYTES", 100)
    monkeypatch.setattr(reading, "TAIL_BYTES", 100)
    path = tmp_path / "log"
    path.write_bytes(b"".join(f"line {n:04} {CANARY}\n".encode() for n in range(100)))
    for found in (
        list(lines_of_path(path) or ()),
        list(capped(path.read_bytes().splitlines(keepends=True))),
    ):
        assert reading.CUT in found
        assert found[0].startswith(b"line 0000")
        assert found[-1].startswith(b"line 0099")
        assert all(CANARY.encode() in line for line in found if line != reading.CUT)
        assert sum(map(len, found)) < 300


def key_lines(count: int) -> bytes:
    body = b"".join(b"2026-03-01 %064d\n" % (7 * n) for n in range(count))
    return b"2026-03-01 -----BEGIN PRIVATE KEY-----\n" + body + b"-----END PRIVATE KEY-----\n"


@pytest.mark.parametrize("size", [200, 1000, 3000, 8000])
def test_of_a_private_key_that_a_cut_goes_through_nothing_is_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, size: int
) -> None:
    monkeypatch.setattr(reading, "HEAD_BYTES", 100)
    monkeypatch.setattr(reading, "TAIL_BYTES", size)
    monkeypatch.setattr(reading, "BLOCK_BYTES", 512)  # a key spans what is masked at once
    raw = b"first\n" * 100 + key_lines(120) + b"last\n" * 20
    (tmp_path / "log").write_bytes(raw)
    writer = BundleWriter(redactor(), tmp_path)
    Scope(name="x", writer=writer).file("file", tmp_path / "log")
    Scope(name="x", writer=writer).lines("stream", raw.splitlines(keepends=True))
    Scope(name="x", writer=writer).text("tail", raw.decode()[-size:])
    writer.write(tmp_path / "a.tar.gz")
    check_archive(tmp_path / "a.tar.gz", redactor())
    found = members(tmp_path / "a.tar.gz")
    assert [name for name, text in found.items() if "0000" in text or " KEY" in text] == []
    assert all(text.endswith("last\n" * 20) for text in found.values())
    if size > 200:
        assert [name for name, text in found.items() if MASK not in text] == []


def test_a_cut_without_a_key_costs_nothing() -> None:
    lines = [b"a\n", reading.CUT, b"b\n", *([b"c\n"] * 300), key_lines(1)]
    assert list(reading.without_key_ends(lines)) == lines


@pytest.mark.parametrize(
    "raw", [gzip.compress(b"x" * 9), b"a\0b", b"SQLite format 3 ", b"PK\x03\x04"]
)
def test_archives_and_binary_files_are_listed_and_not_copied(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "file").write_bytes(raw)
    writer = BundleWriter(redactor(), None)
    scope = Scope(name="x", writer=writer)
    scope.file("file", tmp_path / "file")
    assert not writer.members
    assert "listed and not copied" in scope.reasons[0]


def test_what_comes_after_zero_bytes_is_masked_too(tmp_path: Path) -> None:
    raw = b"x" * 9000 + b"\n" + CANARY.encode("utf-16-le") + b"\n"
    assert CANARY not in members(written(tmp_path, {"a": raw}, redactor(CANARY)))["a"]


def failing(_: Scope) -> None:
    raise InputOutputFailed("no engine", code="S1-E01", hint="start it")


def forbidden(_: Scope) -> None:
    raise PermissionError(13, "Permission denied")


def buggy(scope: Scope) -> None:
    scope.text("half", "half")
    raise KeyError(CANARY)


def absent(_: Scope) -> None:
    raise Skipped("nothing is there")


def test_each_collector_ends_for_itself_and_says_how(tmp_path: Path) -> None:
    hang = threading.Event()

    def hangs(scope: Scope) -> None:
        scope.text("before", "before")
        hang.wait(20)
        scope.text("late", "late")
        late.set()

    late = threading.Event()
    collectors: dict[str, Collector] = {
        "good": lambda scope: scope.text("good", "good"),
        "hangs": hangs,
        "failing": failing,
        "forbidden": forbidden,
        "buggy": buggy,
        "absent": absent,
    }
    writer = BundleWriter(redactor(CANARY), None)
    found = collect(collectors, writer, tell=silent, budget_s=0.3)
    assert {one.name: one.status for one in found.ended} == {
        "good": "ok",
        "hangs": "timeout",
        "failing": "skipped",
        "forbidden": "denied",
        "buggy": "partial",
        "absent": "skipped",
    }
    reasons = {one.name: one.reasons for one in found.ended}
    assert reasons["failing"] == ("failing: S1-E01: no engine",)
    assert reasons["absent"] == ("nothing is there",)
    assert "bug: KeyError" in reasons["buggy"][0]
    hang.set()
    late.wait(1)
    assert set(writer.members) == {"good", "before", "half", "bugs/buggy.txt"}


def test_an_interrupt_ends_the_collecting_and_keeps_what_there_is() -> None:
    asked, go_on = threading.Event(), threading.Event()

    def second(_: Scope) -> None:
        asked.set()
        go_on.wait(20)

    collectors: dict[str, Collector] = {
        "first": lambda scope: scope.text("first", "first"),
        "second": second,
        "third": lambda scope: scope.text("third", "third"),
    }
    writer = BundleWriter(redactor(), None)
    found = collect(collectors, writer, tell=silent, is_stopped=asked.is_set)
    go_on.set()
    assert found.is_interrupted
    assert [(one.name, one.status, one.reasons) for one in found.ended] == [
        ("first", "ok", ()),
        ("second", "partial", ("interrupted",)),
        ("third", "skipped", ("not begun: interrupted",)),
    ]


def test_the_whole_time_is_bounded() -> None:
    writer = BundleWriter(redactor(), None)
    found = collect({"a": failing, "b": failing}, writer, tell=silent, total_s=0)
    assert {one.reasons for one in found.ended} == {("not begun: 0 s were over",)}


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    """A site file with a secret of each source, and generated ones in two versions."""
    (tmp_path / "site.yaml").write_text(SITE.format(folder=tmp_path))
    (tmp_path / "word").write_text("from-a-file-1\n")
    (tmp_path / "url").write_text("postgresql://s1:from-an-url@127.0.0.1:1/main")
    for version in (1, 2):
        place = tmp_path / "state" / "secrets" / "token" / str(version)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(f"generated-{version}")
    mounted = tmp_path / "state" / "mounts" / "north-web-1" / "secrets" / "bearer"
    mounted.parent.mkdir(parents=True)
    mounted.write_text("given-before")
    (tmp_path / "state" / "secrets" / ".key").write_bytes(bytes(range(100, 132)))
    return made_sources(tmp_path)


def made_sources(folder: Path) -> Sources:
    def no_context() -> None:
        raise InputOutputFailed("no ledger", code="S1-I23", hint="restore it")

    return find_sources(
        site_file=folder / "site.yaml",
        usual_state=folder / "usual",
        environment={
            "THE_KEY": "from-the-environment",
            "S1CTL_KEY_PASSWORD": "a passphrase",
            "PATH": "/usr/bin:/bin",
            "PWD": "/where/i/am",
            "TOKEN_FILE": "/where/it/is",
        },
        context=no_context,  # type: ignore[arg-type]
        now=lambda: datetime(2026, 3, 1, 2, 3, tzinfo=UTC),
        since=None,
    )


VALUES = (
    "from-a-file-1", "from-an-url", "from-the-environment", "from-a-command", "a passphrase",
    "generated-1", "generated-2", "given-before", bytes(range(100, 132)).hex(),
)  # fmt: skip


def test_every_secret_that_is_kept_or_referenced_is_known(sources: Sources) -> None:
    gathered = gather_known(
        sources.site, text="", states=sources.states, environment=sources.environment
    )
    assert gathered.unknown == []
    assert [value for value in VALUES if not gathered.known.is_in(value)] == []
    assert not gathered.known.is_in("127.0.0.1:1/main /where/i/am /where/it/is /usr/bin")


def test_of_a_broken_site_file_the_references_are_known_and_no_command_runs(
    sources: Sources, tmp_path: Path
) -> None:
    ran = tmp_path / "ran"
    text = SITE.format(folder=tmp_path) + f"oops: [\nx: cmd:touch {ran}\n"
    (tmp_path / "site.yaml").write_text(text)
    broken = made_sources(tmp_path)
    assert broken.site is None
    assert (broken.name, broken.state) == ("north", tmp_path / "state")
    assert broken.socket == f"{tmp_path}/no.sock"
    gathered = gather_known(None, text=text, states=broken.states, environment=broken.environment)
    assert [v for v in VALUES if not gathered.known.is_in(v)] == ["from-a-command"]
    assert not ran.exists()
    assert "cmd:" in gathered.unknown[0]


def test_a_secret_that_cannot_be_read_is_named(sources: Sources, tmp_path: Path) -> None:
    (tmp_path / "word").unlink()
    gathered = gather_known(sources.site, text="", states=(), environment=sources.environment)
    assert gathered.unknown == ["registry.password (S1-I10)"]


def test_a_state_directory_that_may_not_be_entered_is_named(
    sources: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", denied)
    gathered = gather_known(None, text="x", states=sources.states[:1], environment={})
    assert f"{sources.state}/secrets/*/* (Permission denied)" in gathered.unknown


def test_of_commands_and_texts_is_shown_only_that_they_are_there() -> None:
    site = {
        "registry": {"password": "cmd:vault read -token=x", "user": "u"},
        "values": {"a": "cmd:x", "b": "a text", "c": "env:X", "d": "file:/x", "e": 5, "f": True},
        "hooks": {"start": ["curl -H 'X: y'"]},
    }
    assert shown(site) == {
        "registry": {"password": "cmd", "user": "u"},
        "values": {"a": "cmd", "b": "(text)", "c": "env:X", "d": "file:/x", "e": 5, "f": True},
        "hooks": {"start": 1},
    }


def test_a_torn_ledger_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    with closing(open_ledger(tmp_path)) as ledger:
        ledger.trust.remember("p", b"root")
    writer = BundleWriter(redactor(), None)
    scope = Scope(name="ledger", writer=writer)
    before = sorted(p.name for p in tmp_path.iterdir())
    collect_ledger(scope, tmp_path / "ledger.db")
    assert "platform/ledger/operations.ndjson" in writer.members
    assert sorted(p.name for p in tmp_path.iterdir()) == before
    raw = (tmp_path / "ledger.db").read_bytes()
    (tmp_path / "ledger.db").write_bytes(raw[:6000])
    torn = collect(
        {"ledger": lambda scope: collect_ledger(scope, tmp_path / "ledger.db")},
        BundleWriter(redactor(), None),
        tell=silent,
    )
    assert torn.ended[0].status in ("partial", "skipped")
    assert "S1-I23" in " ".join(torn.ended[0].reasons)


def test_a_bundle_accounts_for_all_that_is_in_it(sources: Sources, tmp_path: Path) -> None:
    path = tmp_path / "b.tar.gz"
    spread = "\n".join(VALUES) + "\nplain\n"
    collectors: dict[str, Collector] = {
        "one": lambda scope: scope.text("one.txt", spread),
        "absent": absent,
    }
    made = make_support_bundle(sources, path, tell=silent, collectors=collectors)
    found = members(path)
    assert sorted(found) == ["manifest.json", "one.txt", "redactions.json"]
    assert [value for value in VALUES if value in "".join(found.values())] == []
    assert found["one.txt"].endswith("plain\n")
    manifest = json.loads(found["manifest.json"])
    assert {one["name"]: one["status"] for one in manifest["collectors"]} == {
        "one": "ok",
        "absent": "skipped",
    }
    assert [file["name"] for file in manifest["files"]] == ["one.txt", "redactions.json"]
    assert json.loads(found["redactions.json"])["files"] == {"one.txt": {"known-value": 9}}
    assert made.masked == {"known-value": 9}
    assert made.size_bytes == path.stat().st_size
    assert path.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in tmp_path.iterdir() if p.name.endswith(".tmp")] == []


def test_where_a_file_is_there_nothing_is_collected(sources: Sources, tmp_path: Path) -> None:
    (tmp_path / "b").write_text("evidence")
    run: list[Scope] = []
    with pytest.raises(UsageError, match="is there already"):
        make_support_bundle(sources, tmp_path / "b", tell=silent, collectors={"one": run.append})
    assert (run, (tmp_path / "b").read_text()) == ([], "evidence")


def test_a_preview_measures_the_same_and_writes_nothing(sources: Sources, tmp_path: Path) -> None:
    collectors: dict[str, Collector] = {"one": lambda scope: scope.text("one.txt", "x\n" * 9)}
    before = sorted(tmp_path.rglob("*"))
    seen = preview_support_bundle(sources, tell=silent, collectors=collectors)
    assert sorted(tmp_path.rglob("*")) == before
    made = make_support_bundle(sources, tmp_path / "b", tell=silent, collectors=collectors)
    sizes = [{m.name: m.size_bytes for m in one.members} for one in (seen, made)]
    assert sizes[0]["one.txt"] == sizes[1]["one.txt"] == 18
    assert sizes[0].keys() == sizes[1].keys()


def test_a_leak_deletes_the_archive(
    sources: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Redactor, "line", lambda _, text, __: text)
    collectors: dict[str, Collector] = {"one": lambda scope: scope.text("one.txt", VALUES[0])}
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(PolicyRefused):
        make_support_bundle(sources, tmp_path / "b", tell=silent, collectors=collectors)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_stream_is_read_in_bounded_memory() -> None:
    held = 0

    def chunks() -> Iterator[bytes]:
        for _ in range(64):
            yield b"x" * 99 + b"\n"

    for line in lines_of(chunks()):
        held = max(held, len(line))
    assert held == 100
    assert sum(len(line) for line in read_ends(io.BytesIO(b"a\nb\n"), 4)) == 4


def test_the_site_file_of_these_tests_is_one(tmp_path: Path, sources: Sources) -> None:
    assert sources.site == read_site(tmp_path / "site.yaml")
