"""A site that loads a bundle from a registry of the test's own, by the command line."""

import contextlib
import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from s1ctl.cli.main import main
from s1ctl.ledger.ledger import open_ledger
from s1ctl.ledger.store import ReleaseStore
from s1ctl.oci.digest import Digest
from tests.support.bundles import (
    CHANNEL,
    PRODUCT,
    Parts,
    Vendor,
    make_parts,
    make_vendor,
    write_bundle,
)
from tests.support.cases import Case, Stands, Untouched, outcome_of, stand_of, words_of
from tests.support.registry import RegistryServer
from tests.support.schemas import heard

PREFIX = "site/a"


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a command line ended with: its exit code, JSON result, and what a person reads.

    `before` and `after` are what was taken down round it, by the words of the table of cases.
    """

    status: int
    document: dict[str, Any]
    text: str
    before: Stands = field(default_factory=dict)
    after: Stands = field(default_factory=dict)

    def proves(self, case: Case) -> None:
        """See that it ended as the case says, and that what is to stay as it was did."""
        assert self.outcome == case.outcome
        case.prove(self.before, self.after)

    @property
    def outcome(self) -> tuple[int, str]:
        """The exit code, and the code of the error."""
        return outcome_of(self.status, self.document)

    @property
    def message(self) -> str:
        """The error's sentence."""
        return str(self.document["error"]["message"])

    @property
    def hint(self) -> str:
        """What to do next."""
        return str(self.document["error"]["hint"])

    @property
    def loaded(self) -> dict[str, Any]:
        """What the one load did."""
        (one,) = self.document["loaded"]
        return dict(one)


def s1ctl(*argv: object, output: str = "json") -> Said:
    """Run one command line in this process."""
    out, err = io.StringIO(), io.StringIO()
    words = [*map(str, argv), "--output", output]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main(words)
    assert heard(words, out.getvalue()) == ""
    text = out.getvalue() + err.getvalue()
    document = json.loads(out.getvalue() or "{}") if output == "json" else {}
    return Said(status=status, document=document, text=text)


def watched(take: Callable[[], Stands], run: Callable[[], Said]) -> Said:
    """Run a command line, with all taken down before and after."""
    before, said = take(), run()
    return replace(said, before={**said.before, **before}, after={**said.after, **take()})


@dataclass(frozen=True, kw_only=True)
class Cargo:
    """A bundle on a disk, with the vendor's root beside it."""

    path: Path
    parts: Parts
    root: Path
    fingerprint: str

    @property
    def blobs(self) -> dict[str, int]:
        """The blobs that a load sends, with their sizes."""
        kinds = {"oci-config", "oci-layer"}
        return {str(b.digest): b.size for b in self.parts.manifest.blobs if b.kind in kinds}

    @property
    def largest(self) -> str:
        """The blob that is sent first."""
        return min(self.blobs, key=lambda digest: (-self.blobs[digest], digest))


@pytest.fixture(scope="session")
def cargo(tmp_path_factory: pytest.TempPathFactory) -> Cargo:
    """Say the bundle that tests of loading load."""
    return make_cargo(tmp_path_factory.mktemp("cargo"))


def make_cargo(folder: Path, *, vendor: Vendor | None = None, **parts: Any) -> Cargo:
    """Write a bundle; `parts` are those of `make_parts`."""
    vendor = vendor or make_vendor()
    made = make_parts(**parts)
    root = folder / "root.json"
    root.write_bytes(vendor.root_json)
    return Cargo(
        path=write_bundle(folder / f"{made.manifest.sequence}.s1b", made, vendor),
        parts=made,
        root=root,
        fingerprint=hashlib.sha256(vendor.root.payload).hexdigest(),
    )


class LoadSite:
    """A site file and a state directory with the vendor's root, before a registry at `url`."""

    def __init__(self, folder: Path, cargo: Cargo, url: str, **registry: object) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.cargo = cargo
        self.file = folder / "site.yaml"
        self.state = folder / "state"
        self.write(url, **registry)
        done = s1ctl(*self._line("trust", "init"), "--root", cargo.root, *self._fingerprint)
        assert done.status == 0, done.text

    def write(self, url: str, **registry: object) -> None:
        """Write the site file; `registry` are the keys beside `url`."""
        keys = "".join(f"  {key}: {value}\n" for key, value in registry.items() if value)
        self.file.write_text(
            "version: 1\nname: acme\n"
            "target: {kind: docker, network: 10.211.7.0/24}\n"
            f"registry:\n  url: {url}/{PREFIX}\n{keys}"
            f"trust: {{product: {PRODUCT}, channel: {CHANNEL}}}\n"
            f"state_dir: {self.state}\n"
        )
        self.file.chmod(0o600)

    def load(self, *words: object, cargo: Cargo | None = None, output: str = "json") -> Said:
        """Load the bundle."""
        return s1ctl(*self.line(*words, cargo=cargo), output=output)

    def line(self, *words: object, cargo: Cargo | None = None) -> list[object]:
        """Write the command line that loads the bundle."""
        return [*self._line("load", (cargo or self.cargo).path), *words]

    def stand(self) -> dict[str, str]:
        """Take down ledger, release store and whatever else is in the state directory."""
        return stand_of(self.state)

    def words(self, server: RegistryServer | None = None) -> dict[Untouched, object]:
        """The same by the words of the table of cases; with a registry, what it holds and heard."""
        words = {**words_of(self.state), "site file": self.file.read_bytes()}
        if server is None:
            return words
        return {**words, "registry": server.contents(), "requests": server.requests()}

    def has_loaded(self, cargo: Cargo | None = None) -> bool:
        """Say whether the release is in the ledger, and only it."""
        wanted = (cargo or self.cargo).parts.manifest.version
        with open_ledger(self.state) as ledger:
            return [release.version for release in ledger.releases.loaded()] == [wanted]

    def stored(self) -> list[Digest]:
        """List the releases in the release store."""
        return list(ReleaseStore(self.state / "releases").digests())

    @property
    def _fingerprint(self) -> tuple[str, str]:
        return "--fingerprint", self.cargo.fingerprint

    def _line(self, *words: object) -> list[object]:
        return ["--site", self.file, *words]
