"""Health of a unit: what was seen of it, judged in three ways, waited for with a deadline."""

import json
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from s1ctl.release.manifest import Health as HealthPaths
from s1ctl.targets.asking import NoAnswer, ask_url

ASK_TIMEOUT_S = 2.0
INTERVAL_S = 0.2
SUCCESSES = 3
MAX_RESTARTS = 3
MAX_ANSWER_BYTES = 4096


class Health(Enum):
    """INCONCLUSIVE: not seen to be good, and not known to be bad."""

    PASS = "pass"  # noqa: S105
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A judgement and its reason; `todo` where that is not to read the log.

    `is_final` where waiting cannot change it, `is_void` where the look told nothing.
    """

    health: Health
    reason: str
    is_final: bool = False
    is_void: bool = False
    todo: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an HTTP path answered; no status where nobody did."""

    status: int | None = None
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """One look at a container: the engine's word, then its own."""

    state: str
    exit_code: int = 0
    restarts: int = 0
    is_out_of_memory: bool = False
    memory_bytes: int = 0
    check: str | None = None
    ready: Answer | None = None
    version: Answer | None = None


def sight_of(container: dict[str, Any] | None, address: str, paths: HealthPaths | None) -> Sight:
    """Look at a container as inspected, and ask its paths while it runs."""
    if container is None:
        return Sight(state="gone")
    state = container["State"]
    is_asked = paths is not None and state["Status"] == "running"
    return Sight(
        state=state["Status"],
        exit_code=state.get("ExitCode", 0),
        restarts=container.get("RestartCount", 0),
        is_out_of_memory=state.get("OOMKilled", False),
        memory_bytes=container.get("HostConfig", {}).get("Memory") or 0,
        check=(state.get("Health") or {}).get("Status"),
        ready=ask(address, int(paths.port), paths.ready) if paths and is_asked else None,
        version=ask(address, int(paths.port), paths.version)
        if paths and paths.version and is_asked
        else None,
    )


def ask(address: str, port: int, path: str, *, timeout_s: float = ASK_TIMEOUT_S) -> Answer:
    """Ask a path over a connection of its own; nobody's answer takes longer than the timeout."""
    url = f"http://{address}:{port}{path}"
    try:
        status, raw = ask_url(url, timeout_s=timeout_s, max_bytes=MAX_ANSWER_BYTES)
    except NoAnswer as error:
        return Answer(text=str(error)[:80])
    return Answer(status=status, text=raw.decode("utf-8", "replace"))


def judge(sight: Sight, paths: HealthPaths | None, *, expected: str, other: str = "") -> Verdict:
    """Judge one look: container state, then its ready path, then the version it reports.

    `other` is the version of one that shares its port: its answers tell nothing.
    """
    bad = _judge_state(sight)
    if bad:
        return bad
    if paths is None:
        return _judge_check(sight)
    if sight.version is not None:
        reported = parse_version(sight.version.text)
        if other and other != expected and reported == other:
            return Verdict(
                health=Health.INCONCLUSIVE, reason="only the former one answered", is_void=True
            )
        if sight.version.status != 200 or reported != expected:
            return _wait(f"`{paths.version}` reports {_told(sight.version)}, not `{expected}`")
    if sight.ready is None or sight.ready.status != 200:
        return _wait(f"`{paths.ready}` answers {_told(sight.ready)}")
    return Verdict(health=Health.PASS, reason="ready")


def parse_version(text: str) -> str:
    """Read the version that a unit reports: the text itself, or `version` of a JSON object."""
    try:
        data = json.loads(text)
    except ValueError:
        return text.strip()
    return str(data.get("version", "")) if isinstance(data, dict) else text.strip()


def wait_until_ready(
    look: Callable[[], Verdict],
    *,
    deadline_s: float,
    successes: int = SUCCESSES,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Verdict:
    """Look until `successes` looks in a row pass, one is final, or the deadline is over.

    At the deadline the last look that did not pass is the answer, as a failure.
    """
    until = clock() + deadline_s
    passed = 0
    while True:
        verdict = look()
        if verdict.is_final:
            return verdict
        if verdict.health is Health.PASS:
            passed += 1
        elif not verdict.is_void:
            passed = 0
        if passed >= successes:
            return verdict
        if clock() >= until:
            return Verdict(
                health=Health.FAIL, reason=f"not ready after {deadline_s:g} s: {verdict.reason}"
            )
        sleep(INTERVAL_S)


def _judge_state(sight: Sight) -> Verdict | None:
    if sight.is_out_of_memory:
        return _out_of_memory(sight)
    if sight.state in ("exited", "dead"):
        return _final(f"it ended with {_status(sight.exit_code)}")
    if sight.state in ("gone", "removing"):
        return _final("its container is gone")
    if sight.restarts >= MAX_RESTARTS:
        ended = f" with {_status(sight.exit_code)}" if sight.exit_code else ""
        return _final(f"it ended{ended} and was started again {sight.restarts} times")
    if sight.state != "running":
        return _wait(f"its container is {sight.state}")
    return None


def _out_of_memory(sight: Sight) -> Verdict:
    if not sight.memory_bytes:
        return Verdict(
            health=Health.FAIL,
            reason="it was killed: the host ran out of memory",
            is_final=True,
            todo="look who has the memory: `free -m`, `ps aux --sort=-rss`",
        )
    limit = sight.memory_bytes >> 20
    return Verdict(
        health=Health.FAIL,
        reason=f"it was killed: it needs more memory than its limit of {limit} MiB",
        is_final=True,
        todo="ask the vendor for a higher `deploy.resources.limits.memory`; kernel: `dmesg`",
    )


def _status(code: int) -> str:
    """Tell an exit code; one above 128 is the end by a signal."""
    try:
        name = signal.Signals(code - 128).name if code > 128 else ""
    except ValueError:
        name = ""
    sender = ", not from s1ctl" if name in ("SIGKILL", "SIGTERM", "SIGINT", "SIGQUIT") else ""
    return f"status {code}" + (f" ({name}{sender})" if name else "")


def _judge_check(sight: Sight) -> Verdict:
    if sight.check in (None, "none", "healthy"):
        return Verdict(health=Health.PASS, reason="ready")
    return _wait(f"its health check says {sight.check}")


def _told(answer: Answer | None) -> str:
    if answer is None or answer.status is None:
        return f"nothing ({answer.text})" if answer else "nothing"
    return f"{answer.status} `{answer.text.strip()[:80]}`"


def _wait(reason: str) -> Verdict:
    return Verdict(health=Health.INCONCLUSIVE, reason=reason)


def _final(reason: str) -> Verdict:
    return Verdict(health=Health.FAIL, reason=reason, is_final=True)
