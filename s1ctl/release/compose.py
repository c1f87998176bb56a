"""The Compose file of a release: the subset that s1ctl runs, and nothing else."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from msgspec import field
from msgspec.structs import fields

from s1ctl.errors import UsageError
from s1ctl.oci.digest import Digest
from s1ctl.release.compose_rules import check_service, check_together
from s1ctl.release.manifest import Job, Unit
from s1ctl.release.service import Service
from s1ctl.shape import Value, parse_value, plain
from s1ctl.strict_yaml import Document, parse_yaml

_DOLLAR = re.compile(r"\$(?:\$|\{([a-z][a-z0-9_]*)\}|)")
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_HINTS = {
    "build": "images come from the bundle: name an entry of the recipe's `images`",
    "privileged": "name the capabilities that it needs in `cap_add`; the site must consent",
    "container_name": "containers are named by s1ctl after site, unit and version",
    "env_file": "write `environment`, and `${NAME}` for what a site shall decide",
    "expose": "leave it out: units reach each other at every port",
    "profiles": "leave it out: a release runs as a whole",
}


class ConfigContent(Value):
    """A config whose text stands in the Compose file."""

    content: str


class ByHand(Value):
    """A secret as it is found when the file is run by hand; s1ctl does not look at it."""

    file: str | None = None
    environment: str | None = None
    external: bool | None = None


class Plain(Value):
    """A volume or network without options."""


class TopLevel(Value):
    """The keys of a Compose file."""

    services: dict[str, Any]
    name: str | None = None
    version: str | None = None
    volumes: dict[str, Plain | None] = field(default_factory=dict)
    networks: dict[str, Plain | None] = field(default_factory=dict)
    secrets: dict[str, ByHand] = field(default_factory=dict)
    configs: dict[str, ConfigContent] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ComposeFile:
    """The services of a release, the named volumes, and the texts of its configs."""

    services: Mapping[str, Service]
    volumes: tuple[str, ...] = ()
    configs: Mapping[str, str]


def parse_compose(raw: bytes, *, name: str) -> ComposeFile:
    """Read the Compose file `raw`; `name` is how faults call it.

    Raises `UsageError` with line and column for everything outside the subset: S1-U40 a key that
    is not in it, S1-U41 to S1-U52 a value that is not allowed, S1-U02 and S1-U03 as every file.
    """
    document = parse_yaml(raw, name=name)
    top = _parse_top(document)
    services = dict(_parse_services(document))
    for service_name, service in services.items():
        check_service(document, service_name, service)
    known = {key: getattr(top, key) for key in ("volumes", "networks", "secrets", "configs")}
    check_together(document, services, {**known, "services": services})
    return ComposeFile(
        services=services,
        volumes=tuple(sorted(top.volumes)),
        configs={key: config.content for key, config in top.configs.items()},
    )


def make_units(compose: ComposeFile, source: Digest) -> tuple[Unit, ...]:
    """Make the units of a release, sorted by name; `source` is the Compose file's digest."""
    return tuple(
        Unit(
            name=name,
            target="docker",
            role=service.role,
            source=source,
            images=(service.image,),
            replicas=service.deploy.replicas,
            replace=service.replace,
            health=service.s1ctl.health,
            drain_s=service.s1ctl.drain_s,
            needs=service.needs,
            settings=settings_of(compose, service),
        )
        for name, service in sorted(compose.services.items())
        if service.role != "job"
    )


def make_jobs(compose: ComposeFile, source: Digest) -> tuple[Job, ...]:
    """Make the jobs of a release, sorted by name; `source` is the Compose file's digest."""
    return tuple(
        Job(
            name=name,
            source=source,
            image=service.image,
            when=service.s1ctl.when,
            settings=settings_of(compose, service),
        )
        for name, service in sorted(compose.services.items())
        if service.s1ctl.when is not None
    )


def settings_of(compose: ComposeFile, service: Service) -> tuple[str, ...]:
    """Name the settings that a service uses: `${NAME}`, in its configs too, and its secrets."""
    texts = [*_texts(plain(service)), *(compose.configs[u.source] for u in service.config_uses)]
    names = {found for text in texts for found in _DOLLAR.findall(text) if found}
    return tuple(sorted(names | set(service.secrets)))


def substitute(service: Service, values: Mapping[str, str]) -> Service:
    """Fill `${NAME}` from `values` and turn `$$` into `$`. Raises `KeyError` for a missing one."""
    return parse_value(_walk(plain(service), lambda text: fill(text, values)), Service)


def fill(text: str, values: Mapping[str, str]) -> str:
    """Fill `${NAME}` in `text` from `values` and turn `$$` into `$`."""
    return _DOLLAR.sub(lambda found: values[found[1]] if found[1] else "$", text)


def _parse_top(document: Document) -> TopLevel:
    top = document.parse(TopLevel)
    for section in ("services", "volumes", "networks", "secrets", "configs"):
        for key in getattr(top, section):
            if not _NAME.fullmatch(key):
                raise document.refuse(
                    f"$.{section}.{key}",
                    f"`{key}` is not a name: a-z, 0-9, `_` and `-`, beginning with a letter",
                    code="S1-U41",
                )
    _check_dollars(document, "$.configs", document.data.get("configs", {}))
    return top


def _parse_services(document: Document) -> Iterator[tuple[str, Service]]:
    services = list(document.entries("$.services", document.data["services"]))
    _check_keys(document, services)
    for name, path, data in services:
        _check_dollars(document, path, data)
        yield name, document.parse(Service, path, data)


def _check_keys(document: Document, services: Iterable[tuple[str, str, Any]]) -> None:
    """Refuse every key outside the subset at once, in all services."""
    wrong = [
        (place, name, key)
        for name, path, data in services
        for key, place, _ in document.entries(path, data)
        if key not in KEYS
    ]
    if not wrong:
        return
    told = (
        f"{document.place(p)}: service `{n}`: the key `{k}` is not allowed" for p, n, k in wrong
    )
    advice = dict.fromkeys(f"`{k}`: {_HINTS[k]}" for _, _, k in wrong if k in _HINTS)
    raise UsageError(
        "\n".join(told),
        code="S1-U40",
        hint="; ".join(advice) or "remove it; `s1ctl explain S1-U40` lists what may stand there",
    )


_SERVICE: Any = Service
KEYS = frozenset(each.encode_name for each in fields(_SERVICE))


def _check_dollars(document: Document, path: str, data: object) -> None:
    for place, text in _placed_texts(path, data):
        for found in _DOLLAR.finditer(text):
            if found[0] == "$":
                raise document.refuse(
                    place,
                    f"`{text[found.start() :][:20]}`: only `${{NAME}}` is filled in",
                    code="S1-U42",
                    hint="write `${NAME}` with the name of a setting, or `$$` for a dollar sign",
                )


def _placed_texts(path: str, data: object) -> Iterator[tuple[str, str]]:
    if isinstance(data, str):
        yield path, data
    elif isinstance(data, dict):
        for key, value in data.items():
            yield path, key
            yield from _placed_texts(f"{path}.{key}", value)
    elif isinstance(data, list | tuple):
        for number, value in enumerate(data):
            yield from _placed_texts(f"{path}[{number}]", value)


def _texts(data: object) -> Iterator[str]:
    return (text for _, text in _placed_texts("$", data))


def _walk(data: Any, change: Callable[[str], str]) -> Any:
    if isinstance(data, str):
        return change(data)
    if isinstance(data, dict):
        return {key: _walk(value, change) for key, value in data.items()}
    return [_walk(value, change) for value in data] if isinstance(data, list | tuple) else data
