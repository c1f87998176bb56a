"""The site's hooks: whose programs they are, and that nobody else may change them."""

import os
import shlex
import stat
from pathlib import Path
from typing import Literal, Self

from s1ctl.errors import UsageError
from s1ctl.shape import Value
from s1ctl.site.secrets import program_of

OTHERS = stat.S_IWGRP | stat.S_IWOTH
HOME = "`/etc/s1ctl/hooks`"
Moment = Literal["start", "pause", "finish"]


class HookCommand(str):
    """One command line, split as a shell splits words, and run without one."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Check `text`; raises `ValueError`."""
        try:
            words = shlex.split(text)
        except ValueError as error:
            raise ValueError(f"`{program_of(text)}` cannot be split into words: {error}") from None
        if not words or not words[0].startswith("/"):
            raise ValueError(f"Expected a program by its whole path, got `{program_of(text)}`")
        return super().__new__(cls, text)

    @property
    def argv(self) -> tuple[str, ...]:
        """The program and its arguments."""
        return tuple(shlex.split(self))

    @property
    def program(self) -> str:
        """The program alone: its arguments may be secrets, and are told nowhere."""
        return self.argv[0]


class Hooks(Value):
    """What is run, in this order, when an operation starts, pauses, and has ended."""

    start: tuple[HookCommand, ...] = ()
    pause: tuple[HookCommand, ...] = ()
    finish: tuple[HookCommand, ...] = ()

    def of(self, moment: Moment) -> tuple[HookCommand, ...]:
        """List the hooks of one moment."""
        commands: tuple[HookCommand, ...] = getattr(self, moment)
        return commands


def check_hook(command: HookCommand, moment: Moment) -> Path:
    """Say which file to run; one that is not there, or that others could replace, is refused.

    Every folder and link on the way is looked at as it was written, not where it leads alone.
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
    for place in _way_to(path):
        _check_writers(place, where)
    return program


def _way_to(path: Path) -> list[Path]:
    """List what a path leads through: each folder, each link, what the links name, and the end."""
    at = Path("/")
    seen, left = [at], list(path.parts[1:])
    while left:
        part = left.pop(0)
        here = at.parent if part == ".." else at / part
        seen.append(here)
        if here.is_symlink():
            target = here.readlink()
            at = Path("/") if target.is_absolute() else at
            left[:0] = target.parts[1:] if target.is_absolute() else target.parts
        else:
            at = here
    return seen


def _check_writers(place: Path, where: str) -> None:
    """Refuse what others may write, or own; who owns a link may have it lead elsewhere.

    In a sticky folder others replace no folder of ours, and programs do not belong there.
    """
    found = place.lstat()
    mode = stat.S_IMODE(found.st_mode)
    is_folder = stat.S_ISDIR(found.st_mode)
    is_sticky = is_folder and bool(mode & stat.S_ISVTX)
    above = stat.S_IMODE(place.parent.stat().st_mode)
    if found.st_uid not in (0, os.geteuid()):
        raise UsageError(
            f"{where}: `{place}` belongs to another user (uid {found.st_uid}), who could have"
            " commands run",
            code="S1-U172",
            hint=f"read it, then run `chown -h root {place}`",
        )
    if not is_folder and above & stat.S_ISVTX and above & OTHERS:
        raise UsageError(
            f"{where}: `{place}` is in a folder that others may write (mode {above:04o})",
            code="S1-U172",
            hint=f"read it, then move it to a folder of root's own, such as {HOME}",
        )
    if mode & OTHERS and not is_sticky and not stat.S_ISLNK(found.st_mode):
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
