"""What `psql` is told to say of a restored database, and how that is read."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from s1ctl.database.fingerprint import (
    COUNTS,
    DESCRIPTION,
    SETTINGS,
    Description,
    make_description,
)
from s1ctl.errors import StepFailed

# Everything is a JSON array of strings a line; `\gexec` runs what a row says.
INSPECTION = f"""{SETTINGS};
{DESCRIPTION};
SELECT what.statement FROM ({COUNTS}) AS what (name, statement) \\gexec
SELECT 'SELECT jsonb_build_array(''revision'', revision)::text FROM s1ctl.applied ORDER BY number'
    WHERE to_regclass('s1ctl.applied') IS NOT NULL \\gexec
SELECT jsonb_build_array('end')::text;
"""  # noqa: S608 - nothing from outside is in it


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What a dump held when it was restored."""

    description: Description
    counts: dict[str, int]
    revisions: tuple[str, ...]


def read_inspection(chunks: Iterable[bytes]) -> Restored:
    """Read what `INSPECTION` made psql say. Raises `StepFailed` S1-D61 where its end is missing."""
    lines = [json.loads(line) for line in _lines(chunks)]
    if not lines or lines[-1] != ["end"]:
        raise StepFailed(
            "the restored database was not described to its end",
            code="S1-D61",
            hint="look at the engine's disk and memory, then prove the backup again",
        )
    rows = [line for line in lines if line[0] not in ("rows", "revision", "end")]
    return Restored(
        description=make_description(rows),
        counts={line[1]: int(line[2]) for line in lines if line[0] == "rows"},
        revisions=tuple(line[1] for line in lines if line[0] == "revision"),
    )


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Cut the stream into lines; an empty one only says that something still runs."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from (line for line in whole if line)
