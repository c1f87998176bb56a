"""The container of a service: the document that the engine's API takes. Pure."""

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from s1ctl.canonical import canonical_json
from s1ctl.plan.steps import Instance, Placement
from s1ctl.release.manifest import Health as HealthPaths
from s1ctl.release.service import HealthCheck, Limits, Service, Ulimit, seconds, size_bytes
from s1ctl.shape import parse_value, plain

PREFIX = "dev.s1ctl."
SITE = PREFIX + "site"
UNIT = PREFIX + "unit"
RELEASE = PREFIX + "release"
VERSION = PREFIX + "version"
OPERATION = PREFIX + "operation"
REPLICA = PREFIX + "replica"
SETTINGS = PREFIX + "settings"
ROLE = PREFIX + "role"
RESTART = PREFIX + "restart"
HEALTH = PREFIX + "health"
_PORT = re.compile(r"(?:([0-9.]+):)?([0-9]+):([0-9]+)(?:/(tcp|udp))?")
Document = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bind:
    """A file or folder of ours, mounted read-only."""

    source: Path
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """All that a container is made from; `service` is substituted."""

    site: str
    service: Service
    image: str
    instance: Instance
    placement: Placement
    network: str
    operation: str = ""
    binds: tuple[Bind, ...] = field(default=())


def container_document(spec: Spec) -> Document:
    """Make the API's document for `POST /containers/create`."""
    service = spec.service
    document: Document = {
        "Image": spec.image,
        "Env": [f"{key}={value}" for key, value in sorted(service.environment.items())],
        "Labels": {**service.labels, **labels(spec)},
        "StopSignal": stop_signal(service),
        "StopTimeout": grace_s(service),
        "HostConfig": _host_config(spec),
    }
    if service.command is not None:
        document["Cmd"] = _argv(service.command)
    if service.entrypoint is not None:
        document["Entrypoint"] = _argv(service.entrypoint)
    if service.user is not None:
        document["User"] = str(service.user)
    if service.working_dir is not None:
        document["WorkingDir"] = service.working_dir
    if service.healthcheck is not None:
        document["Healthcheck"] = _health(service.healthcheck)
    if service.ports:
        document["ExposedPorts"] = {key: {} for key in _port_bindings(service)}
    if service.network_mode != "host":
        document["NetworkingConfig"] = {"EndpointsConfig": {spec.network: _endpoint(spec)}}
    return document


def labels(spec: Spec) -> dict[str, str]:
    """Make the labels by which a container is known again."""
    return {
        SITE: spec.site,
        UNIT: spec.instance.unit,
        RELEASE: spec.instance.release,
        VERSION: spec.instance.version,
        OPERATION: spec.operation,
        REPLICA: str(spec.placement.replica),
        SETTINGS: spec.instance.fingerprint,
        ROLE: spec.service.role,
        RESTART: restart_policy(spec.service),
        HEALTH: canonical_json(plain(spec.service.s1ctl.health)).decode(),
    }


def health_of(labels: Mapping[str, str]) -> HealthPaths | None:
    """Read from its labels how a container's health is asked."""
    data = json.loads(labels.get(HEALTH, "null"))
    return None if data is None else parse_value(data, HealthPaths)


def restart_policy(service: Service) -> str:
    """Say the engine's policy while the container is wanted.

    An edge gets `always`: the engine counts a container as stopped by hand once it was sent any
    signal, SIGHUP too, and would not start it again with itself. A container that is parked has
    the policy `no`, so none comes back on its own.
    """
    if service.role == "edge" and service.restart == "unless-stopped":
        return "always"
    return service.restart


def stop_signal(service: Service) -> str:
    """Say the signal that ends it; never empty, or the engine gives up restarts at any signal."""
    if service.stop_signal:
        return service.stop_signal
    is_rolling_edge = service.role == "edge" and service.replace == "rolling"
    return "SIGQUIT" if is_rolling_edge else "SIGTERM"


def grace_s(service: Service) -> int:
    """Say how long its end may take, in whole seconds."""
    return max(1, round(seconds(service.stop_grace_period)))


def owner(service: Service) -> int:
    """Say the user id that reads its secrets; 0 where `user` is not a number."""
    first = str(service.user or 0).split(":")[0]
    return int(first) if first.isdigit() else 0


def _host_config(spec: Spec) -> Document:
    service = spec.service
    limits = service.deploy.resources.limits
    return {
        "RestartPolicy": {"Name": restart_policy(service)},
        "NetworkMode": "host" if service.network_mode == "host" else spec.network,
        "Mounts": [*_volumes(spec), *(_bind(bind) for bind in spec.binds)],
        "PortBindings": _port_bindings(service),
        "CapAdd": list(service.cap_add),
        "CapDrop": list(service.cap_drop),
        "SecurityOpt": list(service.security_opt),
        "ReadonlyRootfs": service.read_only,
        "Tmpfs": _tmpfs(service),
        "Ulimits": [_ulimit(name, limit) for name, limit in sorted(service.ulimits.items())],
        "Sysctls": {key: str(value) for key, value in service.sysctls.items()},
        "Init": service.init,
        "ExtraHosts": list(service.extra_hosts),
        "LogConfig": _logging(service),
        **_limits(limits),
        **({"ShmSize": size_bytes(service.shm_size)} if service.shm_size is not None else {}),
    }


def _endpoint(spec: Spec) -> Document:
    """Fix the address; only data is known by name from its start."""
    endpoint: Document = {"IPAMConfig": {"IPv4Address": spec.placement.address}}
    if spec.service.role == "data":
        endpoint["Aliases"] = [spec.instance.unit]
    return endpoint


def _volumes(spec: Spec) -> list[Document]:
    parts = [text.split(":") for text in spec.service.volumes]
    return [
        {
            "Type": "volume",
            "Source": volume_name(spec.site, part[0]),
            "Target": part[1],
            "ReadOnly": part[2:] == ["ro"],
        }
        for part in parts
    ]


def volume_name(site: str, name: str) -> str:
    """Name a volume of a site."""
    return f"{site}-{name}"


def _bind(bind: Bind) -> Document:
    return {"Type": "bind", "Source": str(bind.source), "Target": bind.target, "ReadOnly": True}


def _argv(command: str | tuple[str, ...]) -> list[str]:
    return shlex.split(command) if isinstance(command, str) else list(command)


def _health(check: HealthCheck) -> Document:
    if check.disable or not check.test:
        return {"Test": ["NONE"]} if check.disable else {}
    test = ["CMD-SHELL", check.test] if isinstance(check.test, str) else list(check.test)
    times = {
        "Interval": check.interval,
        "Timeout": check.timeout,
        "StartPeriod": check.start_period,
    }
    nanoseconds = {key: round(seconds(text) * 1e9) for key, text in times.items() if text}
    return {"Test": test, "Retries": check.retries or 0, **nanoseconds}


def _port_bindings(service: Service) -> dict[str, list[Mapping[str, str]]]:
    bindings: dict[str, list[Mapping[str, str]]] = {}
    for text in service.ports:
        found = _PORT.fullmatch(str(text))
        if not found:
            raise ValueError(f"`{text}` is not a port")
        inside = f"{found[3]}/{found[4] or 'tcp'}"
        bindings.setdefault(inside, []).append({"HostIp": found[1] or "", "HostPort": found[2]})
    return bindings


def _tmpfs(service: Service) -> dict[str, str]:
    entries = (service.tmpfs,) if isinstance(service.tmpfs, str) else service.tmpfs
    return {path: options for path, _, options in (entry.partition(":") for entry in entries)}


def _ulimit(name: str, limit: int | Ulimit) -> Document:
    soft, hard = (limit, limit) if isinstance(limit, int) else (limit.soft, limit.hard)
    return {"Name": name, "Soft": soft, "Hard": hard}


def _logging(service: Service) -> Document:
    if service.logging is None:
        return {}
    options = {key: str(value) for key, value in service.logging.options.items()}
    return {"Type": service.logging.driver, "Config": options}


def _limits(limits: Limits) -> Document:
    document: Document = {}
    if limits.cpus is not None:
        document["NanoCpus"] = round(float(limits.cpus) * 1e9)
    if limits.memory is not None:
        document["Memory"] = size_bytes(limits.memory)
    if limits.pids is not None:
        document["PidsLimit"] = limits.pids
    return document
