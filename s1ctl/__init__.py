"""Install and upgrade self-hosted platforms at sites with no network to the outside."""

__version__ = "0.1.0"
