"""Upstream files and the edges that read them, with edges made of numbers."""

from collections.abc import Callable
from pathlib import Path

import pytest

from s1ctl.errors import InputOutputFailed, StepFailed
from s1ctl.targets.traffic import Traffic, upstream_text

OLD, NEW = ("10.0.0.2:80",), ("10.0.0.3:80", "10.0.0.5:80")


class Edges:
    """Edges like nginx: main process 100, workers; what SIGHUP does is given by name."""

    def __init__(self, **behaviours: str) -> None:
        self.behaviours = behaviours
        self.workers = {name: {101, 102} for name in behaviours}
        self.signals: list[str] = []

    def names(self) -> tuple[str, ...]:
        return tuple(self.behaviours)

    def processes(self, name: str) -> dict[int, int]:
        return {100: 1} | dict.fromkeys(self.workers[name], 100)

    def signal(self, name: str, signal: str) -> None:
        self.signals.append(f"{signal} {name}")
        if self.behaviours[name] == "takes":
            self.workers[name] = {max(self.workers[name]) + 1}
        if self.behaviours[name] == "lingers":
            self.workers[name] |= {max(self.workers[name]) + 1}


def make_traffic(folder: Path, edges: Edges) -> tuple[Traffic, list[float]]:
    slept: list[float] = []
    now: Callable[[], float] = lambda: sum(slept)  # noqa: E731
    return Traffic(folder, edges, edges.names, clock=now, sleep=slept.append), slept


def test_the_file_names_each_server_of_the_unit() -> None:
    assert upstream_text("web", NEW) == (
        "upstream web {\n  server 10.0.0.3:80;\n  server 10.0.0.5:80;\n}\n"
    )


def test_a_switch_writes_the_file_and_tells_every_edge(tmp_path: Path) -> None:
    edges = Edges(one="takes", two="takes")
    traffic, _ = make_traffic(tmp_path, edges)
    traffic.switch("web", NEW, drain_s=10)
    assert (tmp_path / "web.conf").read_text() == upstream_text("web", NEW)
    assert edges.signals == ["SIGHUP one", "SIGHUP two"]
    assert traffic.is_at("web", NEW)
    assert not traffic.is_at("web", OLD)
    assert [path.name for path in tmp_path.iterdir()] == ["web.conf"]


def test_a_switch_to_where_the_traffic_is_tells_nobody(tmp_path: Path) -> None:
    edges = Edges(one="takes")
    traffic, _ = make_traffic(tmp_path, edges)
    traffic.switch("web", NEW, drain_s=10)
    traffic.switch("web", NEW, drain_s=10)
    assert edges.signals == ["SIGHUP one"]


def test_old_workers_are_waited_for_no_longer_than_the_drain_time(tmp_path: Path) -> None:
    traffic, slept = make_traffic(tmp_path, Edges(one="lingers"))
    traffic.switch("web", NEW, drain_s=7)
    assert 7 <= sum(slept) < 8


def test_an_edge_that_makes_no_new_worker_refused_and_gets_the_former_file(tmp_path: Path) -> None:
    good, _ = make_traffic(tmp_path, Edges(one="takes"))
    good.switch("web", OLD, drain_s=1)
    edges = Edges(one="takes", two="refuses")
    traffic, slept = make_traffic(tmp_path, edges)
    with pytest.raises(StepFailed, match="`two`") as caught:
        traffic.switch("web", NEW, drain_s=1)
    assert caught.value.code == "S1-E22"
    assert sum(slept) >= 10
    assert edges.signals == ["SIGHUP one", "SIGHUP two", "SIGHUP one"]
    assert traffic.is_at("web", OLD)


def test_a_switch_that_was_killed_is_not_over_although_its_file_is_written(tmp_path: Path) -> None:
    class Killed(BaseException):
        pass

    class Deadly(Edges):
        def signal(self, *_: str) -> None:
            raise Killed

    first, _ = make_traffic(tmp_path, Edges(one="takes"))
    first.switch("web", OLD, drain_s=1)
    traffic, _ = make_traffic(tmp_path, Deadly(one="takes"))
    with pytest.raises(Killed):
        traffic.switch("web", NEW, drain_s=1)
    assert not traffic.is_at("web", NEW)
    refusing, _ = make_traffic(tmp_path, Edges(one="refuses"))
    with pytest.raises(StepFailed):
        refusing.switch("web", NEW, drain_s=1)
    assert refusing.is_at("web", OLD)
    edges = Edges(one="takes")
    again, _ = make_traffic(tmp_path, edges)
    again.switch("web", NEW, drain_s=1)
    assert edges.signals == ["SIGHUP one"]
    assert again.is_at("web", NEW)


def test_workers_below_an_init_process_are_found(tmp_path: Path) -> None:
    class Below(Edges):
        def processes(self, name: str) -> dict[int, int]:
            return {99: 1, 100: 99} | dict.fromkeys(self.workers[name], 100)

    edges = Below(one="takes")
    traffic, slept = make_traffic(tmp_path, edges)
    traffic.switch("web", NEW, drain_s=30)
    assert not slept


@pytest.mark.parametrize("broken", ["folder", "marker", "unmark"])
def test_a_marker_that_cannot_be_kept_is_told_as_any_other_file(
    tmp_path: Path, broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    folder = tmp_path / "edge"
    if broken == "folder":
        folder.write_text("a file")
    else:
        name = {"marker": "write_file", "unmark": "sync_folder"}[broken]
        monkeypatch.setattr(f"s1ctl.targets.traffic.{name}", fail)
    traffic, _ = make_traffic(folder, Edges(one="takes"))
    with pytest.raises(InputOutputFailed) as caught:
        traffic.switch("web", NEW, drain_s=1)
    assert caught.value.code == "S1-E15"
