"""The roots that this site trusts."""

from typing import Any

from s1ctl.canonical import parse_canonical
from s1ctl.errors import NotVerified
from s1ctl.ledger.connection import Database
from s1ctl.ledger.models import RootRow


class TrustedRoots:
    """One chain of roots a product, as bytes whose roots only `trust/` understands."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def root(self, product: str) -> bytes | None:
        """Hand out the chain of a product; None where none is trusted."""
        with self._database.reading() as session:
            row = session.get(RootRow, product)
            return row.raw if row else None

    def remember(self, product: str, raw: bytes) -> None:
        """Trust this chain from now on; of two that lead one way, the longer one stays.

        Signatures are not looked at, that is `trust/`'s. Raises `NotVerified` S1-T12 for a chain
        that leads another way than the one that is trusted.
        """
        with self._database.writing() as session:
            row = session.get(RootRow, product)
            if row is None:
                session.add(RootRow(product=product, raw=raw))
                return
            known, offered = _roots(row.raw), _roots(raw)
            both = min(len(known), len(offered))
            if known[:both] != offered[:both]:
                raise NotVerified(
                    f"the site trusts another chain of roots of `{product}` by now",
                    code="S1-T12",
                    hint="compare `s1ctl trust list` with what the vendor says, then repeat",
                )
            if len(offered) > len(known):
                row.raw = raw

    def products(self) -> tuple[str, ...]:
        """Name the products that have a trusted root."""
        with self._database.reading() as session:
            return tuple(
                product for (product,) in session.query(RootRow.product).order_by("product")
            )


def _roots(raw: bytes) -> list[str]:
    """List the payloads in `{"format":1,"roots":[DSSE,…]}`; they are compared, not understood."""
    document: Any = parse_canonical(raw)
    return [root["payload"] for root in document["roots"]]
