"""Run the site's hooks: `start` may stop an operation, `pause` and `finish` are only told of it."""

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, Literal

from s1ctl.canonical import canonical_json
from s1ctl.errors import PolicyRefused, S1Error
from s1ctl.masking.rules import MASK
from s1ctl.operation.context import Context
from s1ctl.operation.events import Event
from s1ctl.plan.plan import Plan
from s1ctl.shape import Value, plain
from s1ctl.site.hooks import HookCommand, Moment, check_hook

HOOK_TIMEOUT_S = 30.0
MAX_SAID = 4096
MAX_HEARD = 64 * 1024
MOMENTS: tuple[Moment, ...] = ("start", "pause", "finish")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Notice(Value):
    """What a hook is given on its stdin, as one JSON document.

    `from` and `to` are releases, null for nothing installed; `outcome` is null at the start, else
    `done`, `taken-back` or `paused`; `direction` is `undo` while the operation is taken back.
    """

    schema: Literal[1] = 1
    event: Moment
    site: str
    operation: str
    verb: str
    origin: str | None
    goal: str | None
    plan: str
    direction: Literal["do", "undo"] = "do"
    is_resumed: bool = False
    outcome: str | None = None
    cause: dict[str, object] | None = None

    @property
    def document(self) -> bytes:
        """The JSON document, with `from` and `to` as keys."""
        data: dict[str, Any] = plain(self)
        data["from"], data["to"] = data.pop("origin"), data.pop("goal")
        return canonical_json(data) + b"\n"


def make_notice(context: Context, event: Moment, operation: str, plan: Plan, **more: Any) -> Notice:
    """Make the notice of an operation's plan; `more` are the fields that are not always there."""
    return Notice(
        event=event,
        site=context.site.name,
        operation=operation,
        verb=plan.verb,
        origin=plan.start_version,
        goal=plan.hops[-1].version if plan.hops else plan.start_version,
        plan=str(plan.digest),
        **more,
    )


def check_hooks(context: Context) -> None:
    """Look at every hook before anything begins, so that none is missing at the end.

    Raises `UsageError` S1-U171, S1-U172.
    """
    for moment in MOMENTS:
        for command in context.site.hooks.of(moment):
            check_hook(command, moment)


def run_start(context: Context, notice: Notice) -> None:
    """Run the hooks of `start`, one after the other; one that fails stops the operation.

    Raises `PolicyRefused` S1-P40 where one ended badly, S1-P41 where it took too long, and
    what `check_hooks` raises.
    """
    check_hooks(context)
    for command in context.site.hooks.start:
        ended = _run(context, command, notice, check_hook(command, notice.event))
        if ended.fault is not None:
            raise _refusal(command, notice, ended)


def run_others(context: Context, notice: Notice) -> None:
    """Run the hooks of `pause` or `finish`; one that fails is warned of, and changes nothing."""
    for command in context.site.hooks.of(notice.event):
        try:
            _run(context, command, notice, check_hook(command, notice.event))
        except S1Error as error:
            _tell(context, command, notice, _Ended(fault=error.message))
        except KeyboardInterrupt:
            _tell(context, command, notice, _Ended(fault="it was interrupted"))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ended:
    """How a hook ended: `fault` is None where it ended with 0."""

    fault: str | None = None
    is_late: bool = False
    said: str = ""


def _run(context: Context, command: HookCommand, notice: Notice, program: Path) -> _Ended:
    ended = _execute(command, program, notice.document, _environment(context, notice))
    ended = replace(ended, said=_masked(context, ended.said))
    _tell(context, command, notice, ended)
    return ended


def _masked(context: Context, said: str) -> str:
    """Mask what a hook said, then keep the end of it: half of a secret is not found."""
    return context.mask(said)[-MAX_SAID:].strip() if said else said


def _environment(context: Context, notice: Notice) -> dict[str, str]:
    """Make a hook's environment from nothing; the caller's has secrets."""
    told = {"PATH": _PATH, "LANG": "C.UTF-8", "S1CTL_EVENT": notice.event}
    return told if context.site_file is None else {**told, "S1CTL_SITE": str(context.site_file)}


def _execute(
    command: HookCommand, program: Path, given: bytes, environment: dict[str, str]
) -> _Ended:
    """Run one command in a session of its own; what it leaves running is ended with it.

    What is run is the `program` that was looked at; the command's own name is only told to it.
    """
    try:
        process = subprocess.Popen(
            command.argv,
            executable=program,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd="/",
            start_new_session=True,
        )
    except OSError as error:
        return _Ended(fault=f"it cannot be run: {error.strerror}")
    with _ending(process), _Ear(process.stdout) as ear:
        _hand_over(process, given)
        try:
            status = process.wait(HOOK_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            how = f"it took over {HOOK_TIMEOUT_S:.0f} s and was ended"
            return _Ended(fault=how, is_late=True, said=ear.said)
        ear.listen_on(process)
        return _Ended(fault=_fault(status), said=ear.said)


@contextmanager
def _ending(process: subprocess.Popen[bytes]) -> Iterator[None]:
    try:
        yield
    finally:
        _kill(process)
        process.wait()


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _hand_over(process: subprocess.Popen[bytes], given: bytes) -> None:
    """Write the notice, which a pipe holds whole; a hook need not read it."""
    assert process.stdin is not None
    with suppress(BrokenPipeError), process.stdin as stdin:
        stdin.write(given)


class _Ear:
    """Hears all that a hook says, and remembers the end of it."""

    def __init__(self, stream: IO[bytes] | None) -> None:
        assert stream is not None
        self._stream = stream
        self._end = b""
        self._is_cut = False
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def __enter__(self) -> "_Ear":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the stream to the thread, which closes it when the last writer has gone."""

    @property
    def said(self) -> str:
        """The last of what was said, in whole lines, as it was said."""
        text = self._end.decode("utf-8", "replace")
        if self._is_cut:
            _, _, text = text.partition("\n")
            text = text or MASK
        return text.strip()

    def listen_on(self, process: subprocess.Popen[bytes]) -> None:
        """Hear the rest of a process that has ended; whoever else keeps the pipe is ended."""
        _kill(process)
        self._thread.join(1.0)

    def _listen(self) -> None:
        with self._stream as stream:
            while part := os.read(stream.fileno(), 65536):
                self._is_cut |= len(self._end) + len(part) > MAX_HEARD
                self._end = (self._end + part)[-MAX_HEARD:]


def _fault(status: int) -> str | None:
    if status < 0:
        return f"it was ended by signal {-status}"
    return f"it ended with {status}" if status else None


def _refusal(command: HookCommand, notice: Notice, ended: _Ended) -> S1Error:
    last = ended.said.splitlines()[-1:] or ["it said nothing"]
    message = (
        f"the hook `{command.program}` stopped the {notice.verb}: {ended.fault}: {last[0][:300]}"
    )
    if ended.is_late:
        return PolicyRefused(
            message,
            code="S1-P41",
            hint=f"see why `{command.program}` hangs, or take it out of `hooks.start`",
        )
    return PolicyRefused(
        message,
        code="S1-P40",
        hint="do what it says, then repeat; whoever keeps the site file can take the hook out",
    )


def _tell(context: Context, command: HookCommand, notice: Notice, ended: _Ended) -> None:
    how = f"failed: {ended.fault}" if ended.fault else "ran"
    context.tell(
        Event(
            at=context.now().isoformat(),
            operation=notice.operation,
            event="hook",
            text=f"hook `{command.program}` ({notice.event}) {how}",
            record={
                "hook": command.program,
                "moment": notice.event,
                "fault": ended.fault,
                "said": ended.said,
            },
        )
    )
