"""A secret of every source, and whole runs with failures: none is anywhere it has no business."""

import json
import sqlite3
import tarfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest

from s1ctl.targets.docker_container import SITE
from s1ctl.targets.docker_engine import Engine, State, connect_engine
from tests.support.canaries import (
    BROKEN,
    ENVIRONMENT,
    NOT_SEARCHED,
    TALKING,
    Aviary,
    files_of,
    leaks,
    run,
    write_bundles,
)
from tests.support.cases import CASES, outcome_of, stand_of
from tests.support.engine import remove_site
from tests.support.postgres import Server
from tests.support.registry import RegistryServer, free_port
from tests.support.require import ENGINE, need

pytestmark = pytest.mark.integration
NETWORK = "10.214.73.0/24"
REGISTRY, WRONG = "canary/reg:istry@1", "canary-wrong-registry"
URL, WRONG_URL = "canary/db:p@ss w", "canary-wrong-db-word"
IN_SITE_FILE = "canary-in-the-site-file"
STRAY = "stray-signing.key"


def values_of(folder: Path) -> dict[str, str]:
    """Write the canaries that lie in files, and name all."""
    (folder / "registry-word").write_text(REGISTRY)
    (folder / "bearer").write_text("canary-bearer-0123456789\n")
    (folder / "api-key").write_text("canary-api-key")
    return {
        "registry password": REGISTRY,
        "wrong registry password": WRONG,
        "database password": URL,
        "wrong database password": WRONG_URL,
        "bearer (file:)": "canary-bearer-0123456789",
        "api_key (cmd:)": "canary-api-key",
        "db_password (env:)": "canary-env-word",
        "passphrase of the key": "canary-passphrase",
        "secret in the site file": IN_SITE_FILE,
    }


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    need("docker")
    with closing(connect_engine(str(ENGINE))) as client:
        yield client


@pytest.fixture(scope="module")
def aviary(
    engine: Engine, postgres_server: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Aviary]:
    """Live through everything once; the tests look at what that left."""
    need("registry")
    folder, name = tmp_path_factory.mktemp("aviary"), f"t{uuid.uuid4().hex[:8]}"
    site = Aviary(folder=folder, file=folder / "site.yaml", values=values_of(folder))
    database = postgres_server.make_database()
    database.execute(f"ALTER ROLE {database.user} PASSWORD '{URL}'")
    address = f"{database.host}:{database.port}/{database.name}"
    urls = {
        "right": f"postgresql://{database.user}:{quote(URL, safe='')}@{address}",
        "wrong": f"postgresql://{database.user}:{WRONG_URL}@{address}",
        "away": f"postgresql://{database.user}:{quote(URL, safe='')}@127.0.0.1:{free_port()}/x",
    }
    server = RegistryServer(folder / "registry", tls=True, user="loader", password=REGISTRY)
    with pytest.MonkeyPatch.context() as patch, server:
        patch.setenv(ENVIRONMENT, site.values["db_password (env:)"])
        patch.setenv("XDG_STATE_HOME", str(folder / "usual"))
        patch.setattr(Engine, "create", recording(site))
        try:
            live(site, name, server, urls)
            yield site
        finally:
            remove_site(engine, name)
            postgres_server.drop_database(database)


def recording(site: Aviary) -> Callable[[Engine, str, State], None]:
    """Make what creates containers, and keeps what each was created with."""
    real = Engine.create

    def create(engine: Engine, name: str, config: State) -> None:
        site.containers.append((name, config))
        real(engine, name, config)

    return create


def live(site: Aviary, name: str, server: RegistryServer, urls: dict[str, str]) -> None:
    folder = site.folder
    (folder / "vendor").mkdir()
    bundles, root, fingerprint, said = write_bundles(
        folder / "vendor", site.values["passphrase of the key"]
    )
    site.said["vendor"] = "".join(said)
    begin(site, name, server)
    point = lambda which: (folder / "url").write_text(urls[which])  # noqa: E731
    point("right")
    site.done("trust", "trust", "init", "--root", root, "--fingerprint", fingerprint)
    (folder / "registry-word").write_text(WRONG)
    site("load refused", "load", *bundles.values())
    (folder / "registry-word").write_text(REGISTRY)
    site.done("load", "load", *bundles.values(), is_text=True)
    site("preflight", "preflight")
    place_key(site)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("s1ctl.targets.docker.DockerTarget.roll", exploding(site))
        events = ("--events", folder / "install.ndjson")
        site("bug", "install", "--bundle", bundles["1.0.0"], "--yes", *events)
    site.done("resume", "resume")
    site.done("plan", "plan", "--to", "1.1.0", "--out", folder / "plan.json")
    events = ("--events", folder / "upgrade.ndjson")
    site.done("upgrade", "upgrade", "--to", "1.1.0", "--yes", *events, is_text=True)
    refuse_inline(site)
    site("migration", "upgrade", "--to", BROKEN, "--yes")
    site("talking", "upgrade", "--to", TALKING, "--yes")
    for which in ("wrong", "away"):
        point(which)
        site(f"database {which}", "upgrade", "--to", BROKEN, "--yes")
    site("status away", "status")
    site.done("bundle away", "support-bundle", "-o", folder / "away.tar.gz")
    point("right")
    site.done("rotate", "secret", "rotate", "token", "--yes")
    for words in ("secret list", "status", "history", "db status", "backup list", "lock show"):
        site.done(words, *words.split())
    site.done("report", "report", "last", "--html", folder / "last.html")
    site.done("report op-1", "report", "op-1", "--html", folder / "first.html")
    site.done("bundle", "support-bundle", "-o", folder / "bundle.tar.gz", is_text=True)


def begin(site: Aviary, name: str, server: RegistryServer) -> None:
    """Write the site file by `init`, and give the database's URL."""
    folder = site.folder
    status, out, err = run(
        *("--site", site.file, "init", "--non-interactive", "--name", name, "--product", "aviary"),
        *("--registry", f"{server.url}/aviary", "--registry-ca", server.ca),
        *("--registry-user", "loader", "--registry-password", f"file:{folder}/registry-word"),
        *("--network", NETWORK, "--state-dir", folder / "state", "--soak", "0"),
        *("--value", f"bearer=file:{folder}/bearer", "--value", f"db_password=env:{ENVIRONMENT}"),
        *("--value", f"api_key=cmd:cat {folder}/api-key", "--database", "birds=none"),
    )
    assert status == 0, out + err
    site.said["init"] = out + err
    text = site.file.read_text()
    site.file.write_text(text.replace('service: "none"', f'url: "file:{folder}/url"'))
    assert 'url: "file:' in site.file.read_text()


def refuse_inline(site: Aviary) -> None:
    """Write a secret itself into the site file, and have that refused."""
    text = site.file.read_text()
    source = f"file:{site.folder}/bearer"
    assert source in text
    site.file.write_text(text.replace(source, IN_SITE_FILE))
    before = stand_of(site.state)
    site("inline", "apply", "--yes")
    site.done("bundle inline", "support-bundle", "-o", site.folder / "inline.tar.gz")
    site.file.write_text(text)
    assert stand_of(site.state) == before


def place_key(site: Aviary) -> None:
    """Have a signing key lie about, in the state directory too, and its lines as canaries."""
    new = run("key", "new", site.folder / "vendor" / "open.key", "--no-password")
    site.said["key new"] = new[1] + new[2]
    key = (site.folder / "vendor" / "open.key").read_text()
    (site.state / STRAY).write_text(key)
    locked = (site.folder / "vendor" / "vendor.key").read_text()
    lines = [line for line in f"{key}{locked}".splitlines() if "-----" not in line]
    assert len(lines) >= 5
    site.values |= {f"line {n} of a key": line for n, line in enumerate(lines) if len(line) > 20}


def exploding(site: Aviary) -> Callable[..., None]:
    """Make a bug whose text has secrets in it: as they are, in a URL, and a whole key."""
    bearer, word = site.values["bearer (file:)"], site.values["api_key (cmd:)"]
    url = f"postgresql://birds:{site.values['database password'].replace(' ', '%20')}@db/birds"
    text = f"a bug in the middle: {bearer}, {word}, {url}\n{(site.state / STRAY).read_text()}"

    def explode(*_: object, **__: object) -> None:
        raise RuntimeError(text)

    return explode


def outcome(site: Aviary, name: str) -> tuple[int, str]:
    return outcome_of(*site.ended[name])


def test_each_failure_ended_as_it_says(aviary: Aviary) -> None:
    assert outcome(aviary, "load refused") == CASES["secret-wrong-registry-password"].outcome
    assert outcome(aviary, "inline") == CASES["secret-in-site-file"].outcome
    assert outcome(aviary, "migration") == CASES["secret-failing-migration"].outcome
    assert outcome(aviary, "database wrong") == CASES["secret-wrong-database-password"].outcome
    assert outcome(aviary, "database away") == CASES["secret-database-away"].outcome
    assert outcome(aviary, "talking") == CASES["secret-said-by-an-app"].outcome
    said = aviary.ended["talking"][1]["cause"]["message"]
    assert "cannot connect to postgresql://birds:<***>@db/birds with token <***>" in said
    assert outcome(aviary, "bug") == CASES["secret-bug-in-an-operation"].outcome
    log = (aviary.state / "logs" / "s1ctl.log").read_text()
    assert log.count("RuntimeError: a bug in the middle: <***>, <***>, postgresql://birds:<***>@")
    assert aviary.ended["bug"][1]["cause"]["message"].count("<***>") == 4
    assert "`bearer` is a secret" in aviary.ended["inline"][1]["error"]["message"]


def test_there_were_secrets_to_be_found(aviary: Aviary) -> None:
    secrets = aviary.secrets()
    assert len(secrets) == len(aviary.values) + 2  # of `token`, which was rotated, two versions
    mounted = b"".join(path.read_bytes() for path in files_of(aviary.state / "mounts"))
    assert set(leaks(mounted, secrets)) >= {"bearer (file:)", "api_key (cmd:)", "token 2"}
    assert leaks(b"x Y2FuYXJ5LWFwaS1rZXk= y", secrets) == ["api_key (cmd:)"]
    assert leaks(b'"loader:canary/reg:istry@1"', secrets) == ["registry password"]


def test_no_secret_is_in_what_was_said(aviary: Aviary) -> None:
    assert {name: found for name, text in aviary.said.items()
            if (found := leaks(text.encode(), aviary.secrets()))} == {}  # fmt: skip
    assert sum(map(len, aviary.said.values())) > 20_000


def test_no_secret_is_in_the_state_directory_but_where_secrets_are_kept(aviary: Aviary) -> None:
    files = list(files_of(aviary.state, without=(*NOT_SEARCHED, STRAY)))
    names = {path.name for path in files}
    assert {"ledger.db", "s1ctl.log", "op-1.ndjson"} <= names
    assert [(str(p), f) for p in files if (f := leaks(p.read_bytes(), aviary.secrets()))] == []


def test_no_secret_is_in_a_table_of_the_ledger(aviary: Aviary) -> None:
    with closing(sqlite3.connect(aviary.state / "ledger.db")) as ledger:
        text = "\n".join(ledger.iterdump())
    assert 'INSERT INTO "points"' in text
    assert leaks(text.encode(), aviary.secrets()) == []


def test_no_secret_is_in_plans_events_reports_or_the_site_file(aviary: Aviary) -> None:
    names = (
        "plan.json",
        "install.ndjson",
        "upgrade.ndjson",
        "first.html",
        "last.html",
        "site.yaml",
    )
    for name in names:
        raw = (aviary.folder / name).read_bytes()
        assert raw
        assert leaks(raw, aviary.secrets()) == [], name


def test_no_secret_is_in_a_process_that_was_started(aviary: Aviary) -> None:
    started = {
        line: raw for line, raw in aviary.processes.items() if not line.startswith("/bin/sh")
    }
    assert any("s1ctl.database.worker" in line for line in started)
    assert any("pg_dump" in line for line in started)
    assert {line: found for line, raw in started.items()
            if (found := leaks(raw, aviary.secrets()))} == {}  # fmt: skip


def test_no_secret_is_in_a_containers_environment_arguments_or_labels(
    aviary: Aviary, engine: Engine
) -> None:
    made = {name: json.dumps(config).encode() for name, config in aviary.containers}
    assert {name: f for name, raw in made.items() if (f := leaks(raw, aviary.secrets()))} == {}
    assert any("-web-" in name for name in made)  # those that are gone by now too
    name = aviary.ended["status"][1]["site"]
    containers = engine.containers({SITE: name})
    assert containers
    for container in containers:
        raw = json.dumps(engine.container(container)).encode()
        assert leaks(raw, aviary.secrets()) == [], container


@pytest.mark.parametrize("name", ["bundle.tar.gz", "away.tar.gz", "inline.tar.gz"])
def test_no_secret_is_in_the_support_bundle(aviary: Aviary, name: str) -> None:
    with tarfile.open(aviary.folder / name) as archive:
        found = {m.name: archive.extractfile(m).read() for m in archive}  # type: ignore[union-attr]
    assert {n: f for n, raw in found.items() if (f := leaks(raw, aviary.secrets()))} == {}
    assert leaks("\n".join(found).encode(), aviary.secrets()) == []
    container = next(n for n in found if n.startswith("engine/containers/") and n.endswith(".log"))
    assert b"<***>" in found[container]  # the app says its secret there
    document = next(raw for n, raw in found.items() if n.startswith("engine/containers/"))
    assert b'"TITLE"' in document
    assert b'aviary"' not in document.split(b'"Env"')[1].split(b"]")[0]
    assert {"platform/ledger/journal.ndjson", "logs/s1ctl.log", "facts/facts.json"} <= found.keys()
    if name == "bundle.tar.gz":
        birds = json.loads(found["pg/birds.json"])
        assert [row["revision"] for row in birds["applied"]] == ["0001", "0002", "0003"]
        statuses = {c["name"]: (c["status"], c["reasons"])
                    for c in json.loads(found["manifest.json"])["collectors"]}  # fmt: skip
        assert {name: s for name, s in statuses.items() if s[0] != "ok"} == {}


def test_a_command_that_says_its_secret_on_stderr_is_not_quoted(tmp_path: Path) -> None:
    site = Aviary(folder=tmp_path, file=tmp_path / "site.yaml", values={"a": "canary-on-stderr"})
    (tmp_path / "word").write_text("canary-on-stderr")
    (tmp_path / "site.yaml").write_text(
        f"version: 1\nname: north\ntarget: {{kind: docker, network: {NETWORK}}}\n"
        f'registry: {{url: "http://127.0.0.1:1/x", user: u,'
        f' password: "cmd:cat {tmp_path}/word >&2; exit 3"}}\n'
        f"trust: {{product: p, channel: stable}}\nstate_dir: {tmp_path}/state\n"
    )
    before = stand_of(tmp_path)
    status, document = site("x", "support-bundle", "--preview")
    assert (status, document["unknown"]) == (0, ["registry.password (S1-I10)"])
    assert leaks(json.dumps(site.said).encode(), site.values) == []
    assert stand_of(tmp_path) == before
