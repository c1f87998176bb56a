"""Networks, volumes and containers of a site; nothing without the site's label is touched."""

import ipaddress
from contextlib import suppress
from pathlib import Path
from typing import Any

from s1ctl.errors import InputOutputFailed
from s1ctl.masking.redact import masked
from s1ctl.plan.steps import Instance
from s1ctl.targets.docker_container import (
    PREFIX,
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
from s1ctl.targets.docker_faults import EngineRefused
from s1ctl.targets.mounts import SECRETS

TOLD = PREFIX + "subnet-told"
TAKEN = ("overlap", "address already in use")  # as the engine says it of a subnet, or its gateway
NEW = ".new"
STOPPED = ("created", "exited", "dead")
State = dict[str, Any]


class NotOurs(InputOutputFailed):
    """A name is taken by something that is not of this site."""


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
        internal: joining it never changes the way to the outside. A kill in between leaves it
        missing, or as the engine made it, and the next call goes on.
        """
        found = self.find_network(self.network)
        if found is None:
            self._create_network(subnet)
        elif found["IPAM"]["Config"][0].get("Subnet") != str(subnet):
            raise InputOutputFailed(
                f"network `{self.network}` is {found['IPAM']['Config'][0].get('Subnet')}, and the "
                f"site file says `{subnet}`",
                code="S1-E16",
                hint="put the former subnet back into the site file",
            )
        self._ensure_services()

    def _create_network(self, subnet: ipaddress.IPv4Network) -> None:
        try:
            self._engine.create_network(self.network, ipam=_ipam(subnet), labels=self.label)
        except EngineRefused as error:
            if not any(word in error.message.lower() for word in TAKEN):
                raise
            raise InputOutputFailed(
                f"network `{self.network}` cannot be made: another network has addresses of"
                f" `{subnet}`",
                code="S1-E27",
                hint="find it: `s1ctl preflight --only engine.networks`; then remove it, or choose"
                " another `target.network` in the site file, and repeat",
            ) from None

    def _ensure_services(self) -> None:
        """Have the second network in a subnet that the engine finds free, and then is told.

        The engine fixes addresses only where the subnet was told. It gives a freed address to the
        next container that comes, and a caller that has just asked for the former one's would
        reach another unit.
        """
        found = self.find_network(self.services)
        if found is not None and _is_told(found):
            return
        if found is None:
            self._engine.create_network(self.services, internal=True, labels=self.label)
            found = self.find_network(self.services)
        if found is None or found.get("Containers"):
            return  # of a site that was made by an older s1ctl: addresses are as they come
        subnet = ipaddress.IPv4Network(found["IPAM"]["Config"][0]["Subnet"])
        self._engine.remove_network(self.services)
        self._engine.create_network(
            self.services, internal=True, ipam=_ipam(subnet), labels={**self.label, TOLD: "true"}
        )

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
        self._join(found, container, [unit])

    # volumes

    def ensure_volume(self, name: str) -> None:
        """Have a named volume."""
        full = volume_name(self._site, name)
        found = self._engine.volume(full)
        if self._ours("volume", full, found, (found or {}).get("Labels")) is None:
            self._engine.create_volume(full, self.label)

    # containers

    def find(self, name: str) -> State | None:
        """Inspect a container of this site. Raises `NotOurs` S1-E17 for a foreign one."""
        found = self._engine.container(name)
        return self._ours("container", name, found, found["Config"]["Labels"] if found else None)

    def seek(self, name: str) -> State | None:
        """Inspect a container of this site; a foreign one is as good as none."""
        try:
            return self.find(name)
        except NotOurs:
            return None

    def names(self, **labels: str) -> tuple[str, ...]:
        """Name this site's containers, of a `unit` or `role` where given."""
        wanted = {{"unit": UNIT, "role": ROLE}[key]: value for key, value in labels.items()}
        return self._engine.containers({**self.label, **wanted})

    def is_running(self, name: str) -> bool:
        """Say whether a container runs, or is about to be started again by the engine."""
        found = self.seek(name)
        return found is not None and found["State"]["Status"] not in STOPPED

    def is_made_for(self, name: str, instance: Instance) -> bool:
        """Say whether the container is there and of this release and these settings."""
        found = self.seek(name)
        if found is None:
            return False
        labels = found["Config"]["Labels"]
        return bool(
            labels.get(RELEASE) == instance.release and labels.get(SETTINGS) == instance.fingerprint
        )

    def create(self, spec: Spec) -> None:
        """Create a container; ours of the same name goes once the engine has made the new one."""
        name, document = spec.placement.container, container_document(spec)
        beside = name + NEW
        self.remove(beside)  # where a kill came before it got its name
        if self.find(name) is None:
            self._engine.create(name, document)
            return
        self._engine.create(beside, document)
        self._engine.remove(name)
        self._engine.rename(beside, name)

    def create_job(self, name: str, document: State) -> None:
        """Create and start a container that ends by itself; it may call apps by their names."""
        self.remove(name)
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
            self._join(found, name, [])
        if not is_stopped:
            return
        policy = found["Config"]["Labels"].get(RESTART, "unless-stopped")
        if found["HostConfig"]["RestartPolicy"]["Name"] != policy:
            self._engine.set_restart(name, policy)
        self._engine.start(name)

    def park(self, name: str) -> None:
        """Stop a container and keep it; it stays stopped over a restart of the engine."""
        found = self.seek(name)
        if found is None:
            return
        if found["HostConfig"]["RestartPolicy"]["Name"] not in ("", "no"):
            self._engine.set_restart(name, "no")
        if found["State"]["Status"] not in STOPPED:
            self._engine.stop(name, grace_s=int(found["Config"].get("StopTimeout") or 10))

    def remove(self, name: str) -> None:
        """Kill and remove a container. Raises `NotOurs` for a foreign one."""
        if self.find(name) is not None:
            self._engine.remove(name)

    def tail(self, name: str) -> str:
        """Say the last lines of a container's output, on one line, each once, secrets masked."""
        said = " | ".join(dict.fromkeys(self._engine.tail(name, lines=5).splitlines()))
        return without_secrets(said, self.seek(name)) if said else ""

    def _join(self, found: State, name: str, aliases: list[str]) -> None:
        """Connect an app to the second network, at the place that it has in the first."""
        address = self._place(found["NetworkSettings"]["Networks"].get(self.network) or {})
        self._engine.join(self.services, name, aliases=aliases, address=address)

    def _place(self, endpoint: State) -> str | None:
        fixed = (endpoint.get("IPAMConfig") or {}).get("IPv4Address")
        first, second = self.find_network(self.network), self.find_network(self.services)
        if fixed is None or first is None or second is None or not _is_told(second):
            return None
        return same_place(fixed, _subnet(first), _subnet(second))

    def _ours(
        self, noun: str, name: str, found: State | None, labels: dict[str, str] | None
    ) -> State | None:
        if found is not None and (labels or {}).get(SITE) != self._site:
            raise NotOurs(
                f"there is a {noun} `{name}` that is not of site `{self._site}`",
                code="S1-E17",
                hint=f"look whose it is: `docker {noun} inspect {name}`; then rename or remove it",
            )
        return found


def without_secrets(text: str, found: State | None) -> str:
    """Mask in what a container says the secrets that it was given, and what looks like one."""
    values = []
    for mount in (found or {}).get("Mounts") or ():
        if str(mount.get("Destination", "")).startswith(f"{SECRETS}/"):
            with suppress(OSError, UnicodeDecodeError):
                values.append(Path(mount["Source"]).read_text("utf-8"))
    return masked(text, *values)


def same_place(
    address: str, first: ipaddress.IPv4Network, second: ipaddress.IPv4Network
) -> str | None:
    """Find the address with the same number in another subnet; None where that is too small."""
    number = int(ipaddress.IPv4Address(address)) - int(first.network_address)
    return str(second[number]) if number < second.num_addresses * 3 // 4 else None


def _subnet(network: State) -> ipaddress.IPv4Network:
    return ipaddress.IPv4Network(network["IPAM"]["Config"][0]["Subnet"])


def _is_told(network: State) -> bool:
    return TOLD in (network.get("Labels") or {})


def _ipam(subnet: ipaddress.IPv4Network) -> State:
    last_quarter = list(subnet.subnets(prefixlen_diff=2))[-1]
    config = {
        "Subnet": str(subnet),
        "Gateway": str(subnet[1]),
        "IPRange": str(last_quarter),
    }
    return {"Driver": "default", "Config": [config]}
