"""Networks, volumes and containers of a site; nothing without the site's label is touched."""

import ipaddress
from typing import Any

from s1ctl.errors import InputOutputFailed
from s1ctl.plan.steps import Instance
from s1ctl.targets.docker_container import (
    RELEASE,
    RESTART,
    ROLE,
    SETTINGS,
    SITE,
    UNIT,
    Spec,
    container_document,
    volume_name,
)
from s1ctl.targets.docker_engine import Engine

STOPPED = ("created", "exited", "dead")
State = dict[str, Any]


class SiteObjects:
    """What one site owns at the engine, by name."""

    def __init__(self, engine: Engine, site: str) -> None:
        self._engine = engine
        self._site = site
        self.network = f"{site}-default"
        self.services = f"{site}-services"

    @property
    def label(self) -> dict[str, str]:
        """The label that marks everything of this site."""
        return {SITE: self._site}

    # networks

    def ensure_networks(self, subnet: ipaddress.IPv4Network) -> None:
        """Have the network of fixed addresses, and the one in which ready apps have names.

        Addresses that nobody fixed come from the last quarter of the subnet. The second network is
        internal: joining it never changes the way to the outside.
        """
        found = self.find_network(self.network)
        if found is None:
            self._engine.create_network(self.network, ipam=_ipam(subnet), labels=self.label)
        elif found["IPAM"]["Config"][0].get("Subnet") != str(subnet):
            raise InputOutputFailed(
                f"network `{self.network}` is {found['IPAM']['Config'][0].get('Subnet')}, and the "
                f"site file says `{subnet}`",
                code="S1-E16",
                hint="put the former subnet back into the site file",
            )
        if self.find_network(self.services) is None:
            self._engine.create_network(self.services, internal=True, labels=self.label)

    def find_network(self, name: str) -> State | None:
        """Inspect a network of this site. Raises `InputOutputFailed` S1-E17 for a foreign one."""
        found = self._engine.network(name)
        return self._ours("network", name, found, (found or {}).get("Labels"))

    def join_services(self, container: str, unit: str) -> None:
        """Make a ready app known to the others by its unit's name.

        The engine gives a name only with the connection, so that is made anew; nobody has called
        by that name yet. Its own calls may fail in between: look again whether it is ready.
        """
        found = self.find(container)
        if found is None:
            return
        joined = found["NetworkSettings"]["Networks"].get(self.services)
        if joined and unit in (joined.get("Aliases") or ()):
            return
        if joined:
            self._engine.leave(self.services, container)
        self._engine.join(self.services, container, aliases=[unit])

    # volumes

    def ensure_volume(self, name: str) -> None:
        """Have a named volume."""
        full = volume_name(self._site, name)
        found = self._engine.volume(full)
        if self._ours("volume", full, found, (found or {}).get("Labels")) is None:
            self._engine.create_volume(full, self.label)

    # containers

    def find(self, name: str) -> State | None:
        """Inspect a container of this site. Raises `InputOutputFailed` S1-E17 for a foreign one."""
        found = self._engine.container(name)
        return self._ours("container", name, found, found["Config"]["Labels"] if found else None)

    def names(self, **labels: str) -> tuple[str, ...]:
        """Name this site's containers, of a `unit` or `role` where given."""
        wanted = {{"unit": UNIT, "role": ROLE}[key]: value for key, value in labels.items()}
        return self._engine.containers({**self.label, **wanted})

    def is_running(self, name: str) -> bool:
        """Say whether a container runs, or is about to be started again by the engine."""
        found = self.find(name)
        return found is not None and found["State"]["Status"] not in STOPPED

    def is_made_for(self, name: str, instance: Instance) -> bool:
        """Say whether the container is there and of this release and these settings."""
        found = self.find(name)
        if found is None:
            return False
        labels = found["Config"]["Labels"]
        return bool(
            labels.get(RELEASE) == instance.release and labels.get(SETTINGS) == instance.fingerprint
        )

    def create(self, spec: Spec) -> None:
        """Create a container; one of the same name that was made from something else goes."""
        self._engine.remove(spec.placement.container)
        self._engine.create(spec.placement.container, container_document(spec))

    def create_job(self, name: str, document: State) -> None:
        """Create and start a container that ends by itself; it may call apps by their names."""
        self._engine.remove(name)
        self._engine.create(name, document)
        self._engine.join(self.services, name, aliases=[])
        self._engine.start(name)

    def wake(self, name: str) -> None:
        """Start a container, with the restart policy that it had before it was parked.

        An app knows the others from its start, and is not known to them: see `join_services`.
        """
        found = self.find(name)
        if found is None:
            return
        is_stopped = found["State"]["Status"] in STOPPED
        is_joined = self.services in found["NetworkSettings"]["Networks"]
        if is_stopped and is_joined:
            self._engine.leave(self.services, name)
        if found["Config"]["Labels"].get(ROLE) == "app" and (is_stopped or not is_joined):
            self._engine.join(self.services, name, aliases=[])
        if not is_stopped:
            return
        policy = found["Config"]["Labels"].get(RESTART, "unless-stopped")
        if found["HostConfig"]["RestartPolicy"]["Name"] != policy:
            self._engine.set_restart(name, policy)
        self._engine.start(name)

    def park(self, name: str) -> None:
        """Stop a container and keep it; it stays stopped over a restart of the engine."""
        found = self.find(name)
        if found is None:
            return
        if found["HostConfig"]["RestartPolicy"]["Name"] not in ("", "no"):
            self._engine.set_restart(name, "no")
        if found["State"]["Status"] not in STOPPED:
            self._engine.stop(name, grace_s=int(found["Config"].get("StopTimeout") or 10))

    def remove(self, name: str) -> None:
        """Kill and remove a container."""
        if self.find(name) is not None:
            self._engine.remove(name)

    def tail(self, name: str) -> str:
        """Say the last lines of a container's output, on one line."""
        return " | ".join(self._engine.tail(name, lines=5).splitlines())

    def _ours(
        self, noun: str, name: str, found: State | None, labels: dict[str, str] | None
    ) -> State | None:
        if found is not None and (labels or {}).get(SITE) != self._site:
            raise InputOutputFailed(
                f"there is a {noun} `{name}` that is not of site `{self._site}`",
                code="S1-E17",
                hint=f"look at it with `docker {noun} inspect {name}`, and rename or remove it",
            )
        return found


def _ipam(subnet: ipaddress.IPv4Network) -> State:
    last_quarter = list(subnet.subnets(prefixlen_diff=2))[-1]
    config = {
        "Subnet": str(subnet),
        "Gateway": str(subnet[1]),
        "IPRange": str(last_quarter),
    }
    return {"Driver": "default", "Config": [config]}
