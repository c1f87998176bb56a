"""Schema and data of a service's database."""
