"""Jobs of a Compose file: what they are, and what they cannot be."""

import pytest

from s1ctl.errors import UsageError
from s1ctl.oci.digest import Digest
from s1ctl.release.compose import make_jobs, make_units, parse_compose
from s1ctl.release.manifest import Job

SOURCE = Digest("sha256:" + "0" * 64)
FILE = """\
services:
  web:
    image: web
    x-s1ctl: {health: {port: 8080, ready: /ready}}
  rows:
    image: tool
    command: [count, "${mode}"]
    secrets: [token]
    depends_on: [web]
    x-s1ctl: {role: job, when: before-roll}
  smoke:
    image: tool
    restart: "no"
    x-s1ctl: {role: job, when: after-roll}
secrets: {token: {file: ./token}}
"""


def parse(text: str):
    return parse_compose(text.encode(), name="compose.yaml")


def test_jobs_are_no_units_and_name_what_they_use() -> None:
    compose = parse(FILE)
    assert [unit.name for unit in make_units(compose, SOURCE)] == ["web"]
    assert make_jobs(compose, SOURCE) == (
        Job(
            name="rows", source=SOURCE, image="tool", when="before-roll", settings=("mode", "token")
        ),
        Job(name="smoke", source=SOURCE, image="tool", when="after-roll"),
    )


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("{role: job, when: after-roll}", "{role: job}", "S1-U52"),
        ("{role: job, when: after-roll}", "{role: job, when: after-roll, drain_s: 3}", "S1-U52"),
        (
            "{role: job, when: after-roll}",
            "{role: job, when: after-roll, health: {port: 1, ready: /}}",
            "S1-U52",
        ),
        ('restart: "no"', "healthcheck: {test: [CMD, ok]}", "S1-U52"),
        ('restart: "no"', "deploy: {replicas: 2}", "S1-U47"),
        ('restart: "no"', 'ports: ["80:80"]', "S1-U45"),
        ('restart: "no"', "network_mode: host", "S1-U45"),
        ("{health:", "{when: after-roll, health:", "S1-U52"),
        ("    image: web\n", "    image: web\n    depends_on: [smoke]\n", "S1-U52"),
        ("{role: job, when: after-roll}", "{role: job, when: at-noon}", "S1-U03"),
    ],
    ids=[
        "no time", "drained", "health", "healthcheck", "replicas", "ports", "host network",
        "a time for a unit", "a unit that waits for a job", "another time",
    ],
)  # fmt: skip
def test_what_a_job_cannot_be_is_refused(old: str, new: str, code: str) -> None:
    assert old in FILE
    with pytest.raises(UsageError) as refused:
        parse(FILE.replace(old, new, 1))
    assert refused.value.code == code
    assert "compose.yaml:" in refused.value.message
