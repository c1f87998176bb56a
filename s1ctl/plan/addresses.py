"""Fixed addresses: every replica owns two in the site's network, used in turn."""

import ipaddress
from collections.abc import Iterable, Mapping

from s1ctl.errors import UsageError

Pair = tuple[str, str]
RESERVED = 2  # the network's own address and the gateway's


def key(unit: str, replica: int) -> str:
    """Name one replica of a unit, as the ledger's table of addresses does."""
    return f"{unit}/{replica}"


def allocate(
    subnet: ipaddress.IPv4Network, owned: Mapping[str, Pair], wanted: Iterable[str]
) -> dict[str, Pair]:
    """Give each wanted replica its pair: the one it owns, else the lowest free one.

    The last quarter of the subnet is left to containers whose address nobody fixed.
    Raises `UsageError` S1-U16 when the subnet is too small.
    """
    result: dict[str, Pair] = {name: (pair[0], pair[1]) for name, pair in owned.items()}
    taken = {address for pair in result.values() for address in pair}
    fixed = list(subnet)[RESERVED : subnet.num_addresses * 3 // 4]
    free = (str(address) for address in fixed if str(address) not in taken)
    for name in sorted(set(wanted) - set(result)):
        first, second = next(free, None), next(free, None)
        if first is None or second is None:
            raise _full(subnet, name)
        result[name] = (first, second)
    return result


def _full(subnet: ipaddress.IPv4Network, name: str) -> UsageError:
    return UsageError(
        f"the network `{subnet}` has no two free addresses for `{name}`",
        code="S1-U16",
        hint="give `target.network` in the site file a larger subnet, such as a /24",
    )
