"""The path of versions at this site: the map as it is known here, and the gates as they stand."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from packaging.version import Version

from s1ctl.errors import NoPath, NotVerified, S1Error, Withdrawn
from s1ctl.ledger.releases import LoadedRelease
from s1ctl.operation.context import Context
from s1ctl.plan.plan import Accepted
from s1ctl.release.graph import Keys, Leg, Node, choose_carry, choose_path
from s1ctl.release.manifest import Edge, ReleaseManifest

Reasons = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """The hops of a path with their releases, and the gates that somebody opened for it."""

    legs: tuple[Leg, ...]
    releases: tuple[LoadedRelease, ...]
    accepted: tuple[Accepted, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A bundle that a path needs: how large it is (0: not known), and whether it is loaded."""

    version: Version
    size_bytes: int
    is_loaded: bool
    why: str


def find_route(context: Context, start: Version, goal: Version, reasons: Reasons) -> Route:
    """Choose the path from `start` to `goal`; `reasons` open gates by name.

    Raises `NoPath` S1-N01, S1-N02, S1-N21, and S1-N27 for a reason that opens no gate of the map;
    `Withdrawn` S1-T21 where two loaded releases are one of the path.
    """
    admitted = _admitted(context, goal)
    loaded = admitted.newest
    nodes = tuple(_nodes(admitted))
    keys = _keys(context, nodes, start, goal, reasons)
    legs = choose_path(start, goal, nodes, keys=keys)
    for leg in legs:
        admitted.refuse_twin(leg.to)
    return Route(
        legs=legs,
        releases=tuple(loaded[leg.to] for leg in legs),
        accepted=tuple(
            Accepted(gate=gate, version=str(leg.to), reason=reasons[gate])
            for leg in legs
            for gate in leg.accepted
        ),
    )


def list_carry(
    context: Context,
    start: Version | None,
    goal: Version,
    reasons: Reasons,
    *,
    at_hand: Iterable[ReleaseManifest] = (),
) -> tuple[Bundle, ...]:
    """List the bundles of the path, loaded or not; without a `start` the goal's alone.

    `at_hand` are verified releases that could be loaded. Raises as `find_route`, but S1-N02 only
    where nobody knows of the goal.
    """
    near = [manifest for manifest in at_hand if manifest.version <= goal]
    nodes = tuple(_nodes(_admitted(context, goal), near))
    if start is None:
        legs = [(Leg(to=n.version, why="an install needs no other"), n) for n in nodes]
        chosen = [(leg, node) for leg, node in legs if node.version == goal]
    else:
        keys = _keys(context, nodes, start, goal, reasons)
        chosen = list(choose_carry(start, goal, nodes, keys=keys))
    return tuple(
        Bundle(
            version=node.version,
            size_bytes=node.size_bytes,
            is_loaded=node.is_loaded,
            why=leg.why,
        )
        for leg, node in chosen
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Admitted:
    """The loaded releases that a path may lead over, and the versions that it may not."""

    newest: Mapping[Version, LoadedRelease]
    manifests: Mapping[Version, ReleaseManifest]
    withdrawn: Collection[Version]
    twins: Mapping[Version, LoadedRelease]

    def refuse_twin(self, version: Version) -> None:
        """Refuse a version that two releases have, so that no sequence decides. `Withdrawn`."""
        if version in self.twins:
            raise equivocation(
                version,
                f"`{self.newest[version].digest}` and `{self.twins[version].digest}` are loaded",
            )


def _admitted(context: Context, goal: Version) -> _Admitted:
    """Find the loaded releases by version; of one version the highest sequence counts.

    One that was withdrawn, or that no key of the newest root signed, is in nobody's way: only as
    the goal it is refused, with `Withdrawn` S1-T22, S1-T23 or `NotVerified`.
    """
    newest: dict[Version, LoadedRelease] = {}
    manifests: dict[Version, ReleaseManifest] = {}
    refused: dict[Version, S1Error] = {}
    twins: dict[Version, LoadedRelease] = {}
    for release in sorted(context.ledger.releases.loaded(), key=lambda one: one.sequence):
        try:
            manifests[release.version] = context.admitted(release.digest).manifest
        except (Withdrawn, NotVerified) as error:
            refused[release.version] = error
        else:
            former = newest.get(release.version)
            twins.pop(release.version, None)
            if former is not None and former.sequence == release.sequence:
                twins[release.version] = former
            newest[release.version] = release
    withdrawn = refused.keys() - newest.keys()
    if goal in withdrawn:
        raise refused[goal]
    return _Admitted(newest=newest, manifests=manifests, withdrawn=withdrawn, twins=twins)


def refuse_twin(context: Context, version: Version) -> None:
    """Refuse what another loaded release equals in version and sequence. `Withdrawn` S1-T21."""
    _admitted(context, version).refuse_twin(version)


def equivocation(version: Version, which: str) -> Withdrawn:
    """Make the error for two releases of one version."""
    return Withdrawn(
        f"two different releases call themselves {version}: {which}",
        code="S1-T21",
        hint="do not proceed; ask the vendor which digest is right, and to revoke the other",
    )


def _nodes(admitted: _Admitted, at_hand: Iterable[ReleaseManifest] = ()) -> Iterator[Node]:
    """Draw the map as the release with the highest sequence knows it.

    What it says of a release counts more than what that says of itself: it was written later.
    """
    manifests = {manifest.version: manifest for manifest in at_hand}
    manifests |= admitted.manifests
    newest = max(manifests.values(), key=lambda manifest: manifest.sequence, default=None)
    known = {edge.version: edge for edge in newest.upgrade.known} if newest else {}
    loaded = admitted.newest
    for version in sorted((known.keys() - admitted.withdrawn) | manifests.keys()):
        manifest, edge = manifests.get(version), known.get(version)
        if edge is None or manifest is newest:
            yield _own_node(manifests[version], is_loaded=version in loaded)
        else:
            yield _known_node(edge, manifest, is_loaded=version in loaded)


def _own_node(manifest: ReleaseManifest, *, is_loaded: bool) -> Node:
    rules = manifest.upgrade
    return Node(
        version=manifest.version,
        sources=rules.sources,
        is_stop=rules.stop,
        is_dead_end=rules.dead_end,
        gates=rules.gates,
        size_bytes=_size(manifest),
        is_loaded=is_loaded,
    )


def _known_node(edge: Edge, manifest: ReleaseManifest | None, *, is_loaded: bool) -> Node:
    return Node(
        version=edge.version,
        sources=edge.sources,
        is_stop=edge.stop,
        is_dead_end=edge.dead_end,
        gates=edge.gates,
        size_bytes=_size(manifest) if manifest else edge.bytes,
        is_loaded=is_loaded,
    )


def _size(manifest: ReleaseManifest) -> int:
    return sum(blob.size for blob in manifest.blobs)


def _keys(
    context: Context, nodes: Iterable[Node], start: Version, goal: Version, reasons: Reasons
) -> Keys:
    """Judge the gates between start and goal; one whose check is not known here is not passed."""
    gates = {g.check for node in nodes if start < node.version <= goal for g in node.gates}
    for name in reasons:
        if name not in gates:
            raise NoPath(
                f"no gate `{name}` is between {start} and {goal}"
                + (f"; there are {', '.join(f'`{gate}`' for gate in sorted(gates))}" * bool(gates)),
                code="S1-N27",
                hint=f"leave out `--accept-gate {name}`",
            )
    return Keys(passed=frozenset(_passed(context, gates)), accepted=frozenset(reasons))


def _passed(context: Context, gates: set[str]) -> Iterator[str]:
    if not gates:
        return
    from s1ctl.operation.check import judge, needs_of  # which gathers, too
    from s1ctl.preflight.catalogue import CHECKS

    # The check of the path asks for the path: as a gate it stays closed.
    checks = tuple(check for check in CHECKS if check.id in gates - {"state.hop"})
    installed = context.ledger.releases.installed()
    releases = (installed.digest,) if installed else ()
    for finding in judge(context, needs_of(context, releases, phase="doctor"), checks):
        if finding.outcome in ("pass", "warn"):
            yield finding.id
