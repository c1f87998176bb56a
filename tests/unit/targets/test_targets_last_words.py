"""What a container says is quoted in errors, which are kept: without the secrets it was given."""

from pathlib import Path

from s1ctl.targets.docker_objects import without_secrets


def container(folder: Path) -> dict[str, object]:
    (folder / "token").write_text("canary-token\n")
    (folder / "conf").write_text("plain words")
    return {
        "Mounts": [
            {"Source": str(folder / "token"), "Destination": "/run/secrets/token"},
            {"Source": str(folder / "gone"), "Destination": "/run/secrets/gone"},
            {"Source": str(folder / "conf"), "Destination": "/etc/conf"},
            {"Source": "/var/lib/docker/volumes/v", "Destination": "/run/secretsanta"},
        ]
    }


def test_secrets_that_were_given_are_masked_in_any_form(tmp_path: Path) -> None:
    text = "no canary-token, no Y2FuYXJ5LXRva2Vu; plain words"
    assert without_secrets(text, container(tmp_path)) == "no <***>, no <***>; plain words"


def test_what_looks_like_a_secret_is_masked_too(tmp_path: Path) -> None:
    text = "postgresql://s1:hunter2@db/main is away | password=hunter2 | done"
    shown = "postgresql://s1:<***>@db/main is away | password=<***> | done"
    assert without_secrets(text, container(tmp_path)) == shown
    assert without_secrets(text, None) == shown
