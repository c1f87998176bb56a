"""Open the memory of a site."""

from pathlib import Path
from types import TracebackType
from typing import Self

from s1ctl.errors import InputOutputFailed
from s1ctl.files import unreadable
from s1ctl.ledger.addresses import Addresses
from s1ctl.ledger.backups import Backups
from s1ctl.ledger.connection import Database, check_writable
from s1ctl.ledger.lock import Lock
from s1ctl.ledger.migrate import current_copy, ensure_schema
from s1ctl.ledger.operations import Operations
from s1ctl.ledger.points import Points
from s1ctl.ledger.releases import Releases
from s1ctl.ledger.trust import TrustedRoots
from s1ctl.ledger.waivers import Waivers

NAME = "ledger.db"
UNWRITABLE = ("S1-I21", "S1-I22", "S1-I25", "S1-I28")


class Ledger:
    """What a site remembers; every method of its parts is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.trust = TrustedRoots(database)
        self.releases = Releases(database)
        self.addresses = Addresses(database)
        self.operations = Operations(database)
        self.points = Points(database)
        self.backups = Backups(database)
        self.waivers = Waivers(database)
        self.lock = Lock(database)

    @property
    def fault(self) -> InputOutputFailed | None:
        """Why nothing can be written to it; None where it can."""
        return self._database.fault

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def open_ledger(state: Path) -> Ledger:
    """Open the ledger of a state directory; both are made where they are not.

    An older schema is upgraded, after a copy was put beside it. Raises `InputOutputFailed`: S1-I20
    written by a newer s1ctl, S1-I21 to S1-I25 the file, S1-I27 lost, S1-I28 the directory.
    """
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        if state.stat().st_mode & 0o077:
            state.chmod(0o700)
        ensure_schema(state / NAME)
    except OSError as error:
        raise InputOutputFailed(
            f"the state directory `{state}` cannot be used: {error.strerror}",
            code="S1-I28",
            hint=f"check its owner, mode and disk: `ls -ld {state}`, `df -h {state}`",
        ) from None
    return Ledger(Database(state / NAME))


def copied_ledger(state: Path) -> Ledger:
    """Read what the ledger holds now, with the schema of today; nothing is made or upgraded.

    Raises as `open_ledger`.
    """
    try:
        return Ledger(Database(state / NAME, copy=current_copy(state / NAME)))
    except OSError as error:
        raise unreadable(state / NAME, error) from None


def look_at_ledger(state: Path) -> Ledger:
    """Open the ledger, or where it cannot be written read what it holds; its `fault` says why.

    Where there is none yet, and none can be made, it is empty. Raises as `open_ledger`, whose
    refusal stands where the ledger cannot be read either.
    """
    try:
        ledger = open_ledger(state)
        check_writable(state / NAME)
    except InputOutputFailed as fault:
        if fault.code not in UNWRITABLE:
            raise
        try:
            return Ledger(Database(state / NAME, fault=fault, copy=current_copy(state / NAME)))
        except OSError:
            raise fault from None
    return ledger
