"""What the engine says of a site, for people who cannot log in there: no environment's values."""

from collections.abc import Iterator
from typing import Any

from s1ctl.targets.docker_container import SITE
from s1ctl.targets.docker_engine import Engine, State


def describe_engine(engine: Engine) -> dict[str, State]:
    """Say the engine's version and what it tells of itself."""
    return {"version": engine.version(), "info": engine.info()}


def describe_containers(engine: Engine, site: str) -> Iterator[tuple[str, State]]:
    """Inspect the site's containers, one after the other; of the environment the names stay."""
    for name in engine.containers({SITE: site}):
        found = engine.container(name)
        if found is not None:
            yield name, without_values(found)


def describe_networks(engine: Engine, site: str) -> list[State]:
    """Inspect the site's networks."""
    names = (f"{site}-default", f"{site}-services")
    return [found for found in map(engine.network, names) if found is not None]


def describe_volumes(engine: Engine, site: str) -> list[State]:
    """Inspect the site's volumes."""
    found = (engine.volume(name) for name in engine.volumes({SITE: site}))
    return [each for each in found if each is not None]


def describe_images(engine: Engine, references: set[str]) -> dict[str, Any]:
    """Say by which digests and how large the engine has each image; None where it has it not."""
    return {
        name: {"digests": engine.digests(name), "bytes": engine.image_bytes(name)}
        for name in sorted(references)
    }


def without_values(found: State) -> State:
    """Take the values out of a container's environment."""
    config = dict(found.get("Config") or {})
    config["Env"] = [str(each).partition("=")[0] for each in config.get("Env") or ()]
    return {**found, "Config": config}
