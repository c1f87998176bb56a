"""Secrets: held in a type that never prints, found by source, generated into files."""

import hashlib
import hmac
import os
import re
import secrets
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from s1ctl.errors import InputOutputFailed
from s1ctl.files import write_file

COMMAND_TIMEOUT_S = 30
ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789"


class Secret:
    """A value that prints as `***`; `reveal()` is the only way to it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Hand out the value."""
        return self._value

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(
            self._value.encode(), other._value.encode()
        )

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> "tuple[object, ...]":
        raise TypeError("a secret is not pickled")


class SecretSource(str):
    """Where a secret comes from: `env:NAME`, `file:PATH` or `cmd:COMMAND`."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Parse `text`; raises `ValueError`."""
        if not re.fullmatch(r"(env:[A-Za-z_][A-Za-z0-9_]*|file:/.+|cmd:.+)", text):
            raise ValueError("Expected `env:NAME`, `file:/PATH` or `cmd:COMMAND`")
        return super().__new__(cls, text)

    def resolve(self, environment: Mapping[str, str]) -> Secret:
        """Fetch the secret; one newline at its end is dropped. Raises `InputOutputFailed` S1-I10."""
        try:
            value = self._fetch(environment).removesuffix("\n")
        except KeyError:
            raise self._unresolved("that variable is not set") from None
        except OSError as error:
            raise self._unresolved(error.strerror or "it cannot be read") from None
        except UnicodeDecodeError:
            raise self._unresolved("it is not UTF-8") from None
        except subprocess.CalledProcessError as error:
            raise self._unresolved(f"the command ended with {error.returncode}") from None
        except subprocess.TimeoutExpired:
            raise self._unresolved(f"the command took over {COMMAND_TIMEOUT_S} s") from None
        if not value:
            raise self._unresolved("it is empty")
        return Secret(value)

    def _fetch(self, environment: Mapping[str, str]) -> str:
        kind, _, rest = self.partition(":")
        if kind == "env":
            return environment[rest]
        return Path(rest).read_text("utf-8") if kind == "file" else _run(rest)

    def _unresolved(self, reason: str) -> InputOutputFailed:
        return InputOutputFailed(
            f"the secret `{self}` does not resolve: {reason}",
            code="S1-I10",
            hint="mend the source, or name another one in the site file",
        )


def _run(command: str) -> str:
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        timeout=COMMAND_TIMEOUT_S,
        check=True,
    )
    return done.stdout.decode("utf-8")


class SecretStore:
    """Generated secrets in `state/secrets/NAME/VERSION` (0600), oldest version 1."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def version(self, name: str) -> int:
        """Say the newest version of `name`; 0 where there is none."""
        try:
            return max(
                (int(p.name) for p in (self._folder / name).iterdir() if p.name.isdigit()),
                default=0,
            )
        except FileNotFoundError:
            return 0

    def read(self, name: str, version: int) -> Secret:
        """Read one version. Raises `InputOutputFailed` S1-I11."""
        try:
            return Secret((self._folder / name / str(version)).read_text("utf-8"))
        except OSError as error:
            raise InputOutputFailed(
                f"secret `{name}`, version {version}, cannot be read: {error.strerror}",
                code="S1-I11",
                hint=f"restore `{self._folder}` from the host's backup",
            ) from None

    def ensure(self, name: str, *, chars: int) -> int:
        """Generate version 1 where there is none; say the newest version. Atomic."""
        return self.version(name) or self.add(
            name, Secret("".join(secrets.choice(ALPHABET) for _ in range(chars)))
        )

    def add(self, name: str, value: Secret) -> int:
        """Store a new version and say its number. Atomic."""
        version = self.version(name) + 1
        (self._folder / name).mkdir(parents=True, exist_ok=True, mode=0o700)
        write_file(self._folder / name / str(version), value.reveal().encode(), mode=0o600)
        return version

    def fingerprint(self, value: Secret) -> str:
        """Make the HMAC of a secret with this site's own key: what journal and plan hold of it."""
        return hmac.new(self._key(), value.reveal().encode(), hashlib.sha256).hexdigest()

    def _key(self) -> bytes:
        path = self._folder / ".key"
        if not path.exists():
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_file(path, os.urandom(32), mode=0o600)
        return path.read_bytes()
