"""From a release and its settings to containers: who is rolled, made from what."""

from s1ctl.plan.steps import Instance, Placement, RunJob
from s1ctl.progress import Notify, silent
from s1ctl.release.compose import ComposeFile, parse_compose, substitute
from s1ctl.release.service import Service
from s1ctl.site.config import Site
from s1ctl.targets.docker_container import Bind, Spec
from s1ctl.targets.docker_job import JobRunner
from s1ctl.targets.docker_objects import SiteObjects
from s1ctl.targets.docker_roll import Roller
from s1ctl.targets.mounts import Mounts
from s1ctl.targets.settings import Release, UnitSettings
from s1ctl.targets.traffic import Traffic


def compose_of(release: Release) -> ComposeFile:
    """Read the Compose file of a release."""
    raw = release.small(release.manifest.compose)
    return parse_compose(raw, name=f"compose file of {release.manifest.version}")


class Blueprint:
    """How the units of a release become containers at a site."""

    def __init__(self, site: Site, objects: SiteObjects, traffic: Traffic, mounts: Mounts) -> None:
        self._site = site
        self._objects = objects
        self._traffic = traffic
        self._mounts = mounts

    def roller(
        self,
        unit: str,
        release: Release,
        settings: UnitSettings,
        *,
        operation: str = "",
        notify: Notify = silent,
    ) -> Roller:
        """Make what rolls a unit as `release` has it."""
        compose = compose_of(release)
        service = substitute(compose.services[unit], settings.values)
        image = release.manifest.image(service.image)

        def make(instance: Instance, placement: Placement) -> Spec:
            return Spec(
                site=self._site.name,
                service=service,
                image=self._site.registry.reference(image.repository, image.digest),
                instance=instance,
                placement=placement,
                network=self._objects.network,
                operation=operation,
                binds=self._binds(placement.container, service, compose, settings),
            )

        return Roller(
            objects=self._objects,
            traffic=self._traffic,
            service=service,
            make=make,
            ready_timeout_s=self._site.policy.ready_timeout_s,
            notify=notify,
        )

    def job(
        self,
        step: RunJob,
        release: Release,
        settings: UnitSettings,
        *,
        operation: str,
        notify: Notify = silent,
    ) -> JobRunner:
        """Make what runs a job as `release` has it."""

        def make() -> Spec:
            compose = compose_of(release)
            service = substitute(compose.services[step.job], settings.values)
            image = release.manifest.image(service.image)
            placement = Placement(replica=1, container=step.container, address=None)
            return Spec(
                site=self._site.name,
                service=service,
                image=self._site.registry.reference(image.repository, image.digest),
                instance=Instance(
                    unit=step.job,
                    release=step.release,
                    version=step.version,
                    placements=(placement,),
                ),
                placement=placement,
                network=self._objects.network,
                operation=operation,
                binds=self._binds(step.container, service, compose, settings),
            )

        return JobRunner(
            objects=self._objects,
            container=step.container,
            operation=operation,
            make=make,
            notify=notify,
        )

    def _binds(
        self, container: str, service: Service, compose: ComposeFile, settings: UnitSettings
    ) -> tuple[Bind, ...]:
        """Write the files that a container mounts, and have its volumes."""
        for text in service.volumes:
            self._objects.ensure_volume(text.split(":")[0])
        binds = self._mounts.write(container, service, compose.configs, settings)
        if service.s1ctl.upstreams is None:
            return binds
        self._traffic.ensure_folder()
        return (*binds, Bind(source=self._traffic.folder, target=service.s1ctl.upstreams))
