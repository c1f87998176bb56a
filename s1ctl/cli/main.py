"""The console entry, and the one place where an error becomes text and a number."""

import os
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal

import typer

from s1ctl.cli import bug, context
from s1ctl.cli.exit_codes import BUG, INTERRUPTED, exit_code
from s1ctl.cli.output import Output
from s1ctl.cli.verbs import add_verbs
from s1ctl.errors import S1Error, UsageError

GLOBAL = ("--site", "--output")
EPILOG = "Global options, anywhere on the line: --site FILE, --output text|json."

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
    sys.exit(main(sys.argv[1:]))


def main(argv: Sequence[str]) -> int:
    """Run one command line and say the exit code; results go to stdout, the rest to stderr."""
    line = ordered(argv)
    output = Output(is_json=_wants_json(line), has_colour=_has_colour())
    here = context.Here(output=output, environment=os.environ)
    try:
        return _run(line, here)
    except S1Error as error:
        code = exit_code(error)
        here.close()
        output.error(error, code)
        return code
    except KeyboardInterrupt:
        output.say("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone; nobody is left to tell.
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123
        return BUG
    except Exception as error:  # noqa: BLE001 - whatever is not an S1Error is our bug, and is logged whole
        output.say(bug.record(here.log_file, error))
        return BUG
    finally:
        here.close()


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
        else:
            rest.append(item)
    return front + (rest or ["--help"])


def _run(line: list[str], here: context.Here) -> int:
    try:
        code = app(line, standalone_mode=False, prog_name="s1ctl", obj=here)
    except typer.TyperException as error:
        raise UsageError(
            error.format_message()[:1].lower() + error.format_message()[1:].rstrip("."),
            code="S1-U80",
            hint=f"run `{_help_for(error)}`",
        ) from None
    except typer.Abort:
        return INTERRUPTED
    return code if isinstance(code, int) else 0


def _help_for(error: typer.TyperException) -> str:
    failed = getattr(error, "ctx", None)
    return f"{failed.command_path if failed else 's1ctl'} --help"


def _wants_json(line: list[str]) -> bool:
    return "json" in (b for a, b in pairwise(line) if a == "--output")


def _has_colour() -> bool:
    return sys.stderr.isatty() and not os.environ.get("NO_COLOR")


def _version(wanted: bool) -> None:
    if wanted:
        from s1ctl import __version__

        sys.stdout.write(f"s1ctl {__version__}\n")
        raise typer.Exit


@app.callback()
def begin(
    line: typer.Context,
    site: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The site file.", envvar="S1CTL_SITE")
    ] = None,
    output: Annotated[  # noqa: ARG001 - `main` reads it, since errors need it too
        Literal["text", "json"], typer.Option(help="How the result is written.")
    ] = "text",
    version: Annotated[  # noqa: ARG001
        bool,
        typer.Option("--version", help="Say the version.", callback=_version, is_eager=True),
    ] = False,
) -> None:
    """Install and upgrade self-hosted platforms at sites with no network to the outside."""
    context.of(line).site_option = site
