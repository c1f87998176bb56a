"""Places that are free: going back over several hops may find a container's own place taken."""

from collections.abc import Mapping

from s1ctl.plan.addresses import Pair, key
from s1ctl.plan.steps import Instance, Placement
from s1ctl.shape import changed

Running = Mapping[str, Instance]


def beside(wanted: Instance, running: Instance | None, addresses: Mapping[str, Pair]) -> Instance:
    """Move the replicas whose container name or address the running ones have to the other slot.

    A replica's slot is the last letter of its container's name, and says which of its two
    addresses it has; old and new are never in the same one.
    """
    if running is None or wanted == running:
        return wanted
    names = {placement.container for placement in running.placements}
    taken = {placement.address for placement in running.placements if placement.address}
    if not any(p.container in names or p.address in taken for p in wanted.placements):
        return wanted
    slots = {placement.replica: placement.container[-1] for placement in running.placements}
    return changed(
        wanted,
        placements=tuple(
            _moved(placement, _other(slots.get(placement.replica, "b")), wanted.unit, addresses)
            for placement in wanted.placements
        ),
    )


def _other(slot: str) -> str:
    return "b" if slot == "a" else "a"


def _moved(placement: Placement, slot: str, unit: str, addresses: Mapping[str, Pair]) -> Placement:
    pair = addresses.get(key(unit, placement.replica))
    is_placed = pair is not None and placement.address is not None
    return Placement(
        replica=placement.replica,
        container=placement.container[:-1] + slot,
        address=pair["ab".index(slot)] if pair and is_placed else placement.address,
    )
