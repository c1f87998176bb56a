"""The JSON Schemas of what s1ctl writes: `python -m tests.support.schemas` writes `docs/schema/`.

They are made from the value types where there are some; the rest is written here. `heard` finds
fault with a document that has another shape than its verb's.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

import typer.main
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from s1ctl.bundle.load import LoadPlan, LoadReport
from s1ctl.bundle.verify import VerifyReport
from s1ctl.cli.exit_codes import ALL, BUG, DONE
from s1ctl.cli.main import FLAGS, GLOBAL, app, ordered
from s1ctl.database.wire import RevisionRecord
from s1ctl.ledger.backups import Backup
from s1ctl.ledger.lock import Held
from s1ctl.ledger.operations import State
from s1ctl.ledger.releases import Installed
from s1ctl.ledger.waivers import Waiver
from s1ctl.operation.backups import Announcement
from s1ctl.operation.condition import Unknown
from s1ctl.operation.drift import Drift
from s1ctl.operation.events import Event
from s1ctl.operation.known_secrets import KnownSecret
from s1ctl.operation.loss import Loss
from s1ctl.plan.plan import Plan
from s1ctl.preflight.finding import Finding, Phase, Severity
from s1ctl.targets.docker_hold import Hold
from s1ctl.targets.docker_running import Running
from s1ctl.targets.probe import ProbeNumbers
from s1ctl.trust.root import Root
from tests.support.schema_parts import (
    COUNT,
    DIGEST,
    HEX,
    NUMBER,
    TEXT,
    TIME,
    YES,
    Schema,
    by_name,
    either,
    file,
    maybe,
    one_of,
    ref,
    some,
    thing,
    types,
)  # fmt: skip

FOLDER = Path(__file__).parents[2] / "docs" / "schema"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
PARTS = types(
    Plan, Finding, Waiver, Event, Held, Hold, Root, Backup, Drift, Running, Installed, Unknown,
    LoadReport, LoadPlan, VerifyReport, RevisionRecord, Announcement, Loss, KnownSecret,
    ProbeNumbers,
)  # fmt: skip
PARTS["PlanDocument"] = thing(digest=DIGEST, plan=ref("Plan"))
EXIT = one_of(*sorted(ALL))
SCHEMA_1 = one_of(1)


def with_(name: str, **more: Schema) -> Schema:
    """Make a part with more keys."""
    return thing(**PARTS[name]["properties"], **more)


ERROR = thing(
    code={"type": "string", "pattern": "^S1-[A-Z][0-9]{2,3}$"},
    message=TEXT,
    hint=TEXT,
    exit=one_of(*sorted(ALL - {DONE})),
)
FAULT = thing(
    code=one_of("bug", "declined", "interrupted"), message=TEXT, hint=TEXT, exit=one_of(BUG, 130)
)
OPERATION: Mapping[str, Schema] = {
    "operation": TEXT,
    "verb": TEXT,
    "state": one_of(*get_args(State)),
    "direction": one_of("do", "undo"),
    "opened_at": TIME,
    "from": maybe(TEXT),
    "to": some(TEXT),
    "plan": DIGEST,
    "cause": either(ERROR, TEXT, {"type": "object"}, {"type": "null"}),
}
ENTRY = thing(
    entry=COUNT,
    step=COUNT,
    kind=maybe(TEXT),
    direction=one_of("do", "undo"),
    event=one_of("intent", "done", "failed"),
    at=TIME,
)
BACKUP = with_("Backup", rows=COUNT, is_proven=YES, is_there=YES)
PLAN = {"$ref": "plan.json#/$defs/PlanDocument"}
OUTCOME = thing(
    operation=TEXT,
    verb=TEXT,
    origin=maybe(TEXT),
    goal=maybe(TEXT),
    is_turned_back=YES,
    state=one_of(*get_args(State)),
    version=maybe(TEXT),
    seconds=NUMBER,
    head=maybe(HEX),
    log=TEXT,
    probe=maybe(ref("ProbeNumbers")),
    loss=maybe(ref("Loss")),
    exit=one_of(0, 30, 31, 130),
    cause=maybe(ERROR),
)
PRICED = thing(
    digest=DIGEST, plan={"$ref": "plan.json#/$defs/Plan"}, loss=by_name(ref("Announcement"))
)
TAKE_BACK = thing(operation=TEXT, undo=some({"type": "object", "required": ["kind", "number"]}))
RELEASE = {"product": TEXT, "version": TEXT, "digest": DIGEST}
HEADER: Mapping[str, Schema] = {
    "verified": YES,
    "product": TEXT,
    "channel": TEXT,
    "version": TEXT,
    "sequence": COUNT,
    "issued": TEXT,
    "release": DIGEST,
    "signatures": COUNT,
    "roots": COUNT,
    "bytes": COUNT,
}
PRUNING = thing(
    kept=by_name(TEXT),
    releases=some(thing(version=TEXT, digest=DIGEST)),
    manifests=some(TEXT),
    tags=some(TEXT),
    images=by_name(COUNT),
    points=some(TEXT),
    backups=some(thing(backup=TEXT, database=TEXT, bytes=COUNT)),
    bytes=thing(registry=COUNT, engine=COUNT, state=COUNT),
)
STANDING = thing(
    database=TEXT,
    standing=TEXT,
    applied=some(TEXT),
    pending=some(thing(revision=TEXT, phase=TEXT, release=TEXT)),
    newer=some(TEXT),
    contract=some(TEXT),
)
STATUS = thing(
    schema=SCHEMA_1,
    at=TIME,
    site=TEXT,
    installed=maybe(ref("Installed")),
    uninstalled_at=maybe(TIME),
    loaded=some(TEXT),
    running=maybe(some(ref("Running"))),
    drift=maybe(some(ref("Drift"))),
    pending_contracts=by_name(some(TEXT)),
    points=some(thing(id=TEXT, made_at=TIME)),
    backups=by_name(
        maybe(
            thing(
                backup=TEXT,
                taken_at=TIME,
                bytes=COUNT,
                sha256=DIGEST,
                proof=maybe(thing(at=TIME, matches=YES)),
            )
        )
    ),
    lock=maybe(ref("Held")),
    unfinished=maybe(thing(**OPERATION)),
    last_operation=maybe(thing(**OPERATION, last_entry_at=maybe(TIME))),
    head=HEX,
    ledger_fault=maybe(ERROR),
    not_known=some(ref("Unknown")),
)
SUPPORT = thing(
    schema=SCHEMA_1,
    file=maybe(TEXT),
    bytes=maybe(COUNT),
    sha256=maybe(TEXT),
    is_interrupted=YES,
    files=some(thing(name=TEXT, bytes=COUNT, sha256=TEXT)),
    collectors=some(
        thing(name=TEXT, status=TEXT, reasons=some(TEXT), files=COUNT, duration_ms=COUNT)
    ),
    masked=by_name(COUNT),
    unknown=some(TEXT),
)
CHECK = thing(
    id=TEXT,
    title=TEXT,
    group=TEXT,
    severity=one_of(*get_args(Severity)),
    phase=some(one_of(*get_args(Phase))),
    why=TEXT,
)
UNINSTALL = thing(
    schema=SCHEMA_1,
    done=YES,
    installed=maybe(TEXT),
    containers=some(TEXT),
    volumes=some(TEXT),
    foreign_databases=some(TEXT),
    is_data_purged=YES,
)
ROOT = thing(fingerprint=HEX, root=ref("Root"))
LINT = thing(
    schema=SCHEMA_1,
    exit=EXIT,
    file=TEXT,
    findings=some(thing(id=TEXT, severity=TEXT, where=TEXT, text=TEXT, advice=TEXT)),
    not_checked=some(TEXT),
)
SHOWN = thing(
    **HEADER,
    signers=some(HEX),
    upgrade={"type": "object", "required": ["from", "stop"]},
    images=some(
        thing(name=TEXT, digest=DIGEST, platforms=some(TEXT), repository=TEXT, tags=some(TEXT))
    ),
    units=some(thing(name=TEXT, role=TEXT, replicas=COUNT)),
    schemas=some(thing(database=TEXT, engine=TEXT, revisions=some(TEXT))),
    blobs=by_name(thing(count=COUNT, bytes=COUNT)),
)
VERBS: Mapping[str, Sequence[Schema]] = {
    "init": [thing(site_file=TEXT, site=TEXT)],
    "load": [
        thing(loaded=some(with_("LoadReport", **RELEASE))),
        thing(planned=some(with_("LoadPlan", **RELEASE))),
    ],
    "preflight": [
        thing(
            schema=SCHEMA_1,
            exit=one_of(0, 3, 4, 5),
            findings=some(file("finding")),
            waivers=some(ref("Waiver")),
            saved=maybe(TEXT),
        ),
        thing(schema=SCHEMA_1, checks=some(CHECK)),
    ],
    "plan": [
        ref("PlanDocument"),
        thing(
            bundles=some(
                thing(version=TEXT, bytes=maybe(COUNT), is_loaded=YES, path=maybe(TEXT), why=TEXT)
            ),
            bytes_to_bring=COUNT,
        ),
    ],
    "install": [PLAN, OUTCOME],
    "upgrade": [PLAN, OUTCOME],
    "apply": [PLAN, OUTCOME],
    "resume": [OUTCOME],
    "rollback": [PLAN, PRICED, OUTCOME, TAKE_BACK],
    "status": [STATUS],
    "history": [
        thing(operations=some(thing(**OPERATION, journal=some(ENTRY))), head=HEX),
    ],
    "report": [
        thing(
            schema=SCHEMA_1,
            operation=TEXT,
            state=one_of(*get_args(State)),
            file=TEXT,
            bytes=COUNT,
            head=HEX,
            broken=maybe(COUNT),
        )
    ],
    "support-bundle": [SUPPORT],
    "prune": [
        thing(schema=SCHEMA_1, done={"const": False}, plan=PRUNING),
        thing(
            schema=SCHEMA_1,
            done={"const": True},
            plan=PRUNING,
            left=thing(tags=some(TEXT), images=some(TEXT), registry_deletes=YES),
            collect=maybe(TEXT),
        ),
    ],
    "uninstall": [UNINSTALL],
    "explain": [thing(name=TEXT, title=TEXT, why=TEXT, fix=TEXT)],
    "db status": [thing(databases=some(STANDING))],
    "db contract": [PLAN, OUTCOME],
    "db undo": [with_("RevisionRecord", database=TEXT)],
    "secret list": [thing(secrets=some(ref("KnownSecret")))],
    "secret show": [thing(name=TEXT, value=TEXT)],
    "secret rotate": [PLAN, OUTCOME],
    "backup create": [thing(backups=some(BACKUP))],
    "backup list": [thing(backups=some(BACKUP))],
    "backup prove": [BACKUP],
    "backup restore": [PLAN, PRICED, OUTCOME],
    "key new": [
        thing(key=HEX, file=TEXT),
        thing(key=HEX, file=TEXT, root=HEX, root_file=TEXT),
    ],
    "key show": [thing(key=HEX, public_pem=TEXT)],
    "bundle build": [
        thing(
            file=TEXT,
            **RELEASE,
            bytes=COUNT,
            signed=YES,
            warnings=some(TEXT),
            images=by_name(DIGEST),
        )
    ],
    "bundle sign": [thing(file=TEXT, digest=DIGEST, key=HEX)],
    "bundle verify": [ref("VerifyReport")],
    "bundle show": [SHOWN],
    "bundle ls": [
        thing(
            **HEADER,
            blobs=some(thing(digest=DIGEST, kind=TEXT, path=maybe(TEXT), size=COUNT)),
        )
    ],
    "bundle lint": [LINT],
    "trust init": [ROOT],
    "trust list": [ROOT],
    "lock show": [
        thing(held=maybe(ref("Held"))),
        thing(held=maybe(ref("Held")), engine=ref("Hold")),
    ],
    "lock break": [thing(broken=some(TEXT), reason=TEXT)],
}


def documents() -> dict[str, Schema]:
    """Make every file of `docs/schema/`, by its name."""
    found = {
        "error": _document("What every verb writes instead when it fails.", _failure()),
        "event": _document("One line of `--events`.", ref("Event")),
        "finding": _document("The result of one check.", ref("Finding")),
    }
    for verb, results in VERBS.items():
        title = f"What `s1ctl {verb} --output json` writes."
        found[name_of(verb)] = _document(title, either(*results, file("error")))
    return {f"{name}.json": {"$id": f"{name}.json", **found[name]} for name in found}


def _failure() -> Schema:
    return thing(error=either(ERROR, FAULT))


def name_of(verb: str) -> str:
    return verb.replace(" ", "-")


def _document(title: str, schema: Schema) -> Schema:
    return {"$schema": DIALECT, "title": title, **schema, "$defs": dict(_used(schema))}


def _used(schema: Schema) -> Iterator[tuple[str, Schema]]:
    """Find the parts that a schema needs, and those that they need."""
    waiting, seen = list(_names(schema)), set()
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += _names(PARTS[name])
    return ((name, PARTS[name]) for name in sorted(seen))


def _names(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        pointer = part.get("$ref")
        if isinstance(pointer, str) and pointer.startswith("#/$defs/"):
            yield pointer.rpartition("/")[2]
    for each in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from _names(each)


def verbs(command: Any = None, before: str = "") -> Iterator[str]:
    """Name every verb that the command line takes."""
    for name, each in (command or typer.main.get_command(app)).commands.items():
        if hasattr(each, "commands"):
            yield from verbs(each, f"{before}{name} ")
        else:
            yield before + name


def verb_of(words: Sequence[object]) -> str | None:
    """Find the verb of a command line; None where it has none that there is."""
    line = iter(ordered([str(word) for word in words]))
    rest = []
    for word in line:
        if word in GLOBAL:
            next(line, "")
        elif word not in FLAGS:
            rest.append(word)
    return next((verb for verb in (" ".join(rest[:2]), *rest[:1]) if verb in VERBS), None)


def is_json(words: Sequence[object]) -> bool:
    line = ordered([str(word) for word in words])
    return ("--output", "json") in pairwise(line)


def heard(words: Sequence[object], text: str) -> str:
    """Find fault with the JSON that a command line wrote, by the schema of its verb."""
    if not is_json(words) or not text:
        return ""
    name = name_of(verb_of(words) or "error")
    return fault(json.loads(text), name)


def heard_events(text: str) -> str:
    """Find fault with a stream of events."""
    return "\n".join(filter(None, (fault(json.loads(line), "event") for line in text.splitlines())))


def fault(document: object, name: str) -> str:
    """Say the deepest fault of a document by the schema `name`; empty where it has none."""
    from jsonschema.exceptions import best_match

    found = best_match(_validator(name).iter_errors(document))
    if found is None:
        return ""
    return f"{name}.json: at {found.json_path}: {found.message[:400]}"


@cache
def _validator(name: str) -> Draft202012Validator:
    made = documents()
    resources = ((key, Resource.from_contents(schema)) for key, schema in made.items())
    return Draft202012Validator(made[f"{name}.json"], registry=Registry().with_resources(resources))


def written(schema: Schema) -> str:
    return json.dumps(schema, indent=2, sort_keys=True) + "\n"


def write() -> None:
    FOLDER.mkdir(exist_ok=True)
    for former in FOLDER.glob("*.json"):
        former.unlink()
    for name, schema in documents().items():
        (FOLDER / name).write_text(written(schema), "utf-8")


if __name__ == "__main__":
    write()
