"""A job runs once to its end, and whoever comes later can tell how it ended."""

from pathlib import Path
from typing import Any

import pytest

from s1ctl.errors import InputOutputFailed, StepFailed
from s1ctl.oci.digest import Digest
from s1ctl.plan.presence import Presence
from s1ctl.plan.steps import Instance, Placement
from s1ctl.progress import silent
from s1ctl.release.compose import parse_compose
from s1ctl.targets.docker_container import HEALTH, OPERATION, ROLE, UNIT, Bind, Spec
from s1ctl.targets.docker_faults import EngineRefused
from s1ctl.targets.docker_job import JOB, JobRunner, JobState, job_document, state_of

COMPOSE = b"""\
services:
  warm-up:
    image: api
    command: [warm, up]
    secrets: [password]
    x-s1ctl: {role: job, when: before-roll}
secrets: {password: {file: ./password}}
"""
SPEC = Spec(
    site="acme",
    service=parse_compose(COMPOSE, name="compose.yaml").services["warm-up"],
    image="registry/api@sha256:0",
    instance=Instance(
        unit="warm-up",
        release=Digest.of(b"release"),
        version="2.0.0",
        placements=(Placement(replica=1, container="acme-warm-up-2.0.0", address=None),),
    ),
    placement=Placement(replica=1, container="acme-warm-up-2.0.0", address=None),
    network="acme-default",
    operation="op-2",
    binds=(Bind(source=Path("/state/password"), target="/run/secrets/password"),),
)


class Objects:
    """The engine's side of one job: its containers so far, the states it will go through."""

    def __init__(self, *states: tuple[str, int]) -> None:
        self.states = list(states)
        self.found: dict[str, Any] | None = None
        self.created = 0
        self.parked = 0
        self.refusal: Exception | None = None

    def there(self, status: str, code: int = 0, operation: str = "op-2") -> "Objects":
        self.found = found(status, code, operation)
        return self

    def seek(self, _: str) -> dict[str, Any] | None:
        if self.found and self.found["State"]["Status"] == "running" and self.states:
            self.found = found(*self.states.pop(0))
        return self.found

    def create_job(self, _: str, document: dict[str, Any]) -> None:
        if self.refusal:
            raise self.refusal
        self.created += 1
        self.found = found("running", 0, document["Labels"][OPERATION])

    def park(self, _: str) -> None:
        self.parked += 1
        self.found = found("exited", 137)

    def tail(self, _: str) -> str:
        return "no such table"


def found(status: str, code: int = 0, operation: str = "op-2") -> dict[str, Any]:
    return {
        "State": {"Status": status, "ExitCode": code},
        "Config": {"Labels": {OPERATION: operation}},
    }


def runner(objects: Objects, **options: Any) -> JobRunner:
    clock = iter(range(1000))
    return JobRunner(
        objects=objects,  # type: ignore[arg-type]
        container="acme-warm-up-2.0.0",
        operation="op-2",
        make=lambda: SPEC,
        notify=silent,
        sleep=lambda _: None,
        clock=lambda: float(next(clock)),
        **options,
    )


def test_a_job_is_started_and_waited_for() -> None:
    objects = Objects(("running", 0), ("running", 0), ("exited", 0))
    runner(objects).run()
    assert objects.created == 1
    assert runner(objects).probe() is Presence.PRESENT


def test_one_that_a_killed_process_started_is_waited_for_and_not_started_again() -> None:
    objects = Objects(("running", 0), ("exited", 0)).there("running")
    assert runner(objects).probe() is Presence.ABSENT
    runner(objects).run()
    assert objects.created == 0


def test_one_that_ended_well_meanwhile_is_not_run_again() -> None:
    objects = Objects().there("exited", 0)
    runner(objects).run()
    assert objects.created == 0


@pytest.mark.parametrize("state", [("exited", 3), ("created", 0), ("dead", 0)])
def test_one_that_failed_or_never_began_is_run_again(state: tuple[str, int]) -> None:
    objects = Objects(("exited", 0)).there(*state)
    if state == ("dead", 0):
        objects.found["State"]["ExitCode"] = 1  # type: ignore[index]
    runner(objects).run()
    assert objects.created == 1


def test_what_another_operation_ran_counts_as_nothing() -> None:
    objects = Objects(("exited", 0)).there("exited", 0, operation="op-1")
    assert runner(objects).probe() is Presence.ABSENT
    runner(objects).run()
    assert objects.created == 1
    assert state_of(found("running", operation="op-1"), "op-2") is JobState.GONE


def test_a_job_that_fails_tells_its_last_lines() -> None:
    objects = Objects(("exited", 3))
    with pytest.raises(StepFailed, match="status 3; it last said `no such table`") as caught:
        runner(objects).run()
    assert caught.value.code == "S1-E40"


def test_a_job_that_vanishes_has_failed() -> None:
    objects = Objects()
    objects.seek = lambda _: None  # type: ignore[method-assign]
    with pytest.raises(StepFailed, match="is gone") as caught:
        runner(objects).run()
    assert caught.value.code == "S1-E40"


def test_a_job_without_end_is_stopped() -> None:
    objects = Objects()
    with pytest.raises(StepFailed, match="did not end within 5 s") as caught:
        runner(objects, deadline_s=5).run()
    assert caught.value.code == "S1-E41"
    assert objects.parked == 1


def test_a_job_that_the_engine_refuses_has_failed() -> None:
    objects = Objects()
    objects.refusal = EngineRefused("no such program", code="S1-E11", hint="look")
    with pytest.raises(StepFailed, match="no such program") as caught:
        runner(objects).run()
    assert caught.value.code == "S1-E42"


def test_an_engine_that_does_not_answer_leaves_it_unknown() -> None:
    def silent_engine(_: str) -> None:
        raise InputOutputFailed("no answer", code="S1-E10", hint="wait")

    objects = Objects()
    objects.seek = silent_engine  # type: ignore[method-assign, assignment]
    assert runner(objects).probe() is Presence.UNKNOWN


def test_only_a_job_that_still_runs_is_ended() -> None:
    running, ended = Objects().there("running"), Objects().there("exited")
    assert (runner(running).end(), running.parked) == (True, 1)
    assert (runner(ended).end(), ended.parked) == (False, 0)


def test_a_jobs_container_is_no_unit_and_is_never_started_again_by_the_engine() -> None:
    document = job_document(SPEC)
    assert UNIT not in document["Labels"]
    assert HEALTH not in document["Labels"]
    assert document["Labels"][JOB] == "warm-up"
    assert document["Labels"][ROLE] == "job"
    assert document["Labels"][OPERATION] == "op-2"
    assert document["HostConfig"]["RestartPolicy"] == {"Name": "no"}
    assert document["NetworkingConfig"] == {"EndpointsConfig": {"acme-default": {}}}
    assert document["Cmd"] == ["warm", "up"]
    assert "/run/secrets/password" in str(document["HostConfig"]["Mounts"])
