"""Where the units of a release shall run, and in which order they are rolled."""

from graphlib import TopologicalSorter

from s1ctl.plan.addresses import Pair, allocate, key
from s1ctl.plan.steps import Instance, Placement
from s1ctl.plan.view import Current, ReleaseView, SiteView
from s1ctl.release.manifest import Role, Unit

ORDER: dict[Role, int] = {"data": 0, "app": 1, "edge": 2}


def place_units(
    site: SiteView, view: ReleaseView, current: Current | None, addresses: dict[str, Pair]
) -> tuple[Instance, ...]:
    """Say where each unit shall run; an unchanged one that runs stays where and what it is."""
    return tuple(
        _unchanged(view, unit, current, site.down) or _placed(site, view, unit, current, addresses)
        for unit in view.manifest.units
    )


def own_addresses(site: SiteView, views: tuple[ReleaseView, ...]) -> dict[str, Pair]:
    """Give every replica of every unit on the path its two fixed addresses."""
    wanted = {
        key(unit.name, replica)
        for view in views
        for unit in view.manifest.units
        if view.service(unit).network_mode != "host"
        for replica in range(1, unit.replicas + 1)
    }
    return allocate(site.subnet, site.addresses, wanted)


def roll_order(units: tuple[Unit, ...]) -> tuple[Unit, ...]:
    """Order units so that each comes after those it needs; data first, the edge last."""
    by_name = {unit.name: unit for unit in units}
    graph = {u.name: sorted(set(u.needs) & by_name.keys()) for u in sorted(units, key=_name)}
    order = [by_name[name] for name in TopologicalSorter(graph).static_order()]
    return tuple(sorted(order, key=lambda unit: ORDER[unit.role]))


def _name(unit: Unit) -> str:
    return unit.name


def _unchanged(
    view: ReleaseView, unit: Unit, current: Current | None, down: frozenset[str]
) -> Instance | None:
    running = current.instance(unit.name) if current else None
    if running and running.fingerprint == view.fingerprint(unit) and unit.name not in down:
        return running
    return None


def _placed(
    site: SiteView,
    view: ReleaseView,
    unit: Unit,
    current: Current | None,
    addresses: dict[str, Pair],
) -> Instance:
    former = current.instance(unit.name) if current else None
    slots = {p.replica: p.container[-1] for p in former.placements} if former else {}
    placements = []
    for replica in range(1, unit.replicas + 1):
        slot = "b" if slots.get(replica) == "a" else "a"
        pair = addresses.get(key(unit.name, replica))
        version = str(view.version).replace("+", "_").replace("!", "_")
        placements.append(
            Placement(
                replica=replica,
                container=f"{site.name}-{unit.name}-{version}-{replica}{slot}",
                address=pair["ab".index(slot)] if pair else None,
            )
        )
    return Instance(
        unit=unit.name,
        release=view.digest,
        version=str(view.version),
        placements=tuple(placements),
        fingerprint=view.fingerprint(unit),
    )
