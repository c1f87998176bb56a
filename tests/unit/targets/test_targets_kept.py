"""A container that was kept goes only when there is another in its place."""

from collections.abc import Mapping
from typing import Any

import pytest

from s1ctl.errors import StepFailed
from s1ctl.oci.digest import Digest
from s1ctl.plan.steps import Instance, Placement
from s1ctl.progress import silent
from s1ctl.release.compose import parse_compose
from s1ctl.targets.docker_container import Spec
from s1ctl.targets.docker_faults import EngineRefused
from s1ctl.targets.docker_objects import SiteObjects
from s1ctl.targets.docker_roll import Roller

NAME = "acme-store-1"
PLACEMENT = Placement(replica=1, container=NAME, address="10.97.0.4")
TO = Instance(
    unit="store", release=Digest.of(b"release"), version="1.0.0", placements=(PLACEMENT,),
    fingerprint="f",
)  # fmt: skip
COMPOSE = b"services:\n  store:\n    image: store\n    x-s1ctl: {role: data}\n"
SERVICE = parse_compose(COMPOSE, name="compose.yaml").services["store"]


def spec(_: Instance, placement: Placement) -> Spec:
    return Spec(
        site="acme", service=SERVICE, image="registry/store@sha256:0", instance=TO,
        placement=placement, network="acme-default", operation="op-2",
    )  # fmt: skip


class Engine:
    """Containers by name; it refuses to start `stale`, and to create while `is_refusing`."""

    def __init__(self) -> None:
        self.found: dict[str, dict[str, Any]] = {}
        self.calls: list[str] = []
        self.stale = ""
        self.made = 0
        self.is_refusing = False

    def container(self, name: str) -> dict[str, Any] | None:
        return self.found.get(name)

    def create(self, name: str, document: Mapping[str, Any]) -> None:
        assert name not in self.found
        self.calls.append(f"create {name}")
        if self.is_refusing:
            raise EngineRefused("no image", code="S1-E19", hint="pull it")
        self.made += 1
        self.found[name] = {
            "Id": f"id-{self.made}",
            "Config": {"Labels": document["Labels"]},
            "State": {"Status": "created"},
            "NetworkSettings": {"Networks": {}},
            "HostConfig": {"RestartPolicy": {"Name": "unless-stopped"}},
        }

    def start(self, name: str) -> None:
        if self.found[name]["Id"] == self.stale:
            raise EngineRefused("a mount is gone", code="S1-E11", hint="look")
        self.found[name]["State"]["Status"] = "running"

    def remove(self, name: str) -> None:
        self.calls.append(f"remove {name}")
        del self.found[name]

    def rename(self, name: str, to: str) -> None:
        self.found[to] = self.found.pop(name)


@pytest.fixture
def engine() -> Engine:
    """An engine with a kept container that does not start any more."""
    made = Engine()
    roller(made).start(TO)
    made.found[NAME]["State"]["Status"] = "exited"
    made.stale = made.found[NAME]["Id"]
    made.calls.clear()
    return made


def roller(engine: Engine) -> Roller:
    return Roller(
        objects=SiteObjects(engine, "acme"),  # type: ignore[arg-type]
        traffic=None,  # type: ignore[arg-type]
        service=SERVICE,
        make=spec,
        ready_timeout_s=1,
        notify=silent,
    )


def test_one_that_does_not_start_is_made_anew_under_its_name(engine: Engine) -> None:
    roller(engine).start(TO)
    assert engine.found.keys() == {NAME}
    assert engine.found[NAME]["Id"] != engine.stale
    assert engine.found[NAME]["State"]["Status"] == "running"


def test_one_that_does_not_start_is_still_there_when_no_other_can_be_made(engine: Engine) -> None:
    engine.is_refusing = True
    with pytest.raises(StepFailed) as caught:
        roller(engine).start(TO)
    assert caught.value.code == "S1-E26"
    assert [found["Id"] for found in engine.found.values()] == [engine.stale]
    assert not any(call.startswith("remove") for call in engine.calls)


def test_what_a_kill_left_beside_it_is_removed_by_the_next_start(engine: Engine) -> None:
    engine.found[f"{NAME}.new"] = dict(engine.found[NAME])
    roller(engine).start(TO)
    assert engine.found.keys() == {NAME}
    assert engine.found[NAME]["State"]["Status"] == "running"
