"""What the contract asks of the edge, as far as its configuration can be seen."""

import re
from collections.abc import Iterator

from s1ctl.bundle.lint_finding import Finding
from s1ctl.bundle.lint_subject import Subject
from s1ctl.release.service import Service

_LISTEN = re.compile(r"^\s*listen\s+([^;]+);", re.MULTILINE)
_IDLE = re.compile(r"^\s*keepalive_timeout\s+0s?\s*;", re.MULTILINE)
_TWICE = re.compile(r"^\s*proxy_next_upstream\s[^;]*\bnon_idempotent\b", re.MULTILINE)


def check_edges(subject: Subject) -> Iterator[Finding]:
    """Check every edge of the Compose file."""
    has_apps = any(s.role == "app" and s.s1ctl.health for s in subject.compose.services.values())
    for name, service in subject.compose.services.items():
        if service.role != "edge":
            continue
        if has_apps and service.s1ctl.upstreams is None:
            yield Finding(
                id="edge.upstreams",
                where=subject.place(name, "x-s1ctl"),
                text=f"edge `{name}` has no `upstreams`: it is not told where the apps are",
                advice="include the files of a folder, and write that as `x-s1ctl.upstreams`",
            )
        if service.ports:
            yield Finding(
                id="edge.ports",
                where=subject.place(name, "ports"),
                text=f"edge `{name}` publishes a port, so it is stopped before the next one starts",
                advice="use `network_mode: host`, and `listen … reuseport`",
            )
        yield from _check_rolling(subject, name, service)


def unseen_edges(subject: Subject) -> Iterator[str]:
    """Name the edges whose configuration was not found."""
    for name, service in subject.compose.services.items():
        if service.role == "edge" and not list(_texts(subject, name, service)):
            yield (
                f"edge `{name}` listens with `reuseport`, keeps no idle connections open, and "
                "sends no POST twice"
            )


def _check_rolling(subject: Subject, name: str, service: Service) -> Iterator[Finding]:
    image = subject.images.get(service.image)
    texts = list(_texts(subject, name, service))
    if service.replace == "rolling":
        yield from _check_listen(name, texts)
        if texts and "SIGQUIT" not in (service.stop_signal or (image and image.stop_signal) or ""):
            yield Finding(
                id="edge.stop",
                where=subject.place(name),
                text=f"edge `{name}` is not ended by SIGQUIT, by which nginx finishes what it has",
                advice="write `stop_signal: SIGQUIT`",
            )
    if texts and not any(_IDLE.search(text) for _, text in texts):
        yield Finding(
            id="edge.idle",
            where=texts[0][0],
            text=f"edge `{name}` keeps idle connections, which a reload closes under a request",
            advice="write `keepalive_timeout 0;`",
        )
    for where, text in texts:
        if _TWICE.search(text):
            yield Finding(
                id="edge.twice",
                where=where,
                text=f"edge `{name}` sends a POST a second time (`non_idempotent`)",
                advice="remove `non_idempotent` from `proxy_next_upstream`",
            )


def _check_listen(name: str, texts: list[tuple[str, str]]) -> Iterator[Finding]:
    for where, text in texts:
        for found in _LISTEN.finditer(text):
            if "reuseport" not in found[1].split() and not found[1].startswith("unix:"):
                yield Finding(
                    id="edge.reuseport",
                    where=where,
                    text=f"edge `{name}` has `listen {found[1]}` without `reuseport`: the next "
                    "edge cannot start beside it",
                    advice=f"write `listen {found[1]} reuseport;`",
                )


def _texts(subject: Subject, name: str, service: Service) -> Iterator[tuple[str, str]]:
    """Yield the texts that look like nginx's configuration: configs, else the image's files."""
    found = [
        (subject.document.place(f"$.configs.{use.source}.content"), use.source)
        for use in service.config_uses
    ]
    configs = [(where, subject.compose.configs[source]) for where, source in found]
    seen = [pair for pair in configs if _LISTEN.search(pair[1])]
    image = subject.images.get(service.image)
    if not seen and image is not None:
        seen = [
            (f"{subject.place(name, 'image')} (/{path})", text)
            for path, text in sorted(image.tree.texts.items())
            if _LISTEN.search(text)
        ]
    yield from seen
