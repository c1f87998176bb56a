"""Dumps of a data unit at a real engine: taken, proven in a throwaway container, restored."""

import os
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg2
import pytest

from s1ctl.database.reach import make_dsn
from s1ctl.database.restore import is_restored
from s1ctl.database.snapshot import count_rows
from s1ctl.errors import InputOutputFailed, StepFailed
from s1ctl.ledger.backups import Backup
from s1ctl.ledger.ledger import open_ledger
from s1ctl.operation.dumps import Source, prove_dump, restore_dump, take_dump
from s1ctl.progress import silent
from s1ctl.release.compose import parse_compose
from s1ctl.release.manifest import Access, Schema
from s1ctl.shape import changed
from s1ctl.site.secrets import Secret
from s1ctl.targets.docker import DockerTarget, UnitSettings
from s1ctl.targets.docker_container import SITE
from s1ctl.targets.docker_engine import Engine
from tests.support.foreign_image import ENVIRONMENT, HERE, foreign_base
from tests.support.images import make_image, make_layer, push_image
from tests.support.openloop_platform import REPOSITORY, make_site, place, release_of
from tests.support.registry import RegistryServer
from tests.support.rich import RICH
from tests.support.subnets import take_subnet

pytestmark = pytest.mark.integration

WAIT_S = 60
PASSWORD = Secret("canary-4711")
COMPOSE = """\
services:
  store:
    image: all
    command: [sh, /srv/store.sh]
    user: "{user}"
    volumes: ["cluster:/srv/ledger"]
    secrets: [ledger_password]
    x-s1ctl: {{role: data}}
volumes: {{cluster: }}
secrets: {{ledger_password: {{file: ./word}}}}
"""


class Shop:
    """A site whose one unit is PostgreSQL of a foreign image, and as much of a context."""

    def __init__(self, engine: Engine, name: str, registry: RegistryServer, state: Path) -> None:
        layers = [foreign_base(), make_layer({"/srv/store.sh": (HERE / "store.sh").read_bytes()})]
        image = make_image(layers, command=["node"], environment=ENVIRONMENT)
        push_image(registry.url, REPOSITORY, image)
        subnet = take_subnet(name)
        self.site = make_site(
            name, subnet=subnet, registry_url=registry.url, socket=engine.socket, state=state
        )
        self.engine = engine
        self.target = DockerTarget(site=self.site, client=engine, state=state)
        self.target.pull(f"{registry.host}/{REPOSITORY}@{image.digest}", None)
        self.release: Any = release_of(image, COMPOSE.format(user=7000), version="1.0.0")
        instance = place(self.site, "store", self.release, "1.0.0", "a")
        secrets = UnitSettings(secrets={"ledger_password": PASSWORD})
        self.target.prepare(self.release, secrets, (instance,))
        self.ledger = open_ledger(state)
        self.context: Any = SimpleNamespace(
            site=self.site, target=self.target, ledger=self.ledger,
            now=lambda: datetime.now(UTC),
            compose=lambda release: parse_compose(release.compose, name="compose.yaml"),
        )  # fmt: skip
        self.source = self._source()
        self._wait()
        self.execute(RICH)

    def execute(self, sql: str) -> None:
        with psycopg2.connect(self.source.dsn.reveal()) as connection:
            connection.cursor().execute(sql)

    def take(self, backup: str, *, is_archive: bool = False) -> Backup:
        return take_dump(
            self.context, self.source, backup, operation="op-1", notify=silent,
            is_archive=is_archive,
        )  # fmt: skip

    def restore(self, backup: Backup) -> dict[str, int]:
        return restore_dump(
            self.context, self.source, backup, operation="op-1", fence=1, notify=silent
        )

    def containers(self) -> list[str]:
        return sorted(self.engine.containers({SITE: self.site.name}))

    def _source(self) -> Source:
        access = Access(dbname="ledger", user="ledger", password="ledger_password")
        schema = Schema(database="books", engine="postgresql", access=access, revisions=())
        dsn = make_dsn(schema, self.target.address("store"), PASSWORD)
        return Source(release=self.release, schema=schema, dsn=dsn, unit="store")

    def _wait(self) -> None:
        deadline = time.monotonic() + WAIT_S
        while True:
            try:
                count_rows(self.source.dsn)
            except InputOutputFailed:
                assert time.monotonic() < deadline
                time.sleep(0.2)
            else:
                return


@pytest.fixture
def shop(
    docker_client: Engine, site_name: str, plain_registry: RegistryServer, tmp_path: Path
) -> Iterator[Shop]:
    shop = Shop(docker_client, site_name, plain_registry, tmp_path / "state")
    yield shop
    shop.ledger.close()


def test_a_dump_is_proven_without_touching_the_platform_and_leaves_nothing(shop: Shop) -> None:
    before = shop.containers()
    backup = shop.take("b0001")
    assert backup.counts == count_rows(shop.source.dsn)
    assert Path(backup.path).stat().st_mode & 0o777 == 0o600
    proof = prove_dump(shop.context, shop.source, backup, silent)
    assert (proof.matches, proof.counts) == (True, backup.counts)
    assert proof.fingerprint == backup.fingerprint
    found = shop.ledger.backups.find("b0001")
    assert found is not None
    assert found.is_proven
    assert shop.containers() == before
    assert Path(backup.path).stat().st_uid == os.geteuid()
    assert PASSWORD.reveal() not in Path(backup.path).with_suffix(".schema").read_text()


def test_a_dump_that_is_not_what_was_counted_fails_by_name_and_is_recorded(shop: Shop) -> None:
    backup = shop.take("b0001")
    wrong = changed(backup, counts={**backup.counts, "shop.users": 6})
    shop.ledger.backups.record(wrong)
    with pytest.raises(StepFailed) as caught:
        prove_dump(shop.context, shop.source, wrong, silent)
    assert caught.value.code == "S1-D62"
    assert "`shop.users` has 5 rows, and had 6 rows" in caught.value.message
    found = shop.ledger.backups.find("b0001")
    assert found is not None
    assert found.proof is not None
    assert not found.is_proven


def test_a_dump_that_was_changed_on_disk_is_used_for_nothing(shop: Shop) -> None:
    backup = shop.take("b0001")
    with Path(backup.path).open("ab") as file:
        file.write(b"x")
    with pytest.raises(InputOutputFailed) as caught:
        prove_dump(shop.context, shop.source, backup, silent)
    assert caught.value.code == "S1-D60"
    with pytest.raises(InputOutputFailed) as caught:
        shop.restore(backup)
    assert caught.value.code == "S1-D60"


def test_after_a_restore_exactly_the_rows_it_announced_are_gone_and_the_archive_has_them(
    shop: Shop,
) -> None:
    backup = shop.take("b0001")
    prove_dump(shop.context, shop.source, backup, silent)
    shop.execute("INSERT INTO shop.users (name) SELECT 'late' FROM generate_series(1, 4)")
    shop.execute("CREATE TABLE newer AS SELECT 1 AS i; DELETE FROM shop.orders")
    archive = shop.take("b0002", is_archive=True)
    lost = shop.restore(backup)
    assert lost == {"public.newer": 1, "shop.users": 4}
    assert count_rows(shop.source.dsn) == backup.counts
    assert is_restored(shop.source.dsn, operation="op-1", backup="b0001")
    shop.restore(archive)
    assert count_rows(shop.source.dsn) == archive.counts


def test_a_proof_that_was_killed_leaves_nothing_after_the_next(shop: Shop) -> None:
    before = shop.containers()
    backup = shop.take("b0001")
    name = f"{shop.site.name}-once-prove-b0001"
    child = os.fork()
    if child == 0:
        try:
            prove_dump(shop.context, shop.source, backup, silent)
        finally:
            os._exit(0)
    deadline = time.monotonic() + WAIT_S
    while name not in " ".join(names(shop)):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(child, 9)
    os.waitpid(child, 0)
    assert name in " ".join(names(shop))
    prove_dump(shop.context, shop.source, backup, silent)
    assert shop.containers() == before


@pytest.mark.parametrize("user", ["0", "postgres"])
def test_an_image_that_begins_as_root_or_by_name_is_proven_too(shop: Shop, user: str) -> None:
    backup = shop.take("b0001")
    shop.release = changed_release(shop, user)
    source = Source(
        release=shop.release, schema=shop.source.schema, dsn=shop.source.dsn, unit="store"
    )
    assert prove_dump(shop.context, source, backup, silent).matches


def changed_release(shop: Shop, user: str) -> Any:
    raw = COMPOSE.format(user=user).encode()
    return SimpleNamespace(manifest=shop.release.manifest, compose=raw)


def names(shop: Shop) -> list[str]:
    done = subprocess.run(
        ["docker", "ps", "-a", "--format", "{{.Names}}",
         "--filter", f"label={SITE}={shop.site.name}"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.split()
