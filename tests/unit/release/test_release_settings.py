import pytest

from s1ctl.release.manifest import Setting
from s1ctl.release.settings import resolve_settings

HOST = Setting(name="public_host", kind="text", default="localhost", note="the name users type")
PORT = Setting(name="gateway_port", kind="port", default=8443)
WORKERS = Setting(name="workers", kind="int", required=True, note="one for each core")
DEBUG = Setting(name="debug", kind="bool", default=False)
PASSWORD = Setting(name="db_password", kind="secret", generate=32)
TOKEN = Setting(name="api_token", kind="secret", note="from the portal")


def test_defaults_become_text_where_the_site_gives_nothing():
    resolved = resolve_settings((HOST, PORT, DEBUG), {})
    assert resolved.values == {
        "public_host": "localhost",
        "gateway_port": "8443",
        "debug": "false",
    }
    assert resolved.problems == ()


def test_what_the_site_gives_wins_over_the_default():
    given = {"public_host": "a.example", "gateway_port": "443", "debug": True, "workers": 4}
    resolved = resolve_settings((HOST, PORT, DEBUG, WORKERS), given)
    assert resolved.problems == ()
    assert resolved.values == {
        "public_host": "a.example",
        "gateway_port": "443",
        "debug": "true",
        "workers": "4",
    }


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        (HOST, 8443),
        (HOST, True),
        (HOST, "two\nlines"),
        (HOST, "a\x00b"),
        (PORT, 0),
        (PORT, 65536),
        (PORT, "https"),
        (PORT, True),
        (WORKERS, "4.5"),
        (WORKERS, "04"),
        (WORKERS, "٤"),
        (WORKERS, False),
        (DEBUG, "yes"),
        (DEBUG, 1),
    ],
)
def test_a_value_of_the_wrong_kind_is_a_problem_with_its_value_and_note(setting, value):
    (problem,) = resolve_settings((setting,), {setting.name: value}).problems
    assert problem.startswith(f"`{setting.name}` is `{value}`, which is not ")
    assert problem.endswith(f"({setting.note})") == bool(setting.note)


def test_a_required_setting_without_value_is_a_problem_with_its_note():
    resolved = resolve_settings((WORKERS,), {})
    assert resolved.problems == ("`workers` has no value (one for each core)",)
    assert resolved.values == {}


def test_a_setting_that_the_release_does_not_have_is_a_problem_that_names_a_near_one():
    resolved = resolve_settings((HOST, PORT), {"gateway_prot": 1, "zebra": "x"})
    assert resolved.unknown == ("gateway_prot", "zebra")
    assert resolved.problems == (
        "`gateway_prot` is not a setting of this release; is `gateway_port` meant?",
        "`zebra` is not a setting of this release",
    )


def test_a_secret_is_generated_or_has_a_source_and_is_never_among_the_values():
    resolved = resolve_settings((PASSWORD, TOKEN), {"api_token": "file:/etc/token"})
    assert resolved.problems == ()
    assert resolved.values == {}
    assert resolved.secrets == (PASSWORD, TOKEN)
    assert resolved.sources == {"api_token": "file:/etc/token"}


def test_a_secret_without_generation_or_source_is_a_problem():
    assert resolve_settings((TOKEN,), {}).problems == (
        "the secret `api_token` has no source (from the portal)",
    )


@pytest.mark.parametrize("value", ["hunter2", 7, True, "env:", "file:relative"])
def test_a_secret_written_into_the_site_file_is_a_problem_that_does_not_repeat_it(value):
    resolved = resolve_settings((PASSWORD,), {"db_password": value})
    assert len(resolved.problems) == 1
    assert f"`{value}`" not in resolved.problems[0]
    assert resolved.sources == {}


def test_every_problem_is_told_at_once():
    given = {"gateway_port": "x", "zebra": 1}
    assert len(resolve_settings((PORT, WORKERS, TOKEN), given).problems) == 4
