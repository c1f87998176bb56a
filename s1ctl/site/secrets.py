"""Secrets: held in a type that never prints, found by source, generated into files."""

import contextlib
import hashlib
import hmac
import os
import re
import secrets
import signal
import stat
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from s1ctl.errors import InputOutputFailed
from s1ctl.files import write_new_file

COMMAND_TIMEOUT_S = 30
MAX_BYTES = 64 * 1024
ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789"
KEY = ".key"
_SAID: "set[Secret]" = set()


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

    def __format__(self, form: str) -> str:
        return format("***", form)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(
            self._value.encode(), other._value.encode()
        )

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> "tuple[object, ...]":
        raise TypeError("a secret is not pickled")


def said_by_commands() -> "tuple[Secret, ...]":
    """Name what `cmd:` sources said to this process, so that it is masked without a second run."""
    return tuple(_SAID)


def program_of(command: str) -> str:
    """Name the program of a command line, and nothing else of it: arguments may be secrets."""
    found = re.match(r"\s*([\w./+-]+)(?=[\s;|&<>()]|\Z)", command)
    return found[1] if found else "…"


class SecretSource(str):
    """Where a secret comes from: `env:NAME`, `file:PATH` or `cmd:COMMAND`."""

    __slots__ = ()
    FORM = "`env:NAME`, `file:/PATH` or `cmd:COMMAND`"
    IS_HIDDEN = True

    def __new__(cls, text: str) -> Self:
        """Parse `text`; raises `ValueError`, which does not show it: it may be the secret."""
        if not re.fullmatch(r"(env:[A-Za-z_][A-Za-z0-9_]*|file:/.+|cmd:.+)", text):
            raise ValueError(f"Expected {cls.FORM}")
        return super().__new__(cls, text)

    def resolve(self, environment: Mapping[str, str], *, name: str = "") -> Secret:
        """Fetch the secret; one newline at its end is dropped. Raises `InputOutputFailed` S1-I10.

        `name` is the key of the site file that the secret is for. A command runs in `environment`,
        at most 30 s; it and what it started are then ended.
        """
        try:
            secret = Secret(_checked(self._fetch(environment)))
        except _Unresolved as error:
            raise self._refused(name, str(error)) from None
        except KeyError:
            raise self._refused(name, "that variable is not set") from None
        except OSError as error:
            raise self._refused(name, error.strerror or "it cannot be read") from None
        except subprocess.CalledProcessError as error:
            raise self._refused(name, f"the command ended with {error.returncode}") from None
        except subprocess.TimeoutExpired:
            raise self._refused(name, f"the command took over {COMMAND_TIMEOUT_S} s") from None
        if self.is_command:
            _SAID.add(secret)
        return secret

    @property
    def is_command(self) -> bool:
        """Whether a command has to be run for it."""
        return self.startswith("cmd:")

    @property
    def shown(self) -> str:
        """Name it for people: of a command the program only."""
        return f"cmd:{program_of(self[4:])}" if self.is_command else str(self)

    def _fetch(self, environment: Mapping[str, str]) -> bytes:
        kind, _, rest = self.partition(":")
        if kind == "env":
            return environment[rest].encode("utf-8", "surrogateescape")
        if kind == "cmd":
            return _run(rest, environment)
        with Path(rest).open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if stat.S_ISREG(mode) and mode & (stat.S_IWGRP | stat.S_IWOTH):
                raise _Unresolved(f"others may write the file (mode {mode & 0o777:04o})")
            return file.read(MAX_BYTES + 2)

    def _refused(self, name: str, reason: str) -> InputOutputFailed:
        whose = f" for `{name}`" if name else ""
        return InputOutputFailed(
            f"the secret `{self.shown}`{whose} does not resolve: {reason}",
            code="S1-I10",
            hint=self._remedy(name),
        )

    def _remedy(self, name: str) -> str:
        kind, _, rest = self.partition(":")
        if kind == "env":
            return f"set it: `export {rest}=…` (sudo drops it), or use a file of mode 0600"
        if kind == "cmd":
            whole = f", the whole of `{name}`," if name else ""
            return f"run it by hand{whole} as root with `sh -c`, and see what it says"
        return f"look at the file: `ls -l {rest}`; it must hold the secret, with mode 0600"


class _Unresolved(Exception):
    """A source that gave something else than a secret, with the reason."""


def _checked(raw: bytes) -> str:
    try:
        value = raw.decode("utf-8").removesuffix("\n")
    except UnicodeDecodeError:
        raise _Unresolved("it is not UTF-8") from None
    if not value:
        raise _Unresolved("it is empty")
    if len(value) > MAX_BYTES:
        raise _Unresolved(f"it has more than {MAX_BYTES} bytes")
    return value


def _run(command: str, environment: Mapping[str, str]) -> bytes:
    """Run a command in a session of its own; what it writes to stderr is dropped."""
    with subprocess.Popen(
        ["/bin/sh", "-c", command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=dict(environment),
        start_new_session=True,
    ) as process:
        try:
            output, _ = process.communicate(timeout=COMMAND_TIMEOUT_S)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, "sh")
    return output


def _generate(chars: int) -> Secret:
    return Secret("".join(secrets.choice(ALPHABET) for _ in range(chars)))


class SecretStore:
    """Generated secrets in `state/secrets/NAME/VERSION` (0600), oldest version 1.

    Every method raises `InputOutputFailed` S1-I11 where the folder cannot be used.
    """

    def __init__(self, folder: Path, *, is_read_only: bool = False) -> None:
        """Use a folder; with `is_read_only` fingerprints without a key are good for nothing."""
        self._folder = folder
        self._is_read_only = is_read_only

    def version(self, name: str) -> int:
        """Say the newest version of `name`; 0 where there is none."""
        with self._told(f"secret `{name}`"):
            place = self._folder / name
            files = place.iterdir() if place.exists() else ()
            return max((int(p.name) for p in files if p.name.isdecimal()), default=0)

    def read(self, name: str, version: int) -> Secret:
        """Read one version."""
        with self._told(f"secret `{name}`, version {version},"):
            return Secret((self._folder / name / str(version)).read_text("utf-8"))

    def ensure(self, name: str, *, chars: int) -> int:
        """Generate version 1 where there is none; say the newest version. Atomic."""
        if not self.version(name):
            self._write(name, 1, _generate(chars))  # or another process has just done so
        return self.version(name)

    def renew(self, name: str, *, chars: int) -> int:
        """Generate a further version and say its number. Atomic."""
        return self.add(name, _generate(chars))

    def has(self, name: str, version: int) -> bool:
        """Say whether this version is there."""
        with self._told(f"secret `{name}`"):
            return (self._folder / name / str(version)).exists()

    def forget(self, name: str, version: int) -> None:
        """Remove a version that nothing uses; gone is fine."""
        with self._told(f"secret `{name}`, version {version},", verb="removed"):
            (self._folder / name / str(version)).unlink(missing_ok=True)

    def add(self, name: str, value: Secret) -> int:
        """Store a new version and say its number. Atomic."""
        version = self.version(name) + 1
        while not self._write(name, version, value):
            version += 1  # another process took that number
        return version

    def fingerprint(self, value: Secret) -> str:
        """Make the HMAC of a secret with this site's own key: what journal and plan hold of it."""
        return hmac.new(self._key(), value.reveal().encode(), hashlib.sha256).hexdigest()

    def _write(self, name: str, version: int, value: Secret) -> bool:
        """Write a version; False where that number is taken."""
        self._key()
        with self._told(f"secret `{name}`", verb="written"):
            (self._folder / name).mkdir(exist_ok=True, mode=0o700)
            path = self._folder / name / str(version)
            try:
                write_new_file(path, value.reveal().encode(), mode=0o600)
            except FileExistsError:
                return False
        return True

    def _key(self) -> bytes:
        """Read the key of the fingerprints; it is made before the first secret, and never again."""
        path = self._folder / KEY
        with self._told("the key of the fingerprints"):
            if self._is_read_only and not path.exists():
                return os.urandom(32)
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not any(place.is_dir() for place in self._folder.iterdir()):
                with contextlib.suppress(FileExistsError):
                    write_new_file(path, os.urandom(32), mode=0o600)
            return path.read_bytes()

    @contextmanager
    def _told(self, what: str, *, verb: str = "read") -> Iterator[None]:
        try:
            yield
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise InputOutputFailed(
                f"{what} cannot be {verb}: {reason}",
                code="S1-I11",
                hint=f"check disk and owner, or restore `{self._folder}` from the host's backup",
            ) from None
