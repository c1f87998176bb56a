from pathlib import Path

import pytest

from s1ctl.cli.init import trust_registry
from s1ctl.errors import InputOutputFailed, UsageError
from s1ctl.site.config import read_site

WORDS = (
    "init", "--site", "site.yaml", "--non-interactive", "--name", "acme-prod", "--product", "shop",
    "--registry", "https://registry.acme.internal:5000/shop", "--registry-ca", "ca.pem",
    "--registry-user", "s1ctl", "--registry-password", "file:/etc/s1ctl/registry.pw",
    "--network", "10.98.0.0/24", "--state-dir", "/var/lib/s1ctl", "--database", "main=postgres",
    "--value", 'title=say "hi": yes', "--value", "port=8443", "--allow", "edge=host-network",
    "--allow", "edge=cap-add", "--soak", "5",
)  # fmt: skip


def test_a_site_file_is_written_as_it_will_be_read(golden) -> None:
    golden("init", *WORDS)
    site = read_site(Path("site.yaml"))
    assert site.registry.host == "registry.acme.internal:5000"
    assert site.registry.prefix == "shop"
    assert site.registry.ca == str(Path("ca.pem").absolute())
    assert site.values == {"title": 'say "hi": yes', "port": "8443"}
    assert site.allow == {"edge": ("host-network", "cap-add")}
    assert site.databases["main"].service == "postgres"
    assert site.policy.soak_s == 5


def test_a_site_file_needs_three_answers_only(run, golden) -> None:
    golden("init-least", *WORDS[:9], "https://r:5000", "--site", "site.yaml")
    assert read_site(Path("site.yaml")).databases == {}
    assert Path("site.yaml").stat().st_mode & 0o777 == 0o600


def test_a_site_file_is_never_overwritten(golden) -> None:
    Path("site.yaml").write_text("mine")
    golden("init-exists", *WORDS)
    assert Path("site.yaml").read_text() == "mine"


def test_a_missing_answer_is_named(golden) -> None:
    golden("init-missing", "init", "--site", "s.yaml", "--non-interactive", "--name", "a")


def test_nobody_is_asked_without_a_terminal(golden) -> None:
    golden("init-no-terminal", "init", "--site", "s.yaml")


def test_an_answer_that_makes_no_site_leaves_no_file(golden) -> None:
    golden("init-bad-network", *WORDS, "--network", "10.98.0.0/30")
    assert not Path("site.yaml").exists()


def test_a_value_that_is_no_pair_is_refused(golden) -> None:
    golden("init-bad-value", *WORDS, "--value", "port")


def test_the_engine_is_given_the_registrys_ca(run, golden, tmp_path: Path) -> None:
    golden("init-again", *WORDS)
    Path("ca.pem").write_text("CERTIFICATE")
    place = trust_registry(read_site(Path("site.yaml")), tmp_path / "certs.d")
    assert place == tmp_path / "certs.d" / "registry.acme.internal:5000" / "ca.crt"
    assert place.read_text() == "CERTIFICATE"


def test_a_ca_that_is_missing_is_named_with_the_command_to_copy_it(golden, tmp_path: Path) -> None:
    golden("init-again", *WORDS)
    with pytest.raises(InputOutputFailed) as refused:
        trust_registry(read_site(Path("site.yaml")), tmp_path / "certs.d")
    assert refused.value.code == "S1-I02"
    assert "install -D" in refused.value.hint


def test_there_is_nothing_to_trust_where_the_site_names_no_ca(run, tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    run(*WORDS[:9], "https://r:5000", "--site", path)
    with pytest.raises(UsageError) as refused:
        trust_registry(read_site(path), tmp_path)
    assert refused.value.code == "S1-U88"
