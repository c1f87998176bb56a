"""What the tests of `ledgerly` do and see, in one word each."""

import subprocess

from tests.support.foreign_load import ask


def upgraded(site, *words: str, expected: int = 0) -> dict:
    """Run a verb that changes the site while it is asked all the time; no request may fail."""
    ended = site.s1ctl.data(*words, "--yes", "--probe", site.url, expected=expected)
    assert ended["probe"]["requests"] > 0
    assert ended["probe"]["failed"] == 0, said(site)
    assert reported(site) == ended["version"]
    return ended


def said(site) -> str:
    """Collect the last lines of the site's services."""
    names = [one["container"] for one in site.s1ctl.data("status")["running"]]
    logs = []
    for name in names:
        command = ["docker", "logs", "--timestamps", "--tail", "12", name]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        logs.append(f"{name}\n{done.stdout}{done.stderr}")
    return "\n".join(logs)


def reported(site) -> str:
    """Ask both services for their version; they are of one release."""
    versions = {ask(site.port, "GET", path)[1]["version"] for path in ("/version", "/books")}
    assert len(versions) == 1
    return versions.pop()


def running(site) -> dict[str, str]:
    """Say by unit which container runs."""
    there = site.s1ctl.data("status")["running"]
    return {one["unit"]: one["container"] for one in there if one["state"] == "running"}


def pending(site) -> list[str]:
    """Name the contracts that wait."""
    (database,) = site.s1ctl.data("db", "status")["databases"]
    return database["contract"]
