"""Debian's own entries among the package sources of this host."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from layer import BuildError

SUITE = "bookworm"
SUITES = (SUITE, f"{SUITE}-updates", f"{SUITE}-security")
KEYRING = "debian-archive"


def debian_sources(folder: Path) -> str:
    """Return one-line entries of `main` of Debian 12; other vendors' repositories are left out."""
    lines = list(dict.fromkeys([*_one_line_entries(folder), *_stanza_entries(folder)]))
    if not any(f" {SUITE} main" in line for line in lines):
        raise BuildError(f"no entry for `{SUITE} main` of Debian below `{folder}`")
    return "".join(line + "\n" for line in lines)


def _one_line_entries(folder: Path) -> Iterator[str]:
    for path in [folder / "sources.list", *sorted(folder.glob("sources.list.d/*.list"))]:
        for line in path.read_text().splitlines() if path.exists() else []:
            match = re.match(r"deb\s+(?:\[(.*?)\]\s+)?(\S+)\s+(\S+)\s+([^#]+)", line.strip())
            if match:
                options, uri, suite, components = match.groups()
                signed_by = re.search(r"signed-by=(\S+)", options or "")
                yield from _entries(
                    [uri], [suite], components.split(), signed_by[1] if signed_by else ""
                )


def _stanza_entries(folder: Path) -> Iterator[str]:
    for path in sorted(folder.glob("sources.list.d/*.sources")):
        text = "\n".join(ln for ln in path.read_text().splitlines() if not ln.startswith("#"))
        for stanza in re.split(r"\n\s*\n", text):
            fields = {
                name.lower(): value.split()
                for name, value in re.findall(r"^([\w-]+):[ \t]*(.*(?:\n[ \t].*)*)", stanza, re.M)
            }
            if "deb" in fields.get("types", []) and fields.get("enabled", ["yes"]) != ["no"]:
                yield from _entries(
                    fields.get("uris", []),
                    fields.get("suites", []),
                    fields.get("components", []),
                    " ".join(fields.get("signed-by", [])),
                )


def _entries(
    uris: list[str], suites: list[str], components: list[str], signed_by: str
) -> Iterator[str]:
    if "main" not in components or (signed_by and KEYRING not in signed_by):
        return
    option = f"[signed-by={signed_by}] " if signed_by.startswith("/") else ""
    for uri in uris:
        for suite in suites:
            if suite in SUITES:
                yield f"deb {option}{uri} {suite} main"


def apt_options() -> list[str]:
    """Return the host's settings of how apt reaches its sources (proxies, certificates)."""
    done = subprocess.run(
        ["apt-config", "dump", "--no-empty"], capture_output=True, text=True, check=True, timeout=30
    )
    return re.findall(r"^(Acquire::https?::.*?);$", done.stdout, re.M)
