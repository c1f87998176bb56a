"""Past a contract only a restore goes back; what it takes away is just what was announced.

Real engine, database and loop.
"""

from pathlib import Path

import pytest

from s1ctl.cli.outcome import code_of
from s1ctl.errors import NoPath
from s1ctl.operation.backups import announce
from s1ctl.operation.gather import contract_plan, restore_plan, rollback_plan
from s1ctl.plan.steps import ProveBackup
from s1ctl.shape import changed, plain
from s1ctl.site.config import DatabaseAccess
from s1ctl.site.secrets import SecretSource
from s1ctl.targets.docker_engine import Engine
from tests.support.lineages import Lineage, small_lineage
from tests.support.openloop_platform import World
from tests.support.postgres import Database
from tests.support.registry import RegistryServer
from tests.support.walks import Walks

pytestmark = pytest.mark.integration
ROWS = 300


def lineage(count: int) -> Lineage:
    first = small_lineage()
    made = (
        Lineage(first.revisions[:1], first.blobs)
        .add(
            "0002",
            "expand",
            """
            def upgrade():
                op.add_column("events", sa.Column("severity", sa.Integer))

            def downgrade():
                op.drop_column("events", "severity")
            """,
            release="1.1.0",
        )
        .add(
            "0003",
            "contract",
            """
            def upgrade():
                op.drop_column("events", "level")
            """,
            release="1.1.0",
        )
    )
    return Lineage(made.revisions[:count], made.blobs)


@pytest.fixture
def walks(
    docker_client: Engine,
    site_name: str,
    plain_registry: RegistryServer,
    postgres: Database,
    tmp_path: Path,
) -> Walks:
    """A site at 1.1.0, whose contract is pending, with rows in its database."""
    world = World(docker_client, site_name, plain_registry, tmp_path / "state")
    access = DatabaseAccess(url=SecretSource("env:CONSOLE_URL"))
    made = Walks(world, tmp_path / "state", databases={"console": access})
    made.environment["CONSOLE_URL"] = postgres.dsn().reveal()
    assert made.install(made.release(world.release("1.0.0"), lineage(1))).state == "done"
    postgres.execute(f"INSERT INTO events (level) SELECT i FROM generate_series(1, {ROWS}) i")
    upgraded = made.upgrade(made.release(world.release("1.1.0"), lineage(3)))
    assert upgraded.error is None, upgraded.error
    assert (upgraded.state, upgraded.version) == ("done", "1.1.0")
    assert made.applied() == {"console": ("0001", "0002")}
    return made


def write(postgres: Database, rows: int) -> None:
    postgres.execute(f"INSERT INTO events (severity) SELECT i FROM generate_series(1, {rows}) i")


def test_a_contract_is_proven_closes_the_way_back_and_a_restore_loses_what_it_announced(
    walks: Walks, postgres: Database
) -> None:
    outcome = walks.walk(contract_plan(walks.context), watch=walks.world.load())
    assert outcome.error is None, outcome.error
    assert (outcome.state, outcome.verb, outcome.version) == ("done", "contract", "1.1.0")
    assert outcome.probe is not None
    assert outcome.probe["failed"] == 0
    assert walks.applied() == {"console": ("0001", "0002", "0003")}
    (backup,) = walks.ledger.backups.all()
    assert backup.is_proven
    assert contract_plan(walks.context).is_empty

    with pytest.raises(NoPath) as refused:
        rollback_plan(walks.context)
    assert refused.value.code == "S1-N03"

    write(postgres, 5)
    plan = restore_plan(walks.context, is_archived=True)
    announced = announce(walks.context, plan)
    assert [one.rows for one in announced] == [{"public.events": 5}]

    write(postgres, 2)
    data = {one.database: plain(one) for one in announced}
    outcome = walks.walk(plan, announced=data)
    assert outcome.error is None, outcome.error
    assert (outcome.state, outcome.verb, outcome.version) == ("done", "restore", "1.0.0")
    assert code_of(outcome) == 0
    assert outcome.loss is not None
    assert outcome.loss.announced["console"]["rows"] == {"public.events": 5}
    assert outcome.loss.actual == {"console": {"public.events": 7}}
    assert postgres.one("SELECT count(*) FROM events") == ROWS
    assert postgres.one("SELECT count(level) FROM events") == ROWS
    assert walks.applied() == {"console": ("0001", "0002")}
    archive = walks.ledger.backups.all()[0]
    assert (archive.is_archive, archive.counts) == (True, {"public.events": ROWS + 7})
    assert walks.ledger.operations.verify_chain() is None


def test_a_contract_is_not_done_where_its_backup_is_not_proven(
    walks: Walks, postgres: Database
) -> None:
    plan = contract_plan(walks.context)
    steps = tuple(s for s in plan.hops[0].steps if not isinstance(s, ProveBackup))
    outcome = walks.walk(changed(plan, hops=(changed(plan.hops[0], steps=steps),)))
    assert (outcome.state, code_of(outcome)) == ("taken-back", 30)
    assert outcome.error is not None
    assert outcome.error.code == "S1-O10"
    assert walks.applied() == {"console": ("0001", "0002")}
    assert postgres.one("SELECT count(level) FROM events") == ROWS
