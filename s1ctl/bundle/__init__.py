"""The bundle file: written once, read once."""
