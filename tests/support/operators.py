"""A site as an operator finds it, s1ctl as a program of its own, and folders that are hostile."""

import io
import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

from packaging.version import Version

from s1ctl.cli.main import main
from s1ctl.ledger.ledger import open_ledger
from tests.support.ledgers import INSTANCE, NOW, PLAN, RELEASE, SETTINGS

ENGINE: dict[str, object] = {
    "/_ping": b"OK",
    "/version": {"Version": "27.5.1", "ApiVersion": "1.47", "MinAPIVersion": "1.24"},
    "/info": {
        "ID": "pretended",
        "DockerRootDir": "/",
        "Driver": "overlay2",
        "SecurityOptions": [],
        "Architecture": "x86_64",
        "MemTotal": 1 << 30,
    },
    "/networks": [],
    "/containers/json": [],
    "/volumes": {"Volumes": []},
}
PROGRAM = (sys.executable, "-c", "from s1ctl.cli.main import run; run()")
TIMEOUT_S = 60
ROOT = Path(__file__).parents[2]


def write_site(folder: Path, *more: str, state: Path, name: str = "acme", socket: str = "") -> Path:
    """Write a site file whose engine is away, or at `socket`."""
    path = folder / "site.yaml"
    words = ("init", "--site", path, "--non-interactive", "--name", name, "--product", "shop")
    with redirect_stdout(io.StringIO()):
        main([*map(str, words), "--registry", "https://r:5000", "--state-dir", str(state), *more])
    line = f"target:\n  socket: {socket or folder / 'engine.sock'}\n"
    path.write_text(path.read_text("utf-8").replace("target:\n", line), "utf-8")
    return path


def fill_ledger(state: Path) -> None:
    """Record one operation with two entries, and the release that it installed."""
    with open_ledger(state) as ledger:
        name = ledger.operations.open(PLAN, fence=1, at=NOW).id
        for event in ("intent", "done"):
            ledger.operations.append(
                operation=name,
                step={"number": 1, "kind": "roll"},
                direction="do",
                event=event,
                record={"found": False} if event == "done" else None,
                at=NOW,
            )
        ledger.operations.set_state(name, "done")
        ledger.releases.record_loaded(
            digest=RELEASE,
            product="shop",
            channel="stable",
            version=Version("1.0.0"),
            sequence=1,
            at=NOW,
        )
        ledger.releases.record_installed(
            digest=RELEASE,
            version=Version("1.0.0"),
            instances=(INSTANCE,),
            settings=SETTINGS,
            point=None,
            at=NOW,
        )


def run_program(
    *words: object, environment: Mapping[str, str] | None = None, **options: Any
) -> "subprocess.CompletedProcess[bytes]":
    """Run s1ctl as a program; `environment` is all that it has, but for where its code is."""
    known = dict(os.environ) if environment is None else dict(environment)
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.run(
        [*PROGRAM, *map(str, words)],
        env={**known, "PYTHONPATH": str(ROOT)},
        timeout=TIMEOUT_S,
        check=False,
        **{**streams, **options},
    )


def run_shell(line: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run a line of shell in which `s1ctl` is the program; it has no stdin."""
    program = " ".join(f"'{word}'" for word in PROGRAM)
    return subprocess.run(
        ["bash", "-c", f's1ctl() {{ {program} "$@"; }}\n{line}'],
        env={**os.environ, **environment, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def on_terminal(
    words: Sequence[object], *, columns: int, answer: str = "", **environment: str
) -> tuple[int, str]:
    """Run s1ctl on a terminal of its own, and say its exit code and what the screen got."""
    master, slave = pty.openpty()
    running = subprocess.Popen(
        [*PROGRAM, *map(str, words)],
        env={**os.environ, "COLUMNS": str(columns), **environment, "PYTHONPATH": str(ROOT)},
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    )
    os.close(slave)
    os.write(master, answer.encode())
    screen = b"".join(_chunks(master))
    os.close(master)
    return running.wait(TIMEOUT_S), screen.decode().replace("\r\n", "\n")


def _chunks(master: int) -> Iterator[bytes]:
    while True:
        try:
            chunk = os.read(master, 65536)
        except OSError:  # so ends the output of a terminal that nobody holds any more
            return
        if not chunk:
            return
        yield chunk


def wide(screen: str, columns: int) -> list[str]:
    """Find the lines that are too wide, though there was a place to break them."""
    lines = re.sub(r"\x1b\[[0-9;]*[mK]", "", screen).replace("\r", "").split("\n")
    return [line for line in lines if len(line) > columns and len(line.split()) > 1]


@contextmanager
def disk(folder: Path, *, size: str) -> Iterator[Path]:
    """Mount a small file system of its own on `folder`."""
    folder.mkdir(exist_ok=True)
    mount("-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", folder)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True, timeout=TIMEOUT_S)


def mount(*words: object) -> None:
    subprocess.run(["mount", *map(str, words)], check=True, timeout=TIMEOUT_S)


def fill(folder: Path) -> Path:
    """Write a file until the disk is full."""
    path = folder / "filler"
    with path.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            return path
    return path


def bytes_of(folder: Path) -> dict[str, bytes]:
    """Take down every file; what SQLite keeps beside its file while it looks does not count."""
    names = [path for path in folder.rglob("*") if path.is_file() and path.suffix[:4] != ".db-"]
    return {str(path): path.read_bytes() for path in names}
