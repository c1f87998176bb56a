"""Status, report, prune and uninstall as an operator reads them."""

from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from packaging.version import Version

from s1ctl.cli import prune, status_text, uninstall
from s1ctl.errors import NoPath
from s1ctl.ledger.backups import Backup, Proof
from s1ctl.ledger.holder import Holder
from s1ctl.ledger.lock import Held
from s1ctl.oci.digest import Digest
from s1ctl.operation.condition import Condition, Unknown
from s1ctl.operation.drift import Drift
from s1ctl.operation.prune import PruneReport
from s1ctl.operation.prune_plan import PrunePlan, StoredBackup, StoredRelease, Tag
from s1ctl.operation.uninstall import Removal
from s1ctl.targets.docker_running import Running
from tests.support.ledgers import NOW, RELEASE

LATER = NOW + timedelta(minutes=5)
BACKUP = Backup(
    id="b0002",
    database="main",
    release=RELEASE,
    operation="op-2",
    path="/state/backups/b0002/main.dump",
    size_bytes=11_366,
    sha256=RELEASE,
    taken_at=NOW,
    counts={"public.events": 7},
    fingerprint=RELEASE,
    server_version="15.4",
)
PROOF = Proof(at=LATER, fingerprint=RELEASE, counts={}, matches=True, seconds=1.0)
HELD = Held(
    operation="op-3",
    holder=Holder(who="nora", host="site-host", pid=77, boot_id="b"),
    plan="sha256:0",
    message="upgrade",
    since=NOW,
    fence=3,
)
WEB = Digest.of(b"web")


def condition(**changes: Any) -> Condition:
    values: dict[str, Any] = {
        "at": LATER,
        "installed": SimpleNamespace(version=Version("1.1.0"), at=NOW),
        "uninstalled_at": None,
        "loaded": (SimpleNamespace(version=Version("1.1.0")),),
        "running": (),
        "drift": (),
        "pending": {},
        "points": (),
        "backups": {},
        "lock": None,
        "is_holder_alive": False,
        "unfinished": None,
        "last": None,
        "last_ended_at": None,
        "head": "ab" * 32,
        "unknown": (),
    }
    return Condition(**{**values, **changes})


def said(**changes: Any) -> str:
    lines = status_text.describe(condition(**changes), "acme")
    assert [line for line in lines if len(line) > 80 and "`" not in line] == []
    return "\n".join(lines)


def test_a_site_at_which_nothing_was_done_says_what_comes_first() -> None:
    assert said(installed=None, loaded=()).splitlines() == [
        "site acme",
        "release    nothing; loaded: nothing",
        "           -> `s1ctl install --bundle FILE`",
        "point      none",
        "lock       nobody holds the site",
        "last       nothing was done here yet",
        "journal    head " + "ab" * 32,
        "drift      none: what runs is what was recorded",
    ]
    assert "uninstalled 2026-01-02 03:04 UTC" in said(installed=None, uninstalled_at=NOW)


def test_a_pending_contract_names_database_and_revision() -> None:
    text = said(pending={"main": ("0007_drop",), "other": ()})
    assert "contract   pending for main: 0007_drop" in text
    assert "`s1ctl db contract`" in text
    assert "contract   none is pending" in said(pending={"main": ()})


@pytest.mark.parametrize(
    ("backup", "words"),
    [
        (None, ["main: none", "`s1ctl backup create`"]),
        (BACKUP, ["b0002, 11.1 KiB, 5 min ago; not proven", "`s1ctl backup prove b0002`"]),
        (
            Backup(**{f: getattr(BACKUP, f) for f in BACKUP.__struct_fields__} | {"proof": PROOF}),
            ["b0002", "proven 0.0 s ago"],
        ),
    ],
)
def test_the_newest_backup_and_its_proof_are_told(backup, words: list[str]) -> None:
    text = said(backups={"main": backup})
    assert all(word in text for word in words)


def test_a_lock_says_whether_its_process_lives() -> None:
    assert "gone" in " ".join(said(lock=HELD).split())
    text = said(lock=HELD, is_holder_alive=True)
    assert "by nora on site-host, process 77" in text
    assert "-> wait for it" in text


def test_drift_and_what_is_not_known_come_with_what_to_do() -> None:
    drift = Drift(
        kind="stopped", name="x", text="`x` is not running: exited", todo="`docker start x`"
    )
    unknown = Unknown(what="what runs", why="no engine answers", todo="start it")
    lines = said(drift=(drift,), unknown=(unknown,)).splitlines()
    assert lines[-4:] == [
        "drift      `x` is not running: exited",
        "           -> `docker start x`",
        "not known  what runs: no engine answers",
        "           -> start it",
    ]


def test_a_command_is_never_broken_over_two_lines() -> None:
    command = "`docker logs --tail 20 " + "x" * 40 + "`"
    drift = Drift(
        kind="stopped", name="x", text="`x` is not running: exited", todo=f"read why: {command}"
    )
    assert command in said(drift=(drift,))


def test_the_json_of_a_status_has_a_schema_and_says_what_is_not_known() -> None:
    running = Running(
        unit="web",
        release=RELEASE,
        version="1.1.0",
        replica=1,
        container="acme-web-1",
        address=None,
        state="running",
        health=None,
    )
    unknown = Unknown(what="what runs", why="no engine answers", todo="start it")
    found = condition(
        installed=None,
        running=(running,),
        drift=None,
        unknown=(unknown,),
        lock=HELD,
        backups={"main": BACKUP, "other": None},
        pending={"main": ("0007",)},
    )
    data = status_text.document(found, "acme")
    assert data["schema"] == 1
    assert data["running"][0]["container"] == "acme-web-1"
    assert data["drift"] is None
    assert data["not_known"] == [
        {"what": "what runs", "why": "no engine answers", "todo": "start it"}
    ]
    assert data["lock"]["holder"]["who"] == "nora"
    assert data["backups"]["main"]["proof"] is None
    assert data["backups"]["other"] is None
    assert data["pending_contracts"] == {"main": ["0007"]}


def prune_plan(**changes: Any) -> PrunePlan:
    values: dict[str, Any] = {
        "releases": (StoredRelease(digest=RELEASE, version="1.0.0", store_bytes=2048),),
        "manifests": (("shop/web", WEB),),
        "tags": (Tag(repository="shop/web", tag="1.0.0", digest=WEB),),
        "lone_tags": (Tag(repository="shop/db", tag="1.0.0", digest=RELEASE),),
        "images": {f"r:5000/shop/web@{WEB}": 1 << 20},
        "points": ("p0001",),
        "backups": (StoredBackup(id="b0001", database="main", path=Path("/x"), size_bytes=1024),),
        "kept": {"release 1.1.0": "it is installed"},
        "registry_bytes": 3 << 20,
    }
    return PrunePlan(**{**values, **changes})


EMPTY = {
    "releases": (),
    "manifests": (),
    "tags": (),
    "lone_tags": (),
    "images": {},
    "points": (),
    "backups": (),
}


def test_a_prune_plan_says_what_stays_what_goes_and_how_much() -> None:
    *lines, free = prune.describe_plan(prune_plan(), "acme")
    assert lines == [
        "prune of acme",
        "  stays  release 1.1.0: it is installed",
        f"  goes   release 1.0.0 ({RELEASE})",
        f"  goes   manifest shop/web@{WEB}",
        "  goes   tag shop/web:1.0.0",
        "  goes   tag shop/db:1.0.0; its manifest stays",
        f"  goes   image r:5000/shop/web@{WEB} (1.0 MiB)",
        "  goes   point p0001",
        "  goes   backup b0001 of main (1.0 KiB)",
    ]
    assert free == (
        "comes free: registry 3.0 MiB after its own garbage collection, engine at most 1.0 MiB,"
        " state directory 3.0 KiB"
    )
    assert prune.describe_plan(prune_plan(**EMPTY), "acme")[-1] == "nothing goes"


def test_a_release_that_cannot_be_read_goes_without_its_images_and_says_so() -> None:
    fault = NoPath("it is revoked", code="S1-T23", hint="ask")
    plan = prune_plan(releases=(StoredRelease(digest=RELEASE, version="1.0.0", fault=fault),))
    assert any(
        "its images stay, since it is revoked" in line for line in prune.describe_plan(plan, "a")
    )


def test_the_end_of_a_prune_names_the_registry_s_own_garbage_collection() -> None:
    report = PruneReport(left_tags=(), left_images=(), is_deletion_off=False)
    lines = prune.describe_end(prune_plan(), report, "r:5000")
    assert lines[0] == "pruned: 1 releases, 1 images, 1 points, 1 backups"
    assert lines[-1] == "  docker-registry garbage-collect /etc/docker/registry/config.yml"
    lines = prune.describe_end(prune_plan(manifests=()), report, "r:5000")
    assert len(lines) == 1


def test_what_prune_could_not_remove_is_named() -> None:
    name = f"r:5000/shop/web@{WEB}"
    report = PruneReport(
        left_tags=prune_plan().lone_tags, left_images=(name,), is_deletion_off=False
    )
    text = "\n".join(prune.describe_end(prune_plan(), report, "r:5000"))
    assert f"a container still uses {name}; it stays" in text
    assert "  shop/db:1.0.0" in text
    off = PruneReport(left_tags=(), left_images=(), is_deletion_off=True)
    text = "\n".join(prune.describe_end(prune_plan(), off, "r:5000"))
    assert f"  skopeo delete docker://r:5000/shop/web@{WEB}" in text
    assert "`storage.delete.enabled: true`" in text


@pytest.mark.parametrize("is_data_purged", [False, True])
def test_an_uninstall_says_what_goes_and_that_foreign_databases_stay(is_data_purged) -> None:
    removal = Removal(
        installed=None, containers=("acme-web-1",), volumes=("acme-data",), foreign=("billing",)
    )
    word = "goes " if is_data_purged else "stays"
    assert uninstall.describe(removal, "acme", is_data_purged=is_data_purged) == [
        "uninstall of acme: nothing is recorded",
        "  goes   container acme-web-1",
        "  goes   the site's networks, and the files of its edges",
        f"  {word}  volume acme-data",
        f"  {word}  generated secrets, rollback points, backups",
        "  stays  database billing, at its own server",
        "  stays  loaded releases, images, journal",
    ]


@pytest.fixture
def site(run, tmp_path: Path) -> Path:
    path = tmp_path / "site.yaml"
    run(
        *("init", "--site", path, "--non-interactive", "--name", "acme", "--product", "shop"),
        *("--registry", "https://r:5000", "--state-dir", tmp_path / "state"),
    )
    socket = "target:\n  socket: /nowhere/engine.sock\n"
    path.write_text(path.read_text().replace("target:\n", socket))
    return path


def test_a_status_without_an_engine_ends_with_0(golden, site) -> None:
    golden("status-no-engine", "status", "--site", site)


def test_a_report_of_what_was_never_done_is_refused(golden, site) -> None:
    golden("report-none", "report", "op-9", "--html", "page.html", "--site", site)
    golden("report-nothing", "report", "last", "--html", "page.html", "--site", site)


def test_prune_and_uninstall_without_an_engine_change_nothing(golden, site) -> None:
    golden("prune-no-engine", "prune", "--yes", "--site", site)
    golden("uninstall-no-engine", "uninstall", "--yes", "--site", site)
