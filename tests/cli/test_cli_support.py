"""`support-bundle` at broken sites: it writes one, says what is missing, and keeps secrets."""

import errno
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from s1ctl.cli.main import main
from s1ctl.cli.support import parse_since
from s1ctl.ledger.ledger import open_ledger
from s1ctl.masking.redact import Redactor
from tests.support.cases import CASES, ROOT, Stands, outcome_of, stand_of, words_of
from tests.support.schemas import heard

WORD = "canary-registry-55"
URL_WORD = "canary/db:p@ss-66"
ENV_WORD = "canary-env-77"
SITE = """\
version: 1
name: north
target: {{kind: docker, network: 10.97.0.0/24, socket: {folder}/no.sock}}
registry: {{url: "http://127.0.0.1:{port}", user: u, password: "file:{folder}/word"}}
trust: {{product: p, channel: stable}}
state_dir: {folder}/state
values: {{key: "env:S1CTL_TEST_KEY", other: "cmd:printf canary-command-88"}}
databases: {{main: {{url: "file:{folder}/url"}}}}
"""
LOG = f"""\
2026-03-01T02:03:00 tried {WORD} and {ENV_WORD}
2026-03-01T02:03:01 postgresql://s1:canary%2Fdb%3Ap%40ss-66@127.0.0.1:1/main is away
2026-03-01T02:03:02 generated-canary-99 came from canary-command-88
2026-03-01T02:03:03 nothing to see
"""
CANARIES = (WORD, URL_WORD, "canary%2Fdb", ENV_WORD, "canary-command-88", "generated-canary-99")
Data = Callable[..., tuple[int, Any]]


def closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A site that has no engine, no registry and no database, and secrets in its log."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("S1CTL_TEST_KEY", ENV_WORD)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "usual"))
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "site.yaml").write_text(SITE.format(folder=folder, port=closed_port()))
    (folder / "word").write_text(WORD)
    (folder / "url").write_text(
        f"postgresql://s1:canary%2Fdb%3Ap%40ss-66@127.0.0.1:{closed_port()}/m"
    )
    open_ledger(folder / "state").close()
    (folder / "state" / "logs").mkdir()
    (folder / "state" / "logs" / "s1ctl.log").write_text(LOG)
    (folder / "state" / "secrets" / "token").mkdir(parents=True)
    (folder / "state" / "secrets" / "token" / "1").write_text("generated-canary-99")
    return folder


@pytest.fixture
def data(site: Path, capsys: pytest.CaptureFixture[str]) -> Data:
    def data(*words: object) -> tuple[int, Any]:
        line = ["--site", site / "site.yaml", "support-bundle", *words, "--output", "json"]
        status = main([str(word) for word in line])
        said = capsys.readouterr()
        assert heard(line, said.out) == ""
        assert [word for word in CANARIES if word in said.out + said.err] == []
        return status, json.loads(said.out)

    return data


def members(path: Path) -> dict[str, str]:
    with tarfile.open(path) as archive:
        return {m.name: archive.extractfile(m).read().decode() for m in archive}  # type: ignore[union-attr]


def parts(document: Any) -> dict[str, str]:
    return {one["name"]: one["status"] for one in document["collectors"]}


def reasons(document: Any, part: str) -> str:
    return " ".join(
        one for c in document["collectors"] if c["name"] == part for one in c["reasons"]
    )


def check_bundle(path: Path) -> dict[str, str]:
    """Look into a bundle: it is masked, accounted for, and for nobody else to read."""
    found = members(path)
    assert [word for word in CANARIES if word in "".join((*found, *found.values()))] == []
    assert path.stat().st_mode & 0o777 == 0o600
    listed = {file["name"] for file in json.loads(found["manifest.json"])["files"]}
    assert listed == found.keys() - {"manifest.json"}
    return found


def test_engine_registry_and_database_may_be_away(data: Data, site: Path, tmp_path: Path) -> None:
    before = stand_of(site)
    status, document = data("-o", tmp_path / "b.tar.gz")
    assert outcome_of(status, document) == CASES["support-bundle-all-away"].outcome
    found = check_bundle(tmp_path / "b.tar.gz")
    assert parts(document)["engine"] == "skipped"
    assert "S1-E01" in reasons(document, "engine")
    assert "S1-D01" in reasons(document, "pg")
    assert {p for p, status in parts(document).items() if status == "ok"} == {
        "site", "ledger", "state", "logs", "host", "checks",
    }  # fmt: skip
    findings = json.loads(found["checks/results.json"])["findings"]
    assert "fail" in {f["outcome"] for f in findings if f["id"] == "engine.reachable"}
    shown = json.loads(found["platform/site.json"])
    assert shown["registry"]["password"] == f"file:{site}/word"
    assert shown["values"] == {"key": "env:S1CTL_TEST_KEY", "other": "cmd"}
    assert found["logs/s1ctl.log"].splitlines() == [
        "2026-03-01T02:03:00 tried <***> and <***>",
        "2026-03-01T02:03:01 postgresql://s1:<***>@127.0.0.1:1/main is away",
        "2026-03-01T02:03:02 <***> came from <***>",
        "2026-03-01T02:03:03 nothing to see",
    ]
    assert document["unknown"] == []
    assert stand_of(site) == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["b.tar.gz", "site"]


def test_a_commands_arguments_are_told_nowhere(
    data: Data, site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, facts = site / "site.yaml", tmp_path / "facts.json"
    command = "cmd:false --role-id canary-role-31"
    path.write_text(path.read_text().replace(f"file:{site}/word", command))
    _, document = data("-o", tmp_path / "b.tar.gz")
    found = members(tmp_path / "b.tar.gz")
    main(["--site", str(path), "preflight", "--save", str(facts)])
    said = capsys.readouterr()
    texts = {**found, "facts": facts.read_text(), "said": said.out + said.err}
    assert [name for name, text in texts.items() if "canary-role" in text] == []
    told = "the secret `cmd:false` for `registry.password` does not resolve"
    for name in ("facts/facts.json", "checks/results.json", "facts", "said"):
        assert told in " ".join(texts[name].split())
    assert document["unknown"] == ["registry.password (S1-I10)"]


def test_an_older_ledger_is_judged_as_it_is_and_not_upgraded(
    data: Data, site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(site / "state")
    with monkeypatch.context() as patch:
        patch.setattr("s1ctl.ledger.migrate.SCHEMA", 2)
        open_ledger(site / "state").close()
    (site / "state").chmod(0o755)
    before, names = stand_of(site), sorted(p.name for p in (site / "state").iterdir())
    status, document = data("-o", tmp_path / "b.tar.gz")
    assert (status, parts(document)["checks"]) == (0, "ok")
    assert stand_of(site) == before
    assert (site / "state").stat().st_mode & 0o777 == 0o755
    assert sorted(p.name for p in (site / "state").iterdir()) == names


def test_the_ledger_may_be_torn(data: Data, site: Path, tmp_path: Path) -> None:
    ledger = site / "state" / "ledger.db"
    ledger.write_bytes(ledger.read_bytes()[:5000])
    torn = ledger.read_bytes()
    status, document = data("-o", tmp_path / "b.tar.gz")
    assert outcome_of(status, document) == CASES["support-bundle-ledger-torn"].outcome
    check_bundle(tmp_path / "b.tar.gz")
    assert "S1-I23" in reasons(document, "ledger")
    assert "S1-I23" in reasons(document, "checks")
    assert parts(document)["logs"] == parts(document)["host"] == "ok"
    assert ledger.read_bytes() == torn


@pytest.mark.parametrize(
    ("row", "code"), [("missing", "S1-U11"), ("broken", "S1-U01"), ("open", "S1-U10")]
)
def test_the_site_file_may_not_be_usable(
    data: Data, site: Path, tmp_path: Path, row: str, code: str
) -> None:
    path = site / "site.yaml"
    if row == "missing":
        path.unlink()
    elif row == "broken":
        path.write_text(path.read_text() + "values: {twice: 1\n")
    else:
        path.chmod(0o666)
    before = words_of(site / "state")
    status, document = data("-o", tmp_path / "b.tar.gz")
    assert outcome_of(status, document) == CASES["support-bundle-site-file-unusable"].outcome
    CASES["support-bundle-site-file-unusable"].prove(before, words_of(site / "state"))
    assert code in reasons(document, "site")
    assert parts(document)["host"] == "ok"
    if row == "missing":
        assert "s1ctl-support-site-" not in str(document["file"])
        check_bundle(tmp_path / "b.tar.gz")
        assert document["unknown"] == ["what the site file names (it was not read)"]
        return
    # What its text names is collected all the same; no command is run, and that is said.
    assert document["unknown"][0].startswith("what a `cmd:` of the site file says")
    found = members(tmp_path / "b.tar.gz")
    assert [w for w in CANARIES if w in "".join(found.values())] == ["canary-command-88"]
    assert parts(document)["logs"] == parts(document)["ledger"] == "ok"


def test_nothing_may_be_installed_or_even_begun(
    site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nowhere = tmp_path / "nowhere.yaml"
    nowhere.write_text(SITE.format(folder=tmp_path / "nowhere", port=closed_port()))
    before = stand_of(tmp_path / "site")
    status = main(["--site", str(nowhere), "support-bundle", "--output", "json"])
    document = json.loads(capsys.readouterr().out)
    assert outcome_of(status, document) == CASES["support-bundle-nothing-begun"].outcome
    assert document["file"].startswith("s1ctl-support-north-")
    assert "nothing was loaded here" in reasons(document, "ledger")
    assert not (tmp_path / "nowhere").exists()
    assert stand_of(tmp_path / "site") == before
    assert document["unknown"] == ["registry.password (S1-I10)", "databases.main.url (S1-I10)"]


def test_a_leak_deletes_the_archive_and_names_file_and_rule(
    data: Data, site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Redactor.line

    def blind(redactor: Redactor, text: str, counts: Any) -> str:
        return text if WORD in text else real(redactor, text, counts)

    monkeypatch.setattr(Redactor, "line", blind)
    before: Stands = {"files": stand_of(tmp_path)}
    status, document = data("-o", tmp_path / "b.tar.gz")
    assert outcome_of(status, document) == CASES["support-bundle-leak"].outcome
    assert "`logs/s1ctl.log`" in document["error"]["message"]
    assert "`known-value`" in document["error"]["message"]
    CASES["support-bundle-leak"].prove(before, {"files": stand_of(tmp_path)})


def test_where_it_cannot_be_written_that_is_said(data: Data, tmp_path: Path) -> None:
    before: Stands = {"files": stand_of(tmp_path)}
    status, document = data("-o", tmp_path / "none" / "b.tar.gz")
    assert outcome_of(status, document) == CASES["support-bundle-unwritable"].outcome
    assert f"`{tmp_path}/none/b.tar.gz` cannot be written" in document["error"]["message"]
    CASES["support-bundle-unwritable"].prove(before, {"files": stand_of(tmp_path)})


def test_no_file_is_written_over(
    data: Data, site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link, late = tmp_path / "link", tmp_path / "late"
    link.symlink_to(tmp_path / "nowhere")

    def take() -> Stands:
        return {"files": stand_of(tmp_path), "site file": (site / "site.yaml").read_bytes()}

    before = take()
    for path in (site / "site.yaml", link):
        status, document = data("-o", path)
        assert outcome_of(status, document) == CASES["support-bundle-file-is-there"].outcome
        assert document["error"]["message"] == f"`{path}` is there already"
    CASES["support-bundle-file-is-there"].prove(before, take())
    monkeypatch.setattr("s1ctl.report.support.make.check_archive", lambda *_: late.write_text("x"))
    status, document = data("-o", late)
    assert outcome_of(status, document) == CASES["support-bundle-file-is-there"].outcome
    late.unlink()
    CASES["support-bundle-file-is-there"].prove(before, take())


def test_a_medium_without_links_takes_a_bundle_too(
    data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    assert data("-o", tmp_path / "b.tar.gz")[0] == 0
    check_bundle(tmp_path / "b.tar.gz")


def test_a_time_that_is_none_is_refused(data: Data, tmp_path: Path) -> None:
    before: Stands = {"files": stand_of(tmp_path)}
    status, document = data("--since", "yesterday")
    assert outcome_of(status, document) == CASES["support-bundle-since"].outcome
    assert "`--since yesterday`" in document["error"]["message"]
    CASES["support-bundle-since"].prove(before, {"files": stand_of(tmp_path)})


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_writes_what_there_is(site: Path, tmp_path: Path, sign: signal.Signals) -> None:
    words = (
        "--site",
        site / "site.yaml",
        "support-bundle",
        "-o",
        tmp_path / "b",
        "--output",
        "json",
    )
    before = words_of(site / "state")
    with socket.socket(socket.AF_UNIX) as engine:
        engine.bind(str(site / "no.sock"))
        engine.listen()  # it takes connections and never answers
        with subprocess.Popen(
            [sys.executable, "-c", "from s1ctl.cli.main import run; run()", *map(str, words)],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as running:
            assert running.stderr is not None
            for line in running.stderr:
                if line == "collect engine\n":
                    break
            running.send_signal(sign)
            out, _ = running.communicate(timeout=30)
    document = json.loads(out)
    assert outcome_of(running.returncode, document) == CASES["support-bundle-interrupted"].outcome
    CASES["support-bundle-interrupted"].prove(before, words_of(site / "state"))
    assert heard(words, out) == ""
    found = check_bundle(tmp_path / "b")
    assert "logs/s1ctl.log" in found
    assert json.loads(found["manifest.json"])["is_interrupted"]
    assert parts(document)["engine"] in ("partial", "skipped")
    assert "not begun: interrupted" in reasons(document, "pg")


def test_a_preview_lists_and_writes_nothing(
    site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = stand_of(tmp_path)
    assert main(["--site", str(site / "site.yaml"), "support-bundle", "--preview"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("logs/s1ctl.log  ") for line in lines)
    assert lines[-1] == "nothing was written"
    assert stand_of(tmp_path) == before


def test_the_result_says_what_is_missing_and_how_to_look(
    site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "b.tar.gz"
    assert main(["--site", str(site / "site.yaml"), "support-bundle", "-o", str(path)]) == 0
    out = capsys.readouterr().out
    assert "  skipped engine, 0 files" in out
    assert "no engine answers at" in out
    assert f"look before you send it: `tar -tzvf {path}`" in out


def test_logs_may_be_limited_by_their_age(data: Data, site: Path, tmp_path: Path) -> None:
    old = site / "state" / "logs" / "op-1.ndjson"
    old.write_text("{}\n")
    os.utime(old, (1_700_000_000, 1_700_000_000))
    data("-o", tmp_path / "all")
    data("-o", tmp_path / "some", "--since", "24h")
    assert "logs/op-1.ndjson" in members(tmp_path / "all")
    assert "logs/op-1.ndjson" not in members(tmp_path / "some")
    assert "logs/s1ctl.log" in members(tmp_path / "some")


@pytest.mark.parametrize("text", ["90m", "24h", "7d", "2026-03-01T02:00", "2026-03-01"])
def test_ages_and_times_are_read(text: str) -> None:
    from datetime import UTC, datetime

    now = datetime(2026, 3, 8, 2, tzinfo=UTC)
    assert parse_since(text, now) < now
