"""What the contract asks of every service, as far as the Compose file and the images show it."""

import re
from collections.abc import Iterator

from s1ctl.bundle.lint_finding import Finding
from s1ctl.bundle.lint_layers import ImageFacts
from s1ctl.bundle.lint_subject import Subject
from s1ctl.release.service import Service, seconds

_SECRET = re.compile(r"(?i)(password|passwd|secret|token|credential|api_?key|private_?key)")
_FILE = re.compile(r"(?i)(_file|_path|_dir)\Z")


def check_services(subject: Subject) -> Iterator[Finding]:
    """Check every service of the Compose file."""
    for name, service in subject.compose.services.items():
        if service.role in ("app", "edge"):
            yield from _health(subject, name, service)
        if service.role == "data":
            yield from _data(subject, name, service)
        if service.role != "job":
            yield from _stop(subject, name, service)
        yield from _secrets(subject, name, service)
        yield from _folders(subject, name, service)
    yield from _dumps(subject)


def _health(subject: Subject, name: str, service: Service) -> Iterator[Finding]:
    health = service.s1ctl.health
    if health is None:
        yield Finding(
            id="service.health",
            where=subject.place(name, "x-s1ctl"),
            text=f"service `{name}` does not tell that it is ready",
            advice="write `x-s1ctl.health` with `port`, `ready`, `live` and `version`",
        )
        return
    if health.version is None:
        yield Finding(
            id="service.version",
            where=subject.place(name, "x-s1ctl.health"),
            text=f"service `{name}` does not tell its version: old and new look the same",
            advice="answer the release's version at a path, and write it as `health.version`",
        )
    if health.live is None:
        yield Finding(
            id="service.live",
            where=subject.place(name, "x-s1ctl.health"),
            text=f"service `{name}` has no `live` path",
            advice="answer 200 at a path that does not look at the database",
        )
    elif health.live == health.ready:
        yield Finding(
            id="service.live-is-ready",
            where=subject.place(name, "x-s1ctl.health.live"),
            text=f"service `{name}` tells at one path that it lives and that it is ready",
            advice="make two paths: a service that waits for its database lives, and is not ready",
        )


def _data(subject: Subject, name: str, service: Service) -> Iterator[Finding]:
    check = service.healthcheck
    if service.s1ctl.health is None and (check is None or check.disable or not check.test):
        yield Finding(
            id="data.health",
            where=subject.place(name),
            text=f"service `{name}` does not tell when it is ready, so it is taken to be at once",
            advice="write a `healthcheck`, such as `test: [CMD, pg_isready, --quiet]`",
        )


def _dumps(subject: Subject) -> Iterator[Finding]:
    """Ask for `pg_dump` where the release brings the database itself."""
    data = {n: s for n, s in subject.compose.services.items() if s.role == "data"}
    images = [subject.images.get(service.image) for service in data.values()]
    if not subject.databases or not data or any(i is None or _can_dump(i) for i in images):
        return
    yield Finding(
        id="data.dump",
        where=subject.place(next(iter(data)), "image"),
        text=f"no data unit has `pg_dump`, so `{subject.databases[0]}` cannot be backed up",
        advice="install PostgreSQL's client programs in the image of the database",
    )


def _can_dump(image: ImageFacts) -> bool:
    return bool(image.tree.programs or image.tree.unread)


def _stop(subject: Subject, name: str, service: Service) -> Iterator[Finding]:
    written = subject.document.data["services"][name]
    image = subject.images.get(service.image)
    missing = [] if "stop_grace_period" in written else ["stop_grace_period"]
    if service.stop_signal is None and not (image and image.stop_signal):
        missing.insert(0, "stop_signal")
    if missing:
        yield Finding(
            id="service.stop",
            where=subject.place(name),
            text=f"service `{name}` does not say {' and '.join(f'`{key}`' for key in missing)}",
            advice="write the signal that it ends well by, and the time that it needs for it",
        )
    grace_s = seconds(service.stop_grace_period)
    if service.role == "app" and service.s1ctl.drain_s > grace_s:
        yield Finding(
            id="service.grace",
            where=subject.place(name, "x-s1ctl.drain_s"),
            text=f"service `{name}` may take {service.s1ctl.drain_s} s for a request, and is "
            f"killed {grace_s:g} s after its stop signal",
            advice="make `stop_grace_period` at least `drain_s`",
        )
    if service.restart == "no":
        yield Finding(
            id="service.restart",
            where=subject.place(name, "restart"),
            text=f"service `{name}` stays away when it has ended, and after a reboot",
            advice="remove `restart`, which is then `unless-stopped`",
        )


def _secrets(subject: Subject, name: str, service: Service) -> Iterator[Finding]:
    for key, value in service.environment.items():
        is_file = _FILE.search(key) or str(value).startswith("/")
        if _SECRET.search(key) and not is_file and str(value):
            yield Finding(
                id="service.secret",
                where=subject.place(name, f"environment.{key}"),
                text=f"service `{name}` gets `{key}` as a variable, which everybody can list",
                advice="declare a setting of kind `secret`, and read `/run/secrets/NAME`",
            )
    if service.secrets and _uid(subject, service) is None:
        yield Finding(
            id="service.user",
            where=subject.place(name, "user" if service.user else ""),
            text=f"service `{name}` runs as a user who cannot read its secrets",
            advice='write the number: `user: "10001:10001"`',
        )


def _uid(subject: Subject, service: Service) -> int | None:
    """Say who reads the secrets' files: root, or the number in the Compose file; else nobody."""
    if service.user is None:
        image = subject.images.get(service.image)
        return 0 if image is None or image.uid == 0 else None
    number = str(service.user).split(":")[0]
    return int(number) if number.isascii() and number.isdecimal() else None


def _folders(subject: Subject, name: str, service: Service) -> Iterator[Finding]:
    """Look for the folders that tmpfs and volumes are mounted over."""
    image = subject.images.get(service.image)
    uid = _writer(image, service)
    if image is None or image.tree.unread or not uid:
        return
    tmpfs = (service.tmpfs,) if isinstance(service.tmpfs, str) else service.tmpfs
    for number, text in enumerate(tmpfs):
        yield from _tmpfs(subject, image, text.split(":")[0], uid, (name, f"tmpfs[{number}]"))
    for number, text in enumerate(service.volumes):
        path, *options = text.split(":")[1:]
        if options != ["ro"]:
            yield from _volume(subject, image, path, uid, (name, f"volumes[{number}]"))


def _writer(image: ImageFacts | None, service: Service) -> int | None:
    """Say who writes; None for a name, and 0 for root, who can write anywhere."""
    if service.user is None:
        return image.uid if image else None
    number = str(service.user).split(":")[0]
    return int(number) if number.isascii() and number.isdecimal() else None


def _tmpfs(
    subject: Subject, image: ImageFacts, path: str, uid: int, at: tuple[str, str]
) -> Iterator[Finding]:
    folder = image.tree.find(path)
    if folder is None:
        what = f"`{path}` is not in the image: at the second start the tmpfs is root's"
    elif not folder.mode & 0o002:
        what = f"`{path}` has mode {folder.mode:04o} in the image, so the tmpfs is only root's"
    else:
        return
    yield Finding(
        id="service.tmpfs",
        where=subject.place(*at),
        text=f"service `{at[0]}` writes as user {uid}, and {what}",
        advice=f"make the folder `{path}` in the image, with mode 1777",
    )


def _volume(
    subject: Subject, image: ImageFacts, path: str, uid: int, at: tuple[str, str]
) -> Iterator[Finding]:
    folder = image.tree.find(path)
    if folder is None:
        what = f"`{path}` is not in the image: an empty volume there is root's"
    elif not folder.is_writable_for(uid):
        what = f"`{path}` is user {folder.uid}'s in the image, so an empty volume is too"
    else:
        return
    yield Finding(
        id="service.volume",
        where=subject.place(*at),
        text=f"service `{at[0]}` writes as user {uid}, and {what}",
        advice=f"make the folder `{path}` in the image, owned by {uid}",
    )
