"""An exception that is nobody's refusal: logged whole, and named in one line."""

import traceback
from datetime import UTC, datetime
from pathlib import Path


def record(log_file: Path, bug: BaseException) -> str:
    """Append the exception to the log; make the line for the operator."""
    trace = "".join(traceback.format_exception(bug))
    text = f"{datetime.now(UTC).isoformat(timespec='seconds')} {trace}\n"
    name = type(bug).__name__
    try:
        log_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with log_file.open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError:
        return f"{text}bug: s1ctl met a `{name}`, and `{log_file}` cannot be written"
    return f"bug: s1ctl met a `{name}`; please send `{log_file}` to the maintainers"
