"""What preflight finds at the host and its engine, each provoked through the command line."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from s1ctl.preflight import mounts
from tests.support.cases import CASES
from tests.support.checked import (
    INFO,
    NETWORK,
    VERSION,
    CheckedSite,
    advice,
    file_system,
    read_only,
    seen,
    system_time,
)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[CheckedSite]:
    with tempfile.TemporaryDirectory(prefix="s1-", dir="/tmp") as folder:
        yield CheckedSite(tmp_path, socket=Path(folder) / "e.sock")


def test_an_engine_that_is_not_there(site) -> None:
    said = site.check("engine")
    said.proves(CASES["preflight-no-engine"])
    assert seen(said) == f"{site.socket}: missing"
    assert "systemctl start docker" in advice(said)
    outcomes = [one["outcome"] for one in said.document["findings"]]
    assert outcomes == ["fail", "skip", "skip", "skip"]


def test_an_engine_that_is_too_old(site) -> None:
    with site.engine(version={**VERSION, "Version": "19.3", "ApiVersion": "1.40"}) as engine:
        said = site.check("engine")
    said.proves(CASES["preflight-old-engine"])
    assert "Engine 19.3, API 1.40" in seen(said)
    assert "20.10.10" in advice(said)
    assert {method for method, _ in engine.asked} == {"GET"}


def test_an_engine_whose_answer_cannot_be_read_is_not_taken_for_good(site) -> None:
    with site.engine(info=b"no info"):
        said = site.check("engine.version")
    said.proves(CASES["preflight-engine-unreadable"])
    assert "engine.info" in seen(said)


def test_a_subnet_that_another_network_has(site) -> None:
    other = {"Name": "other", "Id": "f" * 64, "IPAM": {"Config": [{"Subnet": "10.249.0.0/16"}]}}
    with site.engine(networks=[other]):
        said = site.check("engine.networks")
    said.proves(CASES["preflight-subnet-taken"])
    assert seen(said) == f"{NETWORK} overlaps 10.249.0.0/16 (other)"
    assert "target.network" in advice(said)


def test_storage_that_is_refused_and_storage_that_is_doubted(site) -> None:
    with site.engine(info={**INFO, "Driver": "vfs"}):
        refused = site.check("engine.storage")
    with site.engine(info={**INFO, "Driver": "zfs"}):
        doubted = site.check("engine.storage", "--strict")
    refused.proves(CASES["preflight-storage-vfs"])
    assert "vfs in /" in seen(refused)
    assert "daemon.json" in advice(refused)
    doubted.proves(CASES["preflight-storage-zfs"])


def test_an_engine_with_another_time(site) -> None:
    with site.engine(info=system_time(ahead_s=3600)):
        far = site.check("clock")
    with site.engine(info=system_time(ahead_s=-10)):
        near = site.check("clock", "--strict")
    far.proves(CASES["preflight-engine-clock"])
    assert "the engine is 3,600" in seen(far) or "the engine is 3,599" in seen(far)
    assert "ahead of this host" in seen(far)
    assert "timedatectl" in advice(far)
    near.proves(CASES["preflight-engine-clock-drifts"])
    assert "behind this host" in seen(near)


def test_a_state_directory_that_is_read_only(site) -> None:
    site.check("state.lock")
    with read_only(site.state):
        said = site.check("host.mounts")
    said.proves(CASES["preflight-state-read-only"])
    assert seen(said) == f"nothing can be written in `{site.state}`: read-only file system"
    assert f"findmnt -T {site.state}" in advice(said)


def test_a_state_directory_from_which_nothing_runs(site) -> None:
    with file_system(site.state, "noexec"):
        said = site.check("host.mounts")
        assert list(site.state.glob(".probe*")) == []
    said.proves(CASES["preflight-state-noexec"])
    assert seen(said) == f"nothing can be run from `{site.state}`: permission denied"
    assert "noexec" in advice(said)


def test_a_state_directory_on_a_network_file_system(site, tmp_path: Path, monkeypatch) -> None:
    table = tmp_path / "mountinfo"
    real = mounts.TABLE.read_text()
    table.write_text(f"{real}99 1 0:99 / {site.state} rw - nfs4 nas:/s rw\n")
    monkeypatch.setattr(mounts, "TABLE", table)
    said = site.check("host.mounts")
    said.proves(CASES["preflight-state-on-nfs"])
    assert f"`{site.state}` is a nfs4 file system" in seen(said)
    assert "local disk" in advice(said)


def test_a_scratch_folder_from_which_nothing_runs(site, tmp_path: Path, monkeypatch) -> None:
    with file_system(tmp_path / "scratch", "noexec") as scratch:
        monkeypatch.setattr(mounts, "SCRATCH", scratch)
        said = site.check("host.mounts", "--strict")
    said.proves(CASES["preflight-tmp-noexec"])
    assert "mounted noexec" in seen(said)
    assert "TMPDIR" in advice(said)


def test_a_file_system_whose_inodes_run_out(site) -> None:
    with file_system(site.state, "nr_inodes=500"), site.engine():
        said = site.check("host.inodes")
    said.proves(CASES["preflight-no-inodes"])
    assert f"{site.state}: 49" in seen(said)
    assert "1,000 needed" in seen(said)
    assert f"df -i {site.state}" in advice(said)
