"""The demo's private registry: Debian's docker-registry with TLS by a CA of its own, and a user."""

import os
import secrets
import signal
import socket
import subprocess
import time
from pathlib import Path

from places import REGISTRY

USER = "s1ctl"
HOST = "127.0.0.1"
PID = REGISTRY / "pid"
START_S = 20
CONFIG = """\
version: 0.1
log: {{level: warn}}
storage:
  filesystem: {{rootdirectory: {folder}/data}}
http:
  addr: {host}:{port}
  tls: {{certificate: {folder}/server.crt, key: {folder}/server.key}}
auth:
  htpasswd: {{realm: demo, path: {folder}/htpasswd}}
"""


def make(port: int) -> None:
    """Make CA, certificate, password and configuration."""
    REGISTRY.mkdir(parents=True)
    _make_certificates()
    password = secrets.token_urlsafe(18)
    _private(REGISTRY / "password", password + "\n")
    entry = _run("htpasswd", "-niB", USER, text=password + "\n")
    _private(REGISTRY / "htpasswd", entry.strip() + "\n")
    text = CONFIG.format(folder=REGISTRY, host=HOST, port=port)
    (REGISTRY / "config.yml").write_text(text)
    (REGISTRY / "port").write_text(str(port))


def start() -> None:
    """Start it in a session of its own, so that it outlives the demo; wait until it listens."""
    with (REGISTRY / "log").open("ab") as log:
        process = subprocess.Popen(
            ["docker-registry", "serve", str(REGISTRY / "config.yml")],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    PID.write_text(str(process.pid))
    port = int((REGISTRY / "port").read_text())
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as connection:
            if connection.connect_ex((HOST, port)) == 0:
                return
        time.sleep(0.1)
    raise SystemExit(f"the registry did not start; see {REGISTRY / 'log'}")


def stop() -> bool:
    """Stop the registry that `start` started; say whether there was one."""
    pid = _own_pid()
    if pid is None:
        return False
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + 10
    while _own_pid() is not None and time.monotonic() < deadline:
        _reap(pid)
        time.sleep(0.1)
    PID.unlink()
    return True


def _own_pid() -> int | None:
    """The process in the pid file, if it is still our registry and not a later process."""
    try:
        pid = int(PID.read_text())
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError, ValueError):
        return None
    return pid if str(REGISTRY / "config.yml").encode() in words else None


def _reap(pid: int) -> None:
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return  # started by an earlier run


def _make_certificates() -> None:
    ca, server = REGISTRY / "ca", REGISTRY / "server"
    new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "825")
    _run(
        *("openssl", "req", "-x509", *new_key, "-subj", "/CN=demo registry authority"),
        *("-keyout", f"{ca}.key", "-out", f"{ca}.crt"),
    )
    _run(
        *("openssl", "req", "-x509", *new_key, "-subj", "/CN=demo registry"),
        *("-CA", f"{ca}.crt", "-CAkey", f"{ca}.key"),
        *("-addext", f"subjectAltName=IP:{HOST},DNS:localhost"),
        *("-addext", "basicConstraints=critical,CA:false"),
        *("-keyout", f"{server}.key", "-out", f"{server}.crt"),
    )


def _private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)


def _run(*words: str, text: str | None = None) -> str:
    done = subprocess.run(
        words, input=text, capture_output=True, text=True, timeout=60, check=False
    )
    if done.returncode:
        raise SystemExit(f"`{words[0]}` ended with {done.returncode}: {done.stderr}")
    return done.stdout
