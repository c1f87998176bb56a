"""Secrets: never shown, found by source, generated into files."""

import copy
import io
import json
import logging
import pickle
import stat
import sys
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from s1ctl.errors import InputOutputFailed
from s1ctl.shape import plain
from s1ctl.site import secrets as secrets_module
from s1ctl.site.secrets import MAX_BYTES, Secret, SecretSource, SecretStore, said_by_commands

CANARY = "c4n4ry-Kx9"
SECRET = Secret(CANARY)


@dataclass(frozen=True, slots=True)
class Holder:
    secret: Secret


class Document(msgspec.Struct):
    secret: object


def shown_in_traceback() -> str:
    try:
        raise ValueError(SECRET, f"{SECRET!r}")
    except ValueError:
        return traceback.format_exc() + repr(sys.exc_info())


def shown_in_log() -> str:
    stream = io.StringIO()
    logger = logging.Logger("secrets")
    logger.addHandler(logging.StreamHandler(stream))
    logger.error("%s %r", SECRET, [SECRET])
    return stream.getvalue()


SHOWN: dict[str, Callable[[], object]] = {
    "str": lambda: str(SECRET),
    "repr": lambda: repr(SECRET),
    "f-string": lambda: f"{SECRET} {SECRET!r} {SECRET!s} {SECRET!a} {SECRET:>20}",
    "format": lambda: "{0} {0:x^9}".format(SECRET),  # noqa: UP032
    "percent": lambda: "%s %r" % (SECRET, SECRET),  # noqa: UP031
    "list": lambda: str([SECRET, {"a": SECRET}]),
    "dataclass": lambda: repr(Holder(SECRET)),
    "document": lambda: repr(Document(SECRET)),
    "plain": lambda: plain({"a": [SECRET]}),
    "json by default": lambda: json.dumps([SECRET], default=str),
    "traceback": shown_in_traceback,
    "log": shown_in_log,
}
REFUSED: dict[str, Callable[[], object]] = {
    "json": lambda: json.dumps([SECRET]),
    "msgspec": lambda: msgspec.json.encode(Document(SECRET)),
    "pickle": lambda: pickle.dumps(SECRET),
    "deepcopy": lambda: copy.deepcopy([SECRET]),
    "join": lambda: "".join([SECRET]),  # type: ignore[list-item]
    "vars": lambda: vars(SECRET),
}


@pytest.mark.parametrize("way", SHOWN)
def test_a_secret_is_never_shown(way: str) -> None:
    text = str(SHOWN[way]())
    assert CANARY not in text
    assert "***" in text


@pytest.mark.parametrize("way", REFUSED)
def test_a_secret_is_not_written_elsewhere(way: str) -> None:
    with pytest.raises(TypeError) as caught:
        REFUSED[way]()
    assert CANARY not in str(caught.value)


def test_secrets_are_compared_by_value_and_revealed_on_demand() -> None:
    assert SECRET.reveal() == CANARY
    assert Secret(CANARY) == SECRET
    assert Secret("other") != SECRET
    assert SECRET != CANARY
    assert len({SECRET, Secret(CANARY)}) == 1


@pytest.mark.parametrize("text", ["", "hunter2", "env:", "env:1X", "env:A B", "file:pw", "cmd:"])
def test_what_is_no_source_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(ValueError, match="Expected `env:NAME`") as caught:
        SecretSource(text)
    assert not text or text not in str(caught.value).replace("env:NAME", "").replace("cmd:C", "")


def test_a_secret_comes_from_a_variable_a_file_or_a_command(tmp_path: Path) -> None:
    (tmp_path / "pw").write_text(" a b\n\n")
    environment = {"PW": "from env", "PATH": "/usr/bin:/bin"}
    assert SecretSource("env:PW").resolve(environment) == Secret("from env")
    assert SecretSource(f"file:{tmp_path}/pw").resolve({}) == Secret(" a b\n")
    assert SecretSource("cmd:echo $PW | tr a-z A-Z").resolve(environment) == Secret("FROM ENV")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("env:PW", "not set"),
        ("env:EMPTY", "empty"),
        ("file:/no/such/file", "No such file"),
        ("file:/proc", "directory"),
        ("cmd:exit 3", "ended with 3"),
        ("cmd:true", "empty"),
        ("cmd:kill -9 $$", "ended with -9"),
        ("cmd:printf '\\377'", "UTF-8"),
        (f"cmd:head -c {MAX_BYTES + 1} /dev/zero", f"more than {MAX_BYTES} bytes"),
        ("file:/dev/zero", f"more than {MAX_BYTES} bytes"),
    ],
)
def test_a_source_that_does_not_resolve_is_told(source: str, reason: str) -> None:
    with pytest.raises(InputOutputFailed) as caught:
        SecretSource(source).resolve({"EMPTY": "", "PATH": "/usr/bin:/bin"})
    assert caught.value.code == "S1-I10"
    assert reason in caught.value.message


def test_a_command_has_only_the_environment_that_was_passed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LEAK", "x")
    assert SecretSource("cmd:echo [$LEAK]").resolve({}) == Secret("[]")


def test_what_a_command_says_on_stderr_is_dropped(capfd: pytest.CaptureFixture[str]) -> None:
    SecretSource("cmd:echo s3cret >&2; echo pw").resolve({})
    assert capfd.readouterr() == ("", "")


def test_a_command_that_hangs_is_ended_with_all_that_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secrets_module, "COMMAND_TIMEOUT_S", 0.3)
    source = SecretSource(f"cmd:sleep 60 & echo $! > {tmp_path}/pid; wait")
    with pytest.raises(InputOutputFailed, match="took over"):
        source.resolve({"PATH": "/usr/bin:/bin"})
    child = int((tmp_path / "pid").read_text())
    wait_until(lambda: not is_running(child))


def is_running(pid: int) -> bool:
    try:
        stat_line = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat_line.rpartition(")")[2].split()[0] != "Z"


def wait_until(claim: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not claim() and time.monotonic() < end:
        time.sleep(0.01)
    assert claim()


@pytest.fixture
def store(tmp_path: Path) -> SecretStore:
    return SecretStore(tmp_path / "secrets")


def test_a_secret_is_generated_once(store: SecretStore) -> None:
    assert store.version("pw") == 0
    assert store.ensure("pw", chars=32) == 1
    first = store.read("pw", 1)
    assert store.ensure("pw", chars=32) == 1
    assert store.read("pw", 1) == first
    assert len(first.reveal()) == 32
    assert set(first.reveal()) <= set(secrets_module.ALPHABET)


def test_two_generated_secrets_differ(store: SecretStore) -> None:
    for name in ("a", "b"):
        store.ensure(name, chars=32)
    assert store.read("a", 1) != store.read("b", 1)


def test_a_new_version_leaves_the_former_ones(store: SecretStore) -> None:
    for number in range(1, 13):
        assert store.add("pw", Secret(f"value {number}")) == number
    assert store.version("pw") == 12
    assert store.read("pw", 9) == Secret("value 9")


def test_files_are_for_their_owner_alone(store: SecretStore, tmp_path: Path) -> None:
    store.ensure("pw", chars=8)
    modes = {
        path.relative_to(tmp_path).as_posix(): stat.S_IMODE(path.stat().st_mode)
        for path in sorted(tmp_path.rglob("*"))
    }
    assert modes == {
        "secrets": 0o700,
        "secrets/.key": 0o600,
        "secrets/pw": 0o700,
        "secrets/pw/1": 0o600,
    }


def test_of_many_that_generate_at_once_all_get_the_same(store: SecretStore) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: store.ensure("pw", chars=16), range(16))) == {1}
    assert store.version("pw") == 1


def test_what_a_crash_left_is_no_version(store: SecretStore, tmp_path: Path) -> None:
    store.ensure("pw", chars=8)
    (tmp_path / "secrets" / "pw" / ".2.0a1b.tmp").write_text("half")
    assert store.version("pw") == 1


def test_fingerprints_tell_values_apart_and_do_not_show_them(
    store: SecretStore, tmp_path: Path
) -> None:
    one = store.fingerprint(Secret("a"))
    assert one == SecretStore(tmp_path / "secrets").fingerprint(Secret("a"))
    assert one != store.fingerprint(Secret("b"))
    assert one != SecretStore(tmp_path / "other").fingerprint(Secret("a"))
    assert len(one) == 64


def test_a_lost_key_of_fingerprints_is_not_made_anew(store: SecretStore, tmp_path: Path) -> None:
    store.ensure("pw", chars=8)
    (tmp_path / "secrets" / ".key").unlink()
    with pytest.raises(InputOutputFailed) as caught:
        store.fingerprint(Secret("a"))
    assert caught.value.code == "S1-I11"


@pytest.mark.parametrize("raw", [None, b"\xff"])
def test_a_lost_or_damaged_secret_is_told(
    store: SecretStore, tmp_path: Path, raw: bytes | None
) -> None:
    store.ensure("pw", chars=8)
    place = tmp_path / "secrets" / "pw" / "1"
    place.write_bytes(raw) if raw else place.unlink()
    with pytest.raises(InputOutputFailed) as caught:
        store.read("pw", 1)
    assert caught.value.code == "S1-I11"
    assert "`pw`, version 1" in caught.value.message


@pytest.mark.parametrize("name", ["", "pw"])
def test_a_folder_that_is_a_file_is_told(store: SecretStore, tmp_path: Path, name: str) -> None:
    place = tmp_path / "secrets" / name
    place.parent.mkdir(exist_ok=True)
    place.write_text("")
    with pytest.raises(InputOutputFailed) as caught:
        store.add("pw", Secret("x"))
    assert caught.value.code == "S1-I11"


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("false --role-id hunter2", "cmd:false"),
        ("  /bin/false hunter2", "cmd:/bin/false"),
        ("WORD=hunter2 false", "cmd:…"),
        ("false;echo hunter2 >&2", "cmd:false"),
        ("false | cat hunter2", "cmd:false"),
        ("'hunter2' x", "cmd:…"),
        ("hunter2=1", "cmd:…"),
    ],
)
def test_of_a_command_that_fails_the_program_is_told_and_no_argument(
    command: str, shown: str
) -> None:
    with pytest.raises(InputOutputFailed) as caught:
        SecretSource(f"cmd:{command}").resolve({"PATH": "/usr/bin:/bin"}, name="registry.password")
    error = caught.value
    assert f"the secret `{shown}` for `registry.password` does not resolve" in error.message
    assert "hunter2" not in error.message + error.hint
    assert "the whole of `registry.password`" in error.hint


def test_whoever_only_looks_makes_no_key(tmp_path: Path) -> None:
    store = SecretStore(tmp_path / "secrets", is_read_only=True)
    assert len(store.fingerprint(Secret("a"))) == 64
    assert list(tmp_path.iterdir()) == []
    made = SecretStore(tmp_path / "secrets").fingerprint(Secret("a"))
    assert store.fingerprint(Secret("a")) == made


def test_what_a_command_said_is_known_afterwards() -> None:
    SecretSource("cmd:echo word-of-a-command").resolve({"PATH": "/usr/bin:/bin"})
    assert Secret("word-of-a-command") in said_by_commands()
