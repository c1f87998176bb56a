"""The path at a site: whose graph counts, and what its gates say."""

import pytest
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from s1ctl.errors import NoPath
from s1ctl.operation import check, route
from s1ctl.release.manifest import Edge, Gate, ReleaseManifest, UpgradeRules
from s1ctl.shape import changed
from tests.support.releases import digest_of, make_view

ONE, TWO = Version("1.0.0"), Version("2.0.0")
GATE = Gate(check="host.memory", why="it needs twice as much")


def release(version: str, sources: str, **rules: object) -> ReleaseManifest:
    manifest = make_view(version).manifest
    known = rules.pop("known", ())
    return changed(
        manifest,
        sequence=int(version.replace(".", "")),
        upgrade=UpgradeRules(sources=SpecifierSet(sources), known=known, **rules),  # type: ignore[arg-type]
    )


def edge(version: str, sources: str, **more: object) -> Edge:
    return Edge(version=Version(version), sources=SpecifierSet(sources), **more)  # type: ignore[arg-type]


class Loaded:
    """A site at which some releases are loaded."""

    def __init__(self, *manifests: ReleaseManifest) -> None:
        self.manifests = {digest_of(str(m.version)): m for m in manifests}
        self.ledger = self.releases = self

    def loaded(self):
        return [
            type("Row", (), {"digest": digest, "version": m.version, "sequence": m.sequence})
            for digest, m in self.manifests.items()
        ]

    def installed(self):
        return type("Installed", (), {"digest": digest_of(str(ONE))})

    def admitted(self, digest):
        return type("Release", (), {"manifest": self.manifests[digest]})


def find(*manifests: ReleaseManifest, **reasons: str) -> list[str]:
    names = {name.replace("_", "."): reason for name, reason in reasons.items()}
    found = route.find_route(Loaded(*manifests), ONE, TWO, names)  # type: ignore[arg-type]
    return [str(leg.to) for leg in found.legs]


@pytest.fixture
def findings(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What each check says at this site."""
    outcomes: dict[str, str] = {}

    def judge(_, __, checks):
        return [
            type("Finding", (), {"id": c.id, "outcome": outcomes.get(c.id, "error")})
            for c in checks
        ]

    monkeypatch.setattr(check, "needs_of", lambda *_, **__: None)
    monkeypatch.setattr(check, "judge", judge)
    return outcomes


def test_what_the_newest_release_says_of_an_older_one_counts() -> None:
    old = release("1.5.0", ">=1.0")
    assert find(old, release("2.0.0", ">=1.5")) == ["1.5.0", "2.0.0"]
    newest = release("2.0.0", ">=1.5", known=(edge("1.5.0", ">=1.4"),))
    with pytest.raises(NoPath) as refused:
        find(old, newest)
    assert refused.value.code == "S1-N01"


def test_a_release_that_only_the_graph_knows_is_listed_with_its_size() -> None:
    newest = release("2.0.0", ">=1.5", known=(edge("1.5.0", ">=1.0", bytes=7_000_000),))
    with pytest.raises(NoPath) as refused:
        find(newest)
    assert (refused.value.code, "1.5.0 (7 MB)" in refused.value.message) == ("S1-N02", True)
    bundles = route.list_carry(Loaded(newest), ONE, TWO, {})  # type: ignore[arg-type]
    assert [(str(b.version), b.size_bytes, b.is_loaded) for b in bundles] == [
        ("1.5.0", 7_000_000, False),
        ("2.0.0", 0, True),
    ]


def test_a_release_at_hand_is_on_the_map_before_it_is_loaded() -> None:
    far = (release("1.5.0", ">=1.0"), release("2.0.0", "==1.5.*"))
    bundles = route.list_carry(Loaded(), ONE, TWO, {}, at_hand=far)  # type: ignore[arg-type]
    assert [(str(b.version), b.is_loaded) for b in bundles] == [("1.5.0", False), ("2.0.0", False)]


def test_for_an_install_the_bundle_of_the_release_is_all() -> None:
    far = (release("1.5.0", ">=1.0"), release("2.0.0", "==1.5.*"))
    bundles = route.list_carry(Loaded(), None, TWO, {}, at_hand=far)  # type: ignore[arg-type]
    assert [str(bundle.version) for bundle in bundles] == ["2.0.0"]


@pytest.mark.parametrize(("outcome", "is_open"), [
    ("pass", True), ("warn", True), ("fail", False), ("error", False), ("skip", False),
])  # fmt: skip
def test_a_gate_is_open_only_when_its_check_passed(findings, outcome, is_open) -> None:
    findings[GATE.check] = outcome
    goal = release("2.0.0", ">=1.0", gates=(GATE,))
    if is_open:
        assert find(goal) == ["2.0.0"]
        return
    with pytest.raises(NoPath) as refused:
        find(goal)
    assert refused.value.code == "S1-N21"


def test_a_gate_whose_check_nobody_knows_is_closed(findings) -> None:
    goal = release("2.0.0", ">=1.0", gates=(Gate(check="moon.phase", why="tides"),))
    with pytest.raises(NoPath) as refused:
        find(goal)
    assert (refused.value.code, "moon.phase" in refused.value.message) == ("S1-N21", True)


def test_the_check_of_the_path_opens_no_gate_of_the_path(findings) -> None:
    findings["state.hop"] = "pass"
    with pytest.raises(NoPath) as caught:
        find(release("2.0.0", ">=1.0", gates=(Gate(check="state.hop", why="itself"),)))
    assert caught.value.code == "S1-N21"


def test_an_accepted_gate_is_recorded_with_its_reason_unless_it_passed(findings) -> None:
    goal = release("2.0.0", ">=1.0", gates=(GATE,))
    reasons = {GATE.check: "more is on its way"}
    found = route.find_route(Loaded(goal), ONE, TWO, reasons)  # type: ignore[arg-type]
    assert [(a.gate, a.version, a.reason) for a in found.accepted] == [
        (GATE.check, "2.0.0", "more is on its way")
    ]
    findings[GATE.check] = "pass"
    assert route.find_route(Loaded(goal), ONE, TWO, reasons).accepted == ()  # type: ignore[arg-type]


def test_a_reason_for_a_gate_that_is_not_on_the_way_is_refused(findings) -> None:
    with pytest.raises(NoPath) as refused:
        find(release("2.0.0", ">=1.0"), host_memory="because")
    assert refused.value.code == "S1-N27"
