"""The recipe: what a vendor writes to have a bundle built."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta, field
from packaging.version import Version

from s1ctl.errors import ContentsRefused, UsageError
from s1ctl.files import unreadable
from s1ctl.oci.reference import check_repository, check_tag
from s1ctl.release.manifest import Access, Name, Requires, Setting, UpgradeRules
from s1ctl.release.settings import text_of
from s1ctl.shape import Value
from s1ctl.site.secrets import SecretSource
from s1ctl.strict_yaml import Document, parse_yaml

Text = Annotated[str, Meta(min_length=1)]
Url = Annotated[
    str,
    Meta(
        pattern=r"^https?://[^/@\s]+\Z",
        description="a URL such as `https://HOST:PORT`, without path, user or password",
    ),
]
Time = Annotated[
    str,
    Meta(
        pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\Z",
        description='a time such as `"2026-01-01T00:00:00Z"`',
    ),
]
MAX_IMAGES = 1023  # with the Compose file the subjects of a statement are at most 1024


class ImageEntry(Value):
    """An image: `name` in an OCI layout or a registry, and its `repository` at a site."""

    name: Text
    repository: Text
    oci_layout: Text | None = field(name="oci-layout", default=None)
    registry: Url | None = None
    ca: Text | None = None
    user: Text | None = None
    password: SecretSource | None = None


class SchemaEntry(Value):
    """A database of the platform and the folder with its migrations."""

    database: Name
    engine: Literal["postgresql"]
    access: Access
    migrations: Text


class RecipeDocument(Value):
    """The recipe as it is written."""

    format: Literal[1]
    product: Name
    channel: Name
    version: Version
    sequence: Annotated[int, Meta(ge=1)]
    images: dict[Name, ImageEntry]
    compose: Text
    upgrade: UpgradeRules
    requires: Requires = field(default_factory=Requires)
    settings: tuple[Setting, ...] = ()
    schemas: tuple[SchemaEntry, ...] = ()
    issued: Time | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A recipe that was read and checked; its relative paths begin at its own folder."""

    path: Path
    document: Document
    declared: RecipeDocument

    def resolve(self, text: str) -> Path:
        """Find the file or folder that the recipe names by `text`."""
        return self.path.parent / text


def read_recipe(path: Path) -> Recipe:
    """Read and check the recipe at `path`; what it names is not opened.

    Raises `UsageError` with line and column.
    """
    document = parse_yaml(_read(path), name=str(path))
    document.check_keys(RecipeDocument)
    _check_quotes(document)
    _check_images(document)
    declared = document.parse(RecipeDocument)
    _check_version(document, declared.version)
    _check_settings(document, declared.settings)
    _check_schemas(document, declared)
    return Recipe(path=path, document=document, declared=declared)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise UsageError(
            f"there is no recipe at `{path}`",
            code="S1-U60",
            hint="name the recipe's file: `s1ctl bundle build RECIPE -o FILE`",
        ) from None
    except OSError as error:
        raise unreadable(path, error) from None


def _check_quotes(document: Document) -> None:
    """Refuse numbers where a version stands: YAML reads `1.10` as 1.1."""
    for path, value in _versions(document.data):
        if isinstance(value, int | float):
            raise document.refuse(
                path,
                f"`{path[2:]}` is the number `{value}`, not text",
                code="S1-U61",
                hint='put quotes round it: YAML reads 1.10 as the number 1.1, but "1.10" as text',
            )


def _versions(data: object) -> Iterator[tuple[str, object]]:
    recipe = _mapping(data)
    yield "$.version", recipe.get("version")
    for key, value in _mapping(recipe.get("requires")).items():
        if not key.endswith("_mib"):
            yield f"$.requires.{key}", value
    for name, value in _mapping(_mapping(recipe.get("requires")).get("os")).items():
        yield f"$.requires.os.{name}", value
    upgrade = _mapping(recipe.get("upgrade"))
    yield "$.upgrade.from", upgrade.get("from")
    known = upgrade.get("known")
    for number, edge in enumerate(known if isinstance(known, list) else []):
        for key in ("version", "from"):
            yield f"$.upgrade.known[{number}].{key}", _mapping(edge).get(key)


def _mapping(data: object) -> dict[str, Any]:
    return data if isinstance(data, dict) else {}


def _check_images(document: Document) -> None:
    """Parse each image by itself, so that a fault is told with the line of its own entry."""
    if "images" not in _mapping(document.data):
        return
    images = document.data["images"]
    for name, path, data in document.entries("$.images", images):
        if not re.fullmatch(r"[a-z][a-z0-9_-]{0,62}", name):
            raise document.refuse(
                path, f"`{name}` is not a name: lower-case letters, digits, `_` and `-`"
            )
        _check_image(document, path, document.parse(ImageEntry, path, data))
    _check_repositories(document, images)
    if not 1 <= len(images) <= MAX_IMAGES:
        raise document.refuse(
            "$.images", f"`images` has {len(images)} entries, not 1 to {MAX_IMAGES}"
        )


def _check_image(document: Document, path: str, image: ImageEntry) -> None:
    if (image.oci_layout is None) == (image.registry is None):
        raise document.refuse(
            path,
            f"image `{path.rpartition('.')[2]}` needs either `oci-layout` or `registry`",
            code="S1-U62",
            hint='write `oci-layout: FOLDER` or `registry: "https://HOST:PORT"`',
        )
    if image.oci_layout and (image.ca or image.user or image.password):
        raise document.refuse(
            path, "`ca`, `user` and `password` belong to a `registry` only", code="S1-U62"
        )
    if (image.user is None) != (image.password is None):
        raise document.refuse(path, "`user` and `password` go together", code="S1-U62")
    try:
        check_repository(image.repository)
    except ContentsRefused as error:
        raise document.refuse(
            f"{path}.repository", error.message, code="S1-U69", hint=error.hint
        ) from None


def _check_repositories(document: Document, images: dict[str, Any]) -> None:
    """Refuse two images in one repository: both would have the tag of the version."""
    seen: dict[str, str] = {}
    for name, image in images.items():
        former = seen.setdefault(image["repository"], name)
        if former != name:
            raise document.refuse(
                f"$.images.{name}.repository",
                f"image `{former}` goes to the repository `{image['repository']}` too",
                code="S1-U69",
            )


def _check_version(document: Document, version: Version) -> None:
    """Refuse a version that cannot be the tag of the images (`1.0.0+local`)."""
    try:
        check_tag(str(version))
    except ContentsRefused as error:
        raise document.refuse(
            "$.version", error.message, code="S1-U61", hint="write it like `1.0.0` or `1.0.0rc1`"
        ) from None


def _check_settings(document: Document, settings: tuple[Setting, ...]) -> None:
    for number, setting in enumerate(settings):
        fault = _setting_fault(setting)
        if setting.name in {former.name for former in settings[:number]}:
            fault = "is declared twice"
        if fault:
            raise document.refuse(
                f"$.settings[{number}].name", f"setting `{setting.name}` {fault}", code="S1-U63"
            )


def _setting_fault(setting: Setting) -> str | None:
    if setting.kind == "secret":
        return None if setting.default is None else "is a secret, which a bundle must not hold"
    if setting.generate is not None:
        return "is generated, but only a `kind: secret` can be"
    if setting.default is None:
        return None if setting.required else "needs a `default` or `required: true`"
    if setting.required:
        return "is required, so that its `default` is never used"
    if text_of(setting.kind, setting.default) is None:
        return f"has the default `{setting.default}`, which is not of kind `{setting.kind}`"
    return None


def _check_schemas(document: Document, declared: RecipeDocument) -> None:
    secrets = {setting.name for setting in declared.settings if setting.kind == "secret"}
    for number, schema in enumerate(declared.schemas):
        path = f"$.schemas[{number}]"
        if schema.database in {former.database for former in declared.schemas[:number]}:
            raise document.refuse(
                f"{path}.database", f"database `{schema.database}` occurs twice", code="S1-U64"
            )
        if schema.access.password not in secrets:
            raise document.refuse(
                f"{path}.access.password",
                f"`{schema.access.password}` is not a setting of kind `secret`",
                code="S1-U64",
                hint=f"declare `{{name: {schema.access.password}, kind: secret}}` in `settings`",
            )
