"""The steps a plan is made of: plain values that hold all that acting needs to know."""

from typing import Literal

from s1ctl.oci.digest import Digest
from s1ctl.release.manifest import Phase, Role, When
from s1ctl.shape import Value


class Step(Value, tag_field="kind"):
    """A step; `kind` and `v` let an older or newer s1ctl tell whether it knows it."""

    v: Literal[1] = 1


class SecretUse(Value):
    """A secret setting as a plan holds it: its version, and its HMAC."""

    version: int
    fingerprint: str


class Placement(Value):
    """One replica's container name and fixed address (None on the host's network)."""

    replica: int
    container: str
    address: str | None


class Instance(Value):
    """A unit as it runs or shall run: which release, and where each replica is.

    `fingerprint` covers image, configuration, settings and secrets: equal ones need no roll.
    """

    unit: str
    release: Digest
    version: str
    placements: tuple[Placement, ...]
    fingerprint: str = ""


class LoadRelease(Step, tag="load-release"):
    """Have the release in store and registry."""

    release: Digest
    version: str


class CheckSite(Step, tag="check-site"):
    """Judge the site for every release of the path; always run."""

    releases: tuple[Digest, ...]


class PullImages(Step, tag="pull-images"):
    """Have every image of the release in the engine; references are `HOST/REPOSITORY@DIGEST`."""

    release: Digest
    version: str
    references: tuple[str, ...]


class Prepare(Step, tag="prepare"):
    """Have network, volumes, secrets and the missing data units; wait until those are ready."""

    release: Digest
    version: str
    data: tuple[Instance, ...]


class RecordPoint(Step, tag="record-point"):
    """Record what runs now, so that it can be gone back to; copies no data."""

    point: str
    release: Digest | None
    running: tuple[Instance, ...]


class BackUp(Step, tag="back-up"):
    """Dump one database, in one snapshot, into `state/backups/BACKUP/DATABASE.dump`.

    Where `point` is given the dump is that point's. `backup` is empty in plans of former versions.
    """

    backup: str = ""
    database: str
    release: Digest
    point: str | None = None


class ProveBackup(Step, tag="prove-backup"):
    """Restore a dump into a throwaway container of the database's image, and compare."""

    backup: str
    database: str
    release: Digest


class RunJob(Step, tag="run-job"):
    """Run a one-shot container of the release to its end, before or after the units are rolled."""

    job: str
    when: When
    release: Digest
    version: str
    container: str


class ApplyRevision(Step, tag="apply-revision"):
    """Apply one migration revision of the release to its database."""

    database: str
    revision: str
    phase: Phase
    release: Digest


class Roll(Step, tag="roll"):
    """Replace a unit: `former` (None: nothing ran) by `to`."""

    role: Role
    replace: Literal["rolling", "recreate"]
    to: Instance
    former: Instance | None = None


class Retire(Step, tag="retire"):
    """Stop a unit that the release no longer has."""

    role: Role
    former: Instance


class SetPassword(Step, tag="set-password"):
    """Give a database's role the value of another version of its secret; undo gives the former."""

    database: str
    secret: str
    to: SecretUse
    former: SecretUse
    release: Digest


class StopApps(Step, tag="stop-apps"):
    """Stop every app, so that nobody writes while a backup is restored; undo starts them again."""

    instances: tuple[Instance, ...]


class Archive(Step, tag="archive"):
    """Dump what a restore takes away into `state/backups/BACKUP/`, and count its rows."""

    backup: str
    database: str
    release: Digest


class RestoreBackup(Step, tag="restore-backup"):
    """Put a proven dump in the place of the live database: later writes are lost."""

    backup: str
    database: str
    release: Digest


class Soak(Step, tag="soak"):
    """Watch the platform for a while; any unit that is not healthy fails the hop."""

    seconds: int
    instances: tuple[Instance, ...]


class RecordRelease(Step, tag="record-release"):
    """Record the release as installed, and remove the stopped containers of the former one.

    `point` is the one that `rollback` goes back to from here.
    """

    release: Digest
    version: str
    instances: tuple[Instance, ...]
    former: Digest | None = None
    point: str | None = None


AnyStep = (
    LoadRelease | CheckSite | PullImages | Prepare | RecordPoint | BackUp | ProveBackup
    | ApplyRevision | RunJob | Roll | Retire | SetPassword | StopApps | Archive | RestoreBackup
    | Soak | RecordRelease
)  # fmt: skip
