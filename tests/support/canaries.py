"""A platform and a site with a secret of every source, and a search for them in every form."""

import base64
import contextlib
import io
import json
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from s1ctl.cli.main import main
from tests.support.images import base_layer, make_image, make_layer, write_layout
from tests.support.schemas import heard

APP = (Path(__file__).parent / "platform" / "app.py").read_bytes()
TALK = b"""
import os, sys
print(open("/run/secrets/bearer").read(), flush=True)
if os.environ["VERSION"] == "1.3.0":
    word = open("/run/secrets/api_key").read()
    sys.exit(f"cannot connect to postgresql://birds:{word}@db/birds with token {word}")
exec(open("/app.py").read())
"""
VERSIONS = ("1.0.0", "1.1.0", "1.2.0", "1.3.0")
BROKEN, TALKING = "1.2.0", "1.3.0"
RECIPE = """\
format: 1
product: aviary
channel: stable
version: "{version}"
sequence: {sequence}
images:
  web: {{oci-layout: ../images, name: "web:1", repository: web}}
compose: compose.yaml
settings:
  - {{name: token, kind: secret, generate: 24}}
  - {{name: db_password, kind: secret, required: true}}
  - {{name: api_key, kind: secret, required: true}}
  - {{name: bearer, kind: secret, required: true}}
  - {{name: title, kind: text, default: aviary}}
schemas:
  - database: birds
    engine: postgresql
    access: {{dbname: birds, user: birds, password: db_password}}
    migrations: migrations
upgrade: {{from: "{sources}"}}
"""
COMPOSE = """\
services:
  web:
    image: web
    command: [python3, /talk.py]
    environment: {{VERSION: "{version}", TITLE: "${{title}}"}}
    secrets: [token, db_password, api_key, bearer]
    stop_grace_period: 2s
    x-s1ctl:
      role: app
      health: {{port: 8080, ready: /ready, version: /version}}
      drain_s: 1
secrets:
  token: {{file: ./token}}
  db_password: {{file: ./db_password}}
  api_key: {{file: ./api_key}}
  bearer: {{file: ./bearer}}
"""
_HEAD = """\
from alembic import op
import sqlalchemy as sa
from s1ctl.database import ops
from s1ctl.database.ops import Backfill

revision, down_revision, phase, release = {id!r}, {previous!r}, {phase!r}, {release!r}

"""
_REVISIONS = (
    ("0001", "expand", "1.0.0", """
def upgrade():
    op.create_table("birds", sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True))
    op.execute("INSERT INTO birds SELECT FROM generate_series(1, 500)")

def downgrade():
    op.drop_table("birds")
"""),
    ("0002", "expand", "1.1.0", """
def upgrade():
    op.add_column("birds", sa.Column("song", sa.Text))

def downgrade():
    op.drop_column("birds", "song")
"""),
    ("0003", "backfill", "1.1.0", """
backfill = Backfill(
    table="birds", key=("id",), set="song = 'tweet'", where="song IS NULL",
    verify="SELECT count(*) FROM birds WHERE song IS NULL",
)
"""),
    ("0004", "expand", BROKEN, """
def upgrade():
    op.execute("SELECT no_such_function(1)")

def downgrade():
    pass
"""),
)  # fmt: skip
COUNTS = {"1.0.0": 1, "1.1.0": 3, BROKEN: 4, TALKING: 3}
ENVIRONMENT = "S1CTL_TEST_DB_PASSWORD"
NOT_SEARCHED = ("secrets", "mounts")


def run(*words: object) -> tuple[int, str, str]:
    """Run a command line in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main([str(word) for word in words])
    assert heard(words, out.getvalue()) == ""
    return status, out.getvalue(), err.getvalue()


@dataclass(slots=True, kw_only=True)
class Aviary:
    """A site; what each command line said is kept, and so is what processes it started."""

    folder: Path
    file: Path
    values: dict[str, str]
    said: dict[str, str] = field(default_factory=dict)
    ended: dict[str, tuple[int, Any]] = field(default_factory=dict)
    processes: dict[str, bytes] = field(default_factory=dict)
    containers: list[tuple[str, Any]] = field(default_factory=list)

    @property
    def state(self) -> Path:
        """The state directory."""
        return self.folder / "state"

    def __call__(self, name: str, *words: object, is_text: bool = False) -> tuple[int, Any]:
        """Run a command line with all that it can tell, and keep that under `name`."""
        form = () if is_text else ("--output", "json")
        with watched(self.processes):
            status, out, err = run("--site", self.file, "--verbose", *words, *form)
        self.said[f"{name}, stdout"], self.said[f"{name}, stderr"] = out, err
        self.ended[name] = status, {} if is_text else json.loads(out)
        return self.ended[name]

    def done(self, name: str, *words: object, is_text: bool = False) -> Any:
        """Run what has to end well."""
        status, document = self(name, *words, is_text=is_text)
        assert status == 0, f"{words} ended with {status}: {self.said}"
        return document

    def secrets(self) -> dict[str, str]:
        """Name every secret there is by now, the generated ones too."""
        made = (p for p in (self.state / "secrets").glob("*/*") if p.is_file())
        return {**self.values, **{f"{p.parent.name} {p.name}": p.read_text() for p in made}}


def write_bundles(folder: Path, passphrase: str) -> tuple[dict[str, Path], Path, str, list[str]]:
    """Build every bundle with a key that has a passphrase; say also all that was said."""
    layers = [base_layer(), make_layer({"/app.py": APP, "/talk.py": TALK})]
    write_layout(folder / "images", {"web:1": make_image(layers)})
    key, root, word = folder / "vendor.key", folder / "root.json", folder / "passphrase"
    word.write_text(passphrase)
    locked = ("--password-file", word)
    said = [_done("key", "new", key, "--root", root, "--product", "aviary", *locked)]
    fingerprint = next(line[5:] for line in said[0].splitlines() if line.startswith("root "))
    bundles = {}
    for sequence, version in enumerate(VERSIONS, start=1):
        recipe = _write_release(folder / version, version, sequence)
        bundles[version] = folder / f"aviary-{version}.s1b"
        words = ("-o", bundles[version], "--key", key, "--root", root, "--verbose", *locked)
        said.append(_done("bundle", "build", recipe, *words))
    return bundles, root, fingerprint, said


def _write_release(home: Path, version: str, sequence: int) -> Path:
    (home / "migrations").mkdir(parents=True)
    (home / "compose.yaml").write_text(COMPOSE.format(version=version))
    sources = f"<{version}" if sequence > 1 else ""
    recipe = home / "recipe.yaml"
    recipe.write_text(RECIPE.format(version=version, sequence=sequence, sources=sources))
    previous = None
    for name, phase, release, text in _REVISIONS[: COUNTS[version]]:
        head = _HEAD.format(id=name, previous=previous, phase=phase, release=release)
        (home / "migrations" / f"{name}.py").write_text(head + text)
        previous = name
    return recipe


def _done(*words: object) -> str:
    status, out, err = run(*words)
    assert status == 0, f"{words}: {status}: {out}{err}"
    return out + err


@contextlib.contextmanager
def watched(found: dict[str, bytes]) -> Iterator[None]:
    """Note arguments and environment of every process that this one starts meanwhile."""
    stop = threading.Event()
    watcher = threading.Thread(target=_watch, args=(found, stop), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        stop.set()
        watcher.join(10)


def _watch(found: dict[str, bytes], stop: threading.Event) -> None:
    own = Path("/proc/self/cmdline").read_bytes()
    tasks = Path(f"/proc/{os.getpid()}/task")
    while not stop.wait(0.01):
        for task in tasks.iterdir():
            with contextlib.suppress(OSError):
                for pid in (task / "children").read_text().split():
                    arguments = Path(f"/proc/{pid}/cmdline").read_bytes()
                    environment = Path(f"/proc/{pid}/environ").read_bytes()
                    # Until it is another program, a child is a copy of this process.
                    if arguments not in (b"", own):
                        found[arguments.replace(b"\0", b" ").decode()] = arguments + environment


def forms(value: str) -> set[bytes]:
    """List the forms to search for: written here anew, not taken from what is tested."""
    raw = value.encode()
    made = {raw, raw.hex().encode(), quote(value, safe="").encode(), quote(value).encode()}
    made.add(json.dumps(value)[1:-1].encode())
    for before in (b"", b"u", b"u:"):
        text = base64.b64encode(before + raw).rstrip(b"=")
        skip = {0: 0, 1: 2, 2: 3}[len(before)]
        made |= {text[skip:-1], text[skip:-1].translate(bytes.maketrans(b"+/", b"-_"))}
    return made


def leaks(raw: bytes, secrets: dict[str, str]) -> list[str]:
    """Name the secrets that stand in `raw` in any form."""
    return [name for name, value in secrets.items() if any(form in raw for form in forms(value))]


def files_of(folder: Path, *, without: tuple[str, ...] = ()) -> Iterator[Path]:
    """Yield every file below a folder, but those below the named folders at its top."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.relative_to(folder).parts[0] not in without:
            yield path
