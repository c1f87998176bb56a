"""PostgreSQL's refusals in our words, told apart by SQLSTATE and never by text."""

from dataclasses import dataclass
from typing import TypeVar

import psycopg2

from s1ctl.errors import Inconclusive, InputOutputFailed, S1Error, StepFailed

E = TypeVar("E", bound=S1Error)

LOCKED = ("55P03", "40P01")
LOST = ("57P01", "57P02", "57P05")
# A table, column, function or other object that is there already, or is not.
UNEXPECTED = ("42701", "42703", "42704", "42710", "42723", "42883", "42P01", "42P06", "42P07")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One refusal; `is_lost` where the connection went, so that the outcome is not known."""

    code: str
    message: str
    hint: str
    is_lost: bool = False

    def error(self, kind: type[E]) -> E:
        """Make an error of the class that fits the moment."""
        return kind(self.message, code=self.code, hint=self.hint)


_BUSY = ("S1-D07", "a lock could not be had in time", "run `s1ctl db status` to see who holds it")
_KNOWN = {
    "28P01": ("S1-D02", "it refuses the user or the password",
              "put the password that the server knows where `databases` in the site file says"),
    "28000": ("S1-D02", "it does not let this user in from here",
              "look at the server's `pg_hba.conf` and at the user's LOGIN attribute"),
    "3D000": ("S1-D03", "that database does not exist", "create it, or mend its name"),
    "25006": ("S1-D04", "it is read-only: a standby, or set so",
              "name the primary server, or have `default_transaction_read_only` set off"),
    "53100": ("S1-D05", "the server's disk is full", "free space on the server, then repeat"),
    "42501": ("S1-D06", "the user lacks a privilege",
              "let the user own the database, its schemas and tables"),
    "55P03": _BUSY,
    "40P01": _BUSY,
    "53300": ("S1-D08", "it has no connection left",
              "raise `max_connections` or the user's CONNECTION LIMIT, or stop a client"),
    "57P03": ("S1-D01", "it is starting or stopping", "wait until it is ready, then repeat"),
}  # fmt: skip


def make_fault(error: psycopg2.Error, place: str) -> Fault:
    """Put `error` into words; `place` says which database, without any secret."""
    state = error.pgcode
    if state in _KNOWN:
        return known_fault(state, place)
    if state is None or state.startswith("08") or state in LOST:
        return lost(place)
    said = error.diag.message_primary or "no reason given"
    if state in UNEXPECTED:
        return Fault(
            code="S1-D19",
            message=f"{place}: its schema is not what the revision expects: {said}"
            f" (SQLSTATE `{state}`)",
            hint="put back what was changed by hand, then repeat; if nobody changed anything, send"
            " this message to the vendor",
        )
    return Fault(
        code="S1-D30",
        message=f"{place}: refused with SQLSTATE `{state}`: {said}",
        hint="send this message to the vendor",
    )


def lost(place: str) -> Fault:
    """Make the fault of a connection that went away in the middle."""
    return Fault(
        code="S1-D09",
        message=f"{place}: the connection was lost",
        hint="look at the server's log, then run `s1ctl resume`",
        is_lost=True,
    )


def known_fault(state: str, place: str) -> Fault:
    """Put a SQLSTATE of the table into words; raises `KeyError` for another one."""
    code, message, hint = _KNOWN[state]
    return Fault(code=code, message=f"{place}: {message} (SQLSTATE `{state}`)", hint=hint)


def step_error(error: psycopg2.Error, place: str) -> S1Error:
    """Make what a step raises: known to have failed, or not known."""
    fault = make_fault(error, place)
    return fault.error(Inconclusive) if fault.is_lost else fault.error(StepFailed)


def input_error(error: psycopg2.Error, place: str) -> InputOutputFailed:
    """Make what is raised before an operation is open."""
    return make_fault(error, place).error(InputOutputFailed)
