"""How the demo speaks: sections, each command as typed, what it said, and how long it took."""

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from places import ROOT, S1CTL, SITE_FILE, shown

BOLD, DIM, PLAIN = ("\x1b[1m", "\x1b[2m", "\x1b[0m") if sys.stdout.isatty() else ("", "", "")
TIMEOUT_S = 900


class StoryError(Exception):
    """A command of the story did not end as it should."""


class Story:
    """Tells the demo, and keeps the time of each section."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.seconds: dict[str, float] = {}
        self.status = 0

    @contextmanager
    def section(self, title: str) -> Iterator[None]:
        """Tell a section and time it."""
        began = time.monotonic()
        print(f"\n{BOLD}== {title}{PLAIN}", flush=True)
        yield
        self.seconds[title] = round(time.monotonic() - began, 1)
        print(f"{DIM}   ({self.seconds[title]} s){PLAIN}", flush=True)

    def say(self, text: str) -> None:
        """Say a sentence."""
        print(f"\n{text}" if text else "", flush=True)

    def s1ctl(self, *words: str | Path, ends_with: int = 0, is_shown: bool = True) -> str:
        """Run s1ctl as a person would type it, and hand back what it wrote to stdout."""
        return self.run(S1CTL, *words, ends_with=ends_with, is_shown=is_shown)

    def run(self, *words: str | Path, ends_with: int = 0, is_shown: bool = True) -> str:
        """Run a command; its stdout is handed back, and shown if wanted, its stderr only shown.

        Its status is kept in `status`; another one than `ends_with` is the end of the story.
        """
        command = [shown(word) for word in words]
        print(f"\n{BOLD}$ {shlex.join(command)}{PLAIN}", flush=True)
        began = time.monotonic()
        lines = []
        with subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "S1CTL_SITE": shown(SITE_FILE)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout
            for line in process.stdout:
                lines.append(line)
                if is_shown:
                    print(line, end="", flush=True)
            self.status = process.wait(TIMEOUT_S)
        seconds = time.monotonic() - began
        status = f", exit {self.status}" if self.status or ends_with else ""
        print(f"{DIM}   {seconds:.1f} s{status}{PLAIN}", flush=True)
        if self.status != ends_with:
            raise StoryError(
                f"`{shlex.join(command)}` ended with {self.status}, not with {ends_with}"
            )
        return "".join(lines)
