"""The proof that a release has all that its Compose file names, and nothing without a use."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from s1ctl.bundle.recipe import RecipeDocument
from s1ctl.errors import UsageError
from s1ctl.oci.digest import Digest
from s1ctl.release.compose import ComposeFile, parse_compose, settings_of
from s1ctl.strict_yaml import Document, parse_yaml

_USE = re.compile(r"\$\$|\$\{([a-z][a-z0-9_]*)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenCompose:
    """A Compose file whose images, settings and secrets are all in the recipe."""

    raw: bytes
    compose: ComposeFile
    warnings: tuple[str, ...]

    @property
    def digest(self) -> Digest:
        """The digest of the file's bytes."""
        return Digest.of(self.raw)


def prove_compose(raw: bytes, *, name: str, recipe: RecipeDocument) -> ProvenCompose:
    """Prove that the Compose file `raw` names only images and settings of `recipe`.

    Raises `UsageError` with line and column: S1-U66 an image, S1-U67 a setting, S1-U68 a secret
    that the recipe does not have, S1-U76 a secret used as text, S1-U79 a port of another kind.
    What nobody uses is a warning.
    """
    compose = parse_compose(raw, name=name)
    document = parse_yaml(raw, name=name)
    secrets = {setting.name for setting in recipe.settings if setting.kind == "secret"}
    values = {setting.name for setting in recipe.settings} - secrets
    for service in compose.services:
        _check_image(document, service, compose, recipe)
        _check_secrets(document, service, compose, secrets)
        _check_port(document, service, compose, recipe)
    for path, setting in _uses("$", document.data):
        _check_use(document, path, setting, values=values, secrets=secrets)
    return ProvenCompose(raw=raw, compose=compose, warnings=tuple(_idle(compose, recipe)))


def _check_image(
    document: Document, service: str, compose: ComposeFile, recipe: RecipeDocument
) -> None:
    image = compose.services[service].image
    if image not in recipe.images:
        raise document.refuse(
            f"$.services.{service}.image",
            f"image `{image}` of service `{service}` is not in the recipe's `images`",
            code="S1-U66",
            hint=f"add `{image}` to the recipe, or name one of: {', '.join(recipe.images)}",
        )


def _check_secrets(
    document: Document, service: str, compose: ComposeFile, secrets: set[str]
) -> None:
    for number, secret in enumerate(compose.services[service].secrets):
        if secret not in secrets:
            raise document.refuse(
                f"$.services.{service}.secrets[{number}]",
                f"secret `{secret}` of service `{service}` is not declared",
                code="S1-U68",
                hint=f"add `{{name: {secret}, kind: secret}}` to the recipe's `settings`",
            )


def _check_port(
    document: Document, service: str, compose: ComposeFile, recipe: RecipeDocument
) -> None:
    """Refuse a setting as the port of a health check that a site may give another text."""
    health = compose.services[service].s1ctl.health
    used = _USE.fullmatch(str(health.port)) if health else None
    kinds = {setting.name: setting.kind for setting in recipe.settings}
    if used and kinds.get(used[1], "port") != "port":
        raise document.refuse(
            f"$.services.{service}.x-s1ctl.health.port",
            f"`{used[1]}` is a setting of kind `{kinds[used[1]]}`, not `port`",
            code="S1-U79",
            hint=f"declare `{{name: {used[1]}, kind: port}}` in the recipe's `settings`",
        )


def _uses(path: str, data: object) -> Iterator[tuple[str, str]]:
    """Yield the place and name of every `${NAME}`; `$$` is a dollar sign."""
    if isinstance(data, str):
        yield from ((path, found[1]) for found in _USE.finditer(data) if found[1])
    elif isinstance(data, dict):
        for key, value in data.items():
            yield from _uses(f"{path}.{key}", key)
            yield from _uses(f"{path}.{key}", value)
    elif isinstance(data, list):
        for number, value in enumerate(data):
            yield from _uses(f"{path}[{number}]", value)


def _check_use(
    document: Document, path: str, setting: str, *, values: set[str], secrets: set[str]
) -> None:
    if setting in values:
        return
    raise (
        _secret_as_text(document, path, setting)
        if setting in secrets
        else document.refuse(
            path,
            f"`${{{setting}}}` is not a setting of the recipe",
            code="S1-U67",
            hint=f"declare `{{name: {setting}, kind: text, required: true}}` in the recipe",
        )
    )


def _secret_as_text(document: Document, path: str, setting: str) -> UsageError:
    return document.refuse(
        path,
        f"`${{{setting}}}` is a secret, which is never filled in as text",
        code="S1-U76",
        hint=f"name it in the service's `secrets`, and read the file `/run/secrets/{setting}`",
    )


def _idle(compose: ComposeFile, recipe: RecipeDocument) -> Iterator[str]:
    """Tell what the recipe has and nobody uses."""
    services = compose.services.values()
    images = {service.image for service in services}
    yield from (
        f"image `{name}` is used by no service" for name in sorted(recipe.images.keys() - images)
    )
    used = {name for service in services for name in settings_of(compose, service)}
    used |= {schema.access.password for schema in recipe.schemas}
    idle = {setting.name for setting in recipe.settings} - used
    yield from (f"setting `{name}` is used by no service" for name in sorted(idle))
