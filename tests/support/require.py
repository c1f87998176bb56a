"""What the tests need of the machine: absent, it is a skip with its reason, or a failure."""

import os
import shutil
import socket
from pathlib import Path
from typing import NoReturn

import pytest

ENGINE = Path("/var/run/docker.sock")
POSTGRES_BIN = Path("/usr/lib/postgresql/15/bin")
# Images for the engine are made by mmdebstrap; the engine's own machine gives the rest.
COMES_WITH = dict.fromkeys(
    ("mmdebstrap", "root", "dockerd", "ip", "mounts", "namespaces"), "docker"
)


def need(part: str) -> None:
    """Skip the test when `part` is absent; fail it when `S1CTL_REQUIRE` names that part."""
    missing = _missing(part)
    if missing is not None:
        lack(part, missing)


def lack(part: str, missing: str) -> NoReturn:
    """Skip the test, or fail it where `S1CTL_REQUIRE` names the part: a try has shown it absent."""
    if COMES_WITH.get(part, part) in os.environ.get("S1CTL_REQUIRE", "").split(","):
        pytest.fail(f"{part} is required: {missing}", pytrace=False)
    pytest.skip(f"{part}: {missing}")


def _missing(part: str) -> str | None:
    if part == "docker":
        return None if _answers(ENGINE) else f"no engine answers at {ENGINE}"
    if part == "root":
        return None if os.geteuid() == 0 else "the tests are not run as root"
    if part == "postgres":
        return None if (POSTGRES_BIN / "postgres").exists() else f"no {POSTGRES_BIN}/postgres"
    program = {"registry": "docker-registry"}.get(part, part)
    return None if shutil.which(program) else f"`{program}` is not installed"


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        return connection.connect_ex(str(path)) == 0
