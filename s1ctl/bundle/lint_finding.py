"""A finding of `bundle lint`, and the rules with what each is worth."""

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]

RULES: dict[str, Severity] = {
    "service.health": "error",
    "service.version": "warning",
    "service.live": "warning",
    "service.live-is-ready": "error",
    "service.stop": "warning",
    "service.grace": "warning",
    "service.restart": "warning",
    "service.secret": "error",
    "service.user": "error",
    "service.tmpfs": "error",
    "service.volume": "error",
    "data.health": "error",
    "data.dump": "error",
    "edge.ports": "warning",
    "edge.upstreams": "error",
    "edge.reuseport": "error",
    "edge.stop": "warning",
    "edge.idle": "warning",
    "edge.twice": "error",
    "image.tag": "warning",
    "image.platform": "error",
    "migration.phase": "error",
    "migration.lock": "warning",
    "migration.column": "error",
    "migration.alone": "error",
}

UNSEEN = (
    "a service that says it is ready would answer",
    "on its stop signal a service stops accepting, finishes what runs, and exits in time",
    "no service migrates at its start, or asks for a certain revision of the schema",
    "each release runs on the expanded schema of the next one",
    "a lost connection to the database is one failed request, and is made anew",
    "a call that another service has not begun is tried once more",
    "logs go to stdout, and have no secret in them",
    "the edge re-reads its upstreams on SIGHUP, and starts while that folder is empty",
    "the database takes connections from the site's network, with a password",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that breaks the contract: where it stands, what it is, and what to do."""

    id: str
    where: str
    text: str
    advice: str

    @property
    def severity(self) -> Severity:
        """What the rule is worth."""
        return RULES[self.id]
