"""What the machine lacks is a skip with its reason, and a failure where it is required."""

import os

import pytest

from tests.support.require import lack, need


@pytest.mark.parametrize("part", ["docker", "root", "dockerd", "ip", "mounts", "mmdebstrap"])
def test_what_comes_with_the_engine_may_not_lack_where_that_is_required(
    monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    monkeypatch.setenv("S1CTL_REQUIRE", "registry,docker")
    with pytest.raises(pytest.fail.Exception, match=f"{part} is required: none here"):
        lack(part, "none here")


def test_what_nobody_requires_is_a_skip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S1CTL_REQUIRE", "registry")
    with pytest.raises(pytest.skip.Exception, match="mounts: none here"):
        lack("mounts", "none here")


def test_another_user_than_root_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S1CTL_REQUIRE", "docker")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    need("root")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(pytest.fail.Exception, match="root is required"):
        need("root")
