"""A plan: stage and hops, with the digest by which it is approved."""

from typing import Literal

from s1ctl.canonical import canonical_json
from s1ctl.oci.digest import Digest
from s1ctl.plan.steps import AnyStep, SecretUse
from s1ctl.shape import Value, plain

Verb = Literal["install", "upgrade", "rollback", "apply", "rotate", "contract", "restore"]


__all__ = ["Accepted", "Hop", "Plan", "SecretUse", "Settings", "Verb"]


class Settings(Value):
    """The settings of one release at this site; secrets only by version and HMAC."""

    values: dict[str, str]
    secrets: dict[str, SecretUse]


class Hop(Value):
    """The steps that bring the site to one release, and why this release is on the path."""

    to: Digest
    version: str
    steps: tuple[AnyStep, ...]
    why: str


class Accepted(Value):
    """A gate that was closed or unknown, and that somebody opened, with the reason given."""

    gate: str
    version: str
    reason: str


class Plan(Value):
    """All that an operation will do; computed without any I/O.

    `settings` holds those of each release that is started, by its payload digest; `addresses` the
    two that each replica owns, by `UNIT/REPLICA`.
    """

    schema: Literal[1] = 1
    verb: Verb
    site: str
    target_id: str
    start: Digest | None
    start_version: str | None
    stage: tuple[AnyStep, ...]
    hops: tuple[Hop, ...]
    settings: dict[str, Settings]
    addresses: dict[str, tuple[str, str]] = {}
    accepted: tuple[Accepted, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Say whether there is nothing to do."""
        return not self.stage and not self.hops

    @property
    def digest(self) -> Digest:
        """sha256 over the canonical JSON of the whole plan: no fact, time or size is in it."""
        return Digest.of(canonical_json(plain(self)))
