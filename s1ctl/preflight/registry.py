"""The private registry: does it answer, is it trusted, may we come in, has it the images."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s1ctl.errors import S1Error
from s1ctl.oci.manifest import Manifest, parse_manifest
from s1ctl.preflight.check import Check, Values
from s1ctl.preflight.collect import Collector
from s1ctl.preflight.finding import Fix, Judgement, Required, failed, passed, skipped
from s1ctl.preflight.needs import Needs
from s1ctl.release.manifest import Image
from s1ctl.site.config import RegistryAccess
from s1ctl.site.facts import Fact

if TYPE_CHECKING:
    from s1ctl.oci.registry import Registry

ENGINE_STORE = Path("/etc/docker/certs.d")
TLS_CODES = ("S1-R03", "S1-R04", "S1-R08", "S1-R17")
AUTH_CODES = ("S1-R06", "S1-R07")
SECRET_CODES = ("S1-I", "S1-U")  # our own password could not be had
STAGED = "staged: every image is in the engine already"
SHOWN = 5


def collectors(
    access: RegistryAccess,
    registry: "Callable[[], Registry]",
    store: Path = ENGINE_STORE,
    images: Sequence[Image] = (),
) -> dict[str, Collector]:
    """List what is asked of the registry, of `images` too, and of the engine's certificates."""
    return {
        "registry.ping": lambda: _ping(access, registry),
        "registry.engine-ca": lambda: _engine_ca(access, store),
        "registry.images": lambda: _images(access, registry, images),
    }


def _ping(access: RegistryAccess, registry: "Callable[[], Registry]") -> Fact:
    """Ask `/v2/`; a refusal is a measurement too, with its code."""
    try:
        client = registry()
        value = {"code": None, "text": f"lets us in by `{client.ping()}`{client.way}"}
    except S1Error as error:
        value = {"code": error.code, "text": error.message, "hint": error.hint}
    return Fact(value=value, source=f"{access.url} /v2/")


def _engine_ca(access: RegistryAccess, store: Path) -> Fact:
    path = store / access.host / "ca.crt"
    state = "missing"
    if path.exists() and access.ca:
        is_same = path.read_bytes().strip() == Path(access.ca).read_bytes().strip()
        state = "same" if is_same else "other"
    return Fact(value={"state": state, "path": str(path)}, source=str(path))


def _images(
    access: RegistryAccess, registry: "Callable[[], Registry]", images: Sequence[Image]
) -> Fact:
    """Ask for every manifest and blob by digest, and where each tag points."""
    value: dict[str, Any] = {"missing": [], "moved": [], "code": None}
    try:
        for image in images:
            repository = access.repository(image.repository)
            value["missing"] += _missing(registry(), repository, str(image.digest), image.name)
            value["moved"] += _moved(registry(), repository, image)
    except S1Error as error:
        value |= {"code": error.code, "text": error.message, "hint": error.hint}
    return Fact(value=value, source=f"{access.url}, HEAD of manifests and blobs")


def _missing(registry: "Registry", repository: str, digest: str, name: str) -> Iterator[str]:
    """Say what of a manifest or index is not there, itself included."""
    if registry.has_manifest(repository, digest) != digest:
        yield f"{name}: manifest {digest[:19]}"
        return
    found = parse_manifest(*registry.read_manifest(repository, digest))
    for part in found.descriptors:
        if not isinstance(found, Manifest):
            yield from _missing(registry, repository, part.digest, name)
        elif not registry.has_blob(repository, part.digest):
            yield f"{name}: blob {part.digest[:19]} of {part.size:,} bytes"


def _moved(registry: "Registry", repository: str, image: Image) -> Iterator[str]:
    for tag in image.tags:
        found = registry.has_manifest(repository, tag)
        if found not in (image.digest, None):
            yield f"{repository}:{tag} is {found[:19]}, and was {image.digest[:19]}"


def judge_api(values: Values, needs: Needs) -> Judgement:
    """Judge whether a registry answers at all."""
    others = (*TLS_CODES, *AUTH_CODES)
    return _judge_ping(
        values, needs, lambda code: code not in others and not code.startswith(SECRET_CODES)
    )


def judge_tls(values: Values, needs: Needs) -> Judgement:
    """Judge whether this tool and the engine both trust the registry's certificate."""
    judgement = _judge_ping(values, needs, lambda code: code in TLS_CODES)
    access = needs.site.registry
    if judgement.outcome != "pass" or not access.url.startswith("https:"):
        return judgement
    engine: Any = values["registry.engine-ca"]
    if access.ca is None or engine["state"] == "same" or _is_loopback(access.host):
        return passed("trusted by s1ctl and by the engine")
    command = f"install -D -m 0644 {access.ca} {engine['path']}"
    return failed(
        f"the engine's `{engine['path']}` is {engine['state']}",
        "The engine has a store of certificates of its own; put the registry's CA there:",
        fix=Fix(command=command, where="this host, as root", safe=True),
    )


def judge_auth(values: Values, needs: Needs) -> Judgement:
    """Judge whether the registry takes our user and password."""
    return _judge_ping(
        values, needs, lambda code: code in AUTH_CODES or code.startswith(SECRET_CODES)
    )


def judge_images(values: Values, needs: Needs) -> Judgement:
    """Judge whether all is there that the engine lacks; a tag that moved is only told."""
    if not needs.has_release:
        return skipped("no release is loaded yet whose images could be there")
    if needs.is_staged:
        return skipped(STAGED)
    found: Any = values["registry.images"]
    if found["code"]:
        fix = Fix(command=f"s1ctl explain {found['code']}", where="this host", safe=True)
        return failed(
            f"{found['code']}: {found['text']}", found["hint"], value=found["code"], fix=fix
        )
    if found["missing"]:
        return failed(
            f"the registry lacks {_some(found['missing'])}",
            f"Load the bundle of {needs.source} again: only what lacks is sent.",
            value=found["missing"],
            about=found["missing"],
            required=Required(op="is", value="there", source=needs.source),
            fix=Fix(command="s1ctl load FILE", where="this host", safe=True),
        )
    if found["moved"]:
        return failed(
            f"somebody moved a tag: {_some(found['moved'])}",
            "Images are pulled by digest, so nothing breaks; ask who pushes there besides s1ctl.",
            value=found["moved"],
            about=found["moved"],
            fix=Fix(command="s1ctl load FILE", where="this host", safe=True),
            outcome="warn",
        )
    return passed(f"{len(needs.pulls)} images are there with all of their blobs")


def _some(texts: list[str]) -> str:
    more = f" and {len(texts) - SHOWN} more" if len(texts) > SHOWN else ""
    return "; ".join(texts[:SHOWN]) + more


def _judge_ping(values: Values, needs: Needs, is_mine: Callable[[str], bool]) -> Judgement:
    if needs.is_staged:
        return skipped(STAGED)
    ping: Any = values["registry.ping"]
    if ping["code"] is None:
        return passed(ping["text"])
    if is_mine(ping["code"]):
        code = ping["code"]
        fix = Fix(command=f"s1ctl explain {code}", where="this host", safe=True)
        return failed(f"{code}: {ping['text']}", ping["hint"], value=code, fix=fix)
    return passed("nothing against it was seen")


def _is_loopback(host: str) -> bool:
    """Engines trust registries of 127.0.0.0/8 as they are."""
    name = host.rsplit(":", 1)[0]
    return name == "localhost" or name.startswith("127.")


CHECKS = (
    Check(
        id="reg.api",
        title="the private registry answers",
        why="Images come from it, and nowhere else.",
        severity="blocking",
        facts=("registry.ping",),
        judge=judge_api,
    ),
    Check(
        id="reg.tls",
        title="s1ctl and the engine trust the registry's certificate",
        why="Each has a store of its own; a pull fails where the engine's lacks the authority.",
        severity="blocking",
        facts=("registry.ping", "registry.engine-ca"),
        judge=judge_tls,
        prerequisites=("reg.api",),
    ),
    Check(
        id="reg.auth",
        title="the registry takes our user and password",
        why="Without it nothing can be loaded or pulled.",
        severity="blocking",
        facts=("registry.ping",),
        judge=judge_auth,
        prerequisites=("reg.api", "reg.tls"),
    ),
    Check(
        id="reg.images",
        title="the registry has every image that the engine lacks",
        why="The engine pulls them from there by digest, in the middle of an operation.",
        severity="blocking",
        facts=("registry.images",),
        judge=judge_images,
        prerequisites=("reg.api", "reg.tls", "reg.auth"),
    ),
)
