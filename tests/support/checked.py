"""A site that is only checked: its files, an engine that pretends, and small file systems."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from s1ctl.ledger.ledger import open_ledger
from tests.support.cases import Untouched, stand_of, words_of
from tests.support.loads import Said, s1ctl, watched
from tests.support.preflight import PretendedEngine
from tests.support.require import lack

VERSION = {"Version": "27.5.1", "ApiVersion": "1.47", "MinAPIVersion": "1.24"}
INFO = {
    "ID": "pretended", "DockerRootDir": "/", "Driver": "overlay2", "SecurityOptions": [],
    "Architecture": "x86_64", "MemTotal": 1 << 30,
}  # fmt: skip
NETWORK = "10.249.250.0/27"


class CheckedSite:
    """A site file in `folder`, with its state directory; `socket` is the engine's."""

    def __init__(
        self, folder: Path, *, socket: Path, registry: str = '{url: "http://127.0.0.1:1/shop"}',
        product: str = "shop", more: str = "",
    ) -> None:  # fmt: skip
        self.file = folder / "site.yaml"
        self.state = folder / "state"
        self.socket = socket
        self.file.write_text(
            "version: 1\nname: checked\n"
            f"target: {{kind: docker, network: {NETWORK}, socket: {socket}}}\n"
            f"registry: {registry}\n"
            f"trust: {{product: {product}, channel: stable}}\n"
            f"state_dir: {self.state}\n{more}"
        )
        self.file.chmod(0o600)

    def words(self) -> dict[Untouched, object]:
        """Take down the site by the words of the table of cases."""
        files = {"files": stand_of(self.file.parent), "site file": self.file.read_bytes()}
        return {**words_of(self.state), **files}  # type: ignore[dict-item]

    def check(self, only: str, *words: object) -> Said:
        """Run `preflight --only` at the site's ledger, and see that nothing is made or changed."""
        if not (self.state / "ledger.db").exists():  # a look upgrades a ledger, and makes the first
            open_ledger(self.state).close()
        line = ("--site", self.file, "preflight", "--only", only, *words)
        said = watched(self.words, lambda: s1ctl(*line))
        assert said.after == said.before
        return said

    @contextmanager
    def engine(self, **changes: object) -> Iterator[PretendedEngine]:
        """Have an engine that pretends; `changes` replace its answers to `version`, `info`, ...."""
        answers = {"_ping": b"OK", "version": VERSION, "info": INFO, "networks": [], **changes}
        self.socket.unlink(missing_ok=True)
        pretended = PretendedEngine({f"/{path}": answer for path, answer in answers.items()})
        with pretended.listening(self.socket):
            yield pretended


def seen(said: Said) -> str:
    """Take what the one finding that did not pass has seen."""
    found = [one for one in said.document["findings"] if one["outcome"] not in {"pass", "skip"}]
    (finding,) = found
    return str(finding["observed"]["text"])


def advice(said: Said) -> str:
    """Take what the one finding that did not pass says to do."""
    found = [one for one in said.document["findings"] if one["outcome"] not in {"pass", "skip"}]
    (finding,) = found
    command = (finding.get("fix") or {}).get("command", "")
    return "; ".join((*finding["remediation"], command))


def system_time(*, ahead_s: float) -> dict[str, Any]:
    """Say the time as an engine does whose clock is ahead."""
    at = datetime.now(UTC) + timedelta(seconds=ahead_s)
    return {**INFO, "SystemTime": f"{at:%Y-%m-%dT%H:%M:%S.%f}789Z"}


@contextmanager
def file_system(place: Path, *options: str) -> Iterator[Path]:
    """Mount a tmpfs with options at a folder; needs root."""
    place.mkdir(exist_ok=True)
    _mount("-t", "tmpfs", "-o", ",".join(options), "tmpfs", str(place))
    with _mounted(place):
        yield place


@contextmanager
def read_only(place: Path) -> Iterator[None]:
    """Let nobody write below a folder; needs root."""
    _mount("--bind", str(place), str(place))
    with _mounted(place):
        _mount("-o", "remount,bind,ro", str(place))
        yield


@contextmanager
def _mounted(place: Path) -> Iterator[None]:
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(place)], timeout=30, check=True)


def _mount(*words: str) -> None:
    done = subprocess.run(
        ["mount", *words], capture_output=True, text=True, timeout=30, check=False
    )
    if done.returncode != 0:
        lack("mounts", done.stderr.strip())
