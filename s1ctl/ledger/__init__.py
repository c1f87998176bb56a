"""Memory of a site: SQLite ledger and release store."""
