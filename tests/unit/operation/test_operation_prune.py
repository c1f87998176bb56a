"""What prune lets go: decided on facts alone."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from packaging.version import Version

from s1ctl.errors import NoPath, S1Error
from s1ctl.ledger.points import RollbackPoint
from s1ctl.ledger.releases import Installed
from s1ctl.oci.digest import Digest
from s1ctl.operation.prune import _texts
from s1ctl.operation.prune_plan import (
    PruneFacts,
    PrunePlan,
    StoredBackup,
    StoredImage,
    StoredRelease,
    Tag,
    make_prune_plan,
)
from s1ctl.plan.steps import Instance, Roll
from s1ctl.shape import plain
from tests.support.ledgers import NOW, SETTINGS
from tests.support.plans import FIRST, SECOND, upgrade

SHARED = Digest.of(b"base layer")


def digest(version: str) -> Digest:
    return Digest.of(f"release {version}".encode())


def release(version: str, sequence: int, *, fault: S1Error | None = None) -> StoredRelease:
    """A release with an image of its own, and one that all of them share."""
    return StoredRelease(
        digest=digest(version),
        version=version,
        sequence=sequence,
        images=(image("web", version), image("db", version, content="same")),
        store_bytes=10,
        fault=fault,
    )


def image(unit: str, version: str, *, content: str | None = None) -> StoredImage:
    own = Digest.of(f"{unit} {content or version}".encode())
    return StoredImage(
        reference=f"registry/{unit}@{own}",
        manifests=((unit, own),),
        tags=(Tag(repository=unit, tag=version, digest=own),),
        layers={own: 100, SHARED: 1000},
        units=frozenset({unit}),
    )


def instance(unit: str, version: str) -> Instance:
    return Instance(unit=unit, release=digest(version), version=version, placements=())


def installed(
    version: str, *, point: str | None = None, units: tuple[Instance, ...] = ()
) -> Installed:
    return Installed(
        number=1,
        digest=digest(version),
        version=Version(version),
        instances=units,
        settings=SETTINGS,
        point=point,
        at=NOW,
    )


def point(number: int, version: str | None, *units: Instance) -> RollbackPoint:
    return RollbackPoint(
        id=f"p{number:04}",
        release=digest(version) if version else None,
        version=Version(version) if version else None,
        settings=None,
        running=units,
        revisions={},
        made_at=NOW,
        operation="op-1",
    )


def backup(number: int, **changes: Any) -> StoredBackup:
    values = {
        "id": f"b{number:04}",
        "database": "main",
        "path": Path(f"/state/backups/b{number:04}/main.dump"),
        "size_bytes": number,
    }
    return StoredBackup(**{**values, **changes})


VERSIONS = ("1.0.0", "1.1.0", "1.2.0", "1.3.0")
RELEASES = tuple(release(v, n) for n, v in enumerate(VERSIONS, start=1))
IMAGES = tuple(image for release in RELEASES for image in release.images)


def facts(**changes: Any) -> PruneFacts:
    values: dict[str, Any] = {
        "keep": 1,
        "installed": installed("1.2.0"),
        "last": installed("1.2.0"),
        "releases": RELEASES,
        "points": (),
        "backups": (),
        "in_engine": {image.reference: 7 for image in IMAGES},
        "in_registry": frozenset(pair for image in IMAGES for pair in image.manifests),
    }
    return PruneFacts(**{**values, **changes})


def gone(plan: PrunePlan) -> list[str]:
    return [r.version for r in plan.releases]


def test_older_releases_go_and_the_installed_and_newer_ones_stay() -> None:
    plan = make_prune_plan(facts())
    assert gone(plan) == ["1.0.0", "1.1.0"]
    assert plan.kept["release 1.2.0"] == "it is installed"
    assert plan.kept["release 1.3.0"] == "it is newer than the installed one"


def test_a_release_that_a_kept_point_names_stays_and_that_of_a_dropped_one_goes() -> None:
    points = (point(3, "1.1.0"), point(2, "1.0.0"))
    plan = make_prune_plan(facts(points=points))
    assert (gone(plan), plan.points) == (["1.0.0"], ("p0002",))
    assert gone(make_prune_plan(facts(points=points, keep=2))) == []


def test_the_point_to_which_rollback_would_go_stays_however_old() -> None:
    now = installed("1.2.0", point="p0001")
    points = (point(3, "1.1.0"), point(2, "1.1.0"), point(1, "1.0.0"))
    plan = make_prune_plan(facts(installed=now, points=points))
    assert plan.points == ("p0002",)
    assert gone(plan) == []


def test_of_a_release_of_which_a_unit_still_runs_that_image_stays_and_no_other() -> None:
    now = installed("1.2.0", units=(instance("db", "1.0.0"), instance("web", "1.2.0")))
    plan = make_prune_plan(facts(installed=now))
    assert gone(plan) == ["1.1.0"]
    assert plan.kept["release 1.0.0"] == "its db is in use"
    webs = {image("web", version).reference for version in ("1.0.0", "1.1.0")}
    assert plan.images.keys() == webs
    assert {f"registry/{name}@{digest}" for name, digest in plan.manifests} == webs
    assert [str(tag) for tag in plan.tags] == ["web:1.0.0", "web:1.1.0"]
    assert [str(tag) for tag in plan.lone_tags] == ["db:1.1.0"]


def test_of_a_release_of_which_a_unit_of_a_kept_point_ran_that_image_stays() -> None:
    points = (point(2, "1.1.0", instance("web", "1.0.0")), point(1, "1.0.0"))
    plan = make_prune_plan(facts(points=points))
    assert gone(plan) == []
    assert plan.images == {}


def test_what_the_plan_of_an_unfinished_operation_names_stays() -> None:
    plan = upgrade()
    ours = tuple(
        replace(release(v, n), digest=d)
        for n, (v, d) in enumerate({"1.0.0": FIRST.digest, "1.1.0": SECOND.digest}.items(), 1)
    )
    named = frozenset(_texts(plain(plan)))
    points = (point(9, None), point(1, None))
    made = make_prune_plan(
        facts(
            installed=installed("9.0.0"),
            last=installed("9.0.0"),
            releases=(*ours, release("0.9.0", 0), release("9.0.0", 9)),
            points=points,
            backups=(backup(9), backup(1)),
            unfinished="op-3",
            named=named,
        )
    )
    assert gone(made) == ["0.9.0"]
    assert made.points == ()
    assert made.backups == ()
    assert made.kept["release 1.0.0"] == "operation op-3 names it"


def test_the_releases_of_roll_steps_are_among_what_a_plan_names() -> None:
    plan = upgrade()
    rolls = [step for hop in plan.hops for step in hop.steps if isinstance(step, Roll)]
    names = set(_texts(plain(rolls)))
    assert {FIRST.digest, SECOND.digest} <= names
    references = {name for step in plan.stage for name in getattr(step, "references", ())}
    assert references
    assert references <= set(_texts(plain(plan)))


def test_a_manifest_and_an_image_that_a_kept_release_shares_stay() -> None:
    plan = make_prune_plan(facts())
    assert {repository for repository, _ in plan.manifests} == {"web"}
    assert [name for name in plan.images if "db@" in name] == []
    assert len(plan.manifests) == len(plan.images) == 2
    assert [str(tag) for tag in plan.lone_tags] == ["db:1.0.0", "db:1.1.0"]


def test_what_engine_and_registry_lack_is_not_planned() -> None:
    plan = make_prune_plan(facts(in_engine={}, in_registry=frozenset()))
    assert (plan.images, plan.manifests, plan.tags, plan.lone_tags) == ({}, (), (), ())
    assert plan.registry_bytes == 0
    assert gone(plan) == ["1.0.0", "1.1.0"]


def test_bytes_count_only_what_nobody_else_needs() -> None:
    plan = make_prune_plan(facts())
    assert (plan.registry_bytes, plan.engine_bytes, plan.state_bytes) == (200, 14, 20)


def test_a_tag_that_was_moved_to_a_kept_release_stays() -> None:
    again = replace(RELEASES[1], images=(image("web", "1.0.0", content="again"),))
    now = installed("1.1.0")
    found = facts(releases=(RELEASES[0], again), installed=now, last=now)
    plan = make_prune_plan(found)
    assert gone(plan) == ["1.0.0"]
    assert "web:1.0.0" not in {str(tag) for tag in plan.lone_tags}


def test_of_each_database_the_newest_dumps_and_the_newest_proven_stay() -> None:
    backups = (
        backup(5),
        backup(4, database="other"),
        backup(3, is_proven=True),
        backup(2),
        backup(1, is_proven=True),
    )
    assert [b.id for b in make_prune_plan(facts(backups=backups)).backups] == ["b0002", "b0001"]


def test_the_dump_of_a_kept_point_stays() -> None:
    backups = (backup(3), backup(2, point="p0002"), backup(1, point="p0001"))
    points = (point(2, "1.2.0"), point(1, "1.2.0"))
    assert [b.id for b in make_prune_plan(facts(backups=backups, points=points)).backups] == [
        "b0001"
    ]


def test_a_dump_that_only_its_point_knows_goes_with_it() -> None:
    backups = (backup(1, id="p0001", point="p0001", is_of_point=True),)
    points = (point(2, "1.2.0"), point(1, "1.2.0"))
    assert [b.id for b in make_prune_plan(facts(backups=backups, points=points)).backups] == [
        "p0001"
    ]


def test_what_restores_took_away_is_counted_apart() -> None:
    backups = (backup(3), backup(2, is_archive=True), backup(1, is_archive=True))
    assert [b.id for b in make_prune_plan(facts(backups=backups)).backups] == ["b0001"]


def test_after_an_uninstall_the_release_that_was_installed_last_stays() -> None:
    plan = make_prune_plan(facts(installed=None))
    assert gone(plan) == ["1.0.0", "1.1.0"]
    assert plan.kept["release 1.2.0"] == "it was installed last"


def test_where_nothing_was_ever_installed_every_release_stays() -> None:
    assert make_prune_plan(facts(installed=None, last=None)).is_empty
    assert not make_prune_plan(facts()).is_empty


def test_a_kept_release_that_cannot_be_read_stops_it() -> None:
    fault = NoPath("release is not loaded", code="S1-N80", hint="load it")
    releases = (*RELEASES[:2], release("1.2.0", 3, fault=fault))
    with pytest.raises(NoPath) as refused:
        make_prune_plan(facts(releases=releases))
    assert refused.value is fault


def test_a_release_that_cannot_be_read_and_is_not_needed_goes() -> None:
    fault = NoPath("revoked", code="S1-T23", hint="ask")
    broken = StoredRelease(digest=digest("0.9.0"), version="0.9.0", fault=fault)
    assert gone(make_prune_plan(facts(releases=(broken, *RELEASES[2:])))) == ["0.9.0"]


def test_equal_facts_make_plans_of_equal_content_and_others_do_not() -> None:
    plan = make_prune_plan(facts())
    assert plan.content == make_prune_plan(facts()).content
    assert plan.content != make_prune_plan(facts(installed=installed("1.1.0"))).content
