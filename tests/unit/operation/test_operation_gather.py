"""What is gathered for a plan: the installed release, its settings, secrets, points, backups."""

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from s1ctl.errors import ContentsRefused, NoPath, NotReady, SiteHeld, UsageError, Withdrawn
from s1ctl.ledger.backups import Backup, Proof
from s1ctl.ledger.points import RollbackPoint
from s1ctl.operation import gather
from s1ctl.operation.mending import mend_plan
from s1ctl.plan.plan import Plan, SecretUse, Settings
from s1ctl.plan.planner import plan_install
from s1ctl.plan.steps import (
    CheckSite,
    Prepare,
    RecordPoint,
    RecordRelease,
    RestoreBackup,
    Roll,
    SetPassword,
)
from s1ctl.plan.view import ReleaseView
from s1ctl.release.manifest import Requires, Setting, UpgradeRules
from s1ctl.shape import changed
from s1ctl.site.secrets import SecretStore
from tests.support.releases import digest_of, make_view
from tests.support.sites import after, empty, upgrade
from tests.support.worlds import make_world

AT = datetime(2026, 1, 1, tzinfo=UTC)
ONE = (("e1", "expand", "1.0.0"),)
TWO = (*ONE, ("e2", "expand", "1.1.0"), ("c2", "contract", "1.1.0"))
DECLARED = (
    Setting(name="mode", kind="text", default="fast"),
    Setting(name="password", kind="secret", generate=20),
)


class Place:
    """A site with a real ledger and secret store, at which plans can be carried out."""

    def __init__(self, folder: Path) -> None:
        self.ledger = make_world(folder / "state").ledger
        self.secrets = SecretStore(folder / "secrets")
        self.environment: dict[str, str] = {}
        self.views: dict[str, ReleaseView] = {}
        self.state = empty()
        self.site: Any = SimpleNamespace(
            name="acme",
            target=SimpleNamespace(subnet=self.state.subnet),
            registry=self.state.registry,
            policy=SimpleNamespace(soak_s=5, backup=SimpleNamespace(when="always")),
            databases={"main": SimpleNamespace(service="db", url=None)},
            allow={"web": ("host-network",)},
            values={},
        )
        self.running: list[Any] = []
        self.gone: set[str] = set()
        self.withdrawn: set[str] = set()
        self.texts: dict[str, str] = {}
        self.target = SimpleNamespace(
            target_id=lambda: "engine-1", running=lambda: [*self.running, *self._units()]
        )
        self.secrets.ensure("password", chars=20)

    def _units(self) -> list[Any]:
        """List the recorded containers, without those that are gone."""
        installed = self.ledger.releases.installed()
        return [
            SimpleNamespace(container=p.container, unit=i.unit, state="running")
            for i in (installed.instances if installed else ())
            for p in i.placements
            if p.container not in self.gone
        ]

    def release(self, digest: str) -> Any:
        return SimpleNamespace(digest=digest, manifest=self.views[digest].manifest)

    def locate(self, at: str) -> str:
        return f"site.yaml {at}"

    def admitted(self, digest: str) -> Any:
        if digest in self.withdrawn:
            raise Withdrawn("it was revoked", code="S1-T23", hint="ask")
        return self.release(digest)

    def applied_texts(self, *_: object) -> dict[str, dict[str, str]]:
        """Say what is applied, each with the text of `make_view` or another."""
        return {
            database: {name: self.texts.get(name, digest_of(name)) for name in applied}
            for database, applied in self.state.applied.items()
        }

    def compose(self, release: Any) -> Any:
        return self.views[release.digest].compose

    def load(self, version: str, revisions: Any = ONE, **more: Any) -> ReleaseView:
        view = make_view(version, revisions=revisions, sources=">=1.0")
        manifest = changed(view.manifest, **{"settings": DECLARED, **more})
        view = ReleaseView(
            digest=digest_of(version),
            manifest=manifest,
            compose=view.compose,
            settings=self.settings(),
        )
        self.views[view.digest] = view
        self.ledger.releases.record_loaded(
            digest=view.digest, product="shop", channel="stable", version=view.version,
            sequence=view.version.minor + 1, at=AT,
        )  # fmt: skip
        return view

    def settings(self) -> Settings:
        version = self.secrets.version("password")
        fingerprint = self.secrets.fingerprint(self.secrets.read("password", version))
        use = SecretUse(version=version, fingerprint=fingerprint)
        return Settings(values={"mode": "fast"}, secrets={"password": use})

    def carry_out(self, plan: Plan) -> None:
        """Record what the plan would."""
        if any(isinstance(step, RecordPoint) for hop in plan.hops for step in hop.steps):
            self._record_point()
        self.state = after(self.state, plan, *self.views.values())
        self.ledger.addresses.record(dict(self.state.addresses))
        record = plan.hops[-1].steps[-1]
        if isinstance(record, RecordRelease):
            self.ledger.releases.record_installed(
                digest=record.release,
                version=Version(record.version),
                instances=record.instances,
                settings=plan.settings[str(record.release)],
                point=record.point,
                at=AT,
            )

    def _record_point(self) -> None:
        now = self.state.current
        self.ledger.points.record(
            RollbackPoint(
                id=f"p{self.state.next_point:04d}",
                release=now.release if now else None,
                version=now.version if now else None,
                settings=now.settings if now else None,
                running=now.instances if now else (),
                revisions=dict(self.state.applied),
                made_at=AT,
                operation="op-1",
            )
        )


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    made = Place(tmp_path)
    monkeypatch.setattr(gather, "applied_texts", made.applied_texts)
    view = made.load("1.0.0")
    made.carry_out(plan_install(made.state, view))
    return made


def rolled(plan: Plan) -> list[str]:
    return [s.to.unit for hop in plan.hops for s in hop.steps if isinstance(s, Roll)]


def test_apply_replaces_the_units_of_a_changed_value_and_then_nothing(place) -> None:
    assert mend_plan(place).is_empty
    place.site.values["mode"] = "slow"
    plan = mend_plan(place)
    assert (plan.verb, rolled(plan)) == ("apply", ["api"])
    place.carry_out(plan)
    assert mend_plan(place).is_empty


def test_apply_makes_anew_what_is_gone_beside_where_it_was(place) -> None:
    place.gone.add("acme-api-1.0.0-1a")
    plan = mend_plan(place)
    assert rolled(plan) == ["api"]
    roll = next(s for s in plan.hops[0].steps if isinstance(s, Roll))
    assert roll.to.placements[0].container == "acme-api-1.0.0-1b"
    assert roll.former is not None
    assert plan.hops[0].why == "api does not run as recorded"


def test_apply_starts_data_where_it_was_and_asks_no_database_for_that(place, monkeypatch) -> None:
    def away(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(gather, "applied_texts", away)
    place.gone |= {"acme-db-1.0.0-1a", "acme-api-1.0.0-1a"}
    plan = mend_plan(place)
    prepare = next(step for step in plan.stage if isinstance(step, Prepare))
    assert [i.placements[0].container for i in prepare.data] == ["acme-db-1.0.0-1a"]
    assert rolled(plan) == ["api"]
    assert not any(isinstance(step, CheckSite) for step in plan.stage)
    place.gone.remove("acme-api-1.0.0-1a")
    alone = mend_plan(place)
    assert (len(alone.stage), alone.hops) == (3, ())


def test_back_from_changed_settings_leads_to_the_former_and_no_further(place) -> None:
    place.site.values["mode"] = "slow"
    place.carry_out(mend_plan(place))
    plan = gather.rollback_plan(place)
    assert rolled(plan) == ["api"]
    assert next(iter(plan.settings.values())).values == {"mode": "fast"}
    place.carry_out(plan)
    with pytest.raises(NoPath) as refused:
        gather.rollback_plan(place)
    assert refused.value.code == "S1-N06"


def test_a_rotation_makes_one_version_and_takes_it_again_until_it_is_used(place) -> None:
    first = gather.rotate_plan(place, "password")
    again = gather.rotate_plan(place, "password")
    assert first.digest == again.digest
    assert place.secrets.version("password") == 2
    step = first.hops[0].steps[1]
    assert isinstance(step, SetPassword)
    assert (step.former.version, step.to.version, rolled(first)) == (1, 2, ["api"])
    place.carry_out(first)
    assert gather.rotate_plan(place, "password").digest != first.digest
    assert place.secrets.version("password") == 3


def test_a_rotation_changes_nothing_else_that_the_site_file_says(place) -> None:
    place.site.values["mode"] = "slow"
    plan = gather.rotate_plan(place, "password")
    assert next(iter(plan.settings.values())).values == {"mode": "fast"}


@pytest.mark.parametrize(
    ("name", "values", "code"),
    [
        ("token", {}, "S1-U53"),
        ("mode", {}, "S1-U53"),
        ("password", {"password": "env:PW"}, "S1-U54"),
    ],
)
def test_only_a_secret_that_was_generated_is_rotated(place, name, values, code) -> None:
    place.site.values.update(values)
    with pytest.raises(UsageError) as refused:
        gather.rotate_plan(place, name)
    assert refused.value.code == code
    assert place.secrets.version("password") == 1


def test_a_release_that_needs_another_s1ctl_is_refused_wherever_it_is_on_the_path(place) -> None:
    place.load("1.1.0", requires=Requires(s1ctl=SpecifierSet(">=99")))
    place.load("1.2.0", revisions=ONE)
    assert gather.upgrade_plan(place, Version("1.2.0")).hops
    with pytest.raises(NoPath) as refused:
        gather.upgrade_plan(place, Version("1.1.0"))
    assert refused.value.code == "S1-N20"
    assert "1.1.0" in refused.value.message


def two_releases(place) -> None:
    second = place.load("1.1.0", TWO)
    place.carry_out(upgrade(place.state, second))


def contracted(place) -> None:
    two_releases(place)
    plan = gather.contract_plan(place)
    assert (plan.verb, len(plan.hops)) == ("contract", 1)
    place.carry_out(plan)
    assert gather.contract_plan(place).is_empty


def backed_up(place, name: str, *revisions: str, matches: bool = True) -> None:
    proof = Proof(at=AT, fingerprint=digest_of("schema"), counts={}, matches=matches, seconds=1.0)
    place.ledger.backups.record(
        Backup(
            id=name, database="main", release=digest_of("1.1.0"), operation=None,
            path=f"backups/{name}/main.dump", size_bytes=1, sha256=digest_of(name), taken_at=AT,
            counts={}, fingerprint=digest_of("schema"), server_version="15", revisions=revisions,
        )
    )  # fmt: skip
    place.ledger.backups.record_proof(name, proof)


def test_a_rollback_past_a_contract_is_refused_and_a_restore_takes_the_newest_backup(place) -> None:
    contracted(place)
    with pytest.raises(NoPath) as refused:
        gather.rollback_plan(place)
    assert refused.value.code == "S1-N03"
    with pytest.raises(NoPath) as refused:
        gather.restore_plan(place)
    assert refused.value.code == "S1-N23"
    backed_up(place, "b0001", "e1")
    backed_up(place, "b0002", "e1", "e2")
    backed_up(place, "b0003", "e1", "e2", matches=False)
    plan = gather.restore_plan(place)
    assert [s.backup for s in plan.hops[0].steps if isinstance(s, RestoreBackup)] == ["b0002"]
    assert (plan.verb, plan.hops[0].version) == ("restore", "1.0.0")
    named = gather.restore_plan(place, backup="b0001", is_archived=True)
    assert [type(s).__name__ for s in named.hops[0].steps][:3] == [
        "StopApps", "Archive", "RestoreBackup",
    ]  # fmt: skip


def test_where_a_rollback_would_do_a_restore_is_refused(place) -> None:
    two_releases(place)
    with pytest.raises(NoPath) as refused:
        gather.restore_plan(place)
    assert refused.value.code == "S1-N22"


def test_a_point_is_named_to_go_back_over_several_hops(place) -> None:
    two_releases(place)
    third = place.load("1.2.0", TWO)
    place.carry_out(upgrade(place.state, third))
    assert gather.rollback_plan(place).hops[0].version == "1.1.0"
    plan = gather.rollback_plan(place, "p0002")
    assert plan.hops[0].version == "1.0.0"
    assert plan.hops[0].steps[-1].point is None  # type: ignore[union-attr]


def test_a_point_that_nobody_recorded_is_refused(place) -> None:
    with pytest.raises(NoPath) as refused:
        gather.rollback_plan(place, "p0099")
    assert refused.value.code == "S1-N25"


def test_backups_are_numbered_on_from_the_last_one(place) -> None:
    backed_up(place, "b0007", "e1")
    assert gather.site_view(place).next_backup == 8


def test_a_withdrawn_release_can_be_left_upwards_and_one_that_lies_about_blocks_nothing(
    place,
) -> None:
    place.load("1.1.0")
    place.load("1.2.0")
    place.withdrawn |= {digest_of("1.0.0"), digest_of("1.1.0")}
    plan = gather.upgrade_plan(place, Version("1.2.0"))
    assert [hop.version for hop in plan.hops] == ["1.2.0"]
    with pytest.raises(Withdrawn) as refused:
        gather.upgrade_plan(place, Version("1.1.0"))
    assert refused.value.code == "S1-T23"


def test_a_withdrawn_release_can_be_left_by_a_rollback_but_not_be_gone_back_to(place) -> None:
    two_releases(place)
    place.withdrawn = {digest_of("1.1.0")}
    assert gather.rollback_plan(place).hops[0].version == "1.0.0"
    place.withdrawn = {digest_of("1.0.0")}
    with pytest.raises(Withdrawn):
        gather.rollback_plan(place)


def test_a_release_with_another_text_of_an_applied_revision_is_refused_before_anything(
    place,
) -> None:
    place.load("1.1.0", TWO)
    assert gather.upgrade_plan(place, Version("1.1.0")).hops
    place.texts["e1"] = digest_of("other")
    with pytest.raises(ContentsRefused) as refused:
        gather.upgrade_plan(place, Version("1.1.0"))
    assert (refused.value.code, "`e1`" in refused.value.message) == ("S1-D17", True)


def test_a_setting_that_only_a_later_release_of_the_path_knows_may_be_given(place) -> None:
    new = (*DECLARED, Setting(name="color", kind="text"))
    place.load("1.1.0")
    rules = UpgradeRules(sources=SpecifierSet("==1.1.0"))
    place.load("1.2.0", settings=new, upgrade=rules)
    place.site.values["color"] = "red"
    plan = gather.upgrade_plan(place, Version("1.2.0"))
    assert [hop.version for hop in plan.hops] == ["1.1.0", "1.2.0"]
    with pytest.raises(NotReady) as refused:
        gather.upgrade_plan(place, Version("1.1.0"))
    assert refused.value.code == "S1-U19"


def test_nothing_is_installed_over_units_that_the_ledger_does_not_know(place) -> None:
    place.ledger.releases.record_uninstalled(at=AT)
    release = digest_of("1.0.0")
    place.running = [SimpleNamespace(unit="db", state="running")]
    assert gather.install_plan(place, release).hops
    place.running.append(SimpleNamespace(unit="api", state="exited"))
    assert gather.install_plan(place, release).hops
    place.running.append(SimpleNamespace(unit="api", state="running"))
    with pytest.raises(SiteHeld) as refused:
        gather.install_plan(place, release)
    assert refused.value.code == "S1-N28"
