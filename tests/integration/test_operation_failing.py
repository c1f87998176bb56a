"""A release that fails: its hop is taken back by itself, and no request of a user fails.

Real engine, database and loop; open loop, 50 requests a second, 200 ms of work a request.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from s1ctl.cli.outcome import code_of
from s1ctl.operation.events import Event
from s1ctl.operation.operate import resume, take_back
from s1ctl.operation.outcome import Outcome
from s1ctl.site.config import DatabaseAccess
from s1ctl.site.secrets import SecretSource
from s1ctl.targets.docker import DockerTarget
from s1ctl.targets.docker_engine import Engine
from tests.support import openloop_platform as platform
from tests.support.lineages import Lineage, small_lineage
from tests.support.openloop_platform import World
from tests.support.postgres import Database
from tests.support.registry import RegistryServer
from tests.support.walks import Walks

pytestmark = pytest.mark.integration
READY_TIMEOUT_S = 5
WRONG = 'VERSION: "1.9.9"'
JOB = """\
  job:
    image: all
    command: [python3, -c, "import sys;sys.exit('no such table')"]
    x-s1ctl: {role: job, when: WHEN}
secrets:"""


@pytest.fixture
def world(
    docker_client: Engine, site_name: str, plain_registry: RegistryServer, tmp_path: Path
) -> World:
    made = World(docker_client, site_name, plain_registry, tmp_path / "state")
    made.site = platform.with_ready_timeout(made.site, READY_TIMEOUT_S)
    made.target = DockerTarget(site=made.site, client=docker_client, state=made.site.state)
    return made


@pytest.fixture
def walks(world: World, postgres: Database, tmp_path: Path) -> Walks:
    """A site with 1.0.0 installed, at which 3,000 rows were written."""
    access = DatabaseAccess(url=SecretSource("env:CONSOLE_URL"))
    made = Walks(world, tmp_path / "state", databases={"console": access})
    made.environment["CONSOLE_URL"] = postgres.dsn().reveal()
    assert made.install(made.release(world.release("1.0.0"), first(1))).state == "done"
    postgres.execute("INSERT INTO events (level) SELECT i % 7 FROM generate_series(1, 3000) i")
    return made


def first(count: int) -> Lineage:
    lineage = small_lineage()
    return Lineage(lineage.revisions[:count], lineage.blobs)


def variant(world: World, change: Callable[[str], str]) -> platform.PlatformRelease:
    """Make a 2.0.0 whose Compose file is changed."""
    text = change(world.release("2.0.0").compose.decode())
    return platform.release_of(world.image, text, version="2.0.0")


def broken_edge(text: str) -> str:
    return text.replace("proxy_pass http://web;", "no_such_directive on; proxy_pass http://web;")


FAILING: dict[str, tuple[str, Callable[[World], platform.PlatformRelease]]] = {
    "never ready": ("S1-E20", lambda world: world.release("2.0.0", what="broken")),
    "reports a wrong version": (
        "S1-E20",
        lambda world: variant(world, lambda text: text.replace('VERSION: "2.0.0"', WRONG)),
    ),
    "its edge's configuration is invalid": ("S1-E21", lambda world: variant(world, broken_edge)),
    "its edge reports a wrong version": (
        "S1-E20",
        lambda world: world.release("2.0.0", edge="1.9.9"),
    ),
    "its job before the roll fails": (
        "S1-E40",
        lambda world: variant(
            world, lambda text: text.replace("secrets: {token", job("before-roll"))
        ),
    ),
    "its job after the roll fails": (
        "S1-E40",
        lambda world: variant(
            world, lambda text: text.replace("secrets: {token", job("after-roll"))
        ),
    ),
}


def job(when: str) -> str:
    return JOB.replace("WHEN", when) + " {token"


def is_at_first(walks: Walks) -> bool:
    """Say whether the site is, and answers, as 1.0.0 and as nothing else."""
    running = {(c.unit, c.version) for c in walks.world.target.running() if c.state == "running"}
    told = walks.world.ask("/"), walks.world.ask("/edge/version")
    return running == {("web", "1.0.0"), ("gateway", "1.0.0")} and told == ("1.0.0", "1.0.0")


@pytest.mark.parametrize("how", FAILING)
def test_a_release_that_fails_is_taken_back_and_nobody_notices(walks: Walks, how: str) -> None:
    code, make = FAILING[how]
    release = walks.release(make(walks.world), first(1))
    outcome = walks.upgrade(release, watch=walks.world.load())
    assert outcome.error is not None
    assert (outcome.state, outcome.version, code_of(outcome)) == ("taken-back", "1.0.0", 30)
    assert outcome.error.code == code
    assert outcome.probe is not None
    assert outcome.probe["requests"]
    assert outcome.probe["failed"] == 0
    assert is_at_first(walks)
    assert walks.ledger.operations.unfinished() is None
    assert walks.ledger.lock.holder() is None


def test_a_job_runs_once_and_its_container_goes_with_the_hop(walks: Walks) -> None:
    good = JOB.replace("WHEN", "before-roll").replace("sys.exit('no such table')", "sys.exit(0)")
    release = walks.release(
        variant(walks.world, lambda text: text.replace("secrets: {token", good + " {token"))
    )
    outcome = walks.upgrade(release)
    assert (outcome.state, outcome.version) == ("done", "2.0.0")
    assert walks.world.target.stopped(()) == ()


def test_a_migration_that_fails_leaves_the_schema_as_it_was(
    walks: Walks, postgres: Database
) -> None:
    lineage = first(1).add(
        "0002",
        "expand",
        """
        def upgrade():
            op.add_column("events", sa.Column("severity", sa.Text))
            op.execute("SELECT 1/0")

        def downgrade():
            op.drop_column("events", "severity")
        """,
    )
    release = walks.release(walks.world.release("2.0.0"), lineage)
    outcome = walks.upgrade(release, watch=walks.world.load())
    assert (outcome.state, outcome.version, code_of(outcome)) == ("taken-back", "1.0.0", 30)
    assert outcome.error is not None
    assert outcome.error.code.startswith("S1-D")
    assert outcome.probe is not None
    assert outcome.probe["failed"] == 0
    assert is_at_first(walks)
    assert walks.applied() == {"console": ("0001",)}
    assert postgres.one("SELECT count(*) FROM events") == 3000
    columns = "SELECT count(*) FROM information_schema.columns WHERE table_name = 'events'"
    assert postgres.one(columns) == 2


class Killed(BaseException):
    pass


def kill_at_progress_of_backfill(event: Event) -> None:
    if event.event == "progress" and event.unit == "rows" and event.done:
        raise Killed


SLOW = """
    backfill = Backfill(
        table="events", key=("id",), set="severity = slow(level)", where="severity IS NULL",
        verify="SELECT count(*) FROM events WHERE severity IS NULL",
    )
"""


@pytest.fixture
def slow(walks: Walks, postgres: Database) -> Any:
    """A 2.0.0 whose backfill takes a millisecond a row."""
    postgres.execute(
        "CREATE FUNCTION slow(int) RETURNS text LANGUAGE plpgsql AS"
        " $$ BEGIN PERFORM pg_sleep(0.001); RETURN $1::text; END $$"
    )
    lineage = first(1).add(
        "0002",
        "expand",
        """
        def upgrade():
            op.add_column("events", sa.Column("severity", sa.Text))

        def downgrade():
            op.drop_column("events", "severity")
        """,
    )
    release = walks.release(walks.world.release("2.0.0"), lineage.add("0003", "backfill", SLOW))
    walks.observe = kill_at_progress_of_backfill
    with pytest.raises(Killed):
        walks.upgrade(release)
    walks.observe = walks.events.append
    return walks.ledger.operations.unfinished()


def test_an_interrupted_backfill_is_finished_by_resume(
    walks: Walks, postgres: Database, slow: Any
) -> None:
    assert 0 < int(str(postgres.one("SELECT count(severity) FROM events"))) < 3000
    outcome: Outcome = resume(walks.context, slow, watch=walks.world.load())
    assert (outcome.state, outcome.version, code_of(outcome)) == ("done", "2.0.0", 0)
    assert postgres.one("SELECT count(severity) FROM events") == 3000
    assert outcome.probe is not None
    assert outcome.probe["failed"] == 0


def test_an_interrupted_backfill_is_left_by_rollback_and_does_no_harm(
    walks: Walks, postgres: Database, slow: Any
) -> None:
    outcome = take_back(walks.context, slow, watch=walks.world.load())
    assert (outcome.state, outcome.version) == ("taken-back", "1.0.0")
    assert walks.applied() == {"console": ("0001", "0002")}
    assert postgres.one("SELECT count(*) FROM events") == 3000
    assert is_at_first(walks)
