"""What runs at the engine, as the engine tells it."""

from dataclasses import dataclass

from s1ctl.targets.docker_container import OPERATION, RELEASE, REPLICA, SETTINGS, UNIT, VERSION
from s1ctl.targets.docker_objects import STOPPED, SiteObjects, State


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A container of the site as the engine tells it; `state` is `running`, `exited`, ….

    `settings` is the fingerprint of all that it was made from, `image` its digest reference.
    """

    unit: str
    release: str
    version: str
    replica: int
    container: str
    address: str | None
    state: str
    health: str | None
    image: str = ""
    settings: str = ""
    operation: str = ""


def runs(each: Running) -> bool:
    """Say whether a container runs, or is about to be started again by the engine."""
    return each.state not in STOPPED


def list_running(objects: SiteObjects) -> tuple[Running, ...]:
    """List the site's containers of units, the stopped ones too."""
    found = (objects.find(name) for name in objects.names())
    return tuple(
        describe(each, objects.network)
        for each in found
        if each is not None and UNIT in each["Config"]["Labels"]
    )


def describe(found: State, network: str) -> Running:
    """Read a container as inspected."""
    labels = found["Config"]["Labels"]
    networks = found["NetworkSettings"]["Networks"]
    config = (networks.get(network) or {}).get("IPAMConfig") or {}
    return Running(
        unit=labels[UNIT],
        release=labels.get(RELEASE, ""),
        version=labels.get(VERSION, ""),
        replica=int(labels.get(REPLICA, "0")),
        container=found["Name"].lstrip("/"),
        address=config.get("IPv4Address"),
        state=found["State"]["Status"],
        health=(found["State"].get("Health") or {}).get("Status"),
        image=found["Config"]["Image"],
        settings=labels.get(SETTINGS, ""),
        operation=labels.get(OPERATION, ""),
    )
