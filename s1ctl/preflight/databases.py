"""The platform's databases: reachable, ours to change, not in use by what would block us. Pure."""

from collections.abc import Callable, Iterator
from typing import Any

from packaging.version import Version

from s1ctl.preflight.check import Check, Values
from s1ctl.preflight.finding import (
    Fix,
    Judgement,
    Observed,
    Required,
    failed,
    passed,
    skipped,
    worst_of,
)
from s1ctl.preflight.needs import Needs

Found = dict[str, Any]
LONG_S, IDLE_S = 60, 30
LEAST_FREE = 5  # the worker of a revision, its hold, a dump, and room for somebody who looks
FULL = 0.7
MAINTAINED = Version("14")
MIB = 1 << 20
FEW = 3
OURS = "s1ctl"


def judge_connect(values: Values, needs: Needs) -> Judgement:
    """Judge whether each database takes our connection and is a primary."""
    databases: Any = values["pg.databases"]
    absent = _absent(databases, needs)
    if absent:
        return absent
    found = (_judge_connect(name, databases[name]) for name in _asked(databases, needs))
    return worst_of(one for one in found if one) or _all_passed(
        databases, needs, lambda state: f"PostgreSQL {state['version']} answers"
    )


def _judge_connect(name: str, state: Found) -> Judgement | None:
    if state["reason"]:
        code = state["code"]
        fix = Fix(command=f"s1ctl explain {code}", where="this host", safe=True)
        return failed(f"{name}: {state['reason']}", state["hint"], value=code, fix=fix)
    if state["is_replica"]:
        return failed(
            f"{name}: the server is a replica, which takes no writes",
            f"Name the primary in `databases.{name}` of the site file.",
            fix=_sql(name, "SELECT * FROM pg_stat_wal_receiver"),
        )
    return None


def judge_version(values: Values, needs: Needs) -> Judgement:
    """Judge the servers' versions against what the releases run on."""

    def judge(name: str, state: Found) -> Judgement | None:
        version, wanted = Version(state["version"]), needs.postgresql
        text = f"{name}: PostgreSQL {version}"
        fix = _sql(name, "SHOW server_version")
        if not wanted.contains(version):
            return failed(
                text,
                f"Bring the server to {wanted}.",
                value=str(version),
                required=Required(op="in", value=str(wanted), source=needs.source),
                fix=fix,
            )
        if version < MAINTAINED:
            return failed(
                f"{text} gets no corrections any more",
                f"Plan to bring the server to {MAINTAINED} or newer.",
                value=str(version),
                required=Required(op=">=", value=str(MAINTAINED), source="s1ctl"),
                fix=fix,
                outcome="warn",
            )
        return None

    return _judge_each(
        values["pg.databases"], needs, judge, lambda state: f"PostgreSQL {state['version']}"
    )


def judge_privileges(values: Values, needs: Needs) -> Judgement:
    """Judge whether our user may create in the database and its schemas, and owns its tables."""
    return _judge_each(
        values["pg.privileges"],
        needs,
        _judge_privileges,
        lambda state: f"`{state['user']}` may create, and owns every table",
    )


def _judge_privileges(name: str, state: Found) -> Judgement | None:
    user = state["user"]
    lacks = list(_lacking(state))
    if not lacks:
        return None
    text, statement = lacks[0]
    more = f"; and {len(lacks) - 1} more" if len(lacks) > 1 else ""
    return failed(
        f"{name}: `{user}` {text}{more}",
        "Let the user own the database, its schemas and its tables; as their owner or a superuser:",
        value=[text for text, _ in lacks],
        required=Required(op="is", value=f"owned by `{user}`", source=OURS),
        fix=_sql(name, statement),
        about=(f"{name}: `{user}` {text}" for text, _ in lacks),
    )


def _lacking(state: Found) -> Iterator[tuple[str, str]]:
    """Say what our user lacks, each with the statement that gives it."""
    user = _quoted(state["user"])
    if not state["may_create"]:
        yield (
            "may create no schema in the database (no CREATE on it)",
            f"GRANT CREATE ON DATABASE {_quoted(state['name'])} TO {user}",
        )
    if state["schema"] is None:
        yield "has no schema to create in: none of its `search_path` is there", "SHOW search_path"
    for schema, may_create, owner in state["schemas"]:
        if not may_create:
            yield (
                f"may create nothing in schema `{schema}` of `{owner}` (no CREATE on it)",
                f"GRANT CREATE ON SCHEMA {_quoted(schema)} TO {user}",
            )
    count = state["foreign_count"]
    for schema, table, owner in state["foreign"][:1]:
        others = f", nor {count - 1} others" if count > 1 else ""
        yield (
            f"does not own `{schema}.{table}`, which is `{owner}`'s{others}",
            f"ALTER TABLE {_quoted(schema)}.{_quoted(table)} OWNER TO {user}",
        )


def judge_activity(values: Values, needs: Needs) -> Judgement:
    """Judge whether somebody's open transaction would keep a migration from its locks."""
    if not needs.is_installed:
        return skipped("nothing is installed yet that an open transaction could keep")
    return _judge_each(
        values["pg.activity"],
        needs,
        _judge_activity,
        lambda state: f"{len(state['transactions'])} open transactions, none of them long",
    )


def _judge_activity(name: str, state: Found) -> Judgement | None:
    transactions: list[Found] = state["transactions"]
    held = [one for one in transactions if one["tables"]]
    long = [one for one in held if (one["age_s"] or 0) > LONG_S]
    found = [_long(name, one, len(long) - 1) for one in long]
    found += [_prepared(name, one) for one in state["prepared"]]
    found += [_of_unknown_age(name, one, state["us"]) for one in held if one["age_s"] is None]
    found += [_idle(name, one) for one in transactions if (one["idle_s"] or 0) > IDLE_S]
    return worst_of(found)


def _long(name: str, one: Found, others: int) -> Judgement:
    more = f"; and {others} more" if others else ""
    return failed(
        f"{name}: {_who(one)}, {one['state'] or 'in a transaction'} for {one['age_s']} s,"
        f" holds {_tables(one)}{more}",
        f"Ask the owner of {_application(one)} to finish, or end the session:",
        value=one["age_s"],
        unit="s",
        required=Required(op="<=", value=LONG_S, unit="s", source=OURS),
        fix=_ending(name, one),
        about=_held_by(name, one),
    )


def _prepared(name: str, one: Found) -> Judgement:
    gid = str(one["name"]).replace("'", "''")
    return failed(
        f"{name}: the prepared transaction `{one['name']}` of `{one['user']}` is {one['age_s']} s"
        " old and holds its locks until somebody ends it",
        "Ask the owner whether it is to be committed; if nobody knows it, take it back:",
        value=one["name"],
        required=Required(op="is", value="none", source=OURS),
        fix=_sql(name, f"ROLLBACK PREPARED '{gid}'", is_safe=False),
        about=(f"{name}: the prepared transaction `{one['name']}` of `{one['user']}`",),
    )


def _of_unknown_age(name: str, one: Found, us: str) -> Judgement:
    return failed(
        f"{name}: {_who(one)} holds {_tables(one)}; since when may not be seen by our user",
        f"Find out what {_application(one)} does, or let our user see it:",
        value=one["pid"],
        fix=_sql(name, f"GRANT pg_read_all_stats TO {_quoted(us)}"),
        outcome="warn",
        about=_held_by(name, one),
    )


def _idle(name: str, one: Found) -> Judgement:
    return failed(
        f"{name}: {_who(one)} has been idle in transaction for {one['idle_s']} s",
        f"Ask the owner of {_application(one)} to end it, before it holds something.",
        value=one["idle_s"],
        unit="s",
        required=Required(op="<=", value=IDLE_S, unit="s", source=OURS),
        fix=_ending(name, one),
        outcome="warn",
        about=(f"{name}: {_whose(one)} is idle",),
    )


def _held_by(name: str, one: Found) -> list[str]:
    """Name each lock of a session by whose it is: its number and its age tell nothing of it."""
    return [f"{name}: {_whose(one)} holds `{table}`" for table in one["tables"]]


def _who(one: Found) -> str:
    return f"pid {one['pid']} ({_whose(one)})"


def _whose(one: Found) -> str:
    return f"user `{one['user']}`, application {_application(one)}"


def _application(one: Found) -> str:
    return f"`{one['application']}`" if one["application"] else "without a name"


def _tables(one: Found) -> str:
    tables = one["tables"]
    more = f" and {len(tables) - FEW} more" if len(tables) > FEW else ""
    return f"locks on {', '.join(f'`{table}`' for table in tables[:FEW])}{more}"


def _ending(name: str, one: Found) -> Fix:
    return _sql(name, f"SELECT pg_terminate_backend({one['pid']})", is_safe=False)


def judge_capacity(values: Values, needs: Needs) -> Judgement:
    """Judge whether connections are left for an operation; the size is only said."""
    return _judge_each(values["pg.capacity"], needs, _judge_capacity, _room)


def _judge_capacity(name: str, state: Found) -> Judgement | None:
    whole = {"of": "server", "max": state["max"] - state["reserved"], "used": state["used"]}
    bounds = [whole, *state["limits"]]
    fix = _sql(
        name,
        "SELECT usename, application_name, count(*) FROM pg_stat_activity"
        " GROUP BY 1, 2 ORDER BY 3 DESC",
    )
    tight = min(bounds, key=lambda bound: int(bound["max"] - bound["used"]))
    free = tight["max"] - tight["used"]
    text = f"{name}: {tight['used']} of {tight['max']} connections of the {tight['of']} are taken"
    if free < LEAST_FREE:
        return failed(
            f"{text}, {max(free, 0)} are left",
            "Stop a client that holds more than it needs, or raise the limit.",
            value=free,
            required=Required(op=">=", value=LEAST_FREE, source=OURS),
            fix=fix,
            about=(f"{name}: connections of the {tight['of']}",),
        )
    if whole["used"] > whole["max"] * FULL:
        return failed(
            f"{name}: {whole['used']} of {whole['max']} connections of the server are taken",
            "Look who holds them, before there are none left.",
            value=whole["used"],
            required=Required(op="<=", value=int(whole["max"] * FULL), source=OURS),
            fix=fix,
            outcome="warn",
            about=(f"{name}: connections of the server",),
        )
    return None


def _room(state: Found) -> str:
    most = state["max"] - state["reserved"]
    return f"{state['used']} of {most} connections taken, {state['size'] / MIB:,.0f} MiB"


# what holds for every database


def _judge_each(
    databases: Any,
    needs: Needs,
    judge: Callable[[str, Found], Judgement | None],
    describe: Callable[[Found], str],
) -> Judgement:
    """Judge one database after the other; the worst judgement is the answer."""
    absent = _absent(databases, needs)
    if absent:
        return absent
    found = (
        _unasked(name, databases[name])
        if databases[name]["reason"]
        else judge(name, databases[name])
        for name in _asked(databases, needs)
    )
    return worst_of(one for one in found if one) or _all_passed(databases, needs, describe)


def _absent(databases: Any, needs: Needs) -> Judgement | None:
    if not needs.databases:
        return skipped("the release has no database")
    if not _asked(databases, needs):
        what = "installed yet" if not needs.is_installed else "there yet"
        return skipped(f"nothing is {what}: the databases come with the release")
    return None


def _asked(databases: Any, needs: Needs) -> list[str]:
    """Name the databases that are there; others come with the release."""
    return [name for name in needs.databases if name in databases]


def _unasked(name: str, state: Found) -> Judgement:
    return Judgement(
        outcome="error",
        observed=Observed(text=f"{name}: {state['code']}: {state['reason']}"),
        remediation=(state["hint"],),
        fix=Fix(command="s1ctl preflight --only pg.connect", where="this host", safe=True),
    )


def _all_passed(databases: Any, needs: Needs, describe: Callable[[Found], str]) -> Judgement:
    asked = _asked(databases, needs)
    seen = [f"{name}: {describe(databases[name])}" for name in asked]
    later = [name for name in needs.databases if name not in asked]
    return passed("; ".join([*seen, *(f"{name}: comes with the release" for name in later)]))


def _sql(name: str, statement: str, *, is_safe: bool = True) -> Fix:
    return Fix(command=f"{statement};", where=f"the database {name}, by psql", safe=is_safe)


def _quoted(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'


CHECKS = (
    Check(
        id="pg.connect",
        title="every database takes our connection",
        why="Migrations and backups run from here.",
        severity="blocking",
        facts=("pg.databases",),
        judge=judge_connect,
    ),
    Check(
        id="pg.version",
        title="every database server is of a version that the release runs on",
        why="A revision may use what an older server does not have.",
        severity="blocking",
        facts=("pg.databases",),
        judge=judge_version,
        prerequisites=("pg.connect",),
    ),
    Check(
        id="pg.privileges",
        title="our user may change every database and all that is in it",
        why="A migration that lacks a right fails half-way, and its hop is taken back.",
        severity="blocking",
        facts=("pg.privileges",),
        judge=judge_privileges,
        prerequisites=("pg.connect",),
    ),
    Check(
        id="pg.activity",
        title="no long transaction would block a migration",
        why="ALTER TABLE waits for it, and every later query on the table waits behind that.",
        severity="blocking",
        facts=("pg.activity",),
        judge=judge_activity,
        phases=("install", "upgrade"),
        prerequisites=("pg.connect",),
    ),
    Check(
        id="pg.capacity",
        title="connections to every database are left for an operation",
        why="While units are replaced, old and new ones hold connections, and s1ctl its own.",
        severity="blocking",
        facts=("pg.capacity",),
        judge=judge_capacity,
        prerequisites=("pg.connect",),
    ),
)
