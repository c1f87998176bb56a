"""Collect facts, then judge them."""
