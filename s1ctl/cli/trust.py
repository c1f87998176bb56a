"""`s1ctl trust`: the root that this site trusts."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from s1ctl.cli import context
from s1ctl.errors import NotVerified, UsageError
from s1ctl.files import unreadable

if TYPE_CHECKING:
    from s1ctl.trust.root import TrustedRoot

app = typer.Typer(help="The root that this site trusts.")
MAX_ROOT_BYTES = 16 << 20


@app.command()
def init(
    line: typer.Context,
    *,
    root: Annotated[Path, typer.Option(metavar="FILE", help="The vendor's root.json.")],
    fingerprint: Annotated[
        str, typer.Option(metavar="HEX", help="All 64 digits, as the vendor told you otherwise.")
    ],
) -> None:
    """Trust a vendor's root.

    It is named by its full fingerprint, which comes by another way; nothing is trusted at first
    sight.
    """
    from s1ctl.trust.root import chain_json, first_root

    here = context.of(line)
    policy = here.site.trust
    trusted = first_root(read_root(root), parse_fingerprint(fingerprint))
    if trusted.document.product != policy.product:
        raise NotVerified(
            f"`{root}` is a root for `{trusted.document.product}`, and this site is for"
            f" `{policy.product}`",
            code="S1-T11",
            hint="get the root of the right product, or mend `trust.product` in the site file",
        )
    trusted = _following_on(here, trusted)
    here.ledger.trust.remember(policy.product, chain_json(trusted.envelopes))
    here.output.result(describe(trusted), document(trusted))


@app.command("list")
def list_roots(line: typer.Context) -> None:
    """Show the root that this site trusts."""
    here = context.of(line)
    trusted = here.trust.root
    here.output.result(describe(trusted), document(trusted))


def parse_fingerprint(text: str) -> str:
    """Parse a fingerprint as it was told: all 64 digits. Raises `UsageError` S1-U140."""
    digits = text.strip().lower().removeprefix("sha256:")
    if not re.fullmatch(r"[0-9a-f]{64}", digits):
        raise UsageError(
            f"`{text}` is not a fingerprint: it has {len(digits)} characters, and 64 hexadecimal"
            " digits are needed",
            code="S1-U140",
            hint="give all 64 digits, as the vendor told you by another way than the file",
        )
    return digits


def read_root(path: Path) -> bytes:
    """Read a root file of at most 16 MiB."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_ROOT_BYTES)
    except OSError as error:
        raise unreadable(path, error) from None


def describe(trusted: "TrustedRoot") -> list[str]:
    """Say a root in lines."""
    root = trusted.document
    lines = [f"root of {root.product}, version {root.version}, fingerprint {_fingerprint(trusted)}"]
    for name, role in (("roots", root.roles.root), ("releases", root.roles.release)):
        lines.append(f"  {name} need {role.threshold} of {len(role.keys)} keys:")
        lines += [f"    {key}  {root.keys[key].owner}".rstrip() for key in role.keys]
    return lines


def document(trusted: "TrustedRoot") -> dict[str, object]:
    """Make the plain data of a root."""
    from s1ctl.shape import plain

    return {"fingerprint": _fingerprint(trusted), "root": plain(trusted.document)}


def _fingerprint(trusted: "TrustedRoot") -> str:
    from s1ctl.oci.digest import Digest

    return Digest.of(trusted.envelopes[-1].payload).hex


def _following_on(here: context.Here, offered: "TrustedRoot") -> "TrustedRoot":
    """Follow the known root along its chain, if there is one; a site never jumps to another."""
    from s1ctl.trust.root import first_root, walk_chain

    known = here.ledger.trust.root(here.site.trust.product)
    return walk_chain(first_root(known, None), offered.envelopes) if known else offered
