"""The wheel holds what git holds of the package, its templates and its migrations; no more."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAPPED = {
    "s1ctl/": "s1ctl/",
    "templates/": "s1ctl/_data/templates/",
    "migrations/ledger/": "s1ctl/_data/migrations/ledger/",
}


@pytest.fixture(scope="module")
def wheel_files(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=120)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as archive:
        return set(archive.namelist())


def test_the_wheels_files_are_gits(wheel_files: set[str]) -> None:
    package = {name for name in wheel_files if ".dist-info/" not in name}
    assert package == {name for path in git_files() if (name := place_in_wheel(path))}


def test_the_wheel_carries_the_licence(wheel_files: set[str]) -> None:
    assert any(name.endswith("/LICENSE") for name in wheel_files)


def git_files() -> list[str]:
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    done = subprocess.run(listing, cwd=ROOT, check=True, capture_output=True, text=True, timeout=60)
    return [name for name in done.stdout.split("\0") if name and (ROOT / name).exists()]


def place_in_wheel(path: str) -> str | None:
    for folder, place in MAPPED.items():
        if path.startswith(folder):
            return place + path.removeprefix(folder)
    return None
