"""Console of atlas: events in PostgreSQL, over HTTP."""
