"""`s1ctl bundle`: build, lint, sign, verify and look into bundles."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from s1ctl.cli import context, passphrase
from s1ctl.cli.exit_codes import NOT_READY, ONLY_WARNINGS
from s1ctl.cli.key import refuse_to_replace
from s1ctl.cli.trust import parse_fingerprint, read_root
from s1ctl.errors import FormatRefused, NotVerified, UsageError

if TYPE_CHECKING:
    from s1ctl.trust.root import Trust

app = typer.Typer(help="Build, lint, sign, verify and look into bundles.")
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
    update_lock: Annotated[
        bool, typer.Option("--update-lock", help="Accept images that are not the locked ones.")
    ] = False,
    password_file: passphrase.PasswordFile = None,
) -> None:
    """Build a bundle, and sign it while building."""
    from s1ctl.bundle.build import build_bundle
    from s1ctl.cli import bundle_text
    from s1ctl.trust.root import parse_chain

    here = context.of(line)
    refuse_to_replace(out)
    report = build_bundle(
        recipe,
        out,
        key=passphrase.read_key(here, key, password_file) if key else None,
        roots=parse_chain(read_root(root)) if root else (),
        environment=here.environment,
        source_date_epoch=here.environment.get("SOURCE_DATE_EPOCH"),
        update_lock=update_lock,
        notify=here.notify,
    )
    for warning in report.warnings:
        here.output.say(f"warning: {warning}")
    here.output.result(bundle_text.describe_build(report), bundle_text.build_document(report))


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
    signer = passphrase.read_key(here, key, password_file)
    digest = sign_bundle(file, signer)
    fingerprint = signer.public.fingerprint
    here.output.result(
        f"{file} is signed by {fingerprint}",
        {"file": str(file), "digest": str(digest), "key": fingerprint},
    )


@app.command()
def verify(
    line: typer.Context, *, file: File, root: Root = None, fingerprint: Fingerprint = ""
) -> None:
    """Read and check every byte; writes nothing."""
    from s1ctl.bundle.verify import verify_bundle
    from s1ctl.cli import bundle_text

    here = context.of(line)
    trust = trust_for(here, file, root, fingerprint)
    report = verify_bundle(file, trust, here.notify)
    here.output.result(bundle_text.describe_verified(report), bundle_text.plain_data(report))


@app.command()
def show(
    line: typer.Context, *, file: File, root: Root = None, fingerprint: Fingerprint = ""
) -> None:
    """Show what a bundle says of itself; reads its header only."""
    from s1ctl.bundle.show import show_bundle
    from s1ctl.cli import bundle_text

    here = context.of(line)
    data = show_bundle(file, _known_trust(here, file, root, fingerprint))
    here.output.result(bundle_text.describe(data), data)


@app.command()
def ls(
    line: typer.Context, *, file: File, root: Root = None, fingerprint: Fingerprint = ""
) -> None:
    """List the blobs of a bundle; reads its header only."""
    from s1ctl.bundle.show import list_blobs
    from s1ctl.cli import bundle_text

    here = context.of(line)
    data = list_blobs(file, _known_trust(here, file, root, fingerprint))
    here.output.result(bundle_text.describe_blobs(data), data)


@app.command()
def lint(
    line: typer.Context,
    *,
    file: Annotated[Path, typer.Argument(metavar="RECIPE|FILE", help="A recipe, or a bundle.")],
    strict: Annotated[bool, typer.Option("--strict", help="Warnings count: exit 4.")] = False,
) -> None:
    """Check what can be seen of the platform's contract, and name what cannot."""
    from s1ctl.bundle.lint import lint as look
    from s1ctl.cli import bundle_text

    here = context.of(line)
    report = look(file, here.environment)
    code = NOT_READY if report.errors else ONLY_WARNINGS if strict and report.warnings else 0
    here.output.result(
        bundle_text.describe_lint(report), bundle_text.lint_document(report, exit_=code)
    )
    raise typer.Exit(code)


def trust_for(here: context.Here, file: Path, root: Path | None, fingerprint: str) -> "Trust":
    """Trust the root that the command line names, or else the one that this site remembers.

    A root that is named is for looking at a file: the file's own channel is accepted.
    """
    from s1ctl.bundle.reader import read_header_unverified
    from s1ctl.trust.root import Trust, first_root

    if (root is None) != (not fingerprint):
        raise UsageError(
            "a root is trusted by its file and its fingerprint together",
            code="S1-U85",
            hint="give both `--root FILE` and `--fingerprint HEX`",
        )
    if root is None:
        return here.trust
    trusted = first_root(read_root(root), parse_fingerprint(fingerprint))
    found = read_header_unverified(file)
    try:
        channel = found.manifest.channel
    except (FormatRefused, NotVerified):
        channel = ""  # its signatures are looked at first, and then refused for what it is
    return Trust(product=trusted.document.product, channel=channel, root=trusted)


def _known_trust(
    here: context.Here, file: Path, root: Path | None, fingerprint: str
) -> "Trust | None":
    """Find a root to verify by; None where there is neither a named one nor a site."""
    if root is None and not fingerprint and not here.site_file.exists():
        return None
    return trust_for(here, file, root, fingerprint)
