"""Hooks: what they are given, when they stop an operation, and that none of them outlives it."""

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from s1ctl.errors import PolicyRefused, UsageError
from s1ctl.operation import hooks
from s1ctl.operation.operate import apply_plan, resume, take_back
from s1ctl.shape import ShapeError, parse_value
from s1ctl.site.hooks import HookCommand, Hooks, check_hook
from tests.support.plans import install
from tests.support.require import need
from tests.support.worlds import World, make_world


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path / "state")


def script(folder: Path, name: str, text: str) -> HookCommand:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return HookCommand(f"{path} 'two words'")


def test_a_hook_is_told_what_happens_and_has_no_secret(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CANARY", "canary")
    write = f'cat >>{tmp_path}/told; env >>{tmp_path}/env; echo "$1" >>{tmp_path}/words'
    command = script(tmp_path, "hook", write)
    world.hooks = Hooks(start=(command,), finish=(command,))
    plan = install()
    assert apply_plan(world.context(), plan, actions=world.action).state == "done"
    told = [json.loads(line) for line in (tmp_path / "told").read_text().splitlines()]
    expected = {
        "schema": 1, "event": "start", "site": "acme", "operation": "op-1", "verb": "install",
        "from": None, "to": plan.hops[-1].version, "plan": str(plan.digest), "direction": "do",
        "is_resumed": False, "outcome": None, "cause": None,
    }  # fmt: skip
    assert told == [expected, {**expected, "event": "finish", "outcome": "done"}]
    assert "canary" not in (tmp_path / "env").read_text()
    assert (tmp_path / "words").read_text().splitlines() == ["two words", "two words"]
    heard = [e for e in world.events if e.event == "hook"]
    assert [e.text for e in heard] == [
        f"hook `{command.program}` (start) ran", f"hook `{command.program}` (finish) ran",
    ]  # fmt: skip
    assert [(e.record or {})["moment"] for e in heard] == ["start", "finish"]
    assert "two words" not in str([(e.text, e.record) for e in heard])


def test_what_a_hook_says_is_kept_without_what_looks_like_a_secret(
    world: World, tmp_path: Path
) -> None:
    text = "echo no way to https://bot:canary@ticket.site/x; exit 3"
    world.hooks = Hooks(start=(script(tmp_path, "hook", text),))
    with pytest.raises(PolicyRefused, match="no way to") as caught:
        apply_plan(world.context(), install(), actions=world.action)
    assert caught.value.message.endswith("no way to https://bot:<***>@ticket.site/x")
    assert "canary" not in str([event.record for event in world.events])


def test_secrets_of_the_site_are_masked_in_what_a_hook_says_before_it_is_cut(
    world: World, tmp_path: Path
) -> None:
    words = {"token": "quite-a-plain-word", "long": "k7" * (hooks.MAX_SAID - 1000)}
    for name, word in words.items():
        place = world.state / "secrets" / name / "1"
        place.parent.mkdir(parents=True)
        place.write_text(word)
    (tmp_path / "text").write_text(f"begins\n{words['token']}\n{words['long']} ends")
    world.hooks = Hooks(start=(script(tmp_path, "hook", f"cat {tmp_path}/text"),))
    assert apply_plan(world.context(), install(), actions=world.action).state == "done"
    (event,) = [e for e in world.events if e.event == "hook"]
    assert (event.record or {})["said"] == "begins\n<***>\n<***> ends"


def test_of_a_hook_that_says_very_much_whole_lines_are_kept(world: World, tmp_path: Path) -> None:
    many = f"yes https://bot:canary@ticket.site/x | head -c {hooks.MAX_HEARD + 9}"
    one = f"head -c {hooks.MAX_HEARD + 9} /dev/zero | tr '\\0' c"
    hooked = script(tmp_path, "many", many), script(tmp_path, "one", one)
    world.hooks = Hooks(start=hooked)
    assert apply_plan(world.context(), install(), actions=world.action).state == "done"
    first, second = [str((e.record or {})["said"]) for e in world.events if e.event == "hook"]
    assert "canary" not in first
    assert (len(first), second) == (hooks.MAX_SAID, "<***>")


def test_a_bug_in_an_operation_is_recorded_without_secrets(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = world.state / "secrets" / "token" / "1"
    place.parent.mkdir(parents=True)
    place.write_text("quite-a-plain-word")

    def explode(*_: object) -> None:
        raise RuntimeError("quite-a-plain-word, postgresql://u:canary@db/x")

    monkeypatch.setattr(world, "action", explode)
    outcome = apply_plan(world.context(), install(), actions=world.action)
    assert outcome.error is not None
    assert outcome.error.message.endswith("RuntimeError: <***>, postgresql://u:<***>@db/x")


def test_a_start_that_fails_stops_before_anything_is_changed(world: World, tmp_path: Path) -> None:
    world.hooks = Hooks(start=(script(tmp_path, "hook", "echo no ticket; exit 3"),))
    with pytest.raises(PolicyRefused, match="it ended with 3: no ticket") as caught:
        apply_plan(world.context(), install(), actions=world.action)
    assert caught.value.code == "S1-P40"
    assert world.effects == []
    assert world.ledger.operations.history() == ()
    assert (world.ledger.lock.holder(), world.mark) == (None, None)


def test_a_hook_that_hangs_goes_with_all_that_it_started(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hooks, "HOOK_TIMEOUT_S", 0.3)
    text = f"sleep 600 & echo $! >{tmp_path}/pid; echo waits; wait"
    world.hooks = Hooks(start=(script(tmp_path, "hook", text),))
    with pytest.raises(PolicyRefused, match="was ended: waits") as caught:
        apply_plan(world.context(), install(), actions=world.action)
    assert caught.value.code == "S1-P41"
    assert is_gone(int((tmp_path / "pid").read_text()))


def test_what_a_hook_leaves_running_ends_with_it(world: World, tmp_path: Path) -> None:
    text = f"sleep 600 & echo $! >{tmp_path}/pid"
    world.hooks = Hooks(start=(script(tmp_path, "hook", text),))
    assert apply_plan(world.context(), install(), actions=world.action).state == "done"
    assert is_gone(int((tmp_path / "pid").read_text()))


def is_gone(pid: int) -> bool:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.02)
    return False


def test_a_finish_that_fails_is_warned_of_and_changes_nothing(world: World, tmp_path: Path) -> None:
    world.hooks = Hooks(finish=(script(tmp_path, "hook", "yes | head -c 999999; exit 1"),))
    outcome = apply_plan(world.context(), install(), actions=world.action)
    assert (outcome.state, outcome.error) == ("done", None)
    (event,) = [e for e in world.events if e.event == "hook"]
    assert event.record is not None
    assert event.record["fault"] == "it ended with 1"
    assert len(str(event.record["said"])) <= hooks.MAX_SAID


def test_a_resume_that_a_hook_refuses_stays_paused_and_the_way_back_is_free(
    world: World, tmp_path: Path
) -> None:
    world.faults["2"] = KeyboardInterrupt
    assert apply_plan(world.context(), install(), actions=world.action).state == "paused"
    paused = unfinished(world)
    world.faults.clear()
    hook = script(tmp_path, "hook", f"cat >{tmp_path}/told; exit 1")
    world.hooks = Hooks(start=(hook,), pause=(hook,))
    outcome = resume(world.context(), paused, actions=world.action)
    assert outcome.error is not None
    assert (outcome.state, outcome.error.code) == ("paused", "S1-P40")
    told = json.loads((tmp_path / "told").read_text())
    assert (told["event"], told["outcome"], told["cause"]["code"]) == ("pause", "paused", "S1-P40")
    assert take_back(world.context(), unfinished(world), actions=world.action).state == "taken-back"
    told = json.loads((tmp_path / "told").read_text())
    assert (told["event"], told["direction"], told["is_resumed"]) == ("start", "undo", True)


def unfinished(world: World) -> Any:
    return world.ledger.operations.unfinished()


def test_an_interrupt_while_a_hook_runs_ends_it_and_gives_the_site_back(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> int:
        raise KeyboardInterrupt

    world.hooks = Hooks(start=(script(tmp_path, "hook", f"echo $$ >{tmp_path}/pid; sleep 600"),))
    with monkeypatch.context() as patch:
        patch.setattr("subprocess.Popen.wait", interrupt_once(interrupt))
        with pytest.raises(KeyboardInterrupt):
            apply_plan(world.context(), install(), actions=world.action)
    assert world.ledger.lock.holder() is None
    assert world.effects == []


def interrupt_once(interrupt: Any) -> Any:
    import subprocess

    real, left = subprocess.Popen.wait, [interrupt]

    def wait(process: Any, timeout: float | None = None) -> int:
        if left:
            left.pop()()
        return real(process, timeout)

    return wait


@pytest.mark.parametrize(
    "text", ["ticket", "", "'open", "./ticket --token hunter2", "T=hunter2 /x", "/x 'hunter2"]
)
def test_a_hook_is_named_by_its_whole_path(text: str) -> None:
    with pytest.raises(ShapeError) as caught:
        parse_value({"start": [text]}, Hooks)
    assert "hunter2" not in str(caught.value)


def test_a_hook_that_is_missing_or_no_program_is_refused(tmp_path: Path) -> None:
    plain_file = tmp_path / "file"
    plain_file.write_text("")
    for path in (tmp_path / "none", plain_file, tmp_path):
        with pytest.raises(UsageError) as caught:
            check_hook(HookCommand(str(path)), "finish")
        assert caught.value.code == "S1-U171"
        assert "`hooks.finish`" in caught.value.message


def test_a_hook_that_others_may_change_is_refused(tmp_path: Path) -> None:
    command = script(tmp_path, "hook", "true")
    check_hook(command, "start")
    tmp_path.joinpath("link").symlink_to(tmp_path / "hook")
    for path, mode in ((tmp_path / "hook", 0o775), (tmp_path, 0o777)):
        former = path.stat().st_mode
        path.chmod(mode)
        for name in ("hook", "link"):
            with pytest.raises(UsageError, match=f"mode {mode:04o}") as caught:
                check_hook(HookCommand(str(tmp_path / name)), "start")
            assert caught.value.code == "S1-U172"
        path.chmod(former)


def test_a_link_that_others_may_lead_elsewhere_is_refused(tmp_path: Path) -> None:
    script(tmp_path, "hook", "true")
    open_folder, shut = tmp_path / "open", tmp_path / "shut"
    for folder in (open_folder, shut):
        folder.mkdir()
    (open_folder / "link").symlink_to("/bin/sh")
    (shut / "second").symlink_to(open_folder / "link")
    (shut / "folder").symlink_to("../open", target_is_directory=True)
    names = (open_folder / "link", shut / "second", shut / "folder" / "link")
    for name in names:
        assert check_hook(HookCommand(str(name)), "start") == Path("/bin/sh").resolve()
    for mode in (0o777, 0o1777, 0o775):
        open_folder.chmod(mode)
        for name in (*names, shut / ".." / "open" / "link"):
            with pytest.raises(UsageError, match=str(open_folder)) as caught:
                check_hook(HookCommand(str(name)), "start")
            assert caught.value.code == "S1-U172"


def test_a_program_in_a_folder_for_everybody_is_refused(tmp_path: Path) -> None:
    command = script(tmp_path, "hook", "true")
    tmp_path.chmod(0o1777)
    with pytest.raises(UsageError, match="in a folder that others may write") as caught:
        check_hook(command, "start")
    assert "/etc/s1ctl/hooks" in caught.value.hint


def test_the_file_that_was_looked_at_is_run_whatever_the_link_says_by_then(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(tmp_path, "good", f'echo "$0" >{tmp_path}/told')
    script(tmp_path, "bad", f"echo bad >{tmp_path}/told")
    link = tmp_path / "link"

    def lead_to(name: str) -> None:
        link.unlink(missing_ok=True)
        link.symlink_to(tmp_path / name)

    def check_and_turn(command: HookCommand, moment: Any) -> Path:
        lead_to("good")
        found = check_hook(command, moment)
        lead_to("bad")
        return found

    monkeypatch.setattr(hooks, "check_hook", check_and_turn)
    world.hooks = Hooks(finish=(HookCommand(str(link)),))
    assert apply_plan(world.context(), install(), actions=world.action).state == "done"
    assert (tmp_path / "told").read_text() == f"{tmp_path}/good\n"


def test_a_link_of_somebody_else_is_refused(tmp_path: Path) -> None:
    need("root")
    link = tmp_path / "link"
    link.symlink_to("/bin/sh")
    os.lchown(link, 4711, 4711)
    with pytest.raises(UsageError, match="uid 4711"):
        check_hook(HookCommand(str(link)), "start")


def test_a_hook_of_somebody_else_is_refused(tmp_path: Path) -> None:
    need("root")
    command = script(tmp_path, "hook", "true")
    os.chown(tmp_path / "hook", 4711, 4711)
    with pytest.raises(UsageError, match="uid 4711") as caught:
        check_hook(command, "start")
    assert caught.value.code == "S1-U172"
