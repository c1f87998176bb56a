"""What is wrong with plain data that must have a shape: every fault at once, in words.

msgspec decides whether data fits, and names the first fault by its own terms. Here the same types
are walked once more to say what a person wants to know: the value, and what may stand there.
"""

import difflib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from msgspec import inspect as types

from s1ctl.forms import bare, describe

Sort = Literal["unknown", "missing", "value"]
MAX_SHOWN = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault: the path of its key or value, and what is wrong in words."""

    sort: Sort
    path: str
    text: str


def find_faults(data: object, kind: object, at: str = "$") -> tuple[Fault, ...]:
    """Find all faults of `data`, which must be of the type `kind`: unknown keys come first."""
    found = list(_walk(types.type_info(kind), data, at))
    order: tuple[Sort, ...] = ("unknown", "missing", "value")
    return tuple(sorted(found, key=lambda fault: order.index(fault.sort)))


def _walk(kind: types.Type, data: object, path: str) -> Iterator[Fault]:
    inner = _choose(kind, data)
    if isinstance(inner, types.StructType) and isinstance(data, dict):
        yield from _walk_struct(inner, data, path)
    elif isinstance(inner, types.DictType) and isinstance(data, dict):
        yield from _walk_dict(inner, data, path)
    elif isinstance(inner, types.VarTupleType | types.ListType) and isinstance(data, list):
        for number, item in enumerate(data):
            yield from _walk(inner.item_type, item, f"{path}[{number}]")
    elif not _fits(inner, data):
        yield Fault(sort="value", path=path, text=_misfit(kind, data, path))


def _choose(kind: types.Type, data: object) -> types.Type:
    """Take of a union what data of this sort can be."""
    kind = bare(kind)
    sorts: tuple[Any, ...] = ()
    if isinstance(data, dict):
        sorts = (types.StructType, types.DictType)
    elif isinstance(data, list):
        sorts = (types.VarTupleType, types.ListType)
    if not isinstance(kind, types.UnionType) or not sorts:
        return kind
    return next((each for each in map(bare, kind.types) if isinstance(each, sorts)), kind)


def _walk_struct(kind: types.StructType, data: dict[str, Any], path: str) -> Iterator[Fault]:
    fields = {field.encode_name: field for field in kind.fields}
    lacking = {name for name, field in fields.items() if field.required and name not in data}
    for key in data.keys() - fields.keys() if kind.forbid_unknown_fields else ():
        meant = difflib.get_close_matches(key, fields.keys() - data.keys(), n=1)
        lacking -= set(meant)
        text = f"unknown key `{_short(key)}`" + (f", is `{meant[0]}` meant?" if meant else ";")
        known = ", ".join(f"`{name}`" for name in fields)
        yield Fault(sort="unknown", path=f"{path}.{key}", text=f"{text} known here are {known}")
    for name, field in fields.items():
        if name in lacking:
            where = "" if path == "$" else f" in `{path[2:]}`"
            text = f"the key `{name}` is missing{where}; it must be {describe(field.type)}"
            yield Fault(sort="missing", path=path, text=text)
        elif name in data:
            yield from _walk(field.type, data[name], f"{path}.{name}")


def _walk_dict(kind: types.DictType, data: dict[str, Any], path: str) -> Iterator[Fault]:
    for key, value in data.items():
        if not _fits(kind.key_type, key):
            text = f"the key `{_short(key)}` must be {describe(kind.key_type)}"
            yield Fault(sort="value", path=f"{path}.{key}", text=text)
        yield from _walk(kind.value_type, value, f"{path}.{key}")


def _misfit(kind: types.Type, data: object, path: str) -> str:
    where = "the document" if path == "$" else f"`{path[2:]}`"
    must = f"{where} must be {describe(kind)}"
    return must if _is_hidden(kind) else f"{must}, and is {_shown(data)}"


def _is_hidden(kind: types.Type) -> bool:
    """Say whether the value may be a secret in the wrong place, which is not repeated."""
    kind = bare(kind)
    several = kind.types if isinstance(kind, types.UnionType) else (kind,)
    return any(getattr(getattr(bare(each), "cls", None), "IS_HIDDEN", False) for each in several)


def _shown(data: object) -> str:
    if data is None:
        return "empty"
    if isinstance(data, bool):
        return f"`{str(data).lower()}`"
    if isinstance(data, int | float):
        return f"the number `{data}`"
    if isinstance(data, str):
        return f"the text `{_short(data)}`"
    return "a mapping" if isinstance(data, dict) else "a list"


def _short(text: str) -> str:
    """Cut a text, and leave out a password in it."""
    text = re.sub(r"//[^/@]*@", "//***@", text)
    return text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "…"


def _fits(kind: types.Type, data: object) -> bool:
    """Say whether data is of this type; what a mapping or list holds is looked at elsewhere."""
    kind = bare(kind)
    test = _TESTS.get(type(kind))
    return bool(test and test(kind, data))


def _fits_text(kind: types.StrType, data: object) -> bool:
    if not isinstance(data, str) or len(data) < (kind.min_length or 0):
        return False
    return kind.pattern is None or bool(re.search(kind.pattern, data))


def _fits_number(kind: types.IntType | types.FloatType, data: object) -> bool:
    sorts = (int,) if isinstance(kind, types.IntType) else (int, float)
    if isinstance(data, bool) or not isinstance(data, sorts):
        return False
    return (kind.ge is None or data >= kind.ge) and (kind.le is None or data <= kind.le)


def _fits_custom(kind: types.CustomType, data: object) -> bool:
    if not isinstance(data, str):
        return False
    make: Callable[[str], object] = kind.cls
    try:
        make(data)
    except ValueError:
        return False
    return True


_TESTS: dict[type, Callable[[Any, object], bool]] = {
    types.UnionType: lambda kind, data: any(_fits(each, data) for each in kind.types),
    types.AnyType: lambda _, __: True,
    types.NoneType: lambda _, data: data is None,
    types.BoolType: lambda _, data: isinstance(data, bool),
    types.LiteralType: lambda kind, data: any(
        data == value and type(data) is type(value) for value in kind.values
    ),
    types.StrType: _fits_text,
    types.IntType: _fits_number,
    types.FloatType: _fits_number,
    types.CustomType: _fits_custom,
}
