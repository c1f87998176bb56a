"""The layer of Python packages: pinned wheels, unpacked and compiled."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from layer import BuildError, File, Layer, Storage, key_of
from layout import architecture

PYTHON = (3, 11)  # of Debian 12
PLACE = "app/wheels"
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
GLIBCS = ("2_28", "2_27", "2_24", "2_17", "2_5")
DEADLINE_S = 600


def make_wheels(storage: Storage, requirements: Path) -> Layer:
    """Return the layer with everything that `requirements` pins."""
    key = key_of(architecture(), requirements.read_text(), Path(__file__).read_text())
    if sys.version_info[:2] != PYTHON:
        raise BuildError("the wheels are compiled for Python 3.11; run this with Python 3.11")
    layers = storage.remembered(key)
    if layers is None:
        layers = {"wheels": _make(storage, requirements)}
        storage.remember(key, layers)
    return layers["wheels"]


def _make(storage: Storage, requirements: Path) -> Layer:
    wheels = storage.folder("wheels")
    platform = MACHINES[architecture()]
    tags = [f"--platform=manylinux_{glibc}_{platform}" for glibc in GLIBCS]
    target = [
        "--only-binary=:all:", "--implementation=cp", "--python-version=3.11", "--abi=cp311", *tags,
    ]  # fmt: skip
    _pip("download", "--require-hashes", "--requirement", str(requirements), "--no-deps",
         "--dest", str(wheels), *target)  # fmt: skip
    with tempfile.TemporaryDirectory(dir=storage.folder("work")) as work:
        _pip("install", "--no-index", "--find-links", str(wheels), "--require-hashes",
             "--requirement", str(requirements), "--no-deps", "--no-compile", "--target", work,
             *target)  # fmt: skip
        shutil.rmtree(Path(work) / "bin", ignore_errors=True)
        _compile(Path(work))
        return storage.pack(_files(Path(work)))


def _pip(*arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments],
        env={**os.environ, "PIP_ROOT_USER_ACTION": "ignore"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    if done.returncode != 0:
        raise BuildError(f"`pip {arguments[0]}` failed:\n{done.stderr.strip()[-2000:]}")


def _compile(folder: Path) -> None:
    """Compile the modules; each start of console would do so otherwise."""
    subprocess.run(
        [sys.executable, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash",
         "-s", str(folder), "-p", f"/{PLACE}", str(folder)],
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": ""},
        stdin=subprocess.DEVNULL,
        timeout=DEADLINE_S,
        check=True,
    )  # fmt: skip


def _files(folder: Path) -> list[File]:
    files = []
    for path in folder.rglob("*"):
        name = path.relative_to(folder)
        if _is_needless(name):
            continue
        if path.is_dir():
            files.append(File(path=f"{PLACE}/{name}", is_folder=True, mode=0o755))
        else:
            mode = 0o755 if path.stat().st_mode & 0o100 else 0o644
            files.append(File(path=f"{PLACE}/{name}", content=path.read_bytes(), mode=mode))
    return files


def _is_needless(name: Path) -> bool:
    """Tell whether it only tests, was compiled, or tells where and how it was installed."""
    return (
        "tests" in name.parts
        or name.suffix in {".c", ".h", ".pxd", ".pyx", ".cpp", ".hpp"}
        or name.name in {"direct_url.json", "INSTALLER", "REQUESTED", "RECORD"}
    )
