"""The leak gate: read the finished archive as its receiver would, and look for secrets."""

import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from s1ctl.errors import PolicyRefused
from s1ctl.masking.redact import Redactor
from s1ctl.report.support.lines import BLOCK_BYTES, blocks_of, lines_of


def check_archive(path: Path, redactor: Redactor) -> None:
    """Look for every known value and strong pattern in names and contents.

    Raises `PolicyRefused` S1-P60 with the file and the rule, and never with what was found.
    """
    with tarfile.open(path, mode="r:gz") as archive:
        for number, member in enumerate(archive, start=1):
            rule = redactor.leak(member.name)
            if rule is not None:
                raise _leak(f"the name of file {number}", rule)
            file = archive.extractfile(member)
            if file is None:
                raise _leak(f"`{member.name}`", "not a file")
            for block in blocks_of(lines_of(_chunks(file))):
                rule = redactor.leak(block)
                if rule is not None:
                    raise _leak(f"`{member.name}`", rule)


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    while chunk := file.read(BLOCK_BYTES):
        yield chunk


def _leak(where: str, rule: str) -> PolicyRefused:
    return PolicyRefused(
        f"a secret is left in {where} of the support bundle, by the rule `{rule}`; the bundle was"
        " deleted",
        code="S1-P60",
        hint="see what would be in it with `s1ctl support-bundle --preview`, and tell the"
        " maintainers the file and the rule",
    )
