"""On the real kernel: what waits at a closing `reuseport` listener is answered by the other."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from s1ctl.targets.handover import SWITCH
from tests.support.require import lack

CLIENTS = 40
WAIT_S = 10
SCRIPT = """
import sys
sys.path[:0] = ["ROOT"]
from s1ctl.targets.handover import handing_over
from tests.integration import test_targets_migrate_req as here
without = here.reset_when_one_of_two_closes()
with handing_over() as is_on:
    print(without, here.reset_when_one_of_two_closes(), is_on)
"""


def listener(port: int) -> socket.socket:
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.bind(("127.0.0.1", port))
    made.listen(128)
    return made


def reset_when_one_of_two_closes() -> int:
    """Let clients wait in two queues, close one, answer from the other; count the resets."""
    old = listener(0)
    new = listener(old.getsockname()[1])
    clients = [socket.create_connection(old.getsockname(), timeout=WAIT_S) for _ in range(CLIENTS)]
    old.close()
    new.settimeout(0.5)
    answered = []
    while True:
        try:
            answered.append(new.accept()[0])
        except TimeoutError:
            break
    for connection in answered:
        connection.sendall(b"x")
    resets = sum(not _is_answered(client) for client in clients)
    for one in (*clients, *answered, new):
        one.close()
    return resets


def _is_answered(client: socket.socket) -> bool:
    try:
        client.settimeout(1)
        return client.recv(1) == b"x"
    except OSError:
        return False


@pytest.mark.integration
def test_no_connection_that_waits_is_reset_while_the_switch_is_on() -> None:
    if not SWITCH.exists() or not _may_unshare():
        lack("namespaces", "the kernel has no tcp_migrate_req, or no network namespace may be made")
    script = SCRIPT.replace("ROOT", str(Path(__file__).parent.parent.parent))
    command = f"ip link set lo up; exec {sys.executable} -"
    done = subprocess.run(
        ["unshare", "--net", "sh", "-c", command],
        input=script, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    without, with_it, is_on = done.stdout.split()
    assert is_on == "True"
    assert int(without) > 0, "the test shows nothing where nothing is ever reset"
    assert int(with_it) == 0


def _may_unshare() -> bool:
    done = subprocess.run(
        ["unshare", "--net", "true"], capture_output=True, timeout=10, check=False
    )
    return done.returncode == 0
