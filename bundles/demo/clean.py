"""Remove everything that the demo made, and nothing that does not bear its site's label."""

import shutil
import subprocess
import sys

import registry
from places import CERTIFICATES, DEMO, IMAGES, REGISTRY, SITE_LABEL, shown

KINDS = {
    "container": (["ps", "-aq"], ["rm", "-f"]),
    "network": (["network", "ls", "-q"], ["network", "rm"]),
    "volume": (["volume", "ls", "-q"], ["volume", "rm"]),
}


def clean() -> list[str]:
    """Remove the former demo, but not the images in dist/atlas; say what went."""
    gone = [f"{count} {kind}s" for kind in KINDS if (count := _remove(kind))]
    host = _registry_host()
    if host:
        gone += [f"{count} images in the engine" for count in [_remove_images(host)] if count]
        shutil.rmtree(CERTIFICATES / host, ignore_errors=True)
    if registry.stop():
        gone.append("the registry")
    if DEMO.exists():
        shutil.rmtree(DEMO)
        gone.append(shown(DEMO))
    return gone


def main() -> None:
    """Remove the images too."""
    gone = clean()
    if IMAGES.exists():
        shutil.rmtree(IMAGES)
        gone.append(shown(IMAGES))
    print(f"removed: {', '.join(gone) or 'nothing; there was no demo'}")


def _remove(kind: str) -> int:
    listing, removing = KINDS[kind]
    found = _docker(*listing, "--filter", f"label={SITE_LABEL}").split()
    if found:
        _docker(*removing, *found)
    return len(found)


def _remove_images(host: str) -> int:
    """Take the demo's names from the images; one that a container of others needs stays."""
    form = "{{.Repository}}@{{.Digest}}"
    listed = _docker("images", "--digests", "--format", form, "--filter", f"reference={host}/*/*")
    names = sorted(set(listed.split()))
    return sum(_call("rmi", name).returncode == 0 for name in names)


def _registry_host() -> str | None:
    try:
        return f"{registry.HOST}:{(REGISTRY / 'port').read_text()}"
    except FileNotFoundError:
        return None


def _docker(*words: str) -> str:
    done = _call(*words)
    if done.returncode:
        sys.exit(f"`docker {' '.join(words[:2])}` ended with {done.returncode}: {done.stderr}")
    return done.stdout


def _call(*words: str) -> subprocess.CompletedProcess[str]:
    command = ["docker", "-H", "unix:///var/run/docker.sock", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


if __name__ == "__main__":
    main()
