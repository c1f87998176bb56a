"""A site's Docker Engine: what runs there, and how a release gets there."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

from s1ctl.errors import InputOutputFailed, StepFailed
from s1ctl.plan.presence import Presence
from s1ctl.plan.steps import Instance, Retire, Roll, StopApps
from s1ctl.progress import Notify, Progress, silent
from s1ctl.release.service import Service
from s1ctl.site.config import Site
from s1ctl.site.facts import Fact
from s1ctl.site.secrets import Secret
from s1ctl.targets.docker_blueprint import Blueprint, compose_of
from s1ctl.targets.docker_container import UNIT, volume_name
from s1ctl.targets.docker_engine import Engine
from s1ctl.targets.docker_faults import EngineRefused
from s1ctl.targets.docker_hold import (
    Hold,
    break_hold,
    lock_name,
    read_hold,
    release_hold,
    take_hold,
)
from s1ctl.targets.docker_jobs import Jobs
from s1ctl.targets.docker_objects import SiteObjects
from s1ctl.targets.docker_once import once_document, run_once
from s1ctl.targets.docker_roll import ailment_of
from s1ctl.targets.docker_running import Running, list_running
from s1ctl.targets.mounts import Mounts
from s1ctl.targets.settings import RegistryAuth, Release, UnitSettings
from s1ctl.targets.traffic import Traffic

SILENCE_S = 600


class DockerTarget:
    """The engine as one site's target. Nothing without the site's label is touched."""

    def __init__(self, *, site: Site, client: Engine, state: Path) -> None:
        self._site = site
        self._engine = client
        self._objects = SiteObjects(client, site.name)
        self._mounts = Mounts(state / "mounts")
        self._traffic = Traffic(state / "edge", client, self._edges)
        self._blueprint = Blueprint(site, self._objects, self._traffic, self._mounts)
        self.jobs = Jobs(self._blueprint)

    # what is there

    def target_id(self) -> str:
        """Name this engine, as plans do."""
        return f"docker:{self._engine.info()['ID']}"

    def facts(self) -> dict[str, Fact]:
        """Measure the engine; one that does not answer is a fact with an error."""
        try:
            info, version = self._engine.info(), self._engine.version()
        except InputOutputFailed as error:
            return {"engine.version": Fact(source="engine", error=error.message)}
        values = {
            "engine.version": version["Version"],
            "engine.api": version["ApiVersion"],
            "engine.id": info["ID"],
            "engine.storage": info["Driver"],
            "engine.architecture": info["Architecture"],
            "engine.root": info["DockerRootDir"],
            "engine.memory": info["MemTotal"],
        }
        return {name: Fact(value=value, source="engine") for name, value in values.items()}

    def running(self) -> tuple[Running, ...]:
        """List the site's containers of units, the stopped ones too."""
        return list_running(self._objects)

    def address(self, unit: str) -> str:
        """Say the address at which the running container of a unit is reached."""
        for each in self.running():
            if each.unit == unit and each.state == "running" and each.address:
                return each.address
        raise InputOutputFailed(
            f"no container of `{unit}` is running",
            code="S1-E18",
            hint=f"have it run again: `s1ctl apply`; see why it does not:"
            f" `docker ps -a --filter label={UNIT}={unit}`",
        )

    def ailment(self, instance: Instance) -> str | None:
        """Look once at each replica of a unit; say what is wrong with one, or None."""
        looks = (
            ailment_of(self._objects.find(placement.container), placement, instance.version)
            for placement in instance.placements
        )
        return next((reason for reason in looks if reason is not None), None)

    def refuse_foreign(self, containers: Sequence[str]) -> None:
        """Raise `InputOutputFailed` S1-E17 where such a container or network is not the site's."""
        for network in (self._objects.network, self._objects.services):
            self._objects.find_network(network)
        for name in containers:
            self._objects.find(name)

    # images

    def has_image(self, reference: str) -> Presence:
        """Say whether the engine has the image of this digest reference."""
        try:
            digests = self._engine.digests(reference)
        except InputOutputFailed:
            return Presence.UNKNOWN
        return Presence.PRESENT if digests and reference in digests else Presence.ABSENT

    def pull(self, reference: str, auth: RegistryAuth | None, notify: Notify = silent) -> None:
        """Have an image; nothing is asked of the registry when the engine has it."""
        if self.has_image(reference) is Presence.PRESENT:
            return
        known = {"username": auth.user, "password": auth.password.reveal()} if auth else {}
        self._engine.pull(reference, known, notify)
        if self.has_image(reference) is not Presence.PRESENT:
            raise InputOutputFailed(
                f"the engine pulled `{reference}` and does not know it by that digest",
                code="S1-E14",
                hint="run `docker image inspect` with it",
            )

    def image_bytes(self, reference: str) -> int | None:
        """Say how large an image is, shared layers included; None where it is not there."""
        return self._engine.image_bytes(reference)

    def remove_image(self, reference: str) -> bool:
        """Remove an image by its digest reference; False: a container still uses it."""
        try:
            self._engine.remove_image(reference)
        except EngineRefused:
            return False
        return True

    # units

    def prepare(
        self,
        release: Release,
        settings: UnitSettings,
        data: tuple[Instance, ...],
        *,
        operation: str = "",
        notify: Notify = silent,
    ) -> None:
        """Have networks, volumes and the missing data units, and wait until those are ready.

        A data unit that runs in its other container is left to its roll: two on one volume would
        destroy it. A kill in the middle leaves what was made, and the next call goes on.
        """
        compose = compose_of(release)
        self._traffic.ensure_folder()
        self._objects.ensure_networks(self._site.target.subnet)
        for name in compose.volumes:
            self._objects.ensure_volume(name)
        for instance in data:
            if not self._runs_elsewhere(instance):
                roller = self._blueprint.roller(
                    instance.unit, release, settings, operation=operation, notify=notify
                )
                roller.start(instance)
                roller.wait(instance, None)

    def is_prepared(self, release: Release, data: tuple[Instance, ...]) -> Presence:
        """Say whether networks, volumes and data units are there; not whether they are ready."""
        try:
            volumes = (volume_name(self._site.name, name) for name in compose_of(release).volumes)
            is_there = (
                self._objects.find_network(self._objects.network) is not None
                and self._objects.find_network(self._objects.services) is not None
                and all(self._engine.volume(name) is not None for name in volumes)
                and all(self._runs_somewhere(instance) for instance in data)
            )
        except InputOutputFailed:
            return Presence.UNKNOWN
        return Presence.PRESENT if is_there else Presence.ABSENT

    def roll(
        self,
        step: Roll,
        release: Release,
        settings: UnitSettings,
        *,
        operation: str = "",
        notify: Notify = silent,
    ) -> None:
        """Replace a unit as `step` says, from `release`; see `Roller.roll`."""
        roller = self._blueprint.roller(
            step.to.unit, release, settings, operation=operation, notify=notify
        )
        roller.roll(step)

    def unroll(
        self,
        step: Roll,
        former: Release | None,
        settings: UnitSettings,
        *,
        operation: str = "",
        notify: Notify = silent,
    ) -> None:
        """Take a roll back, also one that was killed half-way; `former` is the former's release.

        The former containers were kept and are started again, or made anew where they are gone.
        """
        if step.former is None:
            self._take_away(step.to, notify)
            return
        if former is None:
            raise StepFailed(
                f"the release of the former `{step.former.unit}` is not in the release store",
                code="S1-E25",
                hint=f"load the bundle of version {step.former.version}, then run `s1ctl resume`",
            )
        back = Roll(role=step.role, replace=step.replace, to=step.former, former=step.to)
        self.roll(back, former, settings, operation=operation, notify=notify)

    def probe_roll(self, step: Roll, release: Release, settings: UnitSettings) -> Presence:
        """Say whether a roll is done in all its parts."""
        return self._blueprint.roller(step.to.unit, release, settings).probe(step)

    def retire(self, step: Retire, *, notify: Notify = silent) -> None:
        """Stop a unit that the release no longer has; its containers are kept."""
        self._take_away(step.former, notify)

    def probe_retire(self, step: Retire) -> Presence:
        """Say whether the unit is stopped."""
        try:
            runs = any(self._objects.is_running(p.container) for p in step.former.placements)
        except InputOutputFailed:
            return Presence.UNKNOWN
        return Presence.ABSENT if runs else Presence.PRESENT

    def stop_apps(self, step: StopApps, *, notify: Notify = silent) -> None:
        """Stop apps and keep their containers; the edge stays, and answers that nobody is there."""
        for instance in step.instances:
            self._take_away(instance, notify)

    def probe_stop_apps(self, step: StopApps) -> Presence:
        """Say whether every one of the apps is stopped."""
        try:
            runs = any(
                self._objects.is_running(placement.container)
                for instance in step.instances
                for placement in instance.placements
            )
        except InputOutputFailed:
            return Presence.UNKNOWN
        return Presence.ABSENT if runs else Presence.PRESENT

    def stopped(self, keep: tuple[Instance, ...]) -> tuple[str, ...]:
        """Name the site's containers that do not run and are not in `keep`, ended jobs too."""
        kept = {placement.container for each in keep for placement in each.placements}
        return tuple(
            name
            for name in self._objects.names()
            if name not in kept and not self._objects.is_running(name)
        )

    def remove_stopped(self, keep: tuple[Instance, ...]) -> None:
        """Remove what `stopped` names, with its files."""
        for name in self.stopped(keep):
            self._objects.remove(name)
            self._mounts.remove(name)

    # one-shot containers

    def run_once(
        self,
        name: str,
        image: str,
        argv: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        secrets: Mapping[str, Secret] | None = None,
        files: Mapping[str, Path] | None = None,
        user: str | int = "",
        is_isolated: bool = False,
        silence_s: float = SILENCE_S,
    ) -> Iterator[bytes]:
        """Run `argv` in a new container of `image` on the site's network; yield its stdout.

        Secrets are files under /run/secrets; `files` of ours, by their places in the container,
        are lent to it to read. With `is_isolated` it has no network. Raises as
        `docker_once.run_once`.
        """
        full = f"{self._site.name}-once-{name}"
        service = Service(
            image="once", user=user if user != "" else None, secrets=tuple(secrets or {})
        )
        try:
            self._objects.find(full)
            written = self._mounts.write(full, service, {}, UnitSettings(secrets=secrets or {}))
            with self._mounts.lent(files or {}, service) as lent:
                document = once_document(
                    site=self._site.name,
                    network="none" if is_isolated else self._objects.network,
                    image=image,
                    argv=argv,
                    environment=environment or {},
                    user=str(user),
                    binds=(*written, *lent),
                )
                with closing(run_once(self._engine, full, document, silence_s=silence_s)) as output:  # type: ignore[type-var]
                    yield from output
        finally:
            self._mounts.remove(full)

    # the lock

    def hold(self, hold: Hold) -> Hold:
        """Take the site's lock at the engine; see `take_hold`."""
        return take_hold(self._engine, self._site.name, hold)

    def holder(self) -> Hold | None:
        """Say who holds the site's lock at the engine."""
        return read_hold(self._engine, self._site.name)

    def release_hold(self, operation: str) -> None:
        """Give the lock back."""
        release_hold(self._engine, self._site.name, operation)

    def break_hold(self) -> Hold | None:
        """Take the lock away from whoever holds it, and say who did."""
        return break_hold(self._engine, self._site.name)

    # the end

    def remove_containers(self) -> None:
        """Remove all of the site's containers and networks; volumes stay."""
        for name in self._objects.names():
            self._objects.park(name)
            self._objects.remove(name)
            self._mounts.remove(name)
        for network in (self._objects.network, self._objects.services):
            if self._objects.find_network(network) is not None:
                self._engine.remove_network(network)

    def remove_edge_files(self) -> None:
        """Remove the upstream files; no edge runs any more."""
        self._traffic.remove_files()

    def upstreams(self) -> dict[str, tuple[str, ...]]:
        """Say to which `ADDRESS:PORT` the edges are told to send each unit's traffic."""
        return self._traffic.servers()

    def volumes(self) -> tuple[str, ...]:
        """Name all of the site's volumes but its lock."""
        found = self._engine.volumes(self._objects.label)
        return tuple(name for name in found if name != lock_name(self._site.name))

    def remove_volumes(self) -> tuple[str, ...]:
        """Remove all of the site's volumes but its lock, with the data in them, and name them."""
        names = self.volumes()
        for name in names:
            self._engine.remove_volume(name)
        return names

    # details

    def _take_away(self, instance: Instance, notify: Notify) -> None:
        """Stop a unit. Its upstream file stays: an edge that names it could not start without."""
        for placement in instance.placements:
            notify(Progress(label=f"stop `{placement.container}`", done=0, total=0, unit="steps"))
            self._objects.park(placement.container)

    def _runs_elsewhere(self, instance: Instance) -> bool:
        own = {placement.container for placement in instance.placements}
        others = set(self._objects.names(unit=instance.unit)) - own
        return any(self._objects.is_running(name) for name in others)

    def _runs_somewhere(self, instance: Instance) -> bool:
        return any(self._objects.is_running(n) for n in self._objects.names(unit=instance.unit))

    def _edges(self) -> tuple[str, ...]:
        """Name the running edges that read the upstream files."""
        names = []
        for name in self._objects.names(role="edge"):
            found = self._objects.find(name)
            if found is None or found["State"]["Status"] != "running":
                continue
            if any(m.get("Source") == str(self._traffic.folder) for m in found["Mounts"]):
                names.append(name)
        return tuple(names)


__all__ = ["DockerTarget", "Hold", "RegistryAuth", "Running", "UnitSettings"]
