"""What the engine's faults become: every one is translated where it arises."""

from collections.abc import Iterator
from contextlib import contextmanager

import requests
from docker.errors import APIError, DockerException

from s1ctl.errors import InputOutputFailed

FOREIGN = (DockerException, requests.RequestException, OSError)


class EngineRefused(InputOutputFailed):
    """The engine was reached and said no: what was asked for cannot be done."""


@contextmanager
def translated(what: str, name: str) -> Iterator[None]:
    """Turn the SDK's faults, while the engine was asked to `what`, into ours.

    Raises `InputOutputFailed` S1-E10 and S1-E13, `EngineRefused` S1-E11.
    """
    try:
        yield
    except requests.Timeout:
        raise failed(what, name, "no answer in time", "S1-E10") from None
    except APIError as error:
        reason = str(error.explanation or error).strip()
        raise failed(what, name, reason, "S1-E11", EngineRefused) from None
    except FOREIGN as error:
        raise failed(what, name, _reason(error), "S1-E13") from None


def failed(
    what: str,
    name: str,
    reason: str,
    code: str,
    kind: type[InputOutputFailed] = InputOutputFailed,
) -> InputOutputFailed:
    """Make the error of a call that did not do `what` to the thing of this name."""
    is_away = code in ("S1-E10", "S1-E13")
    return kind(
        f"the engine could not {what} `{name}`: {reason}",
        code=code,
        hint="see that the engine runs: `systemctl status docker`"
        if is_away
        else f"run `s1ctl explain {code}`, and look at `journalctl -u docker`",
    )


def _reason(error: BaseException) -> str:
    """Find what the system said, however deep the libraries have wrapped it."""
    for cause in (error, *error.args):
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror.lower()
        if cause is not error and isinstance(cause, BaseException):
            return _reason(cause)
    return str(error) or type(error).__name__
