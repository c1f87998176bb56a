"""The kernel's switch is on while an edge is replaced, and as before afterwards."""

import threading
from pathlib import Path

import pytest

from s1ctl.targets.handover import handing_over


@pytest.mark.parametrize("before", ["0\n", "1\n"])
def test_the_switch_is_on_for_the_time_of_the_block(tmp_path: Path, before: str) -> None:
    switch = tmp_path / "tcp_migrate_req"
    switch.write_text(before)
    with handing_over(switch) as is_on:
        assert is_on
        assert switch.read_text().strip() == "1"
    assert switch.read_text() == before


def test_the_switch_is_put_back_when_the_block_fails(tmp_path: Path) -> None:
    switch = tmp_path / "tcp_migrate_req"
    switch.write_text("0\n")
    with pytest.raises(ZeroDivisionError), handing_over(switch):
        raise ZeroDivisionError
    assert switch.read_text() == "0\n"


def test_a_kernel_without_the_switch_is_left_as_it_is(tmp_path: Path) -> None:
    with handing_over(tmp_path / "missing") as is_on:
        assert not is_on
    assert not (tmp_path / "missing").exists()


def test_two_sites_of_one_host_wait_for_each_other(tmp_path: Path) -> None:
    switch = tmp_path / "tcp_migrate_req"
    switch.write_text("0\n")
    order: list[str] = []

    def second() -> None:
        with handing_over(switch):
            order.append(f"second sees {switch.read_text().strip()}")

    other = threading.Thread(target=second)
    with handing_over(switch):
        other.start()
        order.append("first")
        other.join(0.1)
        assert other.is_alive()
    other.join(10)
    assert order == ["first", "second sees 1"]
    assert switch.read_text() == "0\n"
