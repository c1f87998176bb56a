"""An exception that is nobody's refusal: logged whole, and named in one line."""

import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from s1ctl.errors import InputOutputFailed
from s1ctl.masking.redact import masked

Mask = Callable[[str], str]


def record(log_file: Path, bug: BaseException, *, mask: Mask = masked) -> str:
    """Append the exception to the log, without secrets; make the line for the operator."""
    trace = mask("".join(traceback.format_exception(bug)))
    text = f"{datetime.now(UTC).isoformat(timespec='seconds')} {trace}\n"
    name = type(bug).__name__
    try:
        log_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with log_file.open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError:
        return f"{text}bug: s1ctl met a `{name}`, and `{log_file}` cannot be written"
    return f"bug: s1ctl met a `{name}`; please send `{log_file}` to the maintainers"


def untold(log_file: Path, error: OSError, *, mask: Mask = masked) -> InputOutputFailed:
    """Make a refusal of a failure of the system that nobody expected there; it is logged whole."""
    record(log_file, error, mask=mask)
    place = f"`{error.filename}`: " if error.filename is not None else ""
    return InputOutputFailed(
        mask(f"{place}{error.strerror or error}"),
        code="S1-I94",
        hint=f"mend that, then repeat; where it came up is in `{log_file}`",
    )
