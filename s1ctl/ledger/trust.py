"""The roots that this site trusts."""

from s1ctl.ledger.connection import Database
from s1ctl.ledger.models import RootRow


class TrustedRoots:
    """One chain of roots a product, as bytes that only `trust/` understands."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def root(self, product: str) -> bytes | None:
        """Hand out the chain of a product; None where none is trusted."""
        with self._database.reading() as session:
            row = session.get(RootRow, product)
            return row.raw if row else None

    def remember(self, product: str, raw: bytes) -> None:
        """Trust this chain from now on."""
        with self._database.writing() as session:
            session.merge(RootRow(product=product, raw=raw))

    def products(self) -> tuple[str, ...]:
        """Name the products that have a trusted root."""
        with self._database.reading() as session:
            return tuple(
                product for (product,) in session.query(RootRow.product).order_by("product")
            )
