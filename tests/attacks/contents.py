"""Signed releases that contradict themselves, and bytes that contradict their release."""

import json

import msgspec

from s1ctl.errors import ContentsRefused, FormatRefused
from s1ctl.oci.digest import Digest
from s1ctl.release.manifest import Blob, Job
from s1ctl.release.verified import STATEMENT_TYPE, Header, statement_json
from s1ctl.trust.envelope import sign
from tests.support.attacks import (
    PARTS,
    VENDOR,
    Suspect,
    attack,
    good,
    member,
    spoil,
    with_blob,
    with_image,
    with_image_field,
)

IMAGE = PARTS.manifest.images[0]
MANIFEST = json.loads(PARTS.blobs[IMAGE.digest])
CONFIG = MANIFEST["config"]["digest"]
LAYER = MANIFEST["layers"][0]["digest"]
UNIT = PARTS.manifest.units[0]


def without(digest):
    kept = tuple(blob for blob in PARTS.manifest.blobs if blob.digest != digest)
    return PARTS.change(blobs=kept)


def change_blob(digest, **fields):
    return PARTS.change(
        blobs=tuple(
            msgspec.structs.replace(blob, **fields) if blob.digest == digest else blob
            for blob in PARTS.manifest.blobs
        )
    )


def added(raw, kind, path=None):
    blob = Blob(digest=Digest.of(raw), size=len(raw), kind=kind, path=path)
    parts = PARTS.change(blobs=(blob, *PARTS.manifest.blobs))
    parts.blobs[blob.digest] = raw
    return parts


@attack(ContentsRefused, "S1-C10")
def layer_changed(folder):
    at = member(-1).offset + 1000
    return spoil(folder, lambda raw: raw.__setitem__(at, raw[at] ^ 1))


@attack(ContentsRefused, "S1-C10")
def small_blob_changed(folder):
    at = member(3).offset
    return spoil(folder, lambda raw: raw.__setitem__(at, raw[at] ^ 1))


@attack(ContentsRefused, "S1-C25")
def descriptor_lies_about_a_size(folder):
    return Suspect(good(folder, with_image(lambda m: m["layers"][0].update(size=1))))


@attack(ContentsRefused, "S1-C24")
def layer_missing(folder):
    return Suspect(good(folder, without(LAYER)))


@attack(ContentsRefused, "S1-C24")
def config_missing(folder):
    return Suspect(good(folder, without(CONFIG)))


@attack(ContentsRefused, "S1-C24")
def compose_file_missing(folder):
    return Suspect(good(folder, without(PARTS.manifest.compose)))


@attack(ContentsRefused, "S1-C24")
def migration_missing(folder):
    return Suspect(good(folder, without(PARTS.manifest.schemas[0].revisions[1].digest)))


@attack(ContentsRefused, "S1-C27")
def file_that_no_image_uses(folder):
    return Suspect(good(folder, added(b"stowaway", "oci-config")))


@attack(ContentsRefused, "S1-C27")
def migration_that_no_schema_names(folder):
    return Suspect(good(folder, added(b"drop all", "migration", "migrations/x.py")))


@attack(ContentsRefused, "S1-C27")
def document_without_a_path(folder):
    return Suspect(good(folder, added(b"a document", "docs")))


@attack(ContentsRefused, "S1-C26")
def layer_listed_as_a_document(folder):
    first, *others = (blob for blob in PARTS.manifest.blobs if blob.digest == LAYER)
    assert not others
    kept = [blob for blob in PARTS.manifest.blobs if blob.digest != LAYER]
    blobs = (msgspec.structs.replace(first, kind="docs", path="docs/x"), *kept)
    return Suspect(good(folder, PARTS.change(blobs=blobs)))


@attack(ContentsRefused, "S1-C45")
def layer_to_be_had_elsewhere(folder):
    change = with_image(lambda m: m["layers"][0].update(urls=["http://example.com/layer"]))
    return Suspect(good(folder, change))


@attack(ContentsRefused, "S1-C44")
def layer_of_an_unknown_media_type(folder):
    change = with_image(lambda m: m["layers"][0].update(mediaType="application/x-evil"))
    return Suspect(good(folder, change))


@attack(ContentsRefused, "S1-C44")
def image_of_another_media_type(folder):
    index = "application/vnd.oci.image.index.v1+json"
    return Suspect(good(folder, with_image_field(media_type=index)))


@attack(ContentsRefused, "S1-C46")
def manifest_and_index_in_one(folder):
    return Suspect(good(folder, with_image(lambda m: m.update(manifests=[]))))


@attack(ContentsRefused, "S1-C29")
def config_with_other_layers(folder):
    config = json.loads(PARTS.blobs[CONFIG])
    config["rootfs"]["diff_ids"].pop()
    raw = json.dumps(config).encode()
    descriptor = {"digest": Digest.of(raw), "size": len(raw)}
    parts = with_image(lambda m: m["config"].update(descriptor))
    return Suspect(good(folder, with_blob(parts, CONFIG, raw)))


@attack(ContentsRefused, "S1-C22")
def oversized_manifest(folder):
    return Suspect(good(folder, with_image(lambda m: m.update(annotations={"x": "y" * (5 << 20)}))))


@attack(ContentsRefused, "S1-C20")
def blob_listed_twice(folder):
    blobs = PARTS.manifest.blobs
    return Suspect(good(folder, PARTS.change(blobs=(blobs[0], *blobs))))


@attack(ContentsRefused, "S1-C20")
def two_images_of_one_name(folder):
    first, second = PARTS.manifest.images
    images = (first, msgspec.structs.replace(second, name=first.name))
    return Suspect(good(folder, PARTS.change(images=images)))


@attack(ContentsRefused, "S1-C20")
def two_images_of_one_tag(folder):
    first, second = PARTS.manifest.images
    images = (first, msgspec.structs.replace(second, repository=first.repository))
    return Suspect(good(folder, PARTS.change(images=images)))


@attack(ContentsRefused, "S1-C21")
def small_blob_after_a_layer(folder):
    blobs = PARTS.manifest.blobs
    return Suspect(good(folder, PARTS.change(blobs=(*blobs[1:], blobs[0]))))


@attack(ContentsRefused, "S1-C23")
def path_that_climbs_out(folder):
    return Suspect(good(folder, change_blob(PARTS.manifest.compose, path="a/../../etc/x")))


@attack(ContentsRefused, "S1-C23")
def path_with_a_control_character(folder):
    return Suspect(good(folder, change_blob(PARTS.manifest.compose, path="a\x1b[31m")))


@attack(ContentsRefused, "S1-C30")
def image_without_a_platform(folder):
    return Suspect(good(folder, with_image_field(platforms=())))


@attack(ContentsRefused, "S1-C40")
def repository_that_climbs_out(folder):
    return Suspect(good(folder, with_image_field(repository="acme/../other")))


@attack(ContentsRefused, "S1-C40")
def repository_with_capitals(folder):
    return Suspect(good(folder, with_image_field(repository="Acme/console")))


@attack(ContentsRefused, "S1-C41")
def tag_with_a_digest(folder):
    return Suspect(good(folder, with_image_field(tags=("1@sha256",))))


@attack(ContentsRefused, "S1-C28")
def unit_of_an_unknown_image(folder):
    units = (msgspec.structs.replace(UNIT, images=("other",)),)
    return Suspect(good(folder, PARTS.change(units=units)))


@attack(ContentsRefused, "S1-C28")
def unit_of_another_compose_file(folder):
    units = (msgspec.structs.replace(UNIT, source=Digest.of(b"other")),)
    return Suspect(good(folder, PARTS.change(units=units)))


@attack(ContentsRefused, "S1-C28")
def job_of_an_unknown_image(folder):
    job = Job(name="rows", source=UNIT.source, image="other", when="before-roll")
    return Suspect(good(folder, PARTS.change(jobs=(job,))))


@attack(ContentsRefused, "S1-C28")
def job_of_an_unknown_setting(folder):
    job = Job(name="rows", source=UNIT.source, image=UNIT.images[0], when="after-roll")
    jobs = (msgspec.structs.replace(job, settings=("other",)),)
    return Suspect(good(folder, PARTS.change(jobs=jobs)))


@attack(ContentsRefused, "S1-C28")
def job_of_another_compose_file(folder):
    source = Digest.of(b"other")
    job = Job(name="rows", source=source, image=UNIT.images[0], when="after-roll")
    return Suspect(good(folder, PARTS.change(jobs=(job,))))


@attack(ContentsRefused, "S1-C20")
def job_with_the_name_of_a_unit(folder):
    job = Job(name=UNIT.name, source=UNIT.source, image=UNIT.images[0], when="after-roll")
    return Suspect(good(folder, PARTS.change(jobs=(job,))))


@attack(ContentsRefused, "S1-C03")
def subjects_of_another_release(folder):
    payload = statement_json(PARTS.manifest).replace(
        b'"name":"acme/console"', b'"name":"acme/other"'
    )
    envelope = sign(STATEMENT_TYPE, payload, VENDOR.release_keys)
    return Suspect(good(folder, header=Header(roots=(VENDOR.root,), release=envelope)))


@attack(FormatRefused, "S1-F23")
def digest_in_capitals(folder):
    text = PARTS.manifest.compose.encode()
    payload = statement_json(PARTS.manifest).replace(text, text[:7] + text[7:].upper())
    envelope = sign(STATEMENT_TYPE, payload, VENDOR.release_keys)
    return Suspect(good(folder, header=Header(roots=(VENDOR.root,), release=envelope)))


@attack(ContentsRefused, "S1-C20")
def two_files_of_one_path(folder):
    first, second = (revision.digest for revision in PARTS.manifest.schemas[0].revisions)
    paths = {blob.digest: blob.path for blob in PARTS.manifest.blobs}
    return Suspect(good(folder, change_blob(second, path=paths[first])))


@attack(ContentsRefused, "S1-C20")
def two_schemas_of_one_database(folder):
    schemas = PARTS.manifest.schemas
    return Suspect(good(folder, PARTS.change(schemas=(*schemas, *schemas))))
