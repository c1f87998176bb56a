"""`s1ctl key`: the vendor's signing keys, and the root that names them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from s1ctl.cli import context, passphrase
from s1ctl.errors import InputOutputFailed, UsageError

if TYPE_CHECKING:
    from s1ctl.trust.keys import PrivateKey

app = typer.Typer(help="Signing keys, and the root of trust that names them.")


@app.command()
def new(
    line: typer.Context,
    *,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where the private key goes.")],
    root: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Also make a root in which this key signs everything."),
    ] = None,
    product: Annotated[str, typer.Option(help="The product that the root is for.")] = "",
    owner: Annotated[str, typer.Option(help="Who holds the key, and where.")] = "",
    password_file: passphrase.PasswordFile = None,
    no_password: Annotated[
        bool, typer.Option("--no-password", help="Write the key without a passphrase.")
    ] = False,
) -> None:
    """Make a signing key.

    With --root also the root of trust of a product, in which this key signs everything.
    """
    from s1ctl.trust.keys import PrivateKey

    here = context.of(line)
    if root and not product:
        raise UsageError(
            "a root is for one product, and none is named", code="S1-U83", hint="give `--product`"
        )
    refuse_to_replace(file, *([root] if root else []))
    word = None if no_password else passphrase.new(here, password_file)
    key = PrivateKey.new()
    key.write(file, word)
    text = [f"key {key.public.fingerprint}", f"  private, keep it secret: {file}"]
    data: dict[str, object] = {"key": key.public.fingerprint, "file": str(file)}
    if root:
        fingerprint = _write_root(root, product, owner, key)
        text += [f"root {fingerprint}", f"  give it to every site with this number: {root}"]
        data |= {"root": fingerprint, "root_file": str(root)}
    here.output.result(text, data)


@app.command()
def show(
    line: typer.Context,
    *,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The private key.")],
    password_file: passphrase.PasswordFile = None,
) -> None:
    """Show the public half of a key."""
    here = context.of(line)
    public = passphrase.read_key(here, file, password_file).public
    pem = public.pem.decode("ascii").rstrip("\n")
    here.output.result(
        [f"key {public.fingerprint}", pem], {"key": public.fingerprint, "public_pem": pem}
    )


def refuse_to_replace(*paths: Path) -> None:
    """Raise `UsageError` S1-U84 where a file is already there; nothing is overwritten."""
    for path in paths:
        if path.exists():
            raise UsageError(
                f"`{path}` is already there",
                code="S1-U84",
                hint="name another file, or move that one away",
            )


def _write_root(path: Path, product: str, owner: str, key: "PrivateKey") -> str:
    from s1ctl.files import write_file
    from s1ctl.oci.digest import Digest
    from s1ctl.trust.root import chain_json, make_root, sign_root

    root = make_root(
        product=product, root_keys=(key.public,), release_keys=(key.public,), owner=owner
    )
    envelope = sign_root(root, (key,))
    try:
        write_file(path, chain_json((envelope,)) + b"\n")
    except OSError as error:
        raise InputOutputFailed(
            f"`{path}` cannot be written: {error.strerror}", code="S1-I02", hint="check its folder"
        ) from None
    return Digest.of(envelope.payload).hex
