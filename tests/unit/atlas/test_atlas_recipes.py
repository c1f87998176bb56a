import hashlib
import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
ATLAS = ROOT / "bundles" / "atlas"
RELEASES = ("1.0.0", "1.1.0", "2.0.0", "2.1.0")
MAY_COME_FROM = {"1.0.0": "", "1.1.0": ">=1.0,<1.1", "2.0.0": ">=1.1,<2.0", "2.1.0": ">=2.0,<2.2"}
LINEAGE = (
    ("0001_events", "expand", "1.0.0"),
    ("0002_severity", "expand", "1.1.0"),
    ("0003_severity_index", "expand", "1.1.0"),
    ("0004_severity_backfill", "backfill", "1.1.0"),
    ("0005_severity_checked", "enforce", "1.1.0"),
    ("0006_severity_required", "contract", "1.1.0"),
    ("0007_message", "expand", "2.0.0"),
    ("0008_message_backfill", "backfill", "2.0.0"),
    ("0009_message_checked", "enforce", "2.0.0"),
    ("0010_source_required", "contract", "2.0.0"),
    ("0011_text_dropped", "contract", "2.0.0"),
)


def read(version: str, name: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((ATLAS / version / name).read_text())
    return document


def revisions() -> list[ModuleType]:
    modules = []
    for path in sorted((ROOT / "migrations" / "atlas" / "console").glob("*.py")):
        spec = importlib.util.spec_from_file_location(f"revision_{path.stem}", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        assert module.revision == path.stem
        modules.append(module)
    return modules


@pytest.mark.parametrize("version", RELEASES)
def test_compose_and_recipe_name_the_same_images_settings_and_secrets(version: str) -> None:
    compose, recipe = read(version, "compose.yaml"), read(version, "recipe.yaml")
    services = compose["services"]
    assert {service["image"] for service in services.values()} == set(recipe["images"])
    settings = {setting["name"]: setting["kind"] for setting in recipe["settings"]}
    used = {name for service in services.values() for name in service.get("secrets", ())}
    assert used == {name for name, kind in settings.items() if kind == "secret"}
    assert recipe["version"] == version


@pytest.mark.parametrize("version", RELEASES)
def test_every_image_of_a_recipe_is_built(
    version: str, script: Callable[[str], ModuleType]
) -> None:
    built = {"postgres:1.0.0"}
    for release in script("build").RELEASES:
        built |= {f"console:{release}", f"gateway:{release}"}
    assert {image["name"] for image in read(version, "recipe.yaml")["images"].values()} <= built


@pytest.mark.parametrize("version", RELEASES)
def test_only_the_edge_is_on_the_host_s_network_and_nothing_publishes_ports(version: str) -> None:
    services = read(version, "compose.yaml")["services"]
    on_host = {name for name, service in services.items() if "network_mode" in service}
    assert on_host == {"gateway"}
    assert not any("ports" in service for service in services.values())


def test_the_lineage_is_linear_and_says_phase_and_release() -> None:
    modules = revisions()
    assert tuple((m.revision, m.phase, m.release) for m in modules) == LINEAGE
    previous = None
    for module in modules:
        assert module.down_revision == previous
        previous = module.revision


def test_expand_and_enforce_can_be_undone() -> None:
    for module in revisions():
        assert hasattr(module, "downgrade") == (module.phase in ("expand", "enforce"))


def test_every_recipe_says_where_it_may_come_from_and_knows_the_releases_before_it() -> None:
    known: list[dict[str, str]] = []
    for version in RELEASES:
        upgrade = read(version, "recipe.yaml")["upgrade"]
        assert upgrade["from"] == MAY_COME_FROM[version]
        assert upgrade.get("known", []) == known
        known = [*known, {"version": version, "from": MAY_COME_FROM[version]}]


def test_the_revisions_that_were_published_are_what_they_were() -> None:
    folder = ROOT / "migrations" / "atlas" / "console"
    locked = json.loads((folder / "revisions.lock").read_bytes())["revisions"]
    found = {
        path.stem: f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
        for path in folder.glob("*.py")
    }
    assert {name: entry["digest"] for name, entry in locked.items()} == found


@pytest.mark.parametrize("version", ["2.0.0", "2.1.0"])
def test_one_job_runs_before_the_roll_and_one_after(version: str) -> None:
    services = read(version, "compose.yaml")["services"]
    jobs = {
        name: (service["x-s1ctl"]["when"], service["entrypoint"])
        for name, service in services.items()
        if service["x-s1ctl"]["role"] == "job"
    }
    assert jobs == {
        "rows": ("before-roll", ["python3", "-m", "console.rows"]),
        "smoke": ("after-roll", ["python3", "-m", "console.smoke"]),
    }
    modules = ATLAS / "console" / "console"
    assert all((modules / f"{name}.py").exists() for name in jobs)
