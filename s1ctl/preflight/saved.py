"""Collected facts as a file, to be judged elsewhere. Nothing secret is in it."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import cache
from typing import Any, Literal, NoReturn

from s1ctl import __version__
from s1ctl.errors import UsageError
from s1ctl.ledger.waivers import Waiver
from s1ctl.masking.redact import masked
from s1ctl.preflight.check import Check, evaluate
from s1ctl.preflight.finding import Finding
from s1ctl.preflight.needs import Needs
from s1ctl.preflight.waiving import honour
from s1ctl.shape import ShapeError, Value, parse_value, plain
from s1ctl.site.config import RegistryAccess, Site, Target
from s1ctl.site.facts import Facts

MAX_BYTES = 16 << 20
MISFITS = (KeyError, IndexError, TypeError, AttributeError, ValueError)


class Document(Value):
    """The file: which checks were planned, what the release needs, what was seen."""

    format: Literal[1]
    s1ctl: str
    checks: tuple[str, ...]
    needs: dict[str, Any]
    facts: Facts
    waivers: tuple[Waiver, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """What was collected at a site; `name` is the file's, for what is wrong with it."""

    name: str
    checks: tuple[str, ...]
    needs: Needs
    facts: Facts
    waivers: tuple[Waiver, ...]


def write_saved(
    checks: Sequence[Check],
    needs: Needs,
    facts: Facts,
    waivers: Sequence[Waiver],
    *,
    mask: Callable[[str], str] = masked,
) -> bytes:
    """Write facts and needs as JSON, without what the site file says of secrets and hooks.

    Every text in it goes through `mask`.
    """
    document = Document(
        format=1,
        s1ctl=__version__,
        checks=tuple(check.id for check in checks),
        needs={f.name: plain(getattr(needs, f.name)) for f in fields(Needs)}
        | {"site": plain(_bare(needs.site))},
        facts=facts,
        waivers=tuple(waivers),
    )
    shown = _masked(plain(document), cache(mask))
    return (json.dumps(shown, indent=1, ensure_ascii=False) + "\n").encode()


def _masked(data: Any, mask: Callable[[str], str]) -> Any:
    """Mask texts one by one, so that the document keeps its shape."""
    if isinstance(data, dict):
        return {key: _masked(value, mask) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_masked(value, mask) for value in data]
    return mask(data) if isinstance(data, str) else data


def _bare(site: Site) -> Site:
    """Keep of a site file what judges look at."""
    access = RegistryAccess(url=site.registry.url, ca=site.registry.ca)
    target = Target(kind="docker", network=site.target.network, socket=site.target.socket)
    return Site(
        version=1,
        name=site.name,
        target=target,
        registry=access,
        trust=site.trust,
        policy=site.policy,
        state_dir=site.state_dir,
    )


def read_saved(raw: bytes, *, name: str) -> Saved:
    """Read what `write_saved` wrote.

    Raises `UsageError`: S1-U161 for what is no JSON or has another shape, with its place; S1-U162
    for one of another s1ctl.
    """
    data = _parse(raw, name)
    _check_maker(data, name)
    try:
        document = parse_value(data, Document)
    except ShapeError as error:
        _refuse(name, error.path, error.message)
    known = {f.name for f in fields(Needs)}
    strange = sorted(document.needs.keys() - known)
    if strange:
        _refuse(name, f"$.needs.{strange[0]}", "unknown key")
    try:
        needs = parse_value(document.needs, Needs)
    except ShapeError as error:
        _refuse(name, f"$.needs{error.path[1:]}", error.message)
    return Saved(
        name=name,
        checks=document.checks,
        needs=needs,
        facts=document.facts,
        waivers=document.waivers,
    )


def judge_saved(saved: Saved, checks: Sequence[Check]) -> tuple[Finding, ...]:
    """Judge facts from a file; one that its check cannot read is refused with its place.

    Raises `UsageError` S1-U161.
    """
    for count, check in enumerate(checks, start=1):
        try:
            evaluate(checks[:count], saved.facts, saved.needs)
        except MISFITS as error:
            names = " or ".join(f"`$.facts.items.{name}.value`" for name in check.facts)
            raise UsageError(
                f"`{saved.name}`: {names or '`$.needs`'} is not what {check.id} reads"
                f" ({type(error).__name__}: {error})",
                code="S1-U161",
                hint="save the facts again at the site: `s1ctl preflight --save FILE`",
            ) from None
    return honour(evaluate(checks, saved.facts, saved.needs), saved.waivers)


def _parse(raw: bytes, name: str) -> Any:
    if len(raw) > MAX_BYTES:
        _refuse(name, "$", f"more than {MAX_BYTES} bytes")
    try:
        return json.loads(raw.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        _refuse(name, place, f"not JSON: {error.msg[:1].lower()}{error.msg[1:]}")
    except UnicodeDecodeError as error:
        _refuse(name, f"byte {error.start}", "not UTF-8")
    except RecursionError:
        _refuse(name, "$", "too many levels")
    except ValueError as error:
        _refuse(name, "$", str(error))


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) != len(pairs):
        names = [key for key, _ in pairs]
        twice = next(key for key in names if names.count(key) > 1)
        raise ValueError(f"the key `{twice[:40]}` occurs twice in one object")
    return data


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"`{text}` is no number of JSON")


def _check_maker(data: Any, name: str) -> None:
    """Facts of another s1ctl may mean something else by the same names."""
    maker = data.get("s1ctl") if isinstance(data, dict) else None
    if isinstance(maker, str) and maker != __version__:
        raise UsageError(
            f"`{name}` was saved by s1ctl {maker[:40]}, and this is {__version__}",
            code="S1-U162",
            hint="judge it with that s1ctl: `s1ctl --version` says which one this is",
        )


def _refuse(name: str, place: str, what: str) -> NoReturn:
    raise UsageError(
        f"`{name}` at `{place}`: {what[:1].lower()}{what[1:]}",
        code="S1-U161",
        hint="save the facts again at the site: `s1ctl preflight --save FILE`",
    )
