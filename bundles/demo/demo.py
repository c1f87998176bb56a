"""The whole story of s1ctl on one machine: vendor, disk, site, upgrade, and the way back."""

import json
import re
import sys
import time
import urllib.request
from typing import Any

import registry
from clean import clean
from places import (
    ATLAS,
    AWAY,
    DEMO,
    KEY,
    REGISTRY,
    RESULT,
    ROOT_FILE,
    S1CTL,
    SITE,
    SITE_FILE,
    STATE,
    bundle,
    free_port,
    free_subnet,
    shown,
)
from story import Story, StoryError
from traffic import SHOWN, rows_lost, traffic

OLD, MIDDLE, NEW, BROKEN = RELEASES = ("1.0.0", "1.1.0", "2.0.0", "2.1.0")
TAKEN_BACK = 30
READY_S = 30
PARTS = ("upgrade", "rollback", "upgrade_again", "contract", "broken")
Numbers = dict[str, Any]


def main() -> int:
    story = Story()
    try:
        result = tell(story)
    except StoryError as error:
        print(f"\nthe demo stops here: {error}", file=sys.stderr)
        return 1
    result["sections"] = story.seconds
    result["seconds"] = round(time.monotonic() - story.began, 1)
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    return close(result)


def tell(story: Story) -> dict[str, Any]:
    with story.section("1. Set-up"):
        set_up(story)
    with story.section("2. At the vendor: a key, a root, images, four signed bundles"):
        fingerprint = vendor(story)
    with story.section(f"3. At the site: a private registry, trust, and the installation of {OLD}"):
        url = site(story, fingerprint)
    with story.section(f"4. {MIDDLE} and {NEW} are staged; the disk leaves, the registry stops"):
        stage(story)
    result: dict[str, Any] = {"url": url}
    with story.section(f"5. To {NEW} over {MIDDLE}, under load, without disk and registry"):
        result["upgrade"] = upgrade(story, url, "upgrade")
    with story.section(f"6. The way back to {MIDDLE}, under the same load"):
        result["rollback"] = rollback(story, url)
    with story.section(f"7. And {NEW} again"):
        result["upgrade_again"] = upgrade(story, url, "upgrade_again")
    with story.section(f"8. The contract of {NEW}: the point of no return"):
        result["contract"] = contract(story, url)
    with story.section(f"9. Another disk: {BROKEN}, which is broken, and is taken back"):
        bring_back(story)
        result["broken"] = break_it(story, url)
    with story.section("10. What is left"):
        result["rows"] = rows_lost(story, url, PARTS)
        result["site"] = {"release": installed(story)}
    return result


def set_up(story: Story) -> None:
    gone = clean()
    if gone:
        story.say(f"The former demo was removed first: {', '.join(gone)}.")
    DEMO.mkdir(parents=True)
    AWAY.mkdir()
    story.say("s1ctl, its libraries and an engine are here; `make setup` saw to that.")
    story.s1ctl("--version")


def vendor(story: Story) -> str:
    story.say("The vendor makes a signing key and a root of trust. (A real key has a passphrase.)")
    made = story.s1ctl(
        *("key", "new", KEY, "--root", ROOT_FILE, "--product", "atlas"),
        *("--owner", "demo vendor", "--no-password"),
    )
    found = re.search(r"^root ([0-9a-f]{64})$", made, re.MULTILINE)
    if not found:
        raise StoryError("`key new` told no fingerprint of the root")
    story.say("The images of atlas are made without an engine: Debian packages and Python wheels.")
    story.run(sys.executable, ATLAS / "images" / "build.py")
    for version in RELEASES:
        story.say(f"The bundle of {version} is built and signed, then verified, every byte of it.")
        story.s1ctl(
            *("bundle", "build", ATLAS / version / "recipe.yaml", "-o", bundle(version)),
            *("--key", KEY, "--root", ROOT_FILE, "--update-lock"),
        )
        trusted = ("--root", ROOT_FILE, "--fingerprint", found[1])
        story.s1ctl("bundle", "verify", bundle(version), *trusted)
    story.say("A bundle is also an OCI archive, which other tools read.")
    story.run(
        *("skopeo", "inspect", "--format", "{{.Digest}} {{.Architecture}} {{len .Layers}} layers"),
        f"oci-archive:{shown(bundle(OLD))}:console:{OLD}",
    )
    return found[1]


def site(story: Story, fingerprint: str) -> str:
    port = free_port(5443)
    registry.make(port)
    registry.start()
    story.say(f"The private registry runs at {registry.HOST}:{port}, with TLS by a CA of its own.")
    gateway = free_port(8443)
    story.s1ctl(
        *("init", "--non-interactive", "--name", SITE, "--product", "atlas"),
        *("--registry", f"https://{registry.HOST}:{port}/atlas"),
        *("--registry-ca", shown(REGISTRY / "ca.crt"), "--registry-user", registry.USER),
        *("--registry-password", f"file:{REGISTRY / 'password'}"),
        *("--network", free_subnet(), "--state-dir", shown(STATE)),
        *("--database", "console=postgres", "--value", f"gateway_port={gateway}"),
        *("--allow", "gateway=host-network", "--soak", "5", "--trust-engine"),
    )
    shorten_patience(story)
    story.say("The root is trusted by its full fingerprint, which came on paper.")
    story.s1ctl("trust", "init", "--root", ROOT_FILE, "--fingerprint", fingerprint)
    story.s1ctl("load", bundle(OLD))
    story.s1ctl("preflight", "--for", "install")
    story.s1ctl("install", "--bundle", bundle(OLD), "--yes")
    url = f"http://127.0.0.1:{gateway}"
    show_answer(story, url)
    return url


def shorten_patience(story: Story) -> None:
    """Write into the site file how long a unit may take to become ready."""
    story.say(
        f"A unit has {READY_S} s to become ready (by default 120): {BROKEN}, which never does, is "
        "to be given up sooner."
    )
    text = SITE_FILE.read_text()
    SITE_FILE.write_text(text.replace("policy:\n", f"policy:\n  ready_timeout_s: {READY_S}\n"))


def stage(story: Story) -> None:
    for version in (MIDDLE, NEW):
        story.s1ctl("load", bundle(version))
    story.s1ctl("plan", "--to", NEW)
    story.say("Staging changes nothing that a user of the platform notices; it may run by day.")
    story.s1ctl("upgrade", "--to", NEW, "--stage", "--yes")
    for version in RELEASES:
        bundle(version).rename(AWAY / bundle(version).name)
    registry.stop()
    story.say(f"The bundles are now in {shown(AWAY)}, and the registry is stopped.")


def upgrade(story: Story, url: str, name: str) -> Numbers:
    with traffic(story, url, name) as numbers:
        story.s1ctl("upgrade", "--to", NEW, "--probe", f"{url}/version", "--yes")
    show_answer(story, url)
    rows_lost(story, url, [name])
    return shown_of(numbers)


def rollback(story: Story, url: str) -> Numbers:
    with traffic(story, url, "rollback") as numbers:
        story.s1ctl("rollback", "--yes")
    show_answer(story, url)
    story.say(f"Rows that were written under {NEW}, and during the way back:")
    rows_lost(story, url, ["upgrade", "rollback"])
    return shown_of(numbers)


def contract(story: Story, url: str) -> Numbers:
    story.say(f"Nobody wants to go back any more: what {NEW} does not need may go.")
    with traffic(story, url, "contract") as numbers:
        story.s1ctl("db", "contract", "--yes")
    rows_lost(story, url, ["contract"])
    return shown_of(numbers)


def bring_back(story: Story) -> None:
    for path in AWAY.iterdir():
        path.rename(DEMO / path.name)
    AWAY.rmdir()
    registry.start()
    story.say("The bundles are back, and the registry runs again.")


def break_it(story: Story, url: str) -> Numbers:
    story.s1ctl("load", bundle(BROKEN))
    with traffic(story, url, "broken") as numbers:
        words = ("upgrade", "--to", BROKEN, "--probe", f"{url}/version", "--yes")
        story.s1ctl(*words, ends_with=TAKEN_BACK)
        status = story.status
    show_answer(story, url)
    return {"exit": status, **shown_of(numbers)}


def installed(story: Story) -> str:
    """The release at which the site says it is."""
    story.s1ctl("status")
    told = json.loads(story.s1ctl("status", "--output", "json", is_shown=False))
    version: str = told["installed"]["version"]
    return version


def shown_of(numbers: Numbers) -> Numbers:
    return {key: numbers[key] for key in SHOWN}


def show_answer(story: Story, url: str) -> None:
    with urllib.request.urlopen(f"{url}/version", timeout=10) as answer:
        story.say(f"{url}/version answers: {answer.read().decode().strip()}")


def close(result: dict[str, Any]) -> int:
    show_table(result)
    rows, url = result["rows"], result["url"]
    failed = sum(result[name]["failed"] for name in PARTS)
    if failed or rows["lost"] or result["site"]["release"] != NEW:
        print(
            f"\nthe demo failed: {failed} requests failed, {rows['lost']} rows are lost, "
            f"the site is at {result['site']['release']}"
        )
        return 1
    print(f"\nThe platform runs at {url} (try {url}/api/v2/events).")
    print(f"The same numbers are in {shown(RESULT)}. What to try next:")
    print(f"  export S1CTL_SITE={shown(SITE_FILE)}")
    for words in ("status", "history", "backup list", "plan --to 2.1.0", "explain 30"):
        print(f"  {shown(S1CTL)} {words}")
    print("  make demo-clean    removes all of it")
    return 0


def show_table(result: dict[str, Any]) -> None:
    what = {
        "upgrade": f"{OLD} -> {MIDDLE} -> {NEW}",
        "rollback": f"{NEW} -> {MIDDLE}",
        "upgrade_again": f"{MIDDLE} -> {NEW}",
        "contract": f"{NEW}, point of no return",
        "broken": f"{BROKEN} taken back, exit {result['broken']['exit']}",
    }
    form = "{:<15}{:<29}{:>10}{:>8}{:>10}{:>9}{:>9}"
    print("\n" + form.format("", "", *SHOWN))
    for name in PARTS:
        print(form.format(name, what[name], *(result[name][key] for key in SHOWN)))
    rows = result["rows"]
    print(f"rows written {rows['written']}, lost {rows['lost']}; {result['seconds']} s in all")
    print(f"the site is at {result['site']['release']}")


if __name__ == "__main__":
    sys.exit(main())
