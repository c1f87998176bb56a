"""Remove everything that the demo made, and nothing that does not bear its site's label.

The demo of another checkout has the same label: while that is here, nothing is touched.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import registry
from places import CERTIFICATES, DEMO, IMAGES, REGISTRY, SITE_LABEL, STATE, shown

KINDS = {
    "container": (["ps", "-aq"], ["rm", "-f"]),
    "network": (["network", "ls", "-q"], ["network", "rm"]),
    "volume": (["volume", "ls", "-q"], ["volume", "rm"]),
}


def clean() -> list[str]:
    """Remove the former demo, but not the images in dist/atlas; say what went."""
    refuse_to_wreck_another()
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


def refuse_to_wreck_another() -> None:
    """End here if the demo of another checkout, whose folder is still there, is on this machine."""
    form = '{{range .Mounts}}{{if eq .Type "bind"}}{{.Source}}{{"\\n"}}{{end}}{{end}}'
    containers = _docker("ps", "-aq", "--filter", f"label={SITE_LABEL}").split()
    mounted = _docker("inspect", "--format", form, *containers) if containers else ""
    folders = sorted({folder for line in mounted.splitlines() if (folder := _demo_of(line))})
    others = [folder for folder in folders if folder != DEMO.resolve() and folder.exists()]
    if others:
        sys.exit(
            f"the demo of another checkout is on this machine, in {others[0]}, and there can be "
            "only one; nothing was touched: run `make demo-clean` there, then this again"
        )


def _demo_of(mounted: str) -> Path | None:
    """The folder of the demo from whose state a container has a file, if it has one of a demo."""
    parents = [parent for parent in Path(mounted.strip()).parents if parent.name == STATE.name]
    return parents[0].parent.resolve() if parents else None


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
