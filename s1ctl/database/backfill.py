"""Fill rows in batches by key, each batch with its cursor in one transaction."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Protocol

from psycopg2 import sql
from psycopg2.extensions import connection as Connection  # noqa: N812
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from s1ctl.errors import ContentsRefused, StepFailed

MIN_ROWS, MAX_ROWS, FIRST_ROWS = 500, 20_000, 1_000
MIN_BATCH_S, MAX_BATCH_S = 0.050, 0.100
MAX_PASSES = 5
VERIFY_PAUSE_S = 0.5

_KEY_QUERY = """
SELECT c.reltuples::bigint, EXISTS (
    SELECT 1 FROM pg_index i WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid
    AND i.indpred IS NULL AND %s::text[] = (
        SELECT array_agg(a.attname::text ORDER BY k.n)
        FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, n)
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum AND a.attnotnull
        WHERE k.n <= i.indnkeyatts))
FROM pg_class c WHERE c.oid = to_regclass(%s)
"""
_KEEP = """
INSERT INTO s1ctl.backfill (revision, pass, cursor, seen, rows, done)
VALUES (%(revision)s, %(turn)s, %(after)s::text::jsonb, %(seen)s, %(rows)s, %(done)s)
ON CONFLICT (revision) DO UPDATE SET pass = excluded.pass, cursor = excluded.cursor,
    seen = excluded.seen, rows = excluded.rows, done = excluded.done
"""

Key = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Backfill:
    """Set `set` where `where` holds, in batches by `key` (a unique index's NOT NULL columns).

    `where` makes repeating a batch harmless. `verify` counts what is still to do: 0 at the end.
    """

    table: str
    key: tuple[str, ...]
    set: str
    where: str
    verify: str


def next_batch_rows(rows: int, seconds: float) -> int:
    """Size the next batch so that it takes 50 to 100 ms; 500 to 20,000 rows."""
    if MIN_BATCH_S <= seconds <= MAX_BATCH_S:
        return rows
    middle = (MIN_BATCH_S + MAX_BATCH_S) / 2
    factor = min(2.0, max(0.5, middle / max(seconds, 0.001)))
    return max(MIN_ROWS, min(MAX_ROWS, int(rows * factor)))


class InTurn(Protocol):
    """Runs a transaction as often as it takes to get its locks."""

    def __call__(self, attempt: "Callable[[], Place]", /) -> "Place":
        """Say what the attempt that was committed said."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """How far a backfill is: the row of `s1ctl.backfill`. `seen` counts within this pass."""

    turn: int = 1
    after: Key | None = None
    seen: int = 0
    rows: int = 0
    done: bool = False


class Filler:
    """Runs one backfill on one connection, from where it stopped.

    `prologue` opens each transaction: lock timeout, fence. `hold_back` waits before each batch
    for whoever cannot keep up. `tell` hears rows seen, rows in all
    (the planner's estimate, 0 where it has none), rows changed. A crash leaves the cursor of the
    last whole batch.
    """

    def __init__(
        self,
        backfill: Backfill,
        *,
        revision: str,
        database: Connection,
        in_turn: InTurn,
        hold_back: Callable[[], None],
        prologue: Callable[[Cursor], None],
        tell: Callable[[int, int, int], None],
    ) -> None:
        self._backfill = backfill
        self._revision = revision
        self._database = database
        self._in_turn = in_turn
        self._hold_back = hold_back
        self._prologue = prologue
        self._tell = tell
        self._size = FIRST_ROWS
        self._table = sql.Identifier(*backfill.table.split("."))
        self._key = sql.SQL(", ").join(map(sql.Identifier, backfill.key))

    def run(self) -> int:
        """Fill until the verify query says 0 twice; say how many rows were changed.

        Raises `StepFailed` S1-D31 when rows keep coming, `ContentsRefused` S1-D32.
        """
        total = self._check_key()
        place = self._read_place()
        self._tell(place.seen, total, place.rows)
        while True:
            while not place.done:
                self._hold_back()
                place = self._in_turn(partial(self._batch, place))
                self._tell(place.seen, total and max(total, place.seen), place.rows)
            left = self._count_left()
            if not left:
                return place.rows
            if place.turn >= MAX_PASSES:
                place = self._in_turn(partial(self._keep, Place(rows=place.rows)))
                raise self._never_done(left)
            place = Place(turn=place.turn + 1, rows=place.rows)

    def _batch(self, place: Place) -> Place:
        """Fill the rows of one range of keys; half of it after a try that got no lock."""
        size, began = self._size, time.monotonic()
        self._size = max(MIN_ROWS, size // 2)
        with self._database, self._database.cursor() as cursor:
            self._prologue(cursor)
            place = self._fill(cursor, place, size)
            _write_place(cursor, self._revision, place)
        self._size = next_batch_rows(size, time.monotonic() - began)
        return place

    def _keep(self, place: Place) -> Place:
        with self._database, self._database.cursor() as cursor:
            self._prologue(cursor)
            _write_place(cursor, self._revision, place)
        return place

    def _fill(self, cursor: Cursor, place: Place, size: int) -> Place:
        seen, upto = self._look_ahead(cursor, place.after, size)
        if upto is None:
            return replace(place, done=True)
        cursor.execute(
            sql.SQL("UPDATE {} SET {} WHERE {} AND ({}) <= ({}) AND ({})").format(
                self._table, sql.SQL(self._backfill.set), self._beyond(place.after), self._key,
                _literals(upto), sql.SQL(self._backfill.where),
            )
        )  # fmt: skip
        changed = cursor.rowcount
        return replace(place, after=upto, seen=place.seen + seen, rows=place.rows + changed)

    def _look_ahead(self, cursor: Cursor, after: Key | None, size: int) -> tuple[int, Key | None]:
        """Find the last key of the next `size` rows, and how many there are."""
        names = [f"k{number}" for number in range(len(self._backfill.key))]
        cursor.execute(
            sql.SQL(
                "WITH batch ({names}) AS (SELECT {key} FROM {table} WHERE {beyond}"
                " ORDER BY {key} LIMIT {size})"
                " SELECT (SELECT count(*) FROM batch), {texts} FROM batch ORDER BY {last} LIMIT 1"
            ).format(
                names=_join(names, "{}"), key=self._key, table=self._table,
                beyond=self._beyond(after), size=sql.Literal(size),
                texts=_join(names, "{}::text"), last=_join(names, "batch.{} DESC"),
            )
        )  # fmt: skip
        row = cursor.fetchone()
        return (row[0], tuple(row[1:])) if row else (0, None)

    def _beyond(self, after: Key | None) -> sql.Composable:
        if after is None:
            return sql.SQL("true")
        return sql.SQL("({}) > ({})").format(self._key, _literals(after))

    def _check_key(self) -> int:
        """Find the key's unique index; say the planner's estimate of the rows."""
        with self._database.cursor() as cursor:
            name = self._table.as_string(self._database)
            cursor.execute(_KEY_QUERY, (list(self._backfill.key), name))
            row = cursor.fetchone()
        if row is None or not row[1]:
            raise ContentsRefused(
                f"the backfill of `{self._backfill.table}` has no unique index over NOT NULL"
                f" columns `{', '.join(self._backfill.key)}`, in this order",
                code="S1-D32",
                hint="call the vendor: `key` is the table's primary key",
            )
        return max(0, int(row[0]))

    def _read_place(self) -> Place:
        with self._database.cursor() as cursor:
            cursor.execute(
                "SELECT pass, cursor, seen, rows, done FROM s1ctl.backfill WHERE revision = %s",
                (self._revision,),
            )
            row = cursor.fetchone()
        if row is None:
            return Place()
        turn, after, seen, rows, done = row
        return Place(turn=turn, after=after and tuple(after), seen=seen, rows=rows, done=done)

    def _count_left(self) -> int:
        """Ask the verify query twice; the first count that is not 0 is the answer."""
        for pause_s in (0.0, VERIFY_PAUSE_S):
            time.sleep(pause_s)
            with self._database.cursor() as cursor:
                cursor.execute(self._backfill.verify)
                row = cursor.fetchone()
            if row is None or not isinstance(row[0], int):
                raise ContentsRefused(
                    f"the verify query of revision `{self._revision}` does not give a number",
                    code="S1-D32",
                    hint="call the vendor: it is a `SELECT count(*) …`",
                )
            if row[0]:
                return row[0]
        return 0

    def _never_done(self, left: int) -> StepFailed:
        return StepFailed(
            f"after {MAX_PASSES} passes the verify query of revision `{self._revision}` still"
            f" counts {left}",
            code="S1-D31",
            hint="call the vendor: running code writes rows that the expand revision should fill",
        )


def _write_place(cursor: Cursor, revision: str, place: Place) -> None:
    values = {**asdict(place), "after": place.after and json.dumps(place.after)}
    cursor.execute(_KEEP, {"revision": revision, **values})


def _literals(key: Key) -> sql.Composable:
    return sql.SQL(", ").join(map(sql.Literal, key))


def _join(names: list[str], form: str) -> sql.Composable:
    return sql.SQL(", ").join(sql.SQL(form.format(name)) for name in names)
