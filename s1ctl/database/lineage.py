"""Drive Alembic for exactly one revision, in a transaction that is ours. Worker only."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from types import ModuleType
from typing import Any

import psycopg2
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext, RevisionStep
from alembic.script import Script
from alembic.script.revision import Revision as Node
from alembic.script.revision import RevisionMap
from psycopg2.extensions import connection as Connection  # noqa: N812
from psycopg2.extensions import cursor as Cursor  # noqa: N812
from sqlalchemy import create_engine, event
from sqlalchemy.engine import Connection as Session
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

from s1ctl.database.applied import SCHEMA, VERSION_TABLE
from s1ctl.database.hold import check_fence
from s1ctl.database.index import build_beside, check_indexes
from s1ctl.database.script import RevisionScript
from s1ctl.database.wire import Request
from s1ctl.errors import ContentsRefused, S1Error, StepFailed

_RECORD = """
INSERT INTO s1ctl.applied (revision, release, digest, operation, plan, fence)
VALUES (%(revision)s, %(release)s, %(digest)s, %(operation)s, %(plan)s, %(fence)s)
"""


class Lineage:
    """One revision's transactions on the worker's connection."""

    def __init__(self, database: Connection, request: Request, script: RevisionScript) -> None:
        self._database = database
        self._request = request
        self._script = script
        self._engine = create_engine(
            "postgresql+psycopg2://", creator=lambda: database, poolclass=StaticPool
        )

    def run(self) -> None:
        """Run the body, the stamp and the row in `s1ctl.applied` in one transaction."""
        with self._session() as session, session.begin():
            self._open()
            with _lock_budget(session, self._request.max_stall_ms):
                self._migrate(session, self._script.body or _nothing)

    def run_outside(self) -> None:
        """Run the body without a transaction (CONCURRENTLY), then check what it left.

        A crash leaves at most an INVALID index, which the next run drops and builds again.
        """
        with self._session(isolation_level="AUTOCOMMIT") as session:
            build_beside(session, self._database, self._request.max_stall_ms)
            context = _configure(session, {})
            context.autocommit_block = nullcontext  # type: ignore[method-assign, assignment]
            with Operations.context(context):
                _run_vendor(self._script, self._script.body or _nothing)
        check_indexes(self._database)

    def stamp(self) -> None:
        """Record the revision, whose work is done, in one transaction."""
        with self._session() as session, session.begin():
            self._open()
            self._migrate(session, _nothing)

    def open_transaction(self, cursor: Cursor) -> None:
        """Begin a transaction as every one of ours begins: lock timeout, then the fence."""
        cursor.execute("SET LOCAL lock_timeout = %s", (f"{self._request.max_stall_ms}ms",))
        check_fence(cursor, self._request.fence)

    def _open(self) -> None:
        with self._database.cursor() as cursor:
            self.open_transaction(cursor)

    @contextmanager
    def _session(self, **options: Any) -> Iterator[Session]:
        """Hand out a SQLAlchemy connection over ours; its errors leave as psycopg2's."""
        try:
            with self._engine.connect() as session:
                self._database.autocommit = bool(options)
                yield session.execution_options(**options)
        except DBAPIError as error:
            if isinstance(error.orig, psycopg2.Error):
                raise error.orig from None
            raise
        finally:
            if not self._database.closed:
                self._database.rollback()
                self._database.autocommit = True

    def _migrate(self, session: Session, body: Callable[[], None]) -> None:
        """Let Alembic make this one step, from its predecessor, and stamp it."""
        is_undo = self._request.direction == "undo"
        step = _make_step(self._script, self._request, body, is_undo=is_undo)
        options = {"fn": lambda *_: [step], "on_version_apply": (self._record,)}
        context = _configure(session, options)
        context.autocommit_block = _refuse_autocommit(self._script)  # type: ignore[method-assign]
        with Operations.context(context):
            context.run_migrations()

    def _record(self, **_: Any) -> None:
        """Write the truth beside Alembic's stamp (called by `on_version_apply`)."""
        revision, request = self._script.revision, self._request
        with self._database.cursor() as cursor:
            if request.direction == "undo":
                cursor.execute("DELETE FROM s1ctl.applied WHERE revision = %s", (revision.id,))
                return
            cursor.execute(
                _RECORD,
                {
                    "revision": revision.id, "release": str(revision.release),
                    "digest": revision.digest, "operation": request.operation,
                    "plan": request.plan, "fence": request.fence,
                },
            )  # fmt: skip


def _configure(session: Session, options: dict[str, Any]) -> MigrationContext:
    places = {"version_table": VERSION_TABLE, "version_table_schema": SCHEMA}
    return MigrationContext.configure(session, opts={**places, **options})


def _make_step(
    script: RevisionScript, request: Request, body: Callable[[], None], *, is_undo: bool
) -> RevisionStep:
    """Make Alembic's step from the lineage of the signed release; no file is looked for."""

    def run(**_: Any) -> None:
        _run_vendor(script, body)

    stand_in = ModuleType(script.module.__name__)
    stand_in.__dict__.update(down_revision=script.previous, upgrade=run, downgrade=run)
    own = Script(stand_in, script.revision.id, script.path)
    ids = [revision.id for revision in request.lineage]
    nodes: list[Node] = [
        own if name == own.revision else Node(name, former)
        for name, former in zip(ids, [None, *ids], strict=False)
    ]
    known = RevisionMap(lambda: nodes)
    known.get_revision(own.revision)  # resolves the neighbours of every node
    return RevisionStep(known, own, not is_undo)


def _run_vendor(script: RevisionScript, body: Callable[[], None]) -> None:
    """Run the vendor's function; what it raises itself is told as its own."""
    try:
        body()
    except (DBAPIError, psycopg2.Error, S1Error):
        raise
    except Exception as error:
        raise StepFailed(
            f"revision `{script.revision.id}` raised `{type(error).__name__}`: {error}",
            code="S1-D35",
            hint="send this message to the vendor",
        ) from error


def _refuse_autocommit(script: RevisionScript) -> Callable[[], Any]:
    def refuse() -> Any:
        raise ContentsRefused(
            f"revision `{script.revision.id}` leaves its transaction",
            code="S1-D29",
            hint="call the vendor: it needs `transactional = False`",
        )

    return refuse


@contextmanager
def _lock_budget(session: Session, max_stall_ms: int) -> Iterator[None]:
    """Let all lock waits of a transaction together take no longer than `max_stall_ms`.

    Clients queue behind the locks that it has while it waits for the next one.
    """
    began: list[float] = []

    def before(_: Session, cursor: Any, *__: Any) -> None:
        began.append(time.monotonic())
        left = max_stall_ms - int((began[-1] - began[0]) * 1000)
        with cursor.connection.cursor() as beside:
            beside.execute("SET LOCAL lock_timeout = %s", (f"{max(1, left)}ms",))

    event.listen(session, "before_cursor_execute", before)
    yield
    event.remove(session, "before_cursor_execute", before)


def _nothing() -> None:
    """Do nothing: the work is done, and only the stamp is to be written."""
