"""What the planned operation needs of the site: the other half of every judgement."""

from dataclasses import dataclass, field

from packaging.specifiers import SpecifierSet

from s1ctl.preflight.finding import Phase
from s1ctl.site.config import Site


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """Requirements of the releases of the path, added up, and of the site file.

    `disk_bytes` is what each folder will take; `ports` are those that edges bind; `is_staged`
    tells that every image is in the engine already, so that the registry is not needed.
    `has_release` is false where only the site file is known: no release is loaded yet.
    `operation` is the one that runs these checks itself and therefore holds the lock.
    """

    phase: Phase
    site: Site
    source: str
    engine: SpecifierSet = field(default_factory=SpecifierSet)
    postgresql: SpecifierSet = field(default_factory=SpecifierSet)
    memory_bytes: int = 0
    disk_bytes: dict[str, int] = field(default_factory=dict)
    ports: tuple[int, ...] = ()
    databases: tuple[str, ...] = ()
    is_staged: bool = False
    is_installed: bool = False
    has_release: bool = True
    operation: str | None = None
    problems: tuple[str, ...] = ()
