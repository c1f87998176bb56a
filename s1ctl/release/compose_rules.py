"""What the keys of a Compose service may say: one check a rule, each with its line."""

import re
from collections.abc import Container, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Literal

from s1ctl.errors import UsageError
from s1ctl.release.service import Extension, Service, size_bytes
from s1ctl.strict_yaml import Document

Consent = Literal["host-network", "cap-add"]
LABEL_PREFIX = "dev.s1ctl."
_VOLUME = re.compile(r"[a-z][a-z0-9_-]{0,62}:/[^:]*(:ro|:rw)?")
_PORT = re.compile(
    r"(?:[0-9.]+:)?(?:[0-9]+|\$\{[a-z][a-z0-9_]*\}):(?:[0-9]+|\$\{[a-z][a-z0-9_]*\})(?:/(?:tcp|udp))?"
)
_TESTS = (("CMD",), ("CMD-SHELL",), ("NONE",))
_SAFE_OPTIONS = ("no-new-privileges", "no-new-privileges:true", "no-new-privileges=true")


def consents(service: Service) -> tuple[Consent, ...]:
    """Name what the site must allow for this service (`allow` of the site file)."""
    found: list[Consent] = []
    if service.network_mode == "host":
        found.append("host-network")
    if service.cap_add:
        found.append("cap-add")
    return tuple(found)


def check_service(document: Document, name: str, service: Service) -> None:
    """Judge one service by itself. Raises `UsageError`."""
    rule = _Rule(document, name)
    _check_volumes(rule, service)
    _check_network(rule, service)
    _check_role(rule, service)
    _check_job(rule, service)
    _check_health(rule, service)
    _check_privileges(rule, service)
    _check_sizes(rule, service)


def check_together(
    document: Document, services: Mapping[str, Service], known: Mapping[str, Container[str]]
) -> None:
    """Judge what services name of each other and of the other sections. Raises `UsageError`."""
    jobs = {name for name, service in services.items() if service.role == "job"}
    for name, service in services.items():
        rule = _Rule(document, name)
        for key, names in _names(service).items():
            _check_names(rule, key, names, known)
        for job in sorted(jobs.intersection(service.needs)):
            raise rule.refuse(
                "depends_on",
                f"it needs `{job}`, a job, which has ended or not begun when units start",
                "S1-U52",
                f"remove `{job}`: `when: before-roll` is before every unit that changes",
            )
    _check_cycles(document, services)


def _names(service: Service) -> dict[str, tuple[str, ...]]:
    return {
        "volumes": tuple(text.split(":")[0] for text in service.volumes),
        "networks": tuple(name for name in service.networks if name != "default"),
        "secrets": service.secrets,
        "configs": tuple(use.source for use in service.config_uses),
        "depends_on": service.needs,
    }


class _Rule:
    """Where a fault of one service is said to be."""

    def __init__(self, document: Document, service: str) -> None:
        self.document = document
        self.service = service

    def refuse(self, at: str, what: str, code: str, hint: str) -> UsageError:
        return self.document.refuse(
            f"$.services.{self.service}.{at}",
            f"service `{self.service}`: {what}",
            code=code,
            hint=hint,
        )


def _check_names(
    rule: _Rule, key: str, names: tuple[str, ...], known: Mapping[str, Container[str]]
) -> None:
    section = "services" if key == "depends_on" else key
    for name in names:
        if name not in known[section]:
            raise rule.refuse(
                key,
                f"`{key}` names `{name}`, which is not in the top-level `{section}`",
                "S1-U44",
                f"add `{name}` under `{section}:`, or remove it here",
            )


def _check_volumes(rule: _Rule, service: Service) -> None:
    for number, text in enumerate(service.volumes):
        if not _VOLUME.fullmatch(text):
            raise rule.refuse(
                f"volumes[{number}]",
                f"`{text}` is not a named volume",
                "S1-U43",
                "write `NAME:/path`; files of the host, and the engine's socket, are not mounted",
            )


def _check_network(rule: _Rule, service: Service) -> None:
    if service.role != "edge":
        for key, value in (("network_mode", service.network_mode), ("ports", service.ports)):
            if value:
                raise rule.refuse(
                    key,
                    f"`{key}` is for the edge only, and this is role `{service.role}`",
                    "S1-U45",
                    "let an edge take the traffic, or say `x-s1ctl: {role: edge}`",
                )
    if service.network_mode and service.ports:
        raise rule.refuse(
            "ports",
            "`ports` have no effect on the host's network",
            "S1-U46",
            "remove `ports` or `network_mode`",
        )
    if len(service.networks) > 1 or (service.networks and service.network_mode):
        raise rule.refuse(
            "networks",
            "a site has one network, and a service on the host's has none",
            "S1-U46",
            "name at most one network",
        )
    for number, port in enumerate(service.ports):
        if not _PORT.fullmatch(str(port)):
            raise rule.refuse(
                f"ports[{number}]",
                f"`{port}` is not `HOST:CONTAINER`",
                "S1-U46",
                'write `"8443:8443"`, or `"${gateway_port}:8443"`',
            )


def _check_role(rule: _Rule, service: Service) -> None:
    extension = service.s1ctl
    if extension.upstreams and service.role != "edge":
        raise rule.refuse(
            "x-s1ctl.upstreams",
            "`upstreams` is for the edge only",
            "S1-U45",
            "remove it, or say `role: edge`",
        )
    if service.role != "app" and service.deploy.replicas != 1:
        raise rule.refuse(
            "deploy.replicas",
            f"role `{service.role}` has one replica",
            "S1-U47",
            "remove `replicas`",
        )
    may_roll = service.role == "app" or (service.role == "edge" and service.network_mode == "host")
    if extension.replace == "rolling" and not may_roll:
        raise rule.refuse(
            "x-s1ctl.replace",
            "it cannot be replaced without an interruption",
            "S1-U47",
            "write `replace: recreate`; an edge rolls with `network_mode: host` and `reuseport`",
        )


def _check_job(rule: _Rule, service: Service) -> None:
    """Allow a job what a container needs that runs once; it is neither replaced nor asked."""
    extension = service.s1ctl
    if service.role != "job":
        if extension.when is not None:
            raise rule.refuse(
                "x-s1ctl.when", "`when` is for a job", "S1-U52", "remove it, or say `role: job`"
            )
        return
    if extension.when is None:
        raise rule.refuse(
            "x-s1ctl",
            "nothing says when the job runs",
            "S1-U52",
            "write `x-s1ctl: {role: job, when: before-roll}`, or `after-roll`",
        )
    if extension != Extension(role="job", when=extension.when) or service.healthcheck:
        raise rule.refuse(
            "x-s1ctl",
            "a job has no health, and is neither replaced nor drained",
            "S1-U52",
            "leave only `role` and `when` there, and remove `healthcheck`",
        )


def _check_health(rule: _Rule, service: Service) -> None:
    check = service.healthcheck
    has_check = bool(check and check.test and not check.disable)
    if service.replace == "rolling" and not service.s1ctl.health and not has_check:
        raise rule.refuse(
            "x-s1ctl",
            "nothing tells when it is ready",
            "S1-U48",
            "write `x-s1ctl: {health: {port: 8080, ready: /ready, version: /version}}`",
        )
    if check and isinstance(check.test, tuple) and check.test[:1] not in _TESTS:
        raise rule.refuse(
            "healthcheck.test",
            "a list begins with `CMD`, `CMD-SHELL` or `NONE`",
            "S1-U48",
            "write `test: [CMD, program, argument]`",
        )
    health = service.s1ctl.health
    for key in ("ready", "live", "version"):
        path = getattr(health, key, None)
        if path and not re.fullmatch(r"/[!-~]*", path):
            raise rule.refuse(
                f"x-s1ctl.health.{key}", f"`{path}` is not a path", "S1-U48", "begin it with `/`"
            )


def _check_privileges(rule: _Rule, service: Service) -> None:
    for number, option in enumerate(service.security_opt):
        if option not in _SAFE_OPTIONS:
            raise rule.refuse(
                f"security_opt[{number}]",
                f"`{option}` takes a protection away",
                "S1-U49",
                "only `no-new-privileges:true` may stand there",
            )
    for label in service.labels:
        if label.startswith(LABEL_PREFIX):
            raise rule.refuse(
                f"labels.{label}",
                f"labels `{LABEL_PREFIX}*` are s1ctl's own",
                "S1-U49",
                "rename it",
            )


def _check_sizes(rule: _Rule, service: Service) -> None:
    sizes = {
        "shm_size": service.shm_size,
        "deploy.resources.limits.memory": service.deploy.resources.limits.memory,
    }
    for key, size in sizes.items():
        try:
            size_bytes(0 if size is None else size)
        except ValueError as error:
            raise rule.refuse(key, str(error), "S1-U50", "write `64m` or `1g`") from None
    cpus = service.deploy.resources.limits.cpus
    if cpus is not None and not re.fullmatch(r"[0-9]+(\.[0-9]+)?", str(cpus)):
        raise rule.refuse(
            "deploy.resources.limits.cpus", f"`{cpus}` is not a number", "S1-U50", "write `0.5`"
        )


def _check_cycles(document: Document, services: Mapping[str, Service]) -> None:
    try:
        TopologicalSorter({name: service.needs for name, service in services.items()}).prepare()
    except CycleError as error:
        circle = error.args[1]
        raise document.refuse(
            f"$.services.{circle[0]}.depends_on",
            f"`depends_on` goes in a circle: {' -> '.join(circle)}",
            code="S1-U51",
            hint="remove one of these dependencies",
        ) from None
