"""The fixed addresses of replicas, kept for ever so that a plan is the same tomorrow."""

from collections.abc import Mapping

from sqlalchemy import select

from s1ctl.ledger.columns import to_text, value_of
from s1ctl.ledger.connection import Database
from s1ctl.ledger.models import AddressRow


class Addresses:
    """By `UNIT/REPLICA`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> dict[str, tuple[str, ...]]:
        """Hand out every replica's addresses."""
        with self._database.reading() as session:
            rows = session.scalars(select(AddressRow).order_by(AddressRow.replica))
            return {row.replica: value_of(row.addresses, tuple[str, ...]) for row in rows}

    def record(self, addresses: Mapping[str, tuple[str, ...]]) -> None:
        """Record replicas; those not named keep theirs."""
        with self._database.writing() as session:
            for replica, chosen in addresses.items():
                session.merge(AddressRow(replica=replica, addresses=to_text(chosen)))
