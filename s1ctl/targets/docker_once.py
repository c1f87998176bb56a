"""One-shot containers: their output as a stream, their end judged."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence

from s1ctl.errors import StepFailed
from s1ctl.targets.docker_container import PREFIX, SITE, Bind, Document
from s1ctl.targets.docker_engine import Engine
from s1ctl.targets.docker_objects import without_secrets

ONCE = PREFIX + "once"
END_S = 60
STDERR_LINES = 5


def once_document(
    *,
    site: str,
    network: str,
    image: str,
    argv: Sequence[str],
    environment: Mapping[str, str],
    user: str,
    binds: Sequence[Bind],
) -> Document:
    """Make the API's document of a one-shot container; nothing of its output is kept."""
    return {
        "Image": image,
        "Entrypoint": [argv[0]],
        "Cmd": list(argv[1:]),
        "Env": [f"{key}={value}" for key, value in sorted(environment.items())],
        "User": user,
        "Labels": {SITE: site, ONCE: "true"},
        "AttachStdout": True,
        "AttachStderr": True,
        "HostConfig": {
            "NetworkMode": network,
            "LogConfig": {"Type": "none"},
            "RestartPolicy": {"Name": "no"},
            "Mounts": [
                {"Type": "bind", "Source": str(b.source), "Target": b.target, "ReadOnly": True}
                for b in binds
            ],
        },
    }


def run_once(engine: Engine, name: str, document: Document, *, silence_s: float) -> Iterator[bytes]:
    """Run a container to its end and yield what it writes to stdout; it is removed at the end.

    One of this name that a kill left behind is removed first. Raises `StepFailed` S1-E23 with the
    last lines of stderr when it ends with another status than 0, and when it is silent for
    `silence_s` `InputOutputFailed` S1-E13: what was yielded is worthless then.
    """
    engine.remove(name)
    engine.create(name, document)
    try:
        frames = engine.attach(name, silence_s=silence_s)
        engine.start(name)
        errors: deque[bytes] = deque(maxlen=STDERR_LINES)
        for stream, chunk in frames:
            if stream == 1:
                yield chunk
            else:
                errors.extend(chunk.splitlines())
        _check_end(engine, name, engine.wait(name, timeout_s=END_S), errors)
    finally:
        engine.remove(name)


def _check_end(engine: Engine, name: str, status: int, errors: Sequence[bytes]) -> None:
    if status != 0:
        text = " | ".join(line.decode("utf-8", "replace") for line in errors)
        said = without_secrets(text, engine.container(name))
        raise StepFailed(
            f"`{name}` ended with status {status}; it last said `{said}`",
            code="S1-E23",
            hint="read what it said, mend that, then go on",
        )
