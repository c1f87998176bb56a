"""Jobs: containers that run to their end once, and are kept until the hop is recorded."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from s1ctl.errors import InputOutputFailed, StepFailed
from s1ctl.plan.presence import Presence
from s1ctl.progress import Notify, Progress
from s1ctl.targets.docker_container import (
    HEALTH,
    OPERATION,
    PREFIX,
    RESTART,
    ROLE,
    UNIT,
    Document,
    Spec,
    container_document,
)
from s1ctl.targets.docker_faults import EngineRefused
from s1ctl.targets.docker_objects import NotOurs, SiteObjects, State

JOB = PREFIX + "job"
DEADLINE_S = 3600.0
LOOK_EVERY_S = 0.5


class JobState(Enum):
    """How a job stands; one of another operation is as good as none."""

    GONE = "gone"
    RUNS = "runs"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRunner:
    """Runs the job of one container name for one operation; `make` says what it is made from."""

    objects: SiteObjects
    container: str
    operation: str
    make: Callable[[], Spec]
    notify: Notify
    deadline_s: float = DEADLINE_S
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic

    def run(self) -> None:
        """Run the job to its end, or wait for the one that a killed process has started.

        A kill in the middle leaves it running, or ended; the next call waits for it, or sees how it
        ended. Raises `StepFailed` S1-E40 with its last lines, S1-E41 when it does not end in time,
        S1-E42 when the engine refuses to start it; it is stopped then, and kept.
        """
        if self._state() not in (JobState.RUNS, JobState.SUCCEEDED):
            self._start()
        began = self.clock()
        while self._state() is JobState.RUNS:
            waited = self.clock() - began
            if waited > self.deadline_s:
                self.objects.park(self.container)
                raise self._late()
            self._tell(int(waited))
            self.sleep(LOOK_EVERY_S)
        if self._state() is not JobState.SUCCEEDED:
            raise self._failed()

    def probe(self) -> Presence:
        """Say whether the job has ended well; one that runs or has failed is to be run."""
        try:
            state = self._state()
        except InputOutputFailed:
            return Presence.UNKNOWN
        return Presence.PRESENT if state is JobState.SUCCEEDED else Presence.ABSENT

    def end(self) -> bool:
        """Stop a job that still runs; say whether it did."""
        is_running = self._state() is JobState.RUNS
        if is_running:
            self.objects.park(self.container)
        return is_running

    def _start(self) -> None:
        try:
            self.objects.create_job(self.container, job_document(self.make()))
        except (EngineRefused, NotOurs) as error:
            raise StepFailed(
                f"job `{self.container}` cannot be started: {error.message}",
                code="S1-E42",
                hint=error.hint,
            ) from None

    def _state(self) -> JobState:
        return state_of(self.objects.seek(self.container), self.operation)

    def _tell(self, waited_s: int) -> None:
        label = f"wait for `{self.container}`"
        self.notify(Progress(label=label, done=waited_s, total=0, unit="s"))

    def _failed(self) -> StepFailed:
        found = self.objects.seek(self.container)
        status = found["State"].get("ExitCode") if found else None
        how = "is gone" if found is None else f"ended with status {status}"
        return StepFailed(
            f"job `{self.container}` {how}{self._said()}",
            code="S1-E40",
            hint=f"run `docker logs {self.container}`",
        )

    def _late(self) -> StepFailed:
        return StepFailed(
            f"job `{self.container}` did not end within {self.deadline_s:.0f} s, and was stopped"
            f"{self._said()}",
            code="S1-E41",
            hint=f"run `docker logs {self.container}`",
        )

    def _said(self) -> str:
        said = self.objects.tail(self.container)
        return f"; it last said `{said}`" if said else ""


def state_of(found: State | None, operation: str) -> JobState:
    """Judge a job's container as inspected."""
    if found is None or found["Config"]["Labels"].get(OPERATION) != operation:
        return JobState.GONE
    status = found["State"]["Status"]
    if status == "created":
        return JobState.GONE
    if status in ("exited", "dead"):
        return JobState.FAILED if found["State"].get("ExitCode", 1) else JobState.SUCCEEDED
    return JobState.RUNS


def job_document(spec: Spec) -> Document:
    """Make the API's document of a job: a unit's, but with any address, and started once."""
    document = container_document(spec)
    labels = {k: v for k, v in document["Labels"].items() if k not in (UNIT, HEALTH)}
    return {
        **document,
        "Labels": {**labels, JOB: spec.instance.unit, ROLE: "job", RESTART: "no"},
        "HostConfig": {**document["HostConfig"], "RestartPolicy": {"Name": "no"}},
        "NetworkingConfig": {"EndpointsConfig": {spec.network: {}}},
    }
