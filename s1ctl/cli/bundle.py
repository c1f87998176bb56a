"""`s1ctl bundle`: build, sign, verify and look into bundles."""

from pathlib import Path
from typing import Annotated

import typer

from s1ctl.cli import context, passphrase
from s1ctl.cli.key import refuse_to_replace
from s1ctl.cli.trust import read_root
from s1ctl.errors import UsageError

app = typer.Typer(help="Build, sign, verify and look into bundles.")
File = Annotated[Path, typer.Argument(metavar="FILE", help="The bundle.")]
Key = Annotated[Path | None, typer.Option(metavar="FILE", help="The private key to sign with.")]
Root = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="A root.json; without it the site's own root is asked."),
]
Fingerprint = Annotated[
    str, typer.Option(metavar="HEX", help="The fingerprint of that root, all 64 digits.")
]


@app.command()
def build(
    line: typer.Context,
    *,
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="The recipe.")],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FILE", help="The bundle to write.")],
    key: Key = None,
    root: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The root.json to carry along.")
    ] = None,
    password_file: passphrase.PasswordFile = None,
) -> None:
    """Build a bundle, and sign it while building."""
    from s1ctl.bundle.build import build_bundle
    from s1ctl.trust.root import parse_chain

    here = context.of(line)
    refuse_to_replace(out)
    report = build_bundle(
        recipe,
        out,
        key=passphrase.read_key(here, key, password_file) if key else None,
        roots=parse_chain(read_root(root)) if root else (),
        environment=here.environment,
        notify=here.notify,
    )
    here.output.result(str(report), {})


@app.command()
def sign(
    line: typer.Context,
    *,
    file: File,
    key: Annotated[Path, typer.Option(metavar="FILE", help="The private key to sign with.")],
    password_file: passphrase.PasswordFile = None,
) -> None:
    """Add one more signature; no blob moves."""
    from s1ctl.bundle.sign import sign_bundle

    here = context.of(line)
    sign_bundle(file, passphrase.read_key(here, key, password_file))
    here.output.result(f"{file} is signed", {"file": str(file)})


@app.command()
def verify(
    line: typer.Context, file: File, root: Root = None, fingerprint: Fingerprint = ""
) -> None:
    """Read and check every byte; writes nothing."""
    from s1ctl.bundle.verify import verify_bundle

    here = context.of(line)
    report = verify_bundle(file, trust_for(here, root, fingerprint), here.notify)
    here.output.result(str(report), {})


def trust_for(here: context.Here, root: Path | None, fingerprint: str) -> object:
    """Trust the root that the command line names, or else the one that this site remembers."""
    if (root is None) != (not fingerprint):
        raise UsageError(
            "a root is trusted by its file and its fingerprint together",
            code="S1-U25",
            hint="give both `--root FILE` and `--fingerprint HEX`",
        )
    return here.trust
