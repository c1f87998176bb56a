"""The site's hooks: whose programs they are, and that nobody else may change them."""

import os
import shlex
import stat
from pathlib import Path
from typing import Literal, Self

from s1ctl.errors import UsageError
from s1ctl.shape import Value

Moment = Literal["start", "pause", "finish"]


class HookCommand(str):
    """One command line, split as a shell splits words, and run without one."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Check `text`; raises `ValueError`."""
        try:
            words = shlex.split(text)
        except ValueError as error:
            raise ValueError(f"`{text}` cannot be split into words: {error}") from None
        if not words or not words[0].startswith("/"):
            raise ValueError(f"Expected a program by its whole path, got `{text}`")
        return super().__new__(cls, text)

    @property
    def argv(self) -> tuple[str, ...]:
        """The program and its arguments."""
        return tuple(shlex.split(self))


class Hooks(Value):
    """What is run, in this order, when an operation starts, pauses, and has ended."""

    start: tuple[HookCommand, ...] = ()
    pause: tuple[HookCommand, ...] = ()
    finish: tuple[HookCommand, ...] = ()

    def of(self, moment: Moment) -> tuple[HookCommand, ...]:
        """List the hooks of one moment."""
        commands: tuple[HookCommand, ...] = getattr(self, moment)
        return commands


def check_hook(command: HookCommand, moment: Moment) -> None:
    """Refuse a program that is not there, or that others could put another in the place of.

    Raises `UsageError` S1-U171, S1-U172.
    """
    path = Path(command.argv[0])
    where = f"the hook `{path}` of `hooks.{moment}`"
    try:
        program = path.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or "it leads to itself"
        raise _unusable(where, f"cannot be found: {reason}", "put it there") from None
    if not program.is_file() or not os.access(program, os.X_OK):
        raise _unusable(where, "is not a program", f"run `chmod u+x {path}`")
    for place in (program, *program.parents):
        _check_writers(place, where)


def _check_writers(place: Path, where: str) -> None:
    """Refuse a file or folder that others may write; in a sticky folder they replace nothing."""
    found = place.stat()
    mode = stat.S_IMODE(found.st_mode)
    is_sticky = stat.S_ISDIR(found.st_mode) and bool(mode & stat.S_ISVTX)
    if found.st_uid not in (0, os.geteuid()):
        raise UsageError(
            f"{where}: `{place}` belongs to another user (uid {found.st_uid}), who could have"
            " commands run",
            code="S1-U172",
            hint=f"read it, then run `chown root {place}`",
        )
    if mode & (stat.S_IWGRP | stat.S_IWOTH) and not is_sticky:
        raise UsageError(
            f"{where}: `{place}` may be written by others (mode {mode & 0o777:04o})",
            code="S1-U172",
            hint=f"read it, then run `chmod go-w {place}`",
        )


def _unusable(where: str, how: str, what: str) -> UsageError:
    return UsageError(
        f"{where} {how}",
        code="S1-U171",
        hint=f"{what}, or take it out of `hooks` in the site file",
    )
