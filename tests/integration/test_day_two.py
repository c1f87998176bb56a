"""Prune, uninstall, status and report at a real site: its registry, its engine, its state."""

import contextlib
import io
from pathlib import Path

import pytest

from s1ctl.cli.main import main
from s1ctl.ledger.ledger import open_ledger
from s1ctl.plan.steps import PullImages
from s1ctl.targets.docker_container import SITE
from s1ctl.targets.docker_engine import Engine
from tests.support.cases import CASES, Untouched, outcome_of, words_of
from tests.support.daytwo import VERSIONS, Depot, DepotSite, make_depot_site, write_depot
from tests.support.registry import RegistryServer
from tests.support.require import need
from tests.support.schemas import heard
from tests.support.subnets import take_subnet

pytestmark = pytest.mark.integration


def run(*words: object) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main([str(word) for word in words])
    assert heard(words, out.getvalue()) == ""
    return status, out.getvalue(), err.getvalue()


@pytest.fixture(scope="module")
def depot(tmp_path_factory: pytest.TempPathFactory) -> Depot:
    need("docker")
    return write_depot(tmp_path_factory.mktemp("depot"), run)


@pytest.fixture
def site(depot: Depot, plain_registry: RegistryServer, site_name: str, tmp_path: Path) -> DepotSite:
    """A site with 1.0.0 installed and no other release loaded."""
    made = make_depot_site(
        tmp_path,
        name=site_name,
        url=plain_registry.url,
        network=take_subnet(site_name),
        run=run,
        depot=depot,
    )
    made("install", "--bundle", depot.bundles["1.0.0"], "--yes")
    return made


@pytest.fixture
def upgraded(site: DepotSite, depot: Depot) -> DepotSite:
    """The same, upgraded to 1.1.0 and then 1.2.0."""
    for version in VERSIONS[1:]:
        site("load", depot.bundles[version])
        site("upgrade", "--to", version, "--yes")
    return site


def tags(server: RegistryServer) -> dict[str, bool]:
    client = server.connect()
    return {
        f"{name}:{version}": client.has_manifest(f"depot/{name}", version) is not None
        for name in ("web", "store")
        for version in VERSIONS
    }


def webs(site: DepotSite) -> dict[str, str]:
    """Name the image of `web` of each release, as the site calls it."""
    plans = (one.plan for one in open_ledger(site.state).operations.history())
    return {
        step.version: next(name for name in step.references if "/web@" in name)
        for plan in plans
        for step in plan.stage
        if isinstance(step, PullImages)
    }


def in_engine(engine: Engine, site: DepotSite) -> dict[str, bool]:
    return {v: engine.image_bytes(name) is not None for v, name in webs(site).items()}


def test_prune_removes_what_nothing_names_and_a_rollback_still_works(
    upgraded: DepotSite, plain_registry: RegistryServer, docker_client: Engine
) -> None:
    site = upgraded
    asked = site.data("prune", "--keep", "1", "--dry-run")
    assert not asked["done"]
    assert all(tags(plain_registry).values())
    assert all(in_engine(docker_client, site).values())
    done = site.data("prune", "--keep", "1", "--yes")
    assert done["plan"] == asked["plan"]
    assert [r["version"] for r in done["plan"]["releases"]] == ["1.0.0"]
    assert done["plan"]["points"] == ["p0002", "p0001"]
    assert done["collect"].startswith("docker-registry garbage-collect ")
    left = set(done["left"]["tags"])
    gone = {name for name, is_there in tags(plain_registry).items() if not is_there}
    assert {f"depot/{name}" for name in gone} == {"depot/web:1.0.0", "depot/store:1.0.0"} - left
    assert in_engine(docker_client, site) == {"1.0.0": False, "1.1.0": True, "1.2.0": True}
    assert site.data("status")["loaded"] == ["1.1.0", "1.2.0"]
    assert site.data("prune", "--keep", "1", "--yes")["done"] is False
    plain_registry.stop()
    assert site.data("rollback", "--yes")["version"] == "1.1.0"
    assert site.data("status")["drift"] == []


def test_prune_that_was_killed_is_simply_run_again(
    upgraded: DepotSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    for place in ("points.Points.remove", "store.ReleaseStore.remove"):
        with monkeypatch.context() as patch:
            patch.setattr(f"s1ctl.ledger.{place}", die)
            upgraded("prune", "--keep", "1", "--yes", expected=130)
    assert upgraded.data("prune", "--keep", "1", "--yes")["done"]
    assert upgraded.data("status")["loaded"] == ["1.1.0", "1.2.0"]
    assert upgraded.data("lock", "show") == {"held": None}


def test_prune_in_a_registry_that_allows_no_deletion_says_what_to_type(
    upgraded: DepotSite, plain_registry: RegistryServer
) -> None:
    config = plain_registry.folder / "config.yml"
    config.write_text(config.read_text().replace("enabled: true", "enabled: false"))
    plain_registry.restart()
    told = upgraded("prune", "--keep", "1", "--yes")
    assert "allows no deletion" in told
    assert f"skopeo delete docker://{plain_registry.host}/depot/web@sha256:" in told
    assert all(tags(plain_registry).values())
    assert upgraded.data("status")["loaded"] == ["1.1.0", "1.2.0"]


def test_prune_leaves_the_registry_where_that_is_asked(
    upgraded: DepotSite, plain_registry: RegistryServer
) -> None:
    plain_registry.stop()
    upgraded("prune", "--keep", "1", "--yes", expected=20)
    assert upgraded.data("status")["loaded"] == ["1.0.0", "1.1.0", "1.2.0"]
    assert upgraded.data("prune", "--keep", "1", "--yes", "--no-registry")["collect"] is None
    plain_registry.start()
    assert all(tags(plain_registry).values())


def test_what_changed_while_prune_asked_is_not_removed_unseen(
    site: DepotSite, depot: Depot, monkeypatch: pytest.MonkeyPatch
) -> None:
    site("load", depot.bundles["1.1.0"])
    site("upgrade", "--to", "1.1.0", "--yes")

    def load_meanwhile(*_: object, **__: object) -> bool:
        monkeypatch.undo()
        open_ledger(site.state).points.remove("p0001")
        return True

    monkeypatch.setattr("s1ctl.cli.context.Here.confirm", load_meanwhile)
    refused = site.data("prune", "--keep", "1", expected=23)
    assert refused["error"]["code"] == "S1-N60"


def volume_file(engine: Engine, site: DepotSite) -> Path:
    found = engine.volume(f"{site.name}-data")
    assert found is not None
    return Path(found["Mountpoint"]) / "row"


def test_uninstall_keeps_the_data_for_the_next_install(
    site: DepotSite, depot: Depot, docker_client: Engine
) -> None:
    volume_file(docker_client, site).write_text("kept")
    token = (site.state / "secrets" / "token" / "1").read_text()
    asked = site.data("uninstall", "--dry-run")
    assert len(asked["containers"]) == 2
    assert len(docker_client.containers({SITE: site.name})) == 2
    assert site.data("uninstall", "--yes")["done"]
    assert docker_client.containers({SITE: site.name}) == ()
    assert docker_client.network(f"{site.name}-default") is None
    assert list((site.state / "edge").iterdir()) == []
    status = site.data("status")
    assert status["installed"] is None
    assert status["uninstalled_at"]
    assert status["drift"] == []
    assert site.data("uninstall", "--yes")["installed"] is None
    site("install", "--bundle", depot.bundles["1.0.0"], "--yes")
    assert volume_file(docker_client, site).read_text() == "kept"
    assert (site.state / "secrets" / "token" / "1").read_text() == token
    status = site.data("status")
    assert (status["drift"], status["not_known"]) == ([], [])


def test_data_goes_only_with_the_site_s_name(
    site: DepotSite, depot: Depot, docker_client: Engine
) -> None:
    refused = site.data("uninstall", "--purge-data", "--yes", expected=2)
    assert refused["error"]["code"] == "S1-U81"
    words = ("uninstall", "--purge-data", "--site-name")
    assert site.data(*words, "another", expected=2)["error"]["code"] == "S1-U110"
    assert len(docker_client.containers({SITE: site.name})) == 2
    assert site.data(*words, site.name)["done"]
    assert docker_client.volumes({SITE: site.name}) == ()
    assert not (site.state / "secrets").exists()
    assert site.data("status")["points"] == []
    site("install", "--bundle", depot.bundles["1.0.0"], "--yes")
    assert not volume_file(docker_client, site).exists()


def test_uninstall_that_was_killed_is_simply_run_again(
    site: DepotSite, depot: Depot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("s1ctl.ledger.releases.Releases.record_uninstalled", die)
        site("uninstall", "--yes", expected=130)
    assert "missing" in {drift["kind"] for drift in site.data("status")["drift"]}
    site("uninstall", "--yes")
    site("install", "--bundle", depot.bundles["1.0.0"], "--yes")


def test_an_unfinished_operation_is_not_uninstalled_and_its_releases_are_not_pruned(
    site: DepotSite, depot: Depot, monkeypatch: pytest.MonkeyPatch
) -> None:
    site("load", depot.bundles["1.1.0"])

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("s1ctl.targets.docker.DockerTarget.roll", die)
        site("upgrade", "--to", "1.1.0", "--yes", expected=130)
    assert site.data("uninstall", "--yes", expected=21)["error"]["code"] == "S1-L03"
    status = site.data("status")
    assert (status["unfinished"]["verb"], status["drift"]) == ("upgrade", None)
    monkeypatch.setattr("s1ctl.operation.prune.lives", lambda _: False)  # its process is gone
    kept = site.data("prune", "--keep", "1", "--yes")["plan"]
    assert (kept["releases"], kept["manifests"], kept["images"]) == ([], [], {})
    assert site.data("resume")["version"] == "1.1.0"


def test_status_tells_each_drift_and_works_without_the_engine(
    site: DepotSite, docker_client: Engine
) -> None:
    (web,) = [c for c in docker_client.containers({SITE: site.name}) if "-web-" in c]
    assert site.data("status")["drift"] == []
    docker_client.stop(web, grace_s=1)
    (site.state / "edge" / "web.conf").write_text("upstream web {\n  server 10.9.9.9:8080;\n}\n")
    assert {drift["kind"] for drift in site.data("status")["drift"]} == {"stopped", "edge"}
    docker_client.remove(web)
    assert {drift["kind"] for drift in site.data("status")["drift"]} == {"missing", "edge"}
    assert all(len(line) <= 80 or "`" in line for line in site("status").splitlines())
    site.file.write_text(
        site.file.read_text().replace("{kind: docker,", "{kind: docker, socket: /none,")
    )
    status = site.data("status")
    assert (status["running"], status["drift"]) == (None, None)
    assert [one["what"] for one in status["not_known"]] == ["what runs"]
    assert "not known" in site("status")


def looked_at(site: DepotSite, engine: Engine) -> dict[Untouched, object]:
    """Take down the state directory, and the site's containers by id and state."""
    found = {name: engine.container(name) for name in engine.containers({SITE: site.name})}
    containers = {name: (one["Id"], one["State"]) for name, one in found.items() if one}
    return {**words_of(site.state), "containers": containers}


def test_an_upgrade_waits_until_every_unit_is_well_or_somebody_answers_for_it(
    site: DepotSite, depot: Depot, docker_client: Engine
) -> None:
    site("load", depot.bundles["1.1.0"])
    look = ("preflight", "--only", "state.health")
    assert site.data(*look)["findings"][0]["observed"]["text"] == "ready: store 1.0.0, web 1.0.0"
    (web,) = [c for c in docker_client.containers({SITE: site.name}) if "-web-" in c]
    docker_client.stop(web, grace_s=1)

    before = looked_at(site, docker_client)
    found = site.data(*look, expected=3)
    assert outcome_of(3, found) == CASES["preflight-unit-ill"].outcome
    (finding,) = found["findings"]
    assert f"web 1.0.0: `{web}`: it ended with status" in finding["observed"]["text"]
    assert finding["fix"]["command"] == f"docker logs --tail 20 {web}"
    refused = site.data("upgrade", "--to", "1.1.0", "--yes", expected=3)
    assert outcome_of(3, refused) == CASES["preflight-upgrade-refused"].outcome
    assert "check state.health: web 1.0.0" in refused["error"]["message"]
    after = looked_at(site, docker_client)
    CASES["preflight-unit-ill"].prove(before, after)
    CASES["preflight-upgrade-refused"].prove(before, after)

    assert site.data(*look, "--waive", "state.health=1.1.0 mends it")["waivers"]
    done = site.data("upgrade", "--to", "1.1.0", "--yes")
    assert outcome_of(0, done) == CASES["preflight-upgrade-waived"].outcome
    assert done["version"] == "1.1.0"
    assert site.data(*look, "--for", "doctor")["findings"][0]["outcome"] == "pass"


def test_a_data_unit_removed_by_hand_is_started_where_it_was_with_its_data(
    site: DepotSite, docker_client: Engine
) -> None:
    volume_file(docker_client, site).write_text("kept")
    before = docker_client.containers({SITE: site.name})
    (store,) = [name for name in before if "-store-" in name]
    docker_client.remove(store)
    assert f"container `{store}` of store is gone" in site("status")
    ended = site.data("apply", "--yes")
    assert outcome_of(ended["exit"], ended) == CASES["data-removed-by-hand"].outcome
    assert docker_client.containers({SITE: site.name}) == before
    assert volume_file(docker_client, site).read_text() == "kept"
    assert site.data("status")["drift"] == []


def test_a_report_of_a_real_operation_is_written(site: DepotSite, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    told = site.data("report", "last", "--html", page)
    text = page.read_text()
    assert told["bytes"] == len(page.read_bytes())
    assert (told["operation"], told["state"], told["broken"]) == ("op-1", "done", None)
    assert told["head"] in text
    assert "Install of" in text
    for secret in (site.state / "secrets").glob("*/[0-9]*"):
        assert secret.read_text() not in text
    missing = site.data("report", "op-99", "--html", page, expected=2)
    assert missing["error"]["code"] == "S1-U111"
