"""The one reader of YAML: plain data with the place of every key; no tags, aliases, duplicates."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import yaml

from s1ctl.errors import UsageError
from s1ctl.faults import Fault, Sort, find_faults
from s1ctl.shape import ShapeError, parse_value

MAX_BYTES = 1 << 20
MAX_LEVELS = 32
MAX_FAULTS = 12
CODES: Mapping[Sort, str] = {"unknown": "S1-U02", "missing": "S1-U06", "value": "S1-U03"}
T = TypeVar("T")
Place = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """Plain data read from YAML; `places` maps a path (`$.web.ports[0]`) to line and column."""

    name: str
    data: Any
    places: Mapping[str, Place]

    def place(self, path: str) -> str:
        """Say where `path` stands, `NAME:LINE:COLUMN`, or its nearest parent if it is not there."""
        line, column = self._line_column(path)
        return f"{self.name}:{line}:{column}"

    def _line_column(self, path: str) -> Place:
        while path not in self.places and path != "$":
            path = path[: max(path.rfind("."), path.rfind("["))] or "$"
        return self.places.get(path, (1, 1))

    def refuse(
        self, path: str, message: str, *, code: str = "S1-U03", hint: str = ""
    ) -> UsageError:
        """Make the error for a fault at `path`."""
        line = self.place(path).split(":")[-2]
        return UsageError(
            f"{self.place(path)}: {message}",
            code=code,
            hint=hint or f"mend line {line} of `{self.name}`",
        )

    def parse(self, kind: type[T], at: str = "$", data: object = None) -> T:
        """Turn the part at path `at` (given as `data`; the whole by default) into `kind`."""
        part = self.data if at == "$" else data
        try:
            return parse_value(part, kind)
        except ShapeError as error:
            faults = find_faults(part, kind, at)
            if faults:
                raise self.refuse_all(faults) from None
            what = error.message[:1].lower() + error.message[1:]
            path = at + error.path[1:]
            raise self.refuse(path, f"`{path[2:] or 'document'}`: {what}") from None

    def check_keys(self, kind: type) -> None:
        """Refuse the keys that are unknown or missing anywhere, all at once; values come later."""
        faults = [fault for fault in find_faults(self.data, kind) if fault.sort != "value"]
        if faults:
            raise self.refuse_all(faults)

    def refuse_all(self, faults: Sequence[Fault]) -> UsageError:
        """Make the error for several faults, one a line, in the order of the file.

        Unknown and missing keys are told before values: mending them may mend those.
        """
        sort = faults[0].sort
        told = [fault for fault in faults if (fault.sort == "value") == (sort == "value")]
        placed = sorted((self._line_column(fault.path), fault.text) for fault in told)
        lines = [f"{self.name}:{line}:{column}: {text}" for (line, column), text in placed]
        more = len(lines) - MAX_FAULTS
        if more > 0:
            lines = [*lines[:MAX_FAULTS], f"and {more} more"]
        numbers = list(dict.fromkeys(line for (line, _), _ in placed))[:MAX_FAULTS]
        noun = "line" if len(numbers) == 1 else "lines"
        return UsageError(
            "\n".join(lines),
            code=CODES[sort],
            hint=f"mend {noun} {', '.join(map(str, numbers))} of `{self.name}`",
        )

    def entries(self, at: str, data: object) -> Iterator[tuple[str, str, Any]]:
        """Yield key, path and value of the mapping at `at`."""
        if not isinstance(data, dict):
            raise self.refuse(at, f"`{at[2:]}` must be a mapping")
        yield from ((key, f"{at}.{key}", value) for key, value in data.items())


def parse_yaml(raw: bytes, *, name: str) -> Document:
    """Read one YAML document of at most 1 MiB; scalars as in YAML 1.2 core, keys are strings.

    Raises `UsageError` with line and column: S1-U01 not YAML, S1-U04 duplicate key, S1-U05 tag,
    anchor or alias.
    """
    if len(raw) > MAX_BYTES:
        raise UsageError(
            f"`{name}` has more than {MAX_BYTES} bytes", code="S1-U01", hint="shorten it"
        )
    try:
        text = raw.decode("utf-8")
        _check_tokens(text, name)
        node = yaml.compose(text, Loader=_Loader)
    except UnicodeDecodeError as error:
        raise UsageError(
            f"`{name}` is not UTF-8 at byte {error.start}", code="S1-U01", hint="save it as UTF-8"
        ) from None
    except yaml.MarkedYAMLError as error:
        raise _broken(name, error) from None
    except yaml.YAMLError as error:
        raise UsageError(
            f"`{name}` is not YAML: {error}", code="S1-U01", hint="remove that character"
        ) from None
    reader = _Reader(name)
    data = reader.read(node, "$") if node else {}
    return Document(name=name, data=data, places=reader.places)


class _Loader(yaml.SafeLoader):
    """Safe loader whose scalars follow YAML 1.2 core: `yes`, `on`, `1:30` and dates stay text."""


_Loader.yaml_implicit_resolvers = {}
for _tag, _form, _first in (
    ("bool", r"^(?:true|false)$", "tf"),
    ("int", r"^[-+]?(?:0|[1-9][0-9]{0,17})$", "-+0123456789"),
    ("float", r"^[-+]?[0-9]{1,18}\.[0-9]{1,18}(?:[eE][-+]?[0-9]{1,2})?$", "-+0123456789"),
    ("null", r"^(?:~|null|)$", ["~", "n", ""]),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_form), list(_first))


_OPENERS = (
    yaml.BlockMappingStartToken | yaml.BlockSequenceStartToken
    | yaml.FlowMappingStartToken | yaml.FlowSequenceStartToken
)  # fmt: skip
_CLOSERS = yaml.BlockEndToken | yaml.FlowMappingEndToken | yaml.FlowSequenceEndToken


def _check_tokens(text: str, name: str) -> None:
    """Refuse what must not reach the composer, which is recursive and follows aliases."""
    level = 0
    for token in yaml.scan(text, Loader=_Loader):
        level += isinstance(token, _OPENERS) - isinstance(token, _CLOSERS)
        if level > MAX_LEVELS:
            raise _refusal(name, token.start_mark, f"more than {MAX_LEVELS} levels", "S1-U01")
        if isinstance(token, yaml.AnchorToken | yaml.AliasToken | yaml.TagToken):
            noun = {"AnchorToken": "anchors", "AliasToken": "aliases", "TagToken": "tags"}
            raise _refusal(
                name,
                token.start_mark,
                f"YAML {noun[type(token).__name__]} are not allowed",
                "S1-U05",
                hint="write the value out where it is used",
            )


def _refusal(name: str, mark: yaml.Mark, message: str, code: str, *, hint: str = "") -> UsageError:
    line = mark.line + 1
    return UsageError(
        f"{name}:{line}:{mark.column + 1}: {message}",
        code=code,
        hint=hint or f"mend line {line} of `{name}`",
    )


def _broken(name: str, error: yaml.MarkedYAMLError) -> UsageError:
    mark = error.problem_mark or error.context_mark
    where = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name
    return UsageError(
        f"{where}: {error.problem or error.context}",
        code="S1-U01",
        hint="YAML wants spaces for indentation, and quotes round text with `: ` or `#` in it",
    )


class _Reader:
    def __init__(self, name: str) -> None:
        self.name = name
        self.places: dict[str, Place] = {}
        self.constructor = yaml.constructor.SafeConstructor()

    def read(self, node: yaml.Node, path: str) -> Any:
        self.places.setdefault(path, (node.start_mark.line + 1, node.start_mark.column + 1))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.read(item, f"{path}[{i}]") for i, item in enumerate(node.value)]
        return self.constructor.construct_object(node)

    def _mapping(self, node: yaml.MappingNode, path: str) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = key_node.value
            if not isinstance(key_node, yaml.ScalarNode):
                raise _refusal(self.name, key_node.start_mark, "a key must be text", "S1-U01")
            if key in data:
                raise _refusal(
                    self.name, key_node.start_mark, f"the key `{key}` occurs twice", "S1-U04"
                )
            self.places[f"{path}.{key}"] = (
                key_node.start_mark.line + 1,
                key_node.start_mark.column + 1,
            )
            data[key] = self.read(value_node, f"{path}.{key}")
        return data
