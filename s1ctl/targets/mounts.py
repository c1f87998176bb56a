"""Files of ours that a container sees: its secrets and configs, in a folder a container."""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from s1ctl.errors import InputOutputFailed
from s1ctl.files import write_file
from s1ctl.release.compose import fill
from s1ctl.release.service import Service
from s1ctl.targets.docker_container import Bind, owner
from s1ctl.targets.settings import UnitSettings

SECRETS = "/run/secrets"


class Mounts:
    """`state/mounts/CONTAINER/{secrets,configs}/NAME`; nobody but the operator may look in."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(
        self,
        container: str,
        service: Service,
        configs: Mapping[str, str],
        settings: UnitSettings,
    ) -> tuple[Bind, ...]:
        """Write what `service` mounts, and say the mounts. Each file is written whole.

        Secrets get mode 0400 and the container's user. Raises `InputOutputFailed` S1-E15.
        """
        try:
            return (
                *self._secrets(container, service, settings),
                *self._configs(container, service, configs, settings),
            )
        except OSError as error:
            raise InputOutputFailed(
                f"the files of `{container}` cannot be written: {error.strerror or error}",
                code="S1-E15",
                hint=f"look at the space and owner of `{self._folder}`; secrets need root",
            ) from None

    @contextmanager
    def lent(self, files: Mapping[str, Path], service: Service) -> Iterator[tuple[Bind, ...]]:
        """Let the container's user read files of ours, by their places in it, while the block runs.

        They change owner meanwhile; a kill leaves them so, in folders that only the operator may
        enter. Raises `InputOutputFailed` S1-E15.
        """
        try:
            if owner(service) != os.geteuid():
                for path in files.values():
                    os.chown(path, owner(service), -1)
        except OSError as error:
            raise InputOutputFailed(
                f"`{error.filename}` cannot be given to a container: {error.strerror or error}",
                code="S1-E15",
                hint="run s1ctl as root",
            ) from None
        try:
            yield tuple(Bind(source=path, target=target) for target, path in files.items())
        finally:
            for path in files.values():
                with suppress(OSError):
                    os.chown(path, os.geteuid(), -1)

    def remove(self, container: str) -> None:
        """Remove the files of a container; gone is fine."""
        shutil.rmtree(self._folder / container, ignore_errors=True)

    def _secrets(self, container: str, service: Service, settings: UnitSettings) -> list[Bind]:
        folder = self._ensure(container, "secrets")
        binds = []
        for name in service.secrets:
            value = settings.secrets[name].reveal().encode()
            write_file(folder / name, value, mode=0o400)
            if owner(service) != os.geteuid():
                os.chown(folder / name, owner(service), -1)
            binds.append(Bind(source=folder / name, target=f"{SECRETS}/{name}"))
        return binds

    def _configs(
        self,
        container: str,
        service: Service,
        configs: Mapping[str, str],
        settings: UnitSettings,
    ) -> list[Bind]:
        folder = self._ensure(container, "configs")
        binds = []
        for use in service.config_uses:
            text = fill(configs[use.source], settings.values)
            write_file(folder / use.source, text.encode(), mode=0o444)
            binds.append(Bind(source=folder / use.source, target=use.target))
        return binds

    def _ensure(self, container: str, kind: str) -> Path:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = self._folder / container / kind
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder
