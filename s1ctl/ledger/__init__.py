"""The memory of a site: operations and their journal, points, releases, trust, the lock."""
