"""Each rule of `bundle lint` finds what it is for, and finds nothing in a good platform."""

from pathlib import Path

import pytest

from s1ctl.bundle.lint import judge
from s1ctl.bundle.lint_finding import RULES
from s1ctl.bundle.lint_layers import Folder, ImageFacts, Tree
from s1ctl.bundle.lint_subject import Subject
from s1ctl.release.compose import parse_compose
from s1ctl.strict_yaml import parse_yaml

GOOD = """\
services:
  db:
    image: db
    user: "70:70"
    volumes: ["data:/data"]
    tmpfs: [/run/db]
    healthcheck: {test: [CMD, pg_isready]}
    stop_signal: SIGINT
    stop_grace_period: 60s
    x-s1ctl: {role: data}
  web:
    image: web
    user: "80:80"
    environment: {DB_PASSWORD_FILE: /run/secrets/password, TOKEN_URL: /token}
    secrets: [password]
    stop_signal: SIGTERM
    stop_grace_period: 20s
    restart: on-failure
    x-s1ctl:
      health: {port: 8080, ready: /ready, live: /live, version: /version}
      drain_s: 10
  edge:
    image: edge
    configs: [{source: edge, target: /edge.conf}]
    network_mode: host
    stop_signal: SIGQUIT
    stop_grace_period: 20s
    x-s1ctl:
      role: edge
      health: {port: 80, ready: /e/ready, live: /e/live, version: /e/version}
      upstreams: /upstreams
volumes: {data: {}}
secrets: {password: {file: ./password}}
configs:
  edge:
    content: |
      keepalive_timeout 0;
      listen 80 reuseport;
      proxy_next_upstream error;
"""
HEALTH = "health: {port: 8080, ready: /ready, live: /live, version: /version}"
CHECK = "healthcheck: {test: [CMD, asked]}"
# What is changed in the good one, and which rule finds it, at a line with which text.
FAULTS = {
    f"    x-s1ctl:\n      {HEALTH}\n ->     {CHECK}\n    x-s1ctl:\n": "service.health at x-s1ctl",
    ", version: /version -> ": "service.version at health",
    ", live: /live, v -> , v": "service.live at health",
    "live: /live -> live: /ready": "service.live-is-ready at live: /ready",
    "    stop_signal: SIGTERM\n -> ": "service.stop at web:",
    "    stop_signal: SIGINT\n    stop_grace_period: 60s\n -> ": "service.stop at db:",
    "drain_s: 10 -> drain_s: 30": "service.grace at drain_s",
    'restart: on-failure -> restart: "no"': "service.restart at restart",
    "{DB_PASSWORD_FILE: -> {API_TOKEN: abc, DB_PASSWORD_FILE:": "service.secret at API_TOKEN",
    '    user: "80:80"\n -> ': "service.user at web:",
    'user: "80:80" -> user: "web"': "service.user at user",
    "/run/db -> /run/missing": "service.tmpfs at tmpfs",
    "/run/db -> /run/closed": "service.tmpfs at tmpfs",
    "data:/data -> data:/elsewhere": "service.volume at volumes",
    "data:/data -> data:/run/closed": "service.volume at volumes",
    "    healthcheck: {test: [CMD, pg_isready]}\n -> ": "data.health at db:",
    "test: [CMD, pg_isready] -> disable: true": "data.health at db:",
    "    network_mode: host\n ->     ports: ['80:80']\n": "edge.ports at ports",
    "      upstreams: /upstreams\n -> ": "edge.upstreams at x-s1ctl",
    "listen 80 reuseport -> listen 80": "edge.reuseport at content",
    "    stop_signal: SIGQUIT\n ->     stop_signal: SIGTERM\n": "edge.stop at edge:",
    "keepalive_timeout 0; -> keepalive_timeout 60;": "edge.idle at content",
    "upstream error -> upstream error non_idempotent": "edge.twice at content",
}


def image(**changes: object) -> ImageFacts:
    tree = Tree(
        folders={
            "data": Folder(mode=0o700, uid=70),
            "run/db": Folder(mode=0o1777, uid=0),
            "run/closed": Folder(mode=0o755, uid=0),
        },
        programs={"usr/bin/pg_dump"},
    )
    known = {"platforms": ("linux/amd64",), "user": "80", "stop_signal": "", "tree": tree}
    return ImageFacts(**{**known, **changes})  # type: ignore[arg-type]


def subject(text: str = GOOD, **changes: object) -> Subject:
    raw = text.encode()
    known = {
        "name": "recipe.yaml",
        "compose": parse_compose(raw, name="compose.yaml"),
        "document": parse_yaml(raw, name="compose.yaml"),
        "references": {"db": ("recipe.yaml:9:5", "db:15")},
        "images": {name: image() for name in ("db", "web", "edge")},
        "databases": ("shop",),
        "migrations": (),
    }
    return Subject(**{**known, **changes})  # type: ignore[arg-type]


def ids(subject: Subject) -> list[str]:
    return [finding.id for finding in judge(subject).findings]


def test_nothing_is_found_in_a_platform_that_keeps_the_contract() -> None:
    assert judge(subject()).findings == ()


@pytest.mark.parametrize("change", FAULTS)
def test_a_rule_finds_its_fault_and_its_line(change: str) -> None:
    before, _, after = change.partition(" -> ")
    assert before in GOOD
    text = GOOD.replace(before, after, 1)
    (finding,) = judge(subject(text)).findings
    rule, _, wanted = FAULTS[change].partition(" at ")
    assert finding.id == rule
    assert wanted in text.splitlines()[int(finding.where.split(":")[1]) - 1]


def test_a_database_without_pg_dump_is_found_where_the_release_brings_it() -> None:
    bare = image(tree=Tree(folders=image().tree.folders))
    images = {"db": bare, "web": image(), "edge": image()}
    assert ids(subject(images=images)) == ["data.dump"]
    assert ids(subject(images=images, databases=())) == []


def test_images_for_different_platforms_are_found() -> None:
    images = {"db": image(), "web": image(platforms=("linux/arm64",)), "edge": image()}
    assert ids(subject(images=images)) == ["image.platform"]


@pytest.mark.parametrize(("name", "found"), [
    ("web:latest", ["image.tag"]), ("reg/latest/web:1", []), ("web@sha256:0", []),
])  # fmt: skip
def test_an_image_named_latest_is_found(name: str, found: list[str]) -> None:
    assert ids(subject(references={"web": ("recipe.yaml:3:5", name)})) == found


def test_a_folder_is_not_asked_for_where_root_writes() -> None:
    text = GOOD.replace('user: "70:70"', 'user: "0:0"').replace("/run/db", "/run/missing")
    assert ids(subject(text)) == []


def test_the_edges_configuration_is_found_in_its_image_too() -> None:
    text = GOOD.replace("listen 80 reuseport;", "").replace("keepalive_timeout 0;", "")
    seen = Tree(texts={"etc/nginx/nginx.conf": "listen 80;\nkeepalive_timeout 0;\n"})
    images = {"db": image(), "web": image(), "edge": image(tree=seen)}
    assert ids(subject(text, images=images)) == ["edge.reuseport"]


def test_what_cannot_be_seen_is_said_and_not_judged() -> None:
    text = GOOD.replace("listen 80 reuseport;", "").replace("/run/db", "/run/missing")
    unread = image(tree=Tree(unread=["the zstd layer"]))
    report = judge(
        subject(text, images=dict.fromkeys(("db", "web", "edge"), unread), unread=("zstd",))
    )
    assert report.findings == ()
    assert report.unseen[-1] == "zstd"
    assert any("edge `edge` listens" in text for text in report.unseen)


def test_errors_come_first() -> None:
    text = GOOD.replace("drain_s: 10", "drain_s: 30").replace("live: /e/live", "live: /e/ready")
    report = judge(subject(text))
    assert [finding.severity for finding in report.findings] == ["error", "warning"]
    assert (report.errors, report.warnings) == (1, 1)


def test_every_rule_is_provoked_by_a_test() -> None:
    folder = Path(__file__).parent
    texts = "".join(path.read_text() for path in folder.glob("test_bundle_lint*.py"))
    assert [rule for rule in RULES if f'"{rule}' not in texts] == []
