"""The images of atlas, made as the demo makes them, on a real engine."""

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.require import need

pytestmark = pytest.mark.integration

BUILD = Path(__file__).parents[2] / "bundles" / "atlas" / "images" / "build.py"
DEADLINE_S = 900
PORT = 18447
LABEL = "dev.s1ctl.test=atlas-images"


def run(*argv: str | Path, check: bool = True) -> str:
    done = subprocess.run(
        argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        timeout=DEADLINE_S,
    )  # fmt: skip
    assert not check or done.returncode == 0, done.stderr
    return done.stdout


def build(out: Path) -> str:
    return run(sys.executable, BUILD, "--out", out)


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built with the cache that the demo uses, so that the file systems are made once."""
    for part in ("docker", "skopeo", "root"):
        need(part)
    out = tmp_path_factory.mktemp("atlas") / "images"
    build(out)
    return out


@pytest.fixture
def start(layout: Path) -> Iterator[Callable[..., str]]:
    made: list[str] = []
    tags: set[str] = set()

    def start_container(image: str, *options: str | Path) -> str:
        tag = f"s1ctl-test-atlas-{image}"
        run("skopeo", "copy", "--quiet", f"oci:{layout}:{image}", f"docker-daemon:{tag}")
        tags.add(tag)
        made.append(run("docker", "run", "--detach", "--label", LABEL, *options, tag).strip())
        return made[-1]

    yield start_container
    for container in made:
        run("docker", "rm", "--force", "--volumes", container)
    for tag in tags:
        run("docker", "rmi", tag)


def ask(path: str) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{PORT}{path}", timeout=10) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def wait_for_exit(container: str) -> int:
    return int(run("docker", "wait", container).strip())


def test_a_second_build_gives_the_same_bytes(layout: Path, tmp_path: Path) -> None:
    build(tmp_path / "images")
    assert (tmp_path / "images" / "index.json").read_bytes() == (layout / "index.json").read_bytes()


RELEASES = ("1.0.0", "1.1.0", "2.0.0", "2.1.0")


@pytest.mark.parametrize(
    "name",
    ["postgres:1.0.0", *(f"{unit}:{r}" for r in RELEASES for unit in ("console", "gateway"))],
)
def test_skopeo_reads_every_image(name: str, layout: Path) -> None:
    image = json.loads(run("skopeo", "inspect", f"oci:{layout}:{name}"))
    assert image["Labels"]["org.opencontainers.image.title"] == name.partition(":")[0]


def test_the_gateway_starts_with_an_empty_folder_of_upstreams(
    start: Callable[..., str], tmp_path: Path
) -> None:
    gateway = start(
        "gateway:1.1.0", "--network=host", "--read-only", "--tmpfs=/run/gateway", "--tmpfs=/tmp",
        f"--volume={tmp_path}:/etc/nginx/upstreams:ro", f"--env=GATEWAY_PORT={PORT}",
    )  # fmt: skip
    run("curl", "--silent", "--retry", "50", "--retry-connrefused", "--retry-delay", "1",
        "--max-time", "30", f"http://127.0.0.1:{PORT}/gateway/ready")  # fmt: skip
    assert ask("/gateway/ready") == (200, {"ready": True})
    assert ask("/gateway/version") == (200, {"version": "1.1.0"})
    assert ask("/api/v1/events") == (502, {"error": "console is away"})
    assert ask("/") == (404, {"error": "no such path"})
    run("docker", "stop", gateway)
    assert wait_for_exit(gateway) == 0


def test_the_gateway_refuses_a_port_that_is_no_number(start: Callable[..., str]) -> None:
    gateway = start("gateway:1.0.0", "--network=none", "--env=GATEWAY_PORT=80; daemon on")
    assert wait_for_exit(gateway) == 64


def test_postgresql_refuses_to_start_without_its_password(start: Callable[..., str]) -> None:
    assert wait_for_exit(start("postgres:1.0.0", "--network=none")) == 66


def test_console_waits_for_a_database_and_ends_on_sigterm(start: Callable[..., str]) -> None:
    console = start("console:1.1.0", "--network=none", "--read-only", "--tmpfs=/tmp")
    for _ in range(300):
        if "listening" in run("docker", "logs", console):
            break
        run("sleep", "0.2")
    run("docker", "stop", console)
    assert wait_for_exit(console) == 0


def test_postgresql_makes_its_cluster_once_and_survives_a_restart(
    start: Callable[..., str], tmp_path: Path
) -> None:
    password = tmp_path / "password"
    password.write_text("a 'quoted' word")
    os.chown(password, 5432, 5432)
    password.chmod(0o400)
    server = start(
        "postgres:1.0.0", "--network=none", "--read-only", "--cap-drop=ALL",
        "--tmpfs=/run/postgresql", "--tmpfs=/tmp", "--volume=/var/lib/postgresql/data",
        f"--volume={password}:/run/secrets/console_db_password:ro",
    )  # fmt: skip
    query(server, "CREATE TABLE kept AS SELECT 7 AS number")
    run("docker", "restart", server)
    assert query(server, "SELECT number FROM kept") == "7"
    run("docker", "stop", server)
    assert wait_for_exit(server) == 0


def query(server: str, sql: str) -> str:
    """Ask as `console`, by its password, as soon as the server answers."""
    script = (
        "for i in $(seq 300); do pg_isready -q -h 127.0.0.1 && break; sleep 0.2; done;"
        " PGPASSWORD=$(cat /run/secrets/console_db_password)"
        ' exec psql -h 127.0.0.1 -U console -d console -XAtqc "$0"'
    )
    return run("docker", "exec", server, "sh", "-c", script, sql).strip()
