"""What may stand at a place of a document, in words made from its type."""

from collections.abc import Callable
from typing import Any

from msgspec import inspect as types

_FORMS = {"Version": 'a version such as `"1.4.0"`', "SpecifierSet": 'a range such as `">=1.0,<2"`'}


def describe(kind: types.Type) -> str:
    """Say what may stand there: the description of its type, or words made from it."""
    if isinstance(kind, types.Metadata):
        said = (kind.extra_json_schema or {}).get("description")
        return str(said) if said else describe(kind.type)
    make = _WORDS.get(type(kind))
    return make(kind) if make else "something else"


def bare(kind: types.Type) -> types.Type:
    """Take the type without its description."""
    return bare(kind.type) if isinstance(kind, types.Metadata) else kind


def _union(kind: types.UnionType) -> str:
    several = (each for each in kind.types if not isinstance(each, types.NoneType))
    return " or ".join(dict.fromkeys(map(describe, several)))


def _literal(kind: types.LiteralType) -> str:
    names = [f"`{value}`" for value in kind.values]
    return names[0] if len(names) == 1 else f"one of {', '.join(names)}"


def _number(kind: types.IntType | types.FloatType) -> str:
    noun = "a whole number" if isinstance(kind, types.IntType) else "a number"
    if kind.ge is None:
        return noun
    return f"{noun} from {kind.ge}" + (f" to {kind.le}" if kind.le is not None else " on")


def _text(kind: types.StrType) -> str:
    if kind.pattern:
        return f"text of the form `{kind.pattern}`"
    return "text that is not empty" if kind.min_length else "text"


def _custom(kind: types.CustomType) -> str:
    return str(_FORMS.get(kind.cls.__name__) or getattr(kind.cls, "FORM", kind.cls.__name__))


def _struct(kind: types.StructType) -> str:
    return f"a mapping with {', '.join(f'`{field.encode_name}`' for field in kind.fields)}"


def _list(kind: types.VarTupleType | types.ListType) -> str:
    return f"a list, each {describe(kind.item_type)}"


_WORDS: dict[type, Callable[[Any], str]] = {
    types.UnionType: _union,
    types.LiteralType: _literal,
    types.IntType: _number,
    types.FloatType: _number,
    types.StrType: _text,
    types.BoolType: lambda _: "`true` or `false`",
    types.CustomType: _custom,
    types.StructType: _struct,
    types.DictType: lambda _: "a mapping",
    types.VarTupleType: _list,
    types.ListType: _list,
}
