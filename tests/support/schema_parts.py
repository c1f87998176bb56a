"""Words to write JSON Schemas with, and the schemas of our own value types."""

from collections.abc import Mapping
from typing import Any

import msgspec
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from s1ctl.oci.digest import Digest

Schema = dict[str, Any]
DIGEST: Schema = {"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"}
TEXT: Schema = {"type": "string"}
HEX: Schema = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
TIME: Schema = {"type": "string", "format": "date-time"}
COUNT: Schema = {"type": "integer", "minimum": 0}
NUMBER: Schema = {"type": "number"}
YES: Schema = {"type": "boolean"}
ANY: Schema = {}
HOOKS: Mapping[type, Schema] = {Digest: DIGEST, Version: TEXT, SpecifierSet: TEXT}


def thing(**properties: Schema) -> Schema:
    """Make an object with just these keys, all of them."""
    return {
        "type": "object",
        "properties": properties,
        "required": sorted(properties),
        "additionalProperties": False,
    }


def some(item: Schema) -> Schema:
    return {"type": "array", "items": item}


def by_name(item: Schema) -> Schema:
    return {"type": "object", "additionalProperties": item}


def maybe(item: Schema) -> Schema:
    return {"anyOf": [item, {"type": "null"}]}


def either(*items: Schema) -> Schema:
    return {"anyOf": list(items)}


def one_of(*values: object) -> Schema:
    return {"enum": list(values)}


def ref(name: str) -> Schema:
    """Point to a part of the same document."""
    return {"$ref": f"#/$defs/{name}"}


def file(name: str) -> Schema:
    """Point to another document."""
    return {"$ref": f"{name}.json"}


def types(*kinds: type) -> dict[str, Schema]:
    """Make the parts for our own types; every key is written, so every key is required."""
    _, parts = msgspec.json.schema_components(
        kinds, schema_hook=_own, ref_template="#/$defs/{name}"
    )
    return {name: _strict(part) for name, part in parts.items()}


def _own(kind: type) -> Schema:
    return HOOKS.get(kind, TEXT)


def _strict(part: Any) -> Any:
    if isinstance(part, list):
        return [_strict(each) for each in part]
    if not isinstance(part, dict):
        return part
    inner = {
        key: _strict(value)
        for key, value in part.items()
        if key not in ("default", "discriminator", "title")
    }
    if isinstance(inner.get("description"), str):
        inner["description"] = inner["description"].partition("\n")[0]
    if "properties" in part:
        inner["properties"] = {key: _strict(each) for key, each in part["properties"].items()}
        inner["required"] = sorted(part["properties"])
        inner["additionalProperties"] = False
    return inner
