"""The console entry, and the one place where an error becomes text and a number."""

import os
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal

import typer
import typer.main

from s1ctl.cli import bug, context, streams
from s1ctl.cli.exit_codes import BUG, DONE, INTERRUPTED, exit_code
from s1ctl.cli.output import Output
from s1ctl.cli.verbs import add_verbs
from s1ctl.errors import InputOutputFailed, S1Error, UsageError
from s1ctl.operation.interrupt import obey_signals

COMPLETE = "_S1CTL_COMPLETE"
GLOBAL = ("--site", "--output")
STOPPED = "interrupted: what was begun is left out, and the same command may be run again"
DECLINED = "nothing was done: the answer was no"
FLAGS = ("--quiet", "--verbose")
EPILOG = (
    "Global options, anywhere on the line: --site FILE, --output text|json, --quiet, --verbose."
)

app = typer.Typer(
    name="s1ctl",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
add_verbs(app)


def run() -> None:
    """Run as a program."""
    streams.prepare()
    obey_signals()
    sys.exit(main(sys.argv[1:]))


def main(argv: Sequence[str]) -> int:
    """Run one command line and say the exit code; results go to stdout, the rest to stderr."""
    line = ordered(argv)
    output = Output(
        is_json=_wants_json(line),
        has_colour=_has_colour(),
        is_quiet="--quiet" in _options(line),
        is_verbose="--verbose" in _options(line),
    )
    here = context.Here(output=output, environment=os.environ)
    try:
        with output.requests_told():
            return _run(line, here)
    except S1Error as error:
        return _refused(here, error)
    except KeyboardInterrupt:
        return _stopped(here)
    except OSError as error:
        return _refused(here, bug.untold(here.log_file, error, mask=here.masked))
    except Exception as error:  # noqa: BLE001 - whatever is not an S1Error is our bug, and is logged whole
        text = bug.record(here.log_file, error, mask=here.masked)
        output.fault("bug", text, hint="run `s1ctl status`, then send the log", code=BUG)
        return BUG
    finally:
        here.end()


def _stopped(here: context.Here) -> int:
    here.close()
    here.output.fault("interrupted", STOPPED, hint="run `s1ctl status`", code=INTERRUPTED)
    return INTERRUPTED


def _refused(here: context.Here, error: S1Error) -> int:
    """Tell a refusal; where stdout takes nothing, its text goes to stderr alone."""
    here.close()
    code = exit_code(error)
    try:
        here.output.error(error, code)
    except InputOutputFailed:
        here.output.error_text(error)
    streams.settle()
    return code


def ordered(argv: Sequence[str]) -> list[str]:
    """Bring the global options to the front, wherever they were typed before a `--`."""
    front: list[str] = []
    rest: list[str] = []
    items = iter(argv)
    for item in items:
        name, _, value = item.partition("=")
        if item == "--":
            rest += [item, *items]
        elif name in GLOBAL:
            front += [name, value if "=" in item else next(items, "")]
        elif item in FLAGS:
            front.append(item)
        else:
            rest.append(item)
    return [*front, *rest] or ["--help"]


def _run(line: list[str], here: context.Here) -> int:
    try:
        code = _invoke(line, here)
    except typer.Exit as end:
        return end.exit_code
    except typer.TyperException as error:
        raise UsageError(
            error.format_message()[:1].lower() + error.format_message()[1:].rstrip("."),
            code="S1-U80",
            hint=f"run `{_help_for(error)}`",
        ) from None
    except typer.Abort as end:
        if isinstance(end.__cause__, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        here.output.fault(
            "declined", DECLINED, hint="repeat it to be asked again", code=INTERRUPTED
        )
        return INTERRUPTED
    return code if isinstance(code, int) else DONE


def _invoke(line: list[str], here: context.Here) -> object:
    """Run the verb; typer's own `main` would end interrupts and broken pipes without a word."""
    if COMPLETE in here.environment:
        return app(line, standalone_mode=False, prog_name="s1ctl", obj=here)
    command = typer.main.get_command(app)
    with command.make_context("s1ctl", line, obj=here) as running:
        return command.invoke(running)


def _help_for(error: typer.TyperException) -> str:
    failed = getattr(error, "ctx", None)
    return f"{failed.command_path if failed else 's1ctl'} --help"


def _wants_json(line: list[str]) -> bool:
    return "json" in (b for a, b in pairwise(line) if a == "--output")


def _options(line: list[str]) -> list[str]:
    return line[: line.index("--")] if "--" in line else line


def _has_colour() -> bool:
    is_plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return sys.stderr.isatty() and not is_plain


def _version(wanted: bool) -> None:
    if wanted:
        from s1ctl import __version__

        sys.stdout.write(f"s1ctl {__version__}\n")
        raise typer.Exit


@app.callback()
def begin(
    line: typer.Context,
    *,
    site: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The site file.", envvar="S1CTL_SITE")
    ] = None,
    output: Annotated[  # noqa: ARG001 - `main` reads it, since errors need it too
        Literal["text", "json"], typer.Option(help="How the result is written.")
    ] = "text",
    quiet: Annotated[
        bool, typer.Option("--quiet", help="Only the result, questions and errors.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Also each step's details, and each request.")
    ] = False,
    version: Annotated[  # noqa: ARG001
        bool,
        typer.Option("--version", help="Say the version.", callback=_version, is_eager=True),
    ] = False,
) -> None:
    """Install and upgrade self-hosted platforms at sites with no network to the outside."""
    if quiet and verbose:
        raise typer.BadParameter("`--quiet` and `--verbose` exclude each other")
    context.of(line).site_option = site
