"""The passphrase of a signing key: from `S1CTL_KEY_PASSWORD`, a file, or a question."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from s1ctl.cli.context import Here
from s1ctl.errors import UsageError
from s1ctl.files import unreadable

if TYPE_CHECKING:
    from s1ctl.trust.keys import PrivateKey

VARIABLE = "S1CTL_KEY_PASSWORD"
PasswordFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help=f"Holds the passphrase; or set {VARIABLE}.")
]


def new(here: Here, file: Path | None) -> bytes:
    """Find the passphrase for a new key; asked for twice where nothing gives it."""
    given = _given(here, file)
    if given is not None:
        return given
    here.require_terminal(f"`--password-file`, `--no-password`, or set `{VARIABLE}`")
    return str(
        typer.prompt("passphrase", hide_input=True, confirmation_prompt=True, err=True)
    ).encode()


def read_key(here: Here, path: Path, file: Path | None) -> "PrivateKey":
    """Read a private key, asking for its passphrase only if it has one that nothing gives."""
    from s1ctl.trust.keys import PrivateKey

    word = _given(here, file)
    if word is None and _is_locked(path):
        here.require_terminal(f"`--password-file`, or set `{VARIABLE}`")
        word = str(typer.prompt(f"passphrase of {path}", hide_input=True, err=True)).encode()
    return PrivateKey.read(path, word)


def _is_locked(path: Path) -> bool:
    try:
        return path.read_bytes().startswith(b"-----BEGIN ENCRYPTED")
    except OSError:
        return False  # reading the key says why


def _given(here: Here, file: Path | None) -> bytes | None:
    if file is not None:
        try:
            return _some(file.read_bytes().removesuffix(b"\n"), f"`{file}`")
        except OSError as error:
            raise unreadable(file, error) from None
    given = here.environment.get(VARIABLE)
    return None if given is None else _some(given.encode(), f"`{VARIABLE}`")


def _some(word: bytes, place: str) -> bytes:
    """Refuse an empty passphrase: no passphrase is what `--no-password` means, and nothing else."""
    if not word.strip():
        raise UsageError(
            f"the passphrase in {place} is empty",
            code="S1-U121",
            hint="put a passphrase there, or give `--no-password` for a key without one",
        )
    return word
