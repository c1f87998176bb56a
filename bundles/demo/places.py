"""Where the demo's things are, and which ports and subnet are free."""

import ipaddress
import socket
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "dist" / "demo"
IMAGES = ROOT / "dist" / "atlas"
ATLAS = ROOT / "bundles" / "atlas"
S1CTL = ROOT / ".venv" / "bin" / "s1ctl"

KEY = DEMO / "vendor.key"
ROOT_FILE = DEMO / "root.json"
SITE_FILE = DEMO / "site.yaml"
STATE = DEMO / "state"
AWAY = DEMO / "away"
REGISTRY = DEMO / "registry"
RESULT = DEMO / "result.json"

SITE = "s1ctl-demo"
SITE_LABEL = f"dev.s1ctl.site={SITE}"
CERTIFICATES = Path("/etc/docker/certs.d")


def bundle(version: str) -> Path:
    """The bundle of a release."""
    return DEMO / f"atlas-{version}.s1b"


def shown(path: Path | str) -> str:
    """A path as somebody in the checkout would type it."""
    return str(path).removeprefix(f"{ROOT}/")


def free_port(first: int) -> int:
    """The first port from `first` on that nobody listens on, on any address of this host."""
    for port in range(first, first + 100):
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind(("0.0.0.0", port))
            except OSError:
                continue
            return port
    raise SystemExit(f"no port from {first} to {first + 99} is free")


def free_subnet() -> str:
    """A subnet that overlaps with no route of this host."""
    taken = [network for line in _routes() if (network := _network(line.split()[0]))]
    for third in range(97, 127):
        subnet = ipaddress.IPv4Network(f"10.{third}.0.0/24")
        if not any(subnet.overlaps(other) for other in taken):
            return str(subnet)
    raise SystemExit("no subnet from 10.97.0.0/24 to 10.126.0.0/24 is free")


def _routes() -> list[str]:
    command = ["ip", "-4", "route", "show", "table", "all"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    return [line for line in done.stdout.splitlines() if line]


def _network(word: str) -> ipaddress.IPv4Network | None:
    try:
        return ipaddress.IPv4Network(word)
    except ValueError:
        return None
