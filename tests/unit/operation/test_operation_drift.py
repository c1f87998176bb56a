"""Drift: each difference between the record and the engine has its name and its way out."""

from dataclasses import replace

import pytest

from s1ctl.operation.drift import Recorded, find_drift
from s1ctl.plan.steps import Instance, Placement
from s1ctl.targets.docker_running import Running
from tests.support.ledgers import RELEASE

IMAGE = "registry:5000/web@sha256:" + "a" * 64
RECORDED = Recorded(
    instance=Instance(
        unit="web",
        release=RELEASE,
        version="1.0.0",
        placements=(Placement(replica=1, container="acme-web-1", address="10.97.0.4"),),
        fingerprint="f",
    ),
    image=IMAGE,
    role="app",
    has_health=True,
)
RUNNING = Running(
    unit="web",
    release=RELEASE,
    version="1.0.0",
    replica=1,
    container="acme-web-1",
    address="10.97.0.4",
    state="running",
    health=None,
    image=IMAGE,
    settings="f",
)
UPSTREAMS = {"web": ("10.97.0.4:8080",)}


def kinds(running: tuple[Running, ...], upstreams=UPSTREAMS, recorded=RECORDED) -> list[str]:
    found = find_drift((recorded,), running, upstreams)
    assert all(drift.todo for drift in found)
    return [drift.kind for drift in found]


def test_a_site_that_is_as_recorded_has_no_drift() -> None:
    assert kinds((RUNNING,)) == []


def test_a_container_that_is_gone_is_told() -> None:
    assert kinds(()) == ["missing"]


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"state": "exited"}, "stopped"),
        ({"state": "created"}, "stopped"),
        ({"health": "unhealthy"}, "unhealthy"),
        ({"release": "sha256:" + "0" * 64}, "other-release"),
        ({"settings": "g"}, "other-release"),
        ({"image": "registry:5000/web@sha256:" + "b" * 64}, "other-image"),
    ],
)
def test_a_container_that_is_another_or_not_well_is_told(changes, kind: str) -> None:
    assert kinds((replace(RUNNING, **changes),)) == [kind]


def test_the_same_image_from_a_registry_that_moved_is_no_drift() -> None:
    assert kinds((replace(RUNNING, image=IMAGE.replace("5000", "5001")),)) == []


def test_a_running_container_that_nobody_recorded_is_a_stranger() -> None:
    assert kinds((RUNNING, replace(RUNNING, container="acme-web-2"))) == ["stranger"]


def test_the_stopped_container_of_a_hop_that_failed_is_none() -> None:
    left = replace(RUNNING, container="acme-web-2", version="1.1.0", state="exited")
    assert kinds((RUNNING, left)) == []


@pytest.mark.parametrize("upstreams", [{}, {"web": ("10.97.0.5:8080",)}, {"web": ()}])
def test_edges_that_are_told_other_addresses_are_told(upstreams) -> None:
    assert kinds((RUNNING,), upstreams) == ["edge"]


def test_a_unit_without_health_or_of_another_role_has_no_file_to_compare() -> None:
    assert kinds((RUNNING,), {}, replace(RECORDED, has_health=False)) == []
    assert kinds((RUNNING,), {}, replace(RECORDED, role="data")) == []


def test_the_file_of_a_unit_that_is_gone_is_no_drift() -> None:
    assert kinds((RUNNING,), {**UPSTREAMS, "old": ("10.97.0.9:1",)}) == []


def test_where_the_release_cannot_be_read_its_image_and_edges_are_not_judged() -> None:
    unread = Recorded(instance=RECORDED.instance)
    assert kinds((replace(RUNNING, image="x@y"),), {}, unread) == []
