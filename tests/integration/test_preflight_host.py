"""The checks of the host: a full disk, a held port, too little memory, all of them real."""

import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from s1ctl.preflight import disks, host
from s1ctl.preflight.finding import Finding
from tests.support.preflight import findings_of, make_needs
from tests.support.require import lack

pytestmark = pytest.mark.integration

MIB = 1 << 20


def seen(finding: Finding) -> str:
    assert finding.observed is not None
    return finding.observed.text


def disk(folder: Path, need: int) -> Finding:
    needs = make_needs(disk_bytes={str(folder): need})
    return findings_of(disks.collectors((str(folder),), {}), needs, "host.disk-space")[
        "host.disk-space"
    ]


def test_a_disk_that_fills_up_fails_and_is_named(small_disk: Path) -> None:
    assert disk(small_disk, 2 * MIB).outcome == "pass"
    (small_disk / "filler").write_bytes(os.urandom(3 * MIB))
    found = disk(small_disk, 2 * MIB)
    assert found.outcome == "fail"
    assert str(small_disk) in seen(found)
    assert found.fix is not None
    assert found.fix.command == f"df -h {small_disk}"


def test_a_folder_that_is_not_made_yet_is_measured_where_it_will_be(small_disk: Path) -> None:
    found = disk(small_disk / "state" / "later", 100 * MIB)
    assert found.outcome == "fail"


def test_two_folders_on_one_disk_are_added_up(small_disk: Path) -> None:
    folders = (str(small_disk / "a"), str(small_disk / "b"))
    for size, outcome in ((1 * MIB, "pass"), (2 * MIB, "fail")):
        needs = make_needs(disk_bytes=dict.fromkeys(folders, size))
        found = findings_of(disks.collectors(folders, {}), needs, "host.disk-space")
        assert found["host.disk-space"].outcome == outcome


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", "size=4m", "tmpfs"]
    done = subprocess.run(
        ["mount", *options, str(folder)], capture_output=True, text=True, timeout=30, check=False
    )
    if done.returncode != 0:
        lack("mounts", done.stderr.strip())
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], timeout=30, check=True)


@pytest.mark.parametrize(
    ("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]
)
def test_a_held_port_fails_and_names_who_holds_it(family: socket.AddressFamily, address) -> None:
    with socket.socket(family) as listener:
        try:
            listener.bind((address, 0))
        except OSError:
            assert family is socket.AF_INET6
            return
        listener.listen()
        port = listener.getsockname()[1]
        found = ports(port)
        assert found.outcome == "fail"
        assert f"port {port} is held by" in seen(found)
        assert f"pid {os.getpid()}" in seen(found)
    assert ports(port).outcome == "pass"


def test_a_port_that_is_only_connected_from_is_not_held() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as guest,
    ):
        assert ports(guest.getsockname()[1]).outcome == "pass"


def ports(port: int) -> Finding:
    return findings_of(host.collectors(), make_needs(ports=(port,)), "net")["net.ports"]


def test_memory_that_the_host_does_not_have_fails() -> None:
    def memory(need: int) -> Finding:
        return findings_of(host.collectors(), make_needs(memory_bytes=need), "host.memory")[
            "host.memory"
        ]

    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert memory(2 * total).outcome == "fail"
    assert memory(1).outcome in {"pass", "warn"}
