"""Replace a unit: start the new, wait until it is ready, move the traffic, stop the former."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from s1ctl.errors import Inconclusive, InputOutputFailed, StepFailed
from s1ctl.plan.presence import Presence
from s1ctl.plan.steps import Instance, Placement, Roll
from s1ctl.progress import Notify, Progress
from s1ctl.release.manifest import Health as HealthPaths
from s1ctl.release.service import Service
from s1ctl.targets.docker_container import Spec, health_of
from s1ctl.targets.docker_faults import EngineRefused
from s1ctl.targets.docker_objects import NotOurs, SiteObjects, State
from s1ctl.targets.handover import handing_over
from s1ctl.targets.health import SUCCESSES, Health, Verdict, judge, sight_of, wait_until_ready
from s1ctl.targets.traffic import Traffic

LOOPBACK = "127.0.0.1"
SAME_VERSION_SUCCESSES = 25
PROBE_S = 3.0
MakeSpec = Callable[[Instance, Placement], Spec]


@dataclass(frozen=True, slots=True, kw_only=True)
class Roller:
    """One unit's roll: `service` (substituted) is how the new one runs, `make` its container."""

    objects: SiteObjects
    traffic: Traffic
    service: Service
    make: MakeSpec
    ready_timeout_s: float
    notify: Notify

    def roll(self, step: Roll) -> None:
        """Replace `step.former` by `step.to`; done again it finishes what was begun.

        A kill in the middle leaves both, and traffic at one of them. Where the new one does not
        become ready or the edge refuses, the former keeps the traffic and the new one is stopped.
        Raises `StepFailed` S1-E20 to S1-E22, `Inconclusive` S1-E24.
        """
        if step.replace == "recreate":
            self._park(step.former)
        try:
            self.start(step.to)
            self.wait(step.to, step.former)
            self._announce(step)
        except StepFailed:
            self._park(step.to)
            raise
        if step.role == "edge" and self.service.network_mode == "host":
            with handing_over():
                self._park(step.former)
        else:
            self._park(step.former)

    def probe(self, step: Roll) -> Presence:
        """Say whether the roll is done in all its parts."""
        try:
            return Presence.PRESENT if self._is_done(step) else Presence.ABSENT
        except InputOutputFailed:
            return Presence.UNKNOWN

    def wait(self, to: Instance, former: Instance | None) -> None:
        """Wait until each replica is ready. Raises as `roll`."""
        for placement in to.placements:
            self._tell(f"wait for `{placement.container}`")
            verdict = wait_until_ready(
                partial(self._look, placement, to, former),
                deadline_s=self.ready_timeout_s,
                successes=self._successes(to, former),
            )
            if verdict.health is not Health.PASS:
                raise self._not_ready(placement, verdict)

    def start(self, to: Instance) -> None:
        """Have each replica's container, of this release and these settings, and start it.

        Raises `StepFailed` S1-E26 when the engine refuses it, or its name is another's.
        """
        for placement in to.placements:
            try:
                self._start(to, placement)
            except (EngineRefused, NotOurs) as error:
                raise StepFailed(
                    f"`{placement.container}` cannot be started: {error.message}",
                    code="S1-E26",
                    hint=error.hint,
                ) from None

    def _start(self, to: Instance, placement: Placement) -> None:
        """Start one that was kept; where its files or network are gone it is made anew.

        One that is kept goes only when the engine has made the other.
        """
        name = placement.container
        if self.objects.is_made_for(name, to):
            try:
                self.objects.wake(name)
            except EngineRefused as error:
                self._tell(f"`{name}` was kept and does not start: {error.message}")
            else:
                return
        self._tell(f"create `{name}`")
        self.objects.create(self.make(to, placement))
        self.objects.wake(name)

    def _announce(self, step: Roll) -> None:
        if step.role != "app":
            return
        for placement in step.to.placements:
            self.objects.join_services(placement.container, step.to.unit)
        self.wait(step.to, step.former)
        servers = self._servers(step.to)
        if servers:
            self._tell(f"move the traffic of `{step.to.unit}`")
            self.traffic.switch(step.to.unit, servers, drain_s=self.service.s1ctl.drain_s)

    def _park(self, instance: Instance | None) -> None:
        for placement in _placements(instance):
            self._tell(f"stop `{placement.container}`")
            self.objects.park(placement.container)

    def _is_done(self, step: Roll) -> bool:
        if any(self.objects.is_running(p.container) for p in _placements(step.former)):
            return False
        servers = self._servers(step.to) if step.role == "app" else ()
        if servers and not self.traffic.is_at(step.to.unit, servers):
            return False
        return all(self._is_good(placement, step.to) for placement in step.to.placements)

    def _is_good(self, placement: Placement, to: Instance) -> bool:
        if not self.objects.is_made_for(placement.container, to):
            return False
        look = partial(self._look, placement, to, None)
        verdict = wait_until_ready(look, deadline_s=PROBE_S, successes=1)
        return verdict.health is Health.PASS

    def _look(self, placement: Placement, to: Instance, former: Instance | None) -> Verdict:
        paths = self._paths
        try:
            found = self.objects.find(placement.container)
        except InputOutputFailed as error:
            raise Inconclusive(
                f"whether `{placement.container}` is ready is not known: {error.message}",
                code="S1-E24",
                hint="run `s1ctl resume` when the engine answers again",
            ) from None
        sight = sight_of(found, placement.address or LOOPBACK, paths)
        other = former.version if former and self.service.network_mode == "host" else ""
        return judge(sight, paths, expected=to.version, other=other)

    def _successes(self, to: Instance, former: Instance | None) -> int:
        """Ask longer where the former answers at the same port and cannot be told apart."""
        if self.service.network_mode != "host" or former is None:
            return SUCCESSES
        is_told_apart = self._paths and self._paths.version and former.version != to.version
        return SUCCESSES if is_told_apart else SAME_VERSION_SUCCESSES

    def _servers(self, instance: Instance) -> tuple[str, ...]:
        if self._paths is None:
            return ()
        return tuple(f"{p.address}:{self._paths.port}" for p in instance.placements if p.address)

    @property
    def _paths(self) -> HealthPaths | None:
        return self.service.s1ctl.health

    def _not_ready(self, placement: Placement, verdict: Verdict) -> StepFailed:
        said = self.objects.tail(placement.container)
        return StepFailed(
            f"`{placement.container}`: {verdict.reason}"
            + (f"; it last said `{said}`" if said else ""),
            code="S1-E21" if verdict.is_final else "S1-E20",
            hint=verdict.todo or f"run `docker logs {placement.container}`",
        )

    def _tell(self, label: str) -> None:
        self.notify(Progress(label=label, done=0, total=0, unit="steps"))


def _placements(instance: Instance | None) -> tuple[Placement, ...]:
    return instance.placements if instance else ()


def ailment_of(found: State | None, placement: Placement, version: str) -> str | None:
    """Look once at a container as inspected; say what is wrong with it, or None."""
    paths = health_of(found["Config"]["Labels"]) if found else None
    verdict = judge(sight_of(found, placement.address or LOOPBACK, paths), paths, expected=version)
    is_well = verdict.health is Health.PASS
    return None if is_well else f"`{placement.container}`: {verdict.reason}"
