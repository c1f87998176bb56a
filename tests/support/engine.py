"""Fixtures: the engine of this machine, and engines of our own in network namespaces."""

import ctypes
import os
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from s1ctl.targets.docker_container import SITE
from s1ctl.targets.docker_engine import Engine, connect_engine
from tests.support.require import ENGINE, need
from tests.support.subnets import free_subnet

START_S = 60
CLONE_NEWNET = 0x40000000


@pytest.fixture
def docker_client() -> Iterator[Engine]:
    """Yield the engine of this machine."""
    need("docker")
    with closing(connect_engine(str(ENGINE))) as engine:
        yield engine


@pytest.fixture
def site_name(docker_client: Engine) -> Iterator[str]:
    """Yield the name of a site of this test; what has its label is removed at the end."""
    name = f"t{uuid.uuid4().hex[:8]}"
    try:
        yield name
    finally:
        remove_site(docker_client, name)


def remove_site(engine: Engine, site: str) -> None:
    """Remove everything that has the site's label."""
    label = {SITE: site}
    for container in engine.containers(label):
        engine.remove(container)
    for network in (f"{site}-default", f"{site}-services"):
        engine.remove_network(network)
    for volume in engine.volumes(label):
        engine.remove_volume(volume)
    free_subnet(site)


class OwnEngine:
    """A dockerd of our own in a network namespace, so that it can be restarted under its load."""

    def __init__(self, folder: Path, *, number: int = 77) -> None:
        self.folder = folder
        self.namespace = f"s1ctl-{uuid.uuid4().hex[:6]}"
        self.socket = f"/run/{self.namespace}.sock"
        self._bip = f"10.{number}.0.1/24"
        self._pool = f"base=10.{number}.128.0/17,size=24"
        self._process: subprocess.Popen[bytes] | None = None
        self._run("ip", "netns", "add", self.namespace)
        self._inside("ip", "link", "set", "lo", "up")

    def start(self) -> None:
        """Start the engine and wait until it answers."""
        with (self.folder / "dockerd.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    "nsenter", f"--net=/run/netns/{self.namespace}", "dockerd",
                    "--data-root", str(self.folder / "data"),
                    "--exec-root", f"/run/{self.namespace}",
                    "-H", f"unix://{self.socket}",
                    "--pidfile", str(self.folder / "dockerd.pid"),
                    "--bip", self._bip, "--default-address-pool", self._pool,
                    "--cgroup-parent", f"/{self.namespace}",
                ],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        until = time.monotonic() + START_S
        while time.monotonic() < until and self._process.poll() is None:
            if Path(self.socket).exists() and self._answers():
                return
            time.sleep(0.2)
        raise RuntimeError((self.folder / "dockerd.log").read_text()[-3000:])

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End the engine, and its containers with it."""
        if self._process is None:
            return
        self._process.send_signal(how)
        try:
            self._process.wait(START_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(START_S)
        self._process = None

    def restart(self) -> None:
        self.stop()
        self.start()

    def crash(self) -> None:
        """Kill it with all that it has started, as a host that loses its power does."""
        for process in self._processes():
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        if self._process is not None:
            self._process.wait(START_S)
            self._process = None
        self._forget_running()

    def _forget_running(self) -> None:
        """Have nothing mounted, and nothing in the folder that is in memory."""
        self._unmount()
        shutil.rmtree(f"/run/{self.namespace}", ignore_errors=True)
        Path(self.socket).unlink(missing_ok=True)

    def _processes(self) -> tuple[int, ...]:
        """Name the engine, what helps it, and what runs in its containers."""
        found = []
        for place in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                line = (place / "cmdline").read_bytes().split(b"\0")
                groups = (place / "cgroup").read_text()
                is_helper = b"docker" in line[0] or b"containerd" in line[0]
                is_ours = any(self.namespace.encode() in word for word in line)
                if (is_helper and is_ours) or f"/{self.namespace}/" in groups:
                    found.append(int(place.name))
        return tuple(found)

    def close(self) -> None:
        self.stop()
        self._run("ip", "netns", "delete", self.namespace)
        self._forget_running()
        shutil.rmtree(self.folder / "data", ignore_errors=True)

    def _unmount(self) -> None:
        """Let go of the namespaces that the engine keeps mounted below its folder."""
        places = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
        for place in reversed(places):  # what was mounted last lies on top
            if place.startswith((f"/run/{self.namespace}/", f"{self.folder}/data/")):
                with suppress(subprocess.CalledProcessError):  # it went with another
                    self._run("umount", "-l", place)

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Be in the engine's network namespace, with this thread and those it starts."""
        here = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        try:
            _enter(f"/run/netns/{self.namespace}")
            yield
        finally:
            _set_namespace(here)
            os.close(here)

    def _answers(self) -> bool:
        done = subprocess.run(
            ["docker", "-H", f"unix://{self.socket}", "version"],
            capture_output=True,
            timeout=30,
            check=False,
        )
        return done.returncode == 0

    def _inside(self, *argv: str) -> None:
        self._run("nsenter", f"--net=/run/netns/{self.namespace}", *argv)

    def _run(self, *argv: str) -> None:
        subprocess.run(argv, check=True, timeout=30, stdin=subprocess.DEVNULL, capture_output=True)


def _enter(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        _set_namespace(descriptor)
    finally:
        os.close(descriptor)


def _set_namespace(descriptor: int) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if library.setns(descriptor, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


@pytest.fixture
def own_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnEngine]:
    """Yield an engine of our own, started; needs root and `ip netns`."""
    with running_engine(tmp_path_factory.mktemp("engine")) as engine:
        yield engine


@contextmanager
def running_engine(folder: Path, *, number: int = 77) -> Iterator[OwnEngine]:
    """Run an engine of our own with its data in `folder`; needs root and `ip netns`."""
    for part in ("docker", "root", "dockerd", "ip"):
        need(part)
    engine = OwnEngine(folder, number=number)
    try:
        engine.start()
        yield engine
    finally:
        engine.close()
