"""Parse documents into immutable values, strictly, with the place of every fault."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, dataclass_transform

import msgspec
from msgspec import field
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

if TYPE_CHECKING:
    # What a type checker shall see: msgspec's own declaration does not hand `kw_only` on.
    @dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(field,))
    class Value:
        """An immutable document or part of one; unknown keys and wrong types are refused."""

        def __init_subclass__(cls, *, tag: str = "", tag_field: str = "") -> None: ...

else:

    class _Keywords(msgspec.StructMeta):
        """Make every value keyword-only; msgspec hands that option on to no subclass."""

        def __new__(mcs, name, bases, body, **options):
            return super().__new__(mcs, name, bases, body, **{"kw_only": True, **options})

    class Value(msgspec.Struct, metaclass=_Keywords, frozen=True, forbid_unknown_fields=True):
        """An immutable document or part of one; unknown keys and wrong types are refused."""


class ShapeError(Exception):
    """A document that does not have the shape asked for: `path` is where (`$.units[0].name`)."""

    def __init__(self, message: str, path: str) -> None:
        super().__init__(message)
        self.message = message
        self.path = path


T = TypeVar("T")


def parse_value(data: object, kind: type[T]) -> T:
    """Turn plain data (dicts, lists, strings, numbers) into `kind`.

    Raises `ShapeError` with the path of the fault.
    """
    try:
        return msgspec.convert(data, kind, dec_hook=_decode)
    except msgspec.ValidationError as error:
        message, at, path = str(error).rpartition(" - at `$")
        raise ShapeError(message if at else path, f"${path[:-1]}" if at else "$") from None


V = TypeVar("V", bound=Value)


def changed(value: V, **changes: object) -> V:
    """Make a copy of `value` with some fields changed."""
    copy: V = msgspec.structs.replace(value, **changes)  # type: ignore[type-var]
    return copy


def plain(value: object) -> Any:
    """Turn a value into plain data with sorted keys, ready for canonical JSON."""
    return msgspec.to_builtins(value, enc_hook=str, order="sorted")


def _decode(kind: type, text: object) -> object:
    if not isinstance(text, str):
        raise ValueError(f"Expected `str`, got `{type(text).__name__}`")
    parse: Callable[[str], object] = kind
    try:
        return parse(text)
    except (InvalidVersion, InvalidSpecifier):
        noun = {Version: "version", SpecifierSet: "version specifier"}.get(kind, kind.__name__)
        raise ValueError(f"`{text}` is not a {noun}") from None
