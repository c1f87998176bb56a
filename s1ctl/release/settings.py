"""Settings: what a release declares, joined with what a site gives."""

import difflib
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from s1ctl.release.manifest import Setting

Given = str | int | bool


class Problem(str):
    """What is wrong with one setting, in words; `name` is the setting."""

    name: str

    @classmethod
    def of(cls, name: str, text: str) -> "Problem":
        """Make the problem of the setting `name`."""
        problem = cls(text)
        problem.name = name
        return problem


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedSettings:
    """Values as text by name, secrets as declared, `sources` where the site names one.

    Usable only where there are no `problems`. `unknown` names what the site gives and no release
    of the path declares; each is among the problems too.
    """

    values: dict[str, str]
    secrets: tuple[Setting, ...]
    sources: dict[str, str]
    unknown: tuple[str, ...]
    problems: tuple[Problem, ...]


def resolve_settings(
    declared: tuple[Setting, ...],
    given: Mapping[str, Given],
    *,
    elsewhere: Collection[str] = (),
) -> ResolvedSettings:
    """Join defaults and the site's values, and tell every problem at once.

    `elsewhere` are names that other releases of the path declare: they may be given, too.
    """
    problems = []
    plain_values: dict[str, str] = {}
    sources: dict[str, str] = {}
    for setting in declared:
        value = given.get(setting.name, setting.default)
        problem = _problem(setting, value)
        if problem:
            problems.append(Problem.of(setting.name, _with_note(setting, problem)))
        elif setting.kind == "secret":
            sources |= {} if value is None else {setting.name: str(value)}
        else:
            plain_values[setting.name] = text_of(setting.kind, value) or ""
    known = {setting.name for setting in declared} | set(elsewhere)
    unknown = tuple(sorted(set(given) - known))
    problems += [Problem.of(name, _tell_unknown(name, declared)) for name in unknown]
    return ResolvedSettings(
        values=plain_values,
        secrets=tuple(setting for setting in declared if setting.kind == "secret"),
        sources=sources,
        unknown=unknown,
        problems=tuple(problems),
    )


def text_of(kind: str, value: Given | None) -> str | None:
    """Write `value` as text of `kind`; None where it is not of that kind."""
    return None if value is None else _WRITERS[kind](value)


def _problem(setting: Setting, value: Given | None) -> str | None:
    if setting.kind == "secret":
        return _secret_problem(setting, value)
    if value is None:
        return f"`{setting.name}` has no value"
    if text_of(setting.kind, value) is None:
        return f"`{setting.name}` is `{value}`, which is not {_NOUNS[setting.kind]}"
    return None


def _secret_problem(setting: Setting, value: Given | None) -> str | None:
    if value is None:
        return None if setting.generate else f"the secret `{setting.name}` has no source"
    if text_of("secret", value) is None:
        return f"`{setting.name}` is not {_NOUNS['secret']}"
    return None


def _with_note(setting: Setting, problem: str) -> str:
    return f"{problem} ({setting.note})" if setting.note else problem


def _tell_unknown(name: str, declared: tuple[Setting, ...]) -> str:
    near = difflib.get_close_matches(name, [setting.name for setting in declared], n=1)
    meant = f"; is `{near[0]}` meant?" if near else ""
    return f"`{name}` is not a setting of this release{meant}"


def _text(value: Given) -> str | None:
    is_text = isinstance(value, str) and not re.search(r"[\x00-\x1f\x7f]", value)
    return value if isinstance(value, str) and is_text else None


def _int(value: Given) -> str | None:
    if isinstance(value, bool) or not re.fullmatch(r"-?(0|[1-9][0-9]{0,17})", str(value)):
        return None
    return str(value)


def _port(value: Given) -> str | None:
    text = _int(value)
    return text if text and 1 <= int(text) <= 65535 else None


def _bool(value: Given) -> str | None:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return text if text in ("true", "false") else None


def _source(value: Given) -> str | None:
    text = str(value)
    return text if re.fullmatch(r"env:[A-Za-z_][A-Za-z0-9_]*|file:/.+|cmd:.+", text) else None


_WRITERS: dict[str, Callable[[Given], str | None]] = {
    "text": _text,
    "int": _int,
    "port": _port,
    "bool": _bool,
    "secret": _source,
}
_NOUNS = {
    "text": "one line of text (put quotes round it)",
    "int": "a whole number",
    "port": "a port from 1 to 65535",
    "bool": "`true` or `false`",
    "secret": "a source: `env:NAME`, `file:/PATH` or `cmd:COMMAND`",
}
