"""Fixtures: PostgreSQL."""
