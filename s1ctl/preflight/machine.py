"""The machine: which system it runs, and of which architecture it is."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

from s1ctl.preflight.check import Check, Values
from s1ctl.preflight.collect import Collector
from s1ctl.preflight.finding import (
    Fix,
    Judgement,
    Outcome,
    Required,
    failed,
    passed,
    skipped,
    worst_of,
)
from s1ctl.preflight.needs import Needs
from s1ctl.site.facts import Fact

OS_RELEASE = (Path("/etc/os-release"), Path("/usr/lib/os-release"))
PLATFORMS = {
    "x86_64": "linux/amd64",
    "aarch64": "linux/arm64",
    "armv7l": "linux/arm",
    "i686": "linux/386",
}
SYSTEM_FIX = Fix(command="cat /etc/os-release", where="this host", safe=True)
MACHINE_FIX = Fix(command="uname -m", where="this host", safe=True)


def collectors() -> dict[str, Collector]:
    """List what is read of the machine."""
    return {"host.system": _system, "host.machine": _machine}


def platform_of(machine: str) -> str:
    """Name the platform of images for a machine as `uname -m` calls it."""
    return PLATFORMS.get(machine, f"linux/{machine}")


def _system() -> Fact:
    """Read the system's own file (os-release(5)); one without any is known by its kernel only."""
    path = next((p for p in OS_RELEASE if p.exists()), None)
    lines = path.read_text("utf-8", "replace").splitlines() if path else []
    said = dict(line.split("=", 1) for line in lines if "=" in line)
    words = {name: value.strip().strip("\"'") for name, value in said.items()}
    value = {
        "id": words.get("ID", "linux" if path else ""),
        "version": words.get("VERSION_ID", ""),
        "like": words.get("ID_LIKE", "").split(),
        "name": words.get("PRETTY_NAME", ""),
        "kernel": os.uname().release,
    }
    return Fact(value=value, source=str(path or "uname"))


def _machine() -> Fact:
    machine = os.uname().machine
    return Fact(value={"machine": machine, "platform": platform_of(machine)}, source="uname")


def judge_system(values: Values, needs: Needs) -> Judgement:
    """Judge the system by what every release of the path names; a relative of one is a warning."""
    system: Any = values["host.system"]
    text = f"{system['name'] or system['id'] or 'an unnamed system'}, kernel {system['kernel']}"
    found = [_judge_for(source, systems, system, text) for source, systems in needs.systems.items()]
    return worst_of(one for one in found if one) or passed(
        text, value=f"{system['id']} {system['version']}".strip()
    )


def _judge_for(
    source: str, systems: Mapping[str, SpecifierSet], system: Mapping[str, Any], text: str
) -> Judgement | None:
    outcome = _fits(system, systems)
    if outcome == "pass":
        return None
    wanted = ", ".join(f"{name} {versions}".strip() for name, versions in systems.items())
    advice = (
        f"A relative of what {source} is tested on: ask the vendor before you go on."
        if outcome == "warn"
        else f"Use a host with {wanted}, or ask the vendor whether this one will do."
    )
    return failed(
        text,
        advice,
        value=system["id"],
        required=Required(op="in", value=wanted, source=source),
        fix=SYSTEM_FIX,
        outcome=outcome,
        about=(f"{system['id']} {system['version']} for {source}",),
    )


def _fits(system: Mapping[str, Any], systems: Mapping[str, SpecifierSet]) -> Outcome:
    if not systems:
        return "pass"
    if system["id"] in systems:
        return "pass" if _is_in(system["version"], systems[system["id"]]) else "fail"
    return "warn" if set(system["like"]) & systems.keys() else "fail"


def _is_in(version: str, wanted: SpecifierSet) -> bool:
    """Compare a system's version; a rolling one has none, and fits where none is asked for."""
    if not str(wanted):
        return True
    try:
        return wanted.contains(Version(version), prereleases=True)
    except InvalidVersion:
        return False


def judge_machine(values: Values, needs: Needs) -> Judgement:
    """Judge whether every image of the release has a platform that this machine runs."""
    if not needs.has_release:
        return skipped("no release is loaded yet that could have images")
    machine: Any = values["host.machine"]
    own = machine["platform"]
    foreign = {image.name: image.platforms for image in needs.images if not _runs(image, own)}
    if foreign:
        names = ", ".join(f"{name} ({', '.join(p)})" for name, p in sorted(foreign.items()))
        return failed(
            f"this machine is {own}, and these images are not for it: {names}",
            f"Install on a machine for which there are images, or ask the vendor for {own}.",
            value=own,
            required=Required(op="is", value=own, source=needs.source),
            fix=MACHINE_FIX,
        )
    return passed(f"{own}, and every image has it", value=own)


def _runs(image: Any, own: str) -> bool:
    """Compare without the variant: `linux/arm/v7` is a `linux/arm`."""
    return any("/".join(platform.split("/")[:2]) == own for platform in image.platforms)


CHECKS = (
    Check(
        id="host.os",
        title="the host's system is one that the release names",
        why="On others the vendor has not tried whether it runs.",
        severity="blocking",
        facts=("host.system",),
        judge=judge_system,
    ),
    Check(
        id="host.arch",
        title="every image is for this machine",
        why="The programs of another architecture do not start.",
        severity="blocking",
        facts=("host.machine",),
        judge=judge_machine,
        is_waivable=False,
    ),
)
