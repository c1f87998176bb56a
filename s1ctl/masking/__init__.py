"""Mask secrets in texts: those that are known, and what looks like one. Pure."""
