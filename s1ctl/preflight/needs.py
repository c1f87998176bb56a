"""What the planned operation needs of the site: the other half of every judgement."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from packaging.specifiers import SpecifierSet

from s1ctl.oci.digest import Digest
from s1ctl.preflight.finding import Phase
from s1ctl.release.manifest import Image
from s1ctl.site.config import Site


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """Requirements of the releases of the path, added up, and of the site file.

    `disk_bytes` and `inodes` are what each folder will take, `copies` the folders in which each
    database will lie once more: its dump, and that dump restored to prove it. `ports` are those
    that edges bind, `own_ports` those among them that the installed edges hold. `systems` are the
    systems that each release names; `pulls` are the images that the engine lacks, all of them for
    `doctor`; `is_staged` tells that it lacks none, so that the registry is not needed.
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
    inodes: dict[str, int] = field(default_factory=dict)
    copies: dict[str, tuple[str, ...]] = field(default_factory=dict)
    ports: tuple[int, ...] = ()
    own_ports: tuple[int, ...] = ()
    systems: dict[str, Mapping[str, SpecifierSet]] = field(default_factory=dict)
    images: tuple[Image, ...] = ()
    pulls: tuple[Image, ...] = ()
    releases: tuple[Digest, ...] = ()
    databases: tuple[str, ...] = ()
    is_staged: bool = False
    is_installed: bool = False
    has_release: bool = True
    operation: str | None = None
    problems: tuple[str, ...] = ()
