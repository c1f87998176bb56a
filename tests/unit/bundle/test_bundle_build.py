import dataclasses
import os
import re
import shutil
from pathlib import Path

import msgspec
import pytest

from s1ctl.bundle import archive, closure
from s1ctl.bundle.build import build_bundle
from s1ctl.bundle.sign import sign_bundle
from s1ctl.bundle.verify import verify_bundle
from s1ctl.errors import ContentsRefused, InputOutputFailed, NotVerified, S1Error, UsageError
from s1ctl.progress import silent
from s1ctl.release.verified import parse_header, verify_header
from s1ctl.trust.root import sign_root
from tests.support.bundles import make_vendor
from tests.support.recipes import COMPOSE, change, write_project

VENDOR = make_vendor()
KEY = VENDOR.release_keys[0]


@pytest.fixture
def recipe(tmp_path):
    return write_project(tmp_path / "project")


@pytest.fixture
def out(tmp_path):
    return tmp_path / "acme.s1b"


def build(recipe, out, **options):
    return build_bundle(recipe, out, **{"key": KEY, "roots": (VENDOR.root,), **options})


def header_of(out: Path) -> bytes:
    raw = out.read_bytes()
    size = int(raw[124:135], 8)
    return raw[archive.BLOCK :][:size].rstrip(b" ")


def refusal(recipe, out, **options) -> S1Error:
    """Build, which must fail and leave nothing behind but what was there."""
    before = files(recipe.parent.parent)
    with pytest.raises(S1Error) as caught:
        build(recipe, out, **options)
    assert not out.exists()
    assert files(recipe.parent.parent) == before
    assert list(out.parent.glob(".*")) == []
    assert caught.value.hint
    return caught.value


def files(folder):
    return sorted(folder.rglob("*"))


def test_what_was_built_is_verified_by_the_root_of_its_vendor(recipe, out):
    report = build(recipe, out)
    digest, manifest, signers, _ = verify_header(header_of(out), VENDOR.trust)
    assert digest == report.digest
    assert manifest == report.manifest
    assert signers == (KEY.public.fingerprint,)
    assert report.size_bytes == out.stat().st_size
    assert report.warnings == ()
    assert report.is_signed


@pytest.mark.parametrize("is_multi_platform", [False, True])
def test_what_was_built_is_opened_and_proven_to_the_last_byte(is_multi_platform, tmp_path, out):
    recipe = write_project(tmp_path / "project", is_multi_platform=is_multi_platform)
    report = build(recipe, out)
    assert verify_bundle(out, VENDOR.trust).release == report.digest


def test_a_release_that_a_reader_would_refuse_is_not_built(recipe, out, monkeypatch):
    monkeypatch.setitem(closure.LIMITS, "oci-config", 10)
    assert refusal(recipe, out).code == "S1-C22"


def test_a_build_signed_later_equals_one_signed_while_building(recipe, out, tmp_path):
    build(recipe, out)
    later = build(recipe, tmp_path / "later.s1b", key=None).path
    sign_bundle(later, KEY)
    assert verify_bundle(later, VENDOR.trust).signers == (KEY.public.fingerprint,)
    slot = archive.SLOT_STEP + archive.BLOCK
    assert later.read_bytes()[slot:] == out.read_bytes()[slot:]
    assert later.stat().st_size == out.stat().st_size


def test_blobs_lie_in_order_each_once_with_the_layers_last(recipe, out):
    blobs = build(recipe, out).manifest.blobs
    kinds = [blob.kind for blob in blobs]
    order = ["oci-manifest", "oci-config", "compose", "migration", "oci-layer"]
    assert kinds == sorted(kinds, key=order.index)
    assert len({blob.digest for blob in blobs}) == len(blobs)
    # two images of two layers share their base
    assert kinds.count("oci-layer") == 3
    assert [blob.path for blob in blobs if blob.path] == [
        "compose.yaml",
        "migrations/console/0001_base.py",
        "migrations/console/0002_severity.py",
    ]


def test_the_manifest_says_what_the_recipe_says(recipe, out):
    manifest = build(recipe, out).manifest
    assert manifest.image("console").repository == "acme/console"
    assert manifest.image("console").tags == ("1.1.0",)
    assert manifest.image("console").platforms == ("linux/amd64",)
    assert manifest.unit("console").settings == ("db_password", "public_host")
    assert [revision.id for revision in manifest.schemas[0].revisions] == ["0001", "0002"]
    assert str(manifest.upgrade.known[0].version) == "1.0.0"


def test_a_job_of_the_compose_file_is_no_unit_of_the_manifest(recipe, out):
    compose = recipe.parent / "compose.yaml"
    job = "  rows:\n    image: console\n    x-s1ctl: {role: job, when: before-roll}\nsecrets:"
    change(compose, "secrets:\n  db", job + "\n  db")
    manifest = build(recipe, out).manifest
    assert [unit.name for unit in manifest.units] == ["console", "gateway"]
    assert [(job.name, job.image, job.when) for job in manifest.jobs] == [
        ("rows", "console", "before-roll")
    ]


def test_an_image_of_several_platforms_keeps_its_index(tmp_path, out):
    recipe = write_project(tmp_path / "project", is_multi_platform=True)
    manifest = build(recipe, out).manifest
    assert manifest.image("console").platforms == ("linux/amd64", "linux/arm64")
    assert manifest.image("console").media_type.endswith("index.v1+json")
    assert [blob.kind for blob in manifest.blobs].count("oci-manifest") == 6


def test_two_builds_are_equal_byte_for_byte(recipe, out, tmp_path):
    build(recipe, out, key=None)
    build(recipe, tmp_path / "again.s1b", key=None)
    assert out.read_bytes() == (tmp_path / "again.s1b").read_bytes()


def test_a_build_in_another_folder_at_another_time_is_equal(recipe, out, tmp_path):
    build(recipe, out, key=None)
    copy = tmp_path / "elsewhere" / "deeper"
    shutil.copytree(recipe.parent.parent, copy)
    for path in copy.rglob("*"):
        os.utime(path, (1, 1))
        path.chmod(0o700)
    build(copy / "1.1.0" / "recipe.yaml", tmp_path / "again.s1b", key=None)
    assert out.read_bytes() == (tmp_path / "again.s1b").read_bytes()


def test_signing_while_building_changes_nothing_but_the_signature(recipe, out, tmp_path):
    signed, unsigned = build(recipe, out), build(recipe, tmp_path / "unsigned.s1b", key=None)
    assert signed.digest == unsigned.digest
    header, other = parse_header(header_of(out)), parse_header(header_of(unsigned.path))
    assert dataclasses.replace(header.release, signatures=()) == other.release
    slot = archive.SLOT_STEP + archive.BLOCK
    assert out.read_bytes()[slot:] == unsigned.path.read_bytes()[slot:]
    assert unsigned.warnings == ("the bundle is not signed, and no site loads it so",)
    assert not unsigned.is_signed
    with pytest.raises(NotVerified):
        verify_header(header_of(unsigned.path), VENDOR.trust)


def test_the_time_of_issue_is_given_or_in_the_recipe_or_1970(recipe, out):
    assert build(recipe, out).manifest.issued == "1970-01-01T00:00:00Z"
    change(recipe, "sequence: 110", 'sequence: 110\nissued: "2026-01-02T03:04:05Z"')
    assert build(recipe, out).manifest.issued == "2026-01-02T03:04:05Z"
    given = build(recipe, out, source_date_epoch="1767225600").manifest
    assert given.issued == "2026-01-01T00:00:00Z"


@pytest.mark.parametrize("text", ["", "now", "-1", "1.5", "9" * 30, "253402300800", "٣"])
def test_a_time_that_is_no_number_of_seconds_is_refused(text, recipe, out):
    error = refusal(recipe, out, source_date_epoch=text)
    assert (type(error), error.code) == (UsageError, "S1-U75")


def test_progress_is_told_to_the_last_byte(recipe, out):
    told = []
    build(recipe, out, notify=told.append)
    assert told[-1].done == told[-1].total > 0


def test_a_former_bundle_stays_when_a_build_fails(recipe, out):
    build(recipe, out)
    before = out.read_bytes()
    change(recipe, "sequence: 110", "sequence: x")
    with pytest.raises(UsageError):
        build(recipe, out)
    assert out.read_bytes() == before


# --- Compose file and recipe

COMPOSE_REFUSALS = {
    "an image that the recipe lacks": ("image: gateway", "image: proxy", 10, 5, "S1-U66"),
    "a setting that is not declared": ("${public_host}", "${hostname}", 5, 7, "S1-U67"),
    "a setting that is not declared, in a config": (
        "secrets:\n  db_password",
        "configs: {a: {content: '${b}'}}\nsecrets:\n  db_password",
        13,
        15,
        "S1-U67",
    ),
    "a secret that is not declared": (
        "secrets: [db_password]",
        "secrets: [db_password, token]",
        7,
        28,
        "S1-U68",
    ),
    "a secret that is declared as text": (
        "secrets: [db_password]",
        "secrets: [public_host]",
        7,
        15,
        "S1-U68",
    ),
    "a secret as text": ("${public_host}", "${db_password}", 5, 7, "S1-U76"),
    "a port that is a text": ("port: 8080", 'port: "${public_host}"', 8, 35, "S1-U79"),
    "a port that is not declared": ("port: 8080", 'port: "${gateway_port}"', 8, 35, "S1-U67"),
    "a key outside the subset": ("image: console", "image: console\n    pid: host", 4, 5, "S1-U40"),
}


@pytest.mark.parametrize("case", COMPOSE_REFUSALS)
def test_a_compose_file_is_refused_with_file_and_line(case, recipe, out):
    old, new, line, column, code = COMPOSE_REFUSALS[case]
    compose = recipe.parent / "compose.yaml"
    change(compose, old, new)
    if code == "S1-U68":
        change(
            compose, "  db_password: {file", "  public_host: {}\n  token: {}\n  db_password: {file"
        )
    error = refusal(recipe, out)
    assert (type(error), error.code) == (UsageError, code), error
    assert re.search(rf"compose\.yaml:{line}:{column}: ", error.message), error


def test_what_nobody_uses_is_a_warning(recipe, out):
    compose = recipe.parent / "compose.yaml"
    compose.write_text(COMPOSE[: COMPOSE.index("  gateway:")].replace("${public_host}", "x"))
    change(compose, "    secrets: [db_password]\n", "")
    assert build(recipe, out).warnings == (
        "image `gateway` is used by no service",
        "setting `public_host` is used by no service",
    )


def test_a_database_without_migrations_is_a_warning(recipe, out):
    shutil.rmtree(recipe.parent.parent / "migrations")
    (recipe.parent.parent / "migrations" / "console").mkdir(parents=True)
    assert build(recipe, out).warnings == ("database `console` has no migration",)


@pytest.mark.parametrize(("old", "line"), [(" compose.yaml", 10), (" ../migrations/console", 18)])
def test_a_path_that_leads_nowhere_is_refused_with_its_line(old, line, recipe, out):
    change(recipe, old, " nowhere/" + old.strip())
    error = refusal(recipe, out)
    assert (type(error), error.code) == (UsageError, "S1-U65")
    assert f"recipe.yaml:{line}:" in error.message


def test_a_compose_file_that_cannot_be_read_is_named(recipe, out):
    change(recipe, "compose: compose.yaml", "compose: ../images")
    error = refusal(recipe, out)
    assert (type(error), error.code) == (InputOutputFailed, "S1-I01")


# --- keys and roots


def test_a_root_of_another_product_is_refused(recipe, out):
    other = make_vendor(product="other")
    error = refusal(recipe, out, key=other.release_keys[0], roots=(other.root,))
    assert error.code == "S1-U77"
    assert "`acme`" in error.message
    assert "`other`" in error.message


def test_a_key_that_no_site_would_accept_is_refused(recipe, out):
    stranger = make_vendor().release_keys[0]
    error = refusal(recipe, out, key=stranger)
    assert error.code == "S1-U78"
    assert stranger.public.fingerprint in error.message


def test_a_key_for_other_sequences_is_refused(recipe, out):
    vendor = make_vendor()
    name = vendor.release_keys[0].public.fingerprint
    limited = {
        key: msgspec.structs.replace(entry, sequences=(1, 109)) if key == name else entry
        for key, entry in vendor.document.keys.items()
    }
    document = msgspec.structs.replace(vendor.document, keys=limited)
    root = sign_root(document, vendor.root_keys)
    assert refusal(recipe, out, key=vendor.release_keys[0], roots=(root,)).code == "S1-U78"


def test_a_chain_of_roots_that_does_not_hold_is_refused(recipe, out):
    broken = dataclasses.replace(VENDOR.root, signatures=())
    assert isinstance(refusal(recipe, out, roots=(broken,)), NotVerified)


# --- locks


def test_images_and_revisions_are_pinned_by_the_first_build(recipe, out):
    digest = build(recipe, out).manifest.image("console").digest
    assert digest in recipe.with_name("recipe.yaml.lock").read_text()
    lock = recipe.parent.parent / "migrations" / "console" / "revisions.lock"
    assert "0002" in lock.read_text()
    assert "0003" not in lock.read_text()


def test_an_image_that_was_rebuilt_is_refused_until_the_lock_is_updated(recipe, out, tmp_path):
    build(recipe, out)
    out.unlink()
    shutil.rmtree(tmp_path / "project" / "images")
    other = write_project(tmp_path / "other", layer_bytes=7)
    shutil.move(other.parent.parent / "images", tmp_path / "project" / "images")
    error = refusal(recipe, out)
    assert (type(error), error.code) == (UsageError, "S1-U70")
    assert len(re.findall("sha256:[0-9a-f]{64}", error.message)) == 2
    build(recipe, out, update_lock=True)
    build(recipe, out)


def test_a_migration_that_changed_after_it_was_built_is_refused(recipe, out):
    build(recipe, out)
    out.unlink()
    base = recipe.parent.parent / "migrations" / "console" / "0001_base.py"
    change(base, "events", "things")
    for update in (False, True):
        error = refusal(recipe, out, update_lock=update)
        assert (type(error), error.code) == (ContentsRefused, "S1-C66")


def test_a_bundle_whose_lock_cannot_be_written_is_not_left(recipe, out, monkeypatch):
    def fail(*_):
        raise InputOutputFailed("no", code="S1-I02", hint="no")

    monkeypatch.setattr("s1ctl.bundle.build.write_lock", fail)
    assert refusal(recipe, out).code == "S1-I02"


def test_a_folder_that_is_not_there_fails_and_leaves_no_lock(recipe, tmp_path):
    before = files(recipe.parent.parent)
    with pytest.raises(InputOutputFailed) as caught:
        build(recipe, tmp_path / "absent" / "x.s1b", notify=silent)
    assert caught.value.code == "S1-I02"
    assert files(recipe.parent.parent) == before
