"""Traffic: one file a unit, which the edge reads at SIGHUP."""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from s1ctl.errors import InputOutputFailed, StepFailed
from s1ctl.files import sync_folder, write_file

TAKEN_S = 10.0
INTERVAL_S = 0.05
Processes = Mapping[int, int]
_SERVER = re.compile(r"^\s*server ([^;\s]+);", re.MULTILINE)


class EdgeEngine(Protocol):
    """As much of the engine as an edge needs."""

    def signal(self, name: str, signal: str, /) -> None:
        """Send a signal to a container's main process."""

    def processes(self, name: str, /) -> Processes:
        """Say a container's processes, each with its parent."""


def upstream_text(unit: str, servers: tuple[str, ...]) -> str:
    """Write the file of a unit; `servers` are `ADDRESS:PORT`."""
    lines = "".join(f"  server {server};\n" for server in servers)
    return f"upstream {unit} {{\n{lines}}}\n"


class Traffic:
    """The upstream files of a site, `UNIT.conf`, and the edges that read them.

    `.UNIT.former` holds the text before a switch until every edge has taken the new one: while it
    is there, a switch is not over.
    """

    def __init__(
        self,
        folder: Path,
        engine: EdgeEngine,
        edges: Callable[[], tuple[str, ...]],
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.folder = folder
        self._engine = engine
        self._edges = edges
        self._clock = clock
        self._sleep = sleep

    def ensure_folder(self) -> None:
        """Make the folder that edges mount. Raises `InputOutputFailed` S1-E15, as all here."""
        with _told(self.folder):
            self.folder.mkdir(mode=0o755, parents=True, exist_ok=True)

    def servers(self) -> dict[str, tuple[str, ...]]:
        """Read every upstream file."""
        with _told(self.folder):
            files = sorted(self.folder.glob("*.conf"))
            return {path.stem: tuple(_SERVER.findall(path.read_text("utf-8"))) for path in files}

    def remove_files(self) -> None:
        """Remove every upstream file and marker."""
        with _told(self.folder):
            for path in (*self.folder.glob("*.conf"), *self.folder.glob(".*.former")):
                path.unlink(missing_ok=True)

    def is_at(self, unit: str, servers: tuple[str, ...]) -> bool:
        """Say whether the edges send the unit's traffic to exactly these servers."""
        text = upstream_text(unit, servers)
        return not self._is_marked(unit) and self._read(unit) == text

    def switch(self, unit: str, servers: tuple[str, ...], *, drain_s: int) -> None:
        """Send the unit's traffic to `servers`.

        Returns when each edge has taken the file and ended the processes that knew the former
        one, or after `drain_s`. A kill in the middle leaves the marker, and the next call goes on.
        Raises `StepFailed` S1-E22 when an edge does not take it; the former file is back then.
        """
        if self.is_at(unit, servers):
            return
        self._mark(unit)
        self._write(unit, upstream_text(unit, servers))
        edges = self._edges()
        for edge in edges:
            if not self.reload(edge, drain_s=drain_s):
                self._put_back(unit, edges[: edges.index(edge)], drain_s)
                raise _not_taken(unit, edge)
        self._unmark(unit)

    def reload(self, edge: str, *, drain_s: int) -> bool:
        """Make an edge read its files again; say whether it did.

        It did when it has new child processes: one that refuses its files keeps the old ones.
        """
        former = _workers(self._engine.processes(edge))
        self._engine.signal(edge, "SIGHUP")
        if not former:
            self._sleep(drain_s)
            return True
        if not self._wait(lambda: _workers(self._engine.processes(edge)) - former, TAKEN_S):
            return False
        self._wait(lambda: not _workers(self._engine.processes(edge)) & former, drain_s)
        return True

    def _put_back(self, unit: str, edges: tuple[str, ...], drain_s: int) -> None:
        with _told(self._marker(unit)):
            former = self._marker(unit).read_text("utf-8")
        self._write(unit, former)
        for edge in edges:
            self.reload(edge, drain_s=drain_s)
        self._unmark(unit)

    def _wait(self, is_done: Callable[[], object], seconds: float) -> bool:
        until = self._clock() + seconds
        while not is_done():
            if self._clock() >= until:
                return False
            self._sleep(INTERVAL_S)
        return True

    def _mark(self, unit: str) -> None:
        self.ensure_folder()
        if not self._is_marked(unit):
            with _told(self._marker(unit)):
                write_file(self._marker(unit), self._read(unit).encode())

    def _unmark(self, unit: str) -> None:
        with _told(self._marker(unit)):
            self._marker(unit).unlink(missing_ok=True)
            sync_folder(self.folder)

    def _is_marked(self, unit: str) -> bool:
        with _told(self._marker(unit)):
            return self._marker(unit).exists()

    def _marker(self, unit: str) -> Path:
        return self.folder / f".{unit}.former"

    def _read(self, unit: str) -> str:
        path = self.folder / f"{unit}.conf"
        with _told(path):
            return path.read_text("utf-8") if path.exists() else ""

    def _write(self, unit: str, text: str) -> None:
        path = self.folder / f"{unit}.conf"
        with _told(path):
            if text:
                write_file(path, text.encode())
            else:
                path.unlink(missing_ok=True)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputOutputFailed(
            f"`{path}` cannot be read or written: {error.strerror}",
            code="S1-E15",
            hint=f"look at the space and owner of `{path.parent}`",
        ) from None


def _workers(processes: Processes) -> set[int]:
    """Name the processes that have a parent among them and no child."""
    parents = set(processes.values())
    return {pid for pid, parent in processes.items() if parent in processes and pid not in parents}


def _not_taken(unit: str, edge: str) -> StepFailed:
    return StepFailed(
        f"the edge `{edge}` did not take the new addresses of `{unit}`; it keeps the former ones",
        code="S1-E22",
        hint=f"run `docker logs --tail 20 {edge}` to see why",
    )
