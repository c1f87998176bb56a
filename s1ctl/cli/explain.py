"""`s1ctl explain`: what a code, a check or an exit code means, offline."""

from typing import Annotated

import typer

from s1ctl.cli import context
from s1ctl.errors import UsageError


def explain(
    line: typer.Context,
    *,
    name: Annotated[str, typer.Argument(metavar="CODE|CHECK|EXIT", help="As it was printed.")],
) -> None:
    """Explain a code, a check or an exit code."""
    entries = read_entries()
    name = name.upper() if name.upper() in entries else name
    entry = entries.get(name)
    if entry is None:
        near = ", ".join(f"`{key}`" for key in nearest(name, list(entries)))
        raise UsageError(
            f"nothing is known of `{name}`",
            code="S1-U82",
            hint=f"perhaps you mean {near}" if near else "give a code such as `S1-T01`, or `10`",
        )
    context.of(line).output.result(
        [
            f"{name}: {entry['title']}",
            *(f"  {word}: {entry[word]}" for word in ("why", "fix") if word in entry),
        ],
        {"name": name, **entry},
    )


def read_entries() -> dict[str, dict[str, str]]:
    """Read every entry of `templates/explain/`, by code, check or exit code."""
    from s1ctl.data import data_folder
    from s1ctl.strict_yaml import parse_yaml

    entries: dict[str, dict[str, str]] = {}
    for path in sorted((data_folder("templates") / "explain").glob("*.yaml")):
        entries |= parse_yaml(path.read_bytes(), name=path.name).parse(dict[str, dict[str, str]])
    return entries


def nearest(name: str, names: list[str]) -> list[str]:
    """Find the names most like this one."""
    import difflib

    return difflib.get_close_matches(name.upper(), names, n=3) or difflib.get_close_matches(
        name.lower(), names, n=3
    )
